import re
import runpy
import subprocess
import sys
from typing import NamedTuple

import html5lib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from report import render, show
from report.mathematics import for_pandoc
from report.measure.statistics import Estimate, Shift
from report.show import live, plots, prose
from rnn.engine.runs import BASELINE
from tests.conftest import ROOT


@pytest.fixture
def shell():
    plots_before = plt.rcParams.copy()
    shell = InteractiveShell.instance()
    shell.run_cell("%load_ext report.show")
    yield shell
    InteractiveShell.clear_instance()
    plt.rcParams.update(plots_before)


def shown(shell, code):
    """What a cell displays, [{kind: data}], and what it prints."""
    with capture_output() as captured:
        result = shell.run_cell(code)
    return [output.data for output in captured.outputs], captured.stdout + captured.stderr, result


def test_prose_is_a_sentence_with_values_in_it(shell):
    shell.push({"losses": [3.14159, 12345], "own": Estimate(2.714, 0.06)})
    (data,), _, _ = shown(
        shell,
        "%%prose\nFrom {{ losses[0]:.2f }} to **{{losses[-1]:,}}**, $\\frac{a}{b_{t}}$ and {{ own:.2f }};"
        " {{ losses[0:1] }}, {{ {'a': 1}['a'] }}, {{ -2.5 }}, {{ None }}, {{ float('nan'):.1f }}.",
    )
    expected = "From 3.14 to **12,345**, $\\frac{a}{b_{t}}$ and 2.71\xa0±\xa00.06; [3.14159], 1, −2.5, —, —."
    assert data["text/plain"] == expected
    assert data["text/markdown"] == prose.MARK + expected
    assert data[prose.KEPT]["losses[0]:.2f"] == "3.14"


def test_double_braces_of_latex_are_no_values(shell):
    shell.push({"x": [0, 1], "y": 2, "a": 3})
    formula = r"$\frac{{x}}{{y}} + h_{{t}}^{{2}}$"
    (data,), _, _ = shown(shell, "%%prose\n" + formula + r" and $\eta = {{ a }}$, **{{a}}**.")
    assert data["text/plain"] == formula + r" and $\eta = 3$, **3**."


@pytest.mark.parametrize(
    ("expression", "why"),
    [("unknown", "NameError"), ("1 / 0:.2f", "ZeroDivisionError"), ("1 +", "SyntaxError"), ("'a':.2f", "ValueError")],
)
def test_an_expression_that_fails_is_named_with_its_line_and_nothing_else_is_said(shell, expression, why):
    _, printed, result = shown(shell, f"%%prose\nA sentence.\nAnother, {{{{ 1 }}}}, {{{{ {expression} }}}}.")
    assert isinstance(result.error_in_exec, prose.ProseError)
    assert printed.strip().startswith(f"Line 3: {{{{ {expression} }}}} fails, {why}: ")
    assert len(printed.strip().splitlines()) == 1


