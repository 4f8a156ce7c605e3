"""What a student puts into a notebook comes out in page and paper, or a sentence names the notebook and the cell."""

import base64
import io
import tomllib
from tempfile import TemporaryDirectory

import html5lib
import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pypdf import PdfReader

from report import lint, mathematics, pieces, render
from tests.conftest import ROOT


@pytest.fixture
def media():
    """A folder of pictures inside the project, as pandoc and Typst want it."""
    (ROOT / "build").mkdir(exist_ok=True)
    with TemporaryDirectory(dir=ROOT / "build") as folder:
        yield pieces.Media(ROOT, ROOT / "build" / folder, ROOT / "build" / folder)


def png():
    file = io.BytesIO()
    fig = plt.figure(figsize=(1, 1))
    fig.savefig(file, format="png")
    plt.close(fig)
    return base64.b64encode(file.getvalue()).decode()


def shown(data):
    return new_code_cell("x", outputs=[new_output("execute_result", data=data)])


def both(media, *cells, name="03_mine.ipynb"):
    """Return (page, Typst's source, text of the paper) of one notebook."""
    made = pieces.pieces_of(new_notebook(cells=[new_markdown_cell("# A title"), *cells]), name, media)
    page = render.pandoc(made, "html5", "template.html", "-Vtitle=a")
    typst = ["typst-smart", "template.typ", '-Vtitle="a"', '-Vdate="b"', "-Vmade-on=year: 2020, month: 1, day: 1"]
    paper = PdfReader(io.BytesIO(render.paper_of(made, typst[2:])))
    return page, render.pandoc(made, *typst), "\n".join(one.extract_text() for one in paper.pages), paper


def pictures_in(paper):
    return sum(len(page.images) for page in paper.pages)


@pytest.mark.parametrize("kind", ["plot", "pasted", "linked", "tag"])
def test_a_students_picture_is_in_the_page_as_data_and_in_the_paper(media, kind):
    path = media.keep(media.pictures, "x y.png", base64.b64decode(png()))
    linked = f"..{path}".replace(" ", "%20")
    cell = {
        "plot": shown({"image/png": png(), "text/plain": "<Figure>"}),
        "pasted": new_markdown_cell("![net](attachment:a%20b.png)", attachments={"a b.png": {"image/png": png()}}),
        "linked": new_markdown_cell(f"Before ![net]({linked}) after"),
        "tag": new_markdown_cell(f'<img src="{linked}" width="40">'),
    }[kind]
    page, _, text, paper = both(media, cell)
    (image,) = html5lib.parse(page, namespaceHTMLElements=False).iter("img")
    assert image.get("src").startswith("data:image/png;base64,")
    assert pictures_in(paper) == 1
    assert "net" not in text.replace("network", ""), "the text for those who cannot see it is no caption"


def test_a_students_svg_is_in_both(media):
    file = io.StringIO()
    fig = plt.figure(figsize=(1, 1))
    fig.savefig(file, format="svg")
    plt.close(fig)
    page, typst, _, _ = both(media, shown({"image/svg+xml": file.getvalue(), "text/plain": ""}))
    assert "data:image/svg+xml;base64," in page
    assert '.svg"' in typst


FRAME = pd.DataFrame({"bits": [2.5, 3.25], "name": ["a|b", "$x$"]}, index=["one", "two"])


@pytest.mark.parametrize("value", [FRAME, FRAME.style.highlight_max(subset=["bits"], color="#ff8000")])
def test_a_frame_is_a_table_in_both_with_the_colours_of_its_style(media, value):
    page, typst, text, _ = both(media, shown({"text/html": value._repr_html_(), "text/plain": "no"}))
    (table,) = html5lib.parse(page, namespaceHTMLElements=False).iter("table")
    assert ["".join(cell.itertext()).strip() for cell in table.iter("td")][-1] == "$x$"
    assert "#table(" in typst
    assert "a|b" in text
    styled = not isinstance(value, pd.DataFrame)
    assert ("#ff8000" in page) == styled
    assert ("ff8000" in typst) == styled


