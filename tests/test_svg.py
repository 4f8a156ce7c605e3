import re
import xml.dom.minidom

import matplotlib.pyplot as plt
import numpy as np

from report.show.outputs import svg_of
from report.show.svg import shortened


def points(path):
    """The points that a path of M, L, m and l leads to, and its closings."""
    at = np.zeros(2)
    begin = np.zeros(2)
    places = []
    for command, body in re.findall(r"([MLmlz])([^A-Za-z]*)", path):
        if command == "z":
            at = begin
            continue
        for number, step in enumerate(np.reshape([float(x) for x in re.findall(r"-?[\d.]+", body)], (-1, 2))):
            at = step if command in "ML" else at + step
            begin = at if command in "Mm" and number == 0 else begin
            places.append(at)
    return np.array(places)


def test_a_shortened_figure_shows_the_same_to_a_hundredth_of_a_point():
    fig, ax = plt.subplots()
    ax.plot(np.random.default_rng(0).normal(size=(500, 2)).cumsum(0))
    ax.fill_between(range(50), -1, 3)
    ax.bar([1, 2], [3, 4])
    ax.plot([], [])  # an empty group
    ax.set(title="0.001 stays", yscale="symlog")
    svg = svg_of(fig, "none")
    plt.close(fig)
    short = shortened(svg)
    xml.dom.minidom.parseString(short)
    assert len(short) < 0.7 * len(svg)
    assert ">0.001 stays<" in short
    assert "<style" not in svg, "a rule for all elements of the page"
    without_metadata = re.sub(r"(?s)<metadata>.*?</metadata>", "", svg)
    drawn = [re.findall(r"<(?!g\b)(\w+)", text) for text in (without_metadata, short)]
    assert drawn[0] == drawn[1], "only groups are left out"
    assert 0 < short.count("<g ") < 0.2 * svg.count("<g "), "groups that clip or move what is in them"
    assert short.count("clip-path=") == svg.count("clip-path=")
    paths = [re.findall(r' d="([^"]+)"', text) for text in (svg, short)]
    assert len(paths[0]) == len(paths[1]) > 10
    for before, after in zip(*paths, strict=True):
        if not set(before) & set("CQ"):
            np.testing.assert_allclose(points(after), points(before), rtol=0, atol=0.0051)