@pytest.mark.parametrize("value", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_what_is_missing_is_a_dash_in_sentences_and_tables(shell, value):
    assert prose.text(value, ".2f") == "—"
    assert "| — |" in re.sub(" +", " ", table_of(shell, pd.DataFrame({"n": [value, 1]}, dtype=object))["text/markdown"])


def test_changed_words_take_the_values_that_were_kept():
    values = {"x:.1f": "2.0", "y": "3"}
    assert prose.expressions("A {{ x:.1f }} and {{y}}, again {{ y }}") == ["x:.1f", "y"]
    assert prose.fill("First {{ y }}, then {{ x:.1f }}.", values) == "First 3, then 2.0."


def test_importing_show_changes_no_figures_style():
    code = (
        "import matplotlib as m; before = dict(m.rcParams); import report.show.plots; assert before == dict(m.rcParams)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def table_of(shell, frame, *arguments):
    shell.push({"frame": frame, "arguments": arguments, "show": show})
    (data,), _, _ = shown(shell, "show.table(frame, 'name', *arguments)")
    return data


def test_a_table_is_a_frame_of_values_with_formats_given_once(shell):
    frame = pd.DataFrame(
        {"bits": [Estimate(2.714, 0.06), Estimate(1.5, np.nan)], "steps": [1e6, np.nan], "a|b": ["x_1 | *y*", "<b>"]},
        index=pd.Index(["a", "b"], name="who"),
    )
    data = table_of(shell, frame, {"bits": ".2f", "steps": ","})
    _, align, first, second = data["text/markdown"].splitlines()[:4]
    assert [cell.strip() for cell in first.strip("|").split(" | ")][:3] == ["a", "2.71\xa0±\xa00.06", "1,000,000"]
    assert "1.50" in second
    assert "—" in second
    assert re.findall(r"(:?)-+(:?)", align) == [(":", ""), ("", ":"), ("", ":"), (":", "")]
    assert "x\\_1\xa0\\|\xa0\\*y\\*" in first
    assert data["text/markdown"].endswith("{#tbl-name}")
    page = html5lib.parse(data["text/html"], namespaceHTMLElements=False)
    cells = list(page.iter("td"))
    assert ["".join(cell.itertext()) for cell in cells[:4]] == [
        "a",
        "2.71\xa0±\xa00.06",
        "1,000,000",
        "x_1\xa0|\xa0*y*",
    ]
    assert [cell.get("style") for cell in cells[:2]] == ["text-align: left", "text-align: right"]
    assert "".join(cells[-1].itertext()) == "<b>"


def test_text_in_a_table_is_literal_in_jupyter_too_and_stands_on_the_left_where_some_is_missing(shell):
    frame = pd.DataFrame({"a|b": ["**x**", "$y$ & \\$z$", None], "$|h|$": [1, 2, 3]})
    data = table_of(shell, frame)
    head, align, *_ = data["text/markdown"].splitlines()
    assert head.replace(" ", "") == "|a\\|b|$\\|h\\|$|"
    assert re.findall(r"(:?)-+(:?)", align) == [(":", ""), ("", ":")]
    page = html5lib.parse(data["text/html"], namespaceHTMLElements=False)
    cells = list(page.iter("td"))
    assert ["".join(cell.itertext()) for cell in cells[::2]] == ["**x**", "$y$\xa0&\xa0\\$z$", "—"]
    assert not list(page.iter("b"))
    dollars = [span.text for span in page.iter("span") if span.get("class") == "mathjax_ignore"]
    assert dollars == ["$"] * 4, "what is text is not set as a formula"


def test_a_row_can_stand_out_and_an_index_without_a_name_is_left_out(shell):
    frame = pd.DataFrame({"n": [1, 2]}, index=["us", "them"])
    assert "us" not in table_of(shell, frame)["text/markdown"]
    data = table_of(shell, frame.rename_axis("who"), None, "us")
    assert "**us**" in data["text/markdown"]
    assert "<b>us</b>" in data["text/html"]


def test_a_figure_has_outlines_in_jupyter_and_letters_in_the_page_and_the_ink_of_the_theme(shell):
    code = (
        "import matplotlib.pyplot as plt; fig, ax = plt.subplots(); ax.set_xlabel('an <axis>'); ax.plot([1, 2]);"
        " show.figure(fig, 'name', 'A \"line\" rises.')"
    )
    shell.push({"show": show})
    (data,), _, _ = shown(shell, code)
    (again,), _, _ = shown(shell, code)
    assert data == again, "the same figure is the same bytes"
    assert "<text" not in data["text/html"]
    assert "an &lt;axis&gt;" in data["image/svg+xml"]
    assert "currentColor" in data["text/html"]
    assert plots.INK not in data["text/html"]
    assert 'aria-label="A &quot;line&quot; rises."' in data["text/html"]
    assert data["text/markdown"].startswith("![caption](figures/name.svg){#fig-name alt=")
    html5lib.HTMLParser(strict=True).parseFragment(data["text/html"])


def test_texts_are_shown_to_the_last_character_and_control_characters_by_name(shell):
    shell.push({"show": show})
    (data,), _, _ = shown(shell, "show.texts({'a *label*': 'one\\n```\\ntwo\\x0c<b>\\x85'}, 'name')")
    assert "````\none\n```\ntwo␌<b>\\x85\n````" in data["text/markdown"]
    assert "[a \\*label\\*]{.labels}" in data["text/markdown"]
    assert "two␌&lt;b&gt;" in data["text/html"]
    assert show.inline("a_b\n<img>\x0c") == "a\\_b↵\\<img\\>␌"


def test_two_texts_side_by_side_show_where_they_part():
    assert show.side_by_side("abcdef", "abcxef", 3) == "   1  abc  abc\n   4  def  xef\n           ^ 4"


def test_results_keep_values_that_the_abstract_formats(shell):
    shell.push({"show": show, "own": Estimate(2.7, 0.1), "n": np.int64(3), "np": np})
    (data,), _, _ = shown(shell, "show.results(own=own, n=n, word='x', sigma=None)")
    assert data["application/vnd.rnn.results+json"] == {"own": (2.7, 0.1), "n": 3, "word": "x", "sigma": None}
    (data,), _, _ = shown(shell, "show.results(one=type(own)(2.7, np.nan), none=np.nan)")
    assert data["application/vnd.rnn.results+json"] == {"one": (2.7, None), "none": None}, "JSON has no NaN"


def test_settings_are_said_in_words():
    assert show.settings(BASELINE.replace(seed=3, epochs=1), BASELINE) == "the assignment’s"
    changed = BASELINE.replace(optimizer="adam", sigma=None, learning_rate=0.004, B=4, decay=True)
    assert show.settings(changed, BASELINE) == "η 0.004, σ scaled, Adam, B 4, η falls to 0"


def test_the_live_curve_goes_on_from_where_a_run_stood(shell, monkeypatch):
    drawn = []
    monkeypatch.setattr("report.show.live._drawn", lambda steps, means: drawn.append((steps, means)) or "")
    with capture_output(), show.live_loss(every=-1) as watch:
        watch(50_000, np.full(50_000, 9.0))  # what was there before
        watch(50_010, np.full(10, 5.0))
    steps, means = drawn[-1]
    assert steps[-1] == 50_010
    assert 100 < len(steps) < 1_000
    assert (np.diff(steps) > 0).all()
    assert means[0] == 9
    assert means[-1] == 5


def test_the_labels_of_the_live_curve_are_not_cut_off(shell, monkeypatch):
    figures = []
    monkeypatch.setattr("report.show.live.svg_of", lambda fig, fonttype: figures.append(fig) or "")
    monkeypatch.setattr("report.show.live.themed", str)
    live._drawn(np.arange(9), np.full(9, 100.0))
    (fig,) = figures
    fig.draw_without_rendering()
    for label in (fig.axes[0].yaxis.label, fig.axes[0].xaxis.label):
        box = label.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= fig.bbox.x1
        assert box.y1 <= fig.bbox.y1


def notebooks(folder, *chapters):
    for number, cells in enumerate(chapters, 1):
        made = [
            nbformat.v4.new_code_cell(source) if kind == "code" else nbformat.v4.new_markdown_cell(source)
            for kind, source in cells
        ]
        nbformat.write(nbformat.v4.new_notebook(cells=made), folder / f"{number:02}_chapter.ipynb")
    return sorted(folder.glob("*.ipynb"))


class Said(NamedTuple):
    returncode: int
    stderr: str


def script(name, *arguments):
    """Run a script of tools/ in this process, which has loaded what it needs."""
    before, sys.argv = sys.argv, [name, *map(str, arguments)]
    try:
        with capture_output():
            runpy.run_path(str(ROOT / "tools" / f"{name}.py"), run_name="__main__")
    except SystemExit as stopped:
        return Said(1, str(stopped)) if stopped.code else Said(0, "")
    finally:
        sys.argv = before
    return Said(0, "")


def test_a_moved_figure_is_numbered_anew_with_all_that_refers_to_it(tmp_path):
    paths = notebooks(
        tmp_path,
        [
            ("md", '<a id="fig-new"></a>**Figure x.** New. See [Figure 1.1](#fig-old) and [(3)](#eq-3).'),
            ("code", '%%prose\n<a id="fig-old"></a>**Figure 1.1.** Old, {{ 1 }}.'),
            ("md", '<a id="eq-3"></a>$$a \\tag{3}$$ <a id="eq-1"></a>$$b \\tag{1}$$ [(1)](#eq-1)'),
        ],
        [("md", '<a id="tbl-t"></a>**Table 1.7.** As [Figure 1.1](01_chapter.ipynb#fig-old).')],
    )
    checked = script("number", "--check", *paths)
    assert checked.returncode == 1
    assert "01_chapter.ipynb: figures, tables or equations are out of order" in checked.stderr
    assert script("number", *paths).returncode == 0
    first, second = (nbformat.read(path, 4).cells for path in paths)
    assert first[0].source == '<a id="fig-new"></a>**Figure 1.1.** New. See [Figure 1.2](#fig-old) and [(1)](#eq-1).'
    assert first[1].source == '%%prose\n<a id="fig-old"></a>**Figure 1.2.** Old, {{ 1 }}.'
    assert first[2].source == '<a id="eq-1"></a>$$a \\tag{1}$$ <a id="eq-2"></a>$$b \\tag{2}$$ [(2)](#eq-2)'
    assert second[0].source == '<a id="tbl-t"></a>**Table 2.1.** As [Figure 1.2](01_chapter.ipynb#fig-old).'
    assert script("number", "--check", *paths).returncode == 0


def test_numbers_follow_references_over_line_ends_and_into_other_notebooks_and_tags_their_anchors(tmp_path):
    paths = notebooks(
        tmp_path,
        [
            (
                "md",
                '<a id="tbl-new"></a>**Table x.** New.\n\n'
                '<a id="tbl-old"></a>**Table 1.1.** Old: [Table\n1.1](#tbl-old).',
            ),
            ("md", '<a id="eq-new"></a>\n$$a \\tag{9}$$ <a id="eq-1"></a>$$b \\tag{1}$$'),
        ],
        [("md", '[(1)](01_chapter.ipynb#eq-1)\n\n<a id="eq-2"></a>$$c \\tag{2}$$')],
    )
    assert script("number", *paths).returncode == 0
    first, second = (nbformat.read(path, 4).cells for path in paths)
    assert "Old: [Table\n1.2](#tbl-old)." in first[0].source
    assert first[1].source == '<a id="eq-1"></a>\n$$a \\tag{1}$$ <a id="eq-2"></a>$$b \\tag{2}$$'
    assert second[0].source == '[(2)](01_chapter.ipynb#eq-2)\n\n<a id="eq-3"></a>$$c \\tag{3}$$'


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("See [Figure 1.9](#fig-gone).", "[Figure 1.9](#fig-gone) leads nowhere"),
        ("See [(9)](#eq-9).", "[(9)](#eq-9) leads nowhere"),
        (
            '<a id="fig-a"></a>**Figure 1.1.** A. <br>\n<a id="fig-a"></a>**Figure 1.2.** B.',
            "two captions are called fig-a",
        ),
        ('<a id="eq-1"></a>$$a \\tag{1}$$ <a id="eq-1"></a>$$b \\tag{1}$$', "two equations are called eq-1"),
        ("$$a \\tag{1}$$", "every \\tag needs"),
    ],
)
def test_what_leads_nowhere_or_stands_twice_is_named(tmp_path, source, fault):
    checked = script("number", "--check", *notebooks(tmp_path, [("md", source)]))
    assert checked.returncode == 1
    assert fault in checked.stderr