def test_a_series_is_a_table_in_jupyter_and_so_in_both():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    in_html = shell.display_formatter.formatters["text/html"]
    in_html.enabled = True
    with plt.rc_context():
        shell.run_cell("%load_ext report.show")
    InteractiveShell.clear_instance()
    assert "<table" in in_html(FRAME["bits"])


def test_html_in_markdown_is_letters_and_tables_and_an_open_tag_ends_with_its_cell(media):
    cells = ["H<sub>0</sub> <b>bold</b><br>next\n\n<table><tr><td>in</td></tr></table>\n\n<div>\n\n```", "*After*"]
    page, typst, _, _ = both(media, *map(new_markdown_cell, cells))
    for made in ("H<sub>0</sub>", "<strong>bold</strong>", "<td>in</td>", "<em>After</em>"):
        assert made in page
    for made in ("H#sub[0]", "#strong[bold]", "#table(", "#emph[After]"):
        assert made in typst
    parser = html5lib.HTMLParser()
    parser.parse(page)
    assert parser.errors == []


def test_no_output_brings_a_control_character_into_the_page_or_the_paper(media):
    text = "\x1b[31mred\x1b[0m, then\r\n\x1b and \x0c\x85\uffff\n"
    printed = new_code_cell("x", outputs=[new_output("stream", name="stdout", text=text)])
    marked = [{"text/html": "<b>a\x1bb</b>"}, {"text/markdown": "**a\x1bb**"}]
    page, _, paper, _ = both(media, printed, shown({"text/plain": text}), *map(shown, marked))
    assert page.count("<code>red, then\n␛ and ␌\\x85\\xffff</code>") == 2
    assert page.count("<strong>a␛b</strong>") == 2
    assert paper.count("then\n␛ and ␌") == 2
    parser = html5lib.HTMLParser()
    parser.parse(page)
    assert parser.errors == []


@pytest.mark.parametrize(
    "cells",
    [
        [r"\begin{align}" + "\na &= \\eta \\\\\nc &= d\n" + r"\end{align}"],
        ["where $ \\eta $ is the learning rate"],
        [r"$$ \eta = b \label{first} $$"],
        [r"$\newcommand{\rate}{\eta}$", r"The $\rate$"],
        [r"$\def\rate#1{\eta_{#1}}$", r"The $\rate{2}$ and $\rate{3}$2"],
        [r"$\eta_{träning}$"],
        [r"\begin{eqnarray} a &=& \eta \end{eqnarray}"],
        [r"$$\begin{cases} \eta & a \\ b & c\end{cases}$$"],
    ],
)
def test_mathematics_that_jupyter_sets_is_set(media, cells):
    page, _, text, _ = both(media, *map(new_markdown_cell, cells))
    assert page.count('class="katex"') >= 1
    assert "𝜂" in text
    for left in ("\\begin", "\\label", "\\eta", "\\rate"):
        assert left not in text
    assert "\\begin" not in page.replace("</annotation>", "<annotation").split("<annotation")[0]


def test_what_is_code_or_a_price_is_no_mathematics(media):
    _, _, text, _ = both(media, new_markdown_cell("`$a$` and \\$5 and 6$.\n\n```\n$ b $\n```"))
    for literal in ("$a$", "$5 and 6$", "$ b $"):
        assert literal in text
    assert mathematics.formulas("`$a$` $b$") == ["b"]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (r"so $\foo$", r"the formula \foo cannot be typeset: Undefined control sequence"),
        ("![net](gone.png)", "there is no picture gone.png in the project"),
        ("![net](../../out.png)", "there is no picture ../../out.png in the project"),
        ("![net](https://example.org/x.png)", "the picture https://example.org/x.png is on the network"),
        ("[there](#nowhere)", "a reference leads nowhere: #nowhere"),
    ],
)
def test_what_cannot_be_rendered_is_named_with_its_notebook_and_cell(media, source, fault):
    with pytest.raises(SystemExit) as stopped:
        both(media, new_code_cell("1"), new_markdown_cell(source))
    assert str(stopped.value).startswith(f"The notebooks cannot be rendered. 03_mine.ipynb, cell 3: {fault}")