TEXTS = ":::: {#fig-a .texts}\n[label]{.labels}\n\n```\nx\n```\n::::\n\n"
TABLE = "| a |\n|--:|\n| 1 |\n\n: caption {#tbl-a}\n\n"
CAPTION = '<a id="fig-a"></a>**Figure 1.1.** A caption.\n\n'


def rendered(markdown, to="html5", template="template.html"):
    """Return what pandoc makes of a cell's Markdown."""
    piece = {"place": "01_a.ipynb, cell 1", "format": "markdown", "text": for_pandoc(markdown)[0], "classes": []}
    return render.pandoc([piece], to, template, "-Vtitle=a", "-Vmade-on=year: 2020")


def test_a_caption_may_stand_before_what_it_belongs_to_or_after_it():
    before, after = (rendered(markdown) for markdown in (CAPTION + TEXTS, TEXTS + CAPTION))
    assert '<figcaption><span class="label">Figure 1.1.</span> A caption.</figcaption>' in before
    assert before == after
    assert "caption: [\n#strong[Figure 1.1.] A caption." in rendered(TEXTS + CAPTION, "typst", "template.typ")


def test_in_the_paper_each_text_stands_beside_its_label():
    two = TEXTS.replace("::::\n\n", "\n[another]{.labels}\n\n```\ny\n```\n::::\n\n")
    paper = rendered(two + CAPTION, "typst", "template.typ")
    shown = re.findall(r", \[\s*(\w+)\s*\], \[\s*```\s*(\w+)\s*```\s*\]", paper)
    assert shown == [("label", "x"), ("another", "y")]


@pytest.mark.parametrize(
    ("markdown", "fault"),
    [
        (TEXTS, "fig-a has no caption"),
        (TABLE, "tbl-a has no caption"),
        (CAPTION, "the caption fig-a has no figure or table"),
        (CAPTION + CAPTION + TEXTS, "two captions are called fig-a"),
        (CAPTION + TEXTS + TEXTS, "two things are called fig-a"),
        ("See [Figure 1.2](#fig-b).", "a reference leads nowhere: #fig-b"),
    ],
)
def test_what_has_no_caption_and_what_is_not_there_is_named_in_a_sentence(markdown, fault):
    with pytest.raises(SystemExit) as stopped:
        rendered(markdown)
    assert str(stopped.value).startswith("The notebooks cannot be rendered. 01_a.ipynb, cell 1: " + fault)
    assert len(str(stopped.value).splitlines()) == 1


def test_what_survives_the_correction_is_filled_and_what_lies_outside_is_an_arrow_at_the_edge():
    settings = [("units", "50"), ("units", "200"), ("rate", "9")]
    shifts = [Shift(-0.1, -0.2, -0.05), Shift(0.01, -0.1, 0.1), Shift(0.8, 0.7, 0.9)]
    index = pd.MultiIndex.from_tuples(settings)
    p_of = {"once": [0.03, 0.6, 0.04], "again": [0.03, 0.6, 1]}
    by_label = {label: pd.DataFrame({"shift": shifts, "p": p}, index) for label, p in p_of.items()}
    (ax,) = plots.shifts(by_label, {"units": "100", "rate": "1"}, frame=0.3).axes
    points = [line for line in ax.lines if len(line.get_xdata()) == 1]
    filled = [point.get_markerfacecolor() == point.get_color() for point in points]
    assert [point.get_xdata()[0] for point in points] == pytest.approx([-0.1, 0.01, 0.97 * 0.3] * 2)
    assert [point.get_marker() for point in points] == ["o", "o", ">"] * 2
    assert filled == [True, False, True, True, False, False]
    assert [text.get_text() for text in ax.texts] == ["+0.80", "+0.80"]
    assert ax.get_yticklabels()[0].get_text() == "units: 50 (not 100)"