@pytest.mark.parametrize("name", ["x.png", "x.JPG", "x.webp", "x.svg", "x.bmp"])
def test_a_picture_that_is_not_what_its_name_says_is_named(media, name):
    path = media.keep(media.pictures, name, b"<html>not found</html>")
    with pytest.raises(SystemExit, match=rf"03_mine.ipynb, cell 2: the picture ../build/\w+/{name} is (no|of a kind)"):
        both(media, new_markdown_cell(f"![net](..{path})"))


def test_references_to_chapters_that_are_not_there_are_words_and_the_rest_are_links(media):
    source = (
        "See [Figure 9.1](09_speed.ipynb#fig-speed), [this](03_mine.ipynb), [part](03_mine.ipynb#A-part).\n\n## A part"
    )
    page, _, text, _ = both(media, new_markdown_cell(source))
    links = html5lib.parse(page, namespaceHTMLElements=False).find(".//main").iter("a")
    assert [link.get("href") for link in links] == ["#chapter-03_mine", "#a-part"]
    assert "See Figure 9.1, this" in " ".join(text.split())


def test_chapters_have_the_numbers_of_their_notebooks_and_the_paper_misses_none(media):
    only_page = new_markdown_cell("## Extra", metadata={"tags": ["page-only"]})
    cells = [new_markdown_cell("## One"), only_page, new_markdown_cell("## Two\n\n### Deep")]
    page, _, text, _ = both(media, *cells, name="07_mine.ipynb")
    sections = html5lib.parse(page, namespaceHTMLElements=False).find(".//main").iter("span")
    numbers = [span.text for span in sections if span.get("class") == "header-section-number"]
    assert numbers == ["7", "7.1", "7.A", "7.2", "7.2.1"]
    for heading in ("7 A title", "7.1 One", "7.2 Two", "7.2.1 Deep"):
        assert heading in text
    assert "Extra" not in text


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"text/html": "<b>x</b><script>1</script>", "text/plain": ""}, "<script>"),
        ({"text/html": "<iframe src=x></iframe>", "text/plain": ""}, "<iframe>"),
        ({"application/vnd.jupyter.widget-view+json": {}, "text/plain": "interactive(...)"}, "widget"),
    ],
)
def test_what_will_not_run_is_said_and_left_out(media, capsys, data, what):
    page, _, text, _ = both(media, shown(data))
    output = capsys.readouterr().err
    assert output.startswith("03_mine.ipynb, cell 2: ")
    assert what in output
    assert "interactive" not in page + text


def test_small_digits_are_below_and_nothing_invisible_is_copied(media):
    page, typst, text, _ = both(media, new_markdown_cell("| h₀ |\n|---|\n| 1 |\n"), shown({"text/plain": "x" * 300}))
    assert "h<sub>0</sub>" in page
    assert "h#sub[0]" in typst
    assert "\u200b" not in text
    assert "".join(text.split()).count("x") >= 300


@pytest.mark.parametrize(("n", "kind", "columns"), [(2, "", 1), (3, "", 2), (4, "lines", 1)])
def test_many_texts_are_in_two_columns_of_the_paper_unless_their_lines_may_not_break(media, n, kind, columns):
    texts = "\n\n".join(f"[Step {i}]{{.labels}}\n\n```{kind}\ntext {i}\n```" for i in range(n))
    caption = new_markdown_cell('<a id="fig-a"></a>**Figure 1.1.** Texts.')
    _, typst, text, _ = both(media, shown({"text/markdown": f":::: {{#fig-a .texts}}\n{texts}\n::::"}), caption)
    assert f"#textfigure(<fig-a>, columns: {columns}, " in typst
    for i in range(n):
        assert text.index(f"Step {i}") < text.index(f"text {i}") < text.index("Figure 1.1")


def test_a_line_of_code_as_long_as_is_allowed_is_one_line_of_the_paper(media):
    longest = tomllib.loads((ROOT / "notebooks" / "ruff.toml").read_text("utf-8"))["line-length"]
    cell = new_code_cell("x = " + "1" * 40 + " + " + "2" * (longest - 47), metadata={"tags": ["show-code"]})
    _, _, text, _ = both(media, cell)
    assert cell.source in text.splitlines()


def linted(folder, monkeypatch, capsys, *cells, name="01_mine.ipynb"):
    """Return what the look at the sources says of notebooks, {name: cells}."""
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A title"), *cells]), folder / name)
    monkeypatch.setattr(lint, "chosen_notebooks", lambda arguments: sorted(folder.glob("*.ipynb")))
    monkeypatch.setattr("sys.argv", ["lint"])
    try:
        lint.main()
    except SystemExit as stopped:
        return str(stopped.code)
    return capsys.readouterr().err


FIGURE = ("show.figure(fig, 'mine', 'alt')", '<a id="fig-mine"></a>**Figure 1.1.** Mine.')


@pytest.mark.parametrize(
    ("sources", "output"),
    [
        ((FIGURE[0],), "01_mine.ipynb, cell 2: fig-mine has no caption"),
        (("HTML('<script>1</script>')",), "01_mine.ipynb, cell 2: <script will not run in the report"),
        (("interact(f)",), "01_mine.ipynb, cell 2: widgets work only in Jupyter"),
        (("%%prose\nA $\\foo$.",), "01_mine.ipynb, cell 2: the formula \\foo cannot be typeset"),
    ],
)
def test_what_is_wrong_with_sources_is_said_before_anything_is_trained(tmp_path, monkeypatch, capsys, sources, output):
    cells = [new_markdown_cell(one) if one.startswith("<a") else new_code_cell(one) for one in sources]
    assert output in linted(tmp_path, monkeypatch, capsys, *cells)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> main\n]}', "git has left its conflict marks in it."),
        ("", "Notebook does not appear to be JSON: ''."),
        ("[]", ""),
    ],
)
def test_a_file_that_is_no_notebook_is_named(tmp_path, monkeypatch, capsys, text, why):
    (tmp_path / "02_mine.ipynb").write_text(text)
    assert linted(tmp_path, monkeypatch, capsys).startswith(f"02_mine.ipynb is not a notebook: {why}")


def test_a_copy_is_named_with_what_it_is_a_copy_of(tmp_path, monkeypatch, capsys):
    cells = [new_code_cell(FIGURE[0]), new_markdown_cell(FIGURE[1])]
    assert linted(tmp_path, monkeypatch, capsys, *cells) == ""
    output = linted(tmp_path, monkeypatch, capsys, *cells, name="02_copy.ipynb")
    assert output == "01_mine.ipynb and 02_copy.ipynb: two captions are called fig-mine."


def test_a_new_figure_has_its_number_without_make_number(media):
    caption = new_code_cell(
        '%%prose\n<a id="fig-mine"></a>**Figure 9.9.** Mine has {{ n }}, see [Figure x](#fig-mine).'
    )
    figure = new_code_cell(FIGURE[0])
    notebook = new_notebook(cells=[new_markdown_cell("# A title"), figure, caption])
    lint.rehearsed(notebook)
    render.put_in_order({"03_mine.ipynb": notebook})
    page, _, text, _ = both(media, *notebook.cells[1:])
    assert '<span class="label">Figure 3.1.</span> Mine has 0, see <a href="#fig-mine">Figure 3.1</a>' in page
    assert "Figure 3.1. Mine has 0, see Figure 3.1" in text
