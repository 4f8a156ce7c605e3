import base64
import gzip
import hashlib
import json
import re
import unicodedata

import html5lib
import nbformat
import pytest
from pypdf import PdfReader

from report import render
from tests.conftest import HOSTILE, ROOT, restored

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def page(report):
    return html5lib.parse(report.html, namespaceHTMLElements=False)


@pytest.fixture(scope="module")
def paper(report):
    return "\n".join(page.extract_text() for page in PdfReader(report.folder / "report.pdf").pages)


def sources_tagged(tag):
    """Return the Markdown cells of the notebooks that have a tag."""
    notebooks = [nbformat.read(path, 4) for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    cells = [cell for notebook in notebooks for cell in notebook.cells if cell.cell_type == "markdown"]
    return [cell.source for cell in cells if tag in cell.metadata.get("tags", [])]


def in_notebooks(pattern, folder, without="live-only"):
    """Return what a pattern finds in the outputs of the notebooks' cells, but for those that have a tag."""
    found = []
    for path in sorted(folder.glob("[0-9]*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            if without in cell.metadata.get("tags", []):
                continue
            for output in cell.get("outputs", []):
                found += re.findall(pattern, output.get("data", {}).get("text/markdown", ""))
    return found


def squeezed(text):
    """Letters and digits alone: line breaks, hyphens and spaces fall where the paper has them."""
    return re.sub(r"[\W_]", "", text)


def test_the_page_is_well_formed(report):
    parser = html5lib.HTMLParser()
    parser.parse(report.html)
    assert parser.errors == []


def test_no_identifier_stands_twice_and_every_reference_leads_somewhere(page):
    identifiers = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers))
    targets = {link.get("href")[1:] for link in page.iter("a") if link.get("href", "").startswith("#")}
    of_the_view = {target for target in targets if target.startswith("lens=")}  # they set the view of one sequence
    assert targets - {""} - of_the_view <= set(identifiers)


def test_nothing_is_fetched(report, page):
    for element in page.iter():
        if not isinstance(element.tag, str):
            continue
        for attribute in ("src", "srcset", "data", "poster"):
            assert element.get(attribute, "data:").startswith("data:")
        assert element.tag not in ("link", "iframe", "object", "embed", "base")
    assert not re.search(r"@import|url\((?!data:|#|\"?#)", report.html)
    assert "default-src 'none'" in report.html


def test_the_pages_policy_lets_its_own_scripts_run_and_no_others(report, page):
    (policy,) = (meta.get("content") for meta in page.iter("meta") if meta.get("http-equiv"))
    allowed = re.search("script-src ([^;]*)", policy)[1].split()
    scripts = [script.text for script in page.iter("script") if script.get("type") in (None, "module")]
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    assert sorted(allowed) == sorted([*hashes, "'wasm-unsafe-eval'"])
    assert scripts


def captions():
    """The captions of the notebooks, {identifier: label}."""
    sources = "".join(
        cell.source
        for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
        for cell in nbformat.read(path, 4).cells
    )
    return dict(re.findall(r'<a id="((?:fig|tbl)-[\w-]+)"></a>\*\*((?:Figure|Table) \d+\.\w+)\.\*\*', sources))


def test_every_figure_and_table_has_its_caption_and_both_are_in_page_and_paper(report, page, paper):
    identifiers = in_notebooks(r"\{#((?:fig|tbl)-[\w-]+)", report.folder)
    assert len(identifiers) > 30
    assert {*identifiers, "fig-sequence"} == set(captions()), "the view's picture is drawn when the report is rendered"
    by_identifier = {element.get("id"): element for element in page.iter() if element.get("id")}
    for_the_curious = set(re.findall(r'<a id="((?:fig|tbl)-[\w-]+)"', "".join(sources_tagged("page-only"))))
    for identifier, label in captions().items():
        parts = by_identifier[identifier].iter()
        if identifier == "fig-sequence":  # the view has captions of its own
            (shown,) = [part for part in parts if part.get("class") == "caption"]
        else:
            (shown,) = [part for part in parts if part.tag in ("figcaption", "caption")]
        assert "".join(shown.itertext()).strip().startswith(f"{label}. ")
        in_paper = f"{label}. " in paper.replace("\n", " ").replace("\xa0", " ")
        assert in_paper == (identifier not in for_the_curious)


def test_what_only_the_curious_want_is_folded_in_the_page(page):
    folded = [details for details in page.iter("details") if details.get("class") == "more"]
    assert sources_tagged("page-only")
    for identifier in re.findall(r'<a id="((?:fig|tbl)-[\w-]+)"', "".join(sources_tagged("page-only"))):
        assert any(element.get("id") == identifier for details in folded for element in details.iter())


def test_references_are_links_with_numbers_that_lead_to_what_they_name(report, page):
    numbers = captions()
    for link in page.iter("a"):
        target = link.get("href", "")[1:]
        text = "".join(link.itertext())
        if target in numbers and re.match("Figure|Table", text):
            assert text == numbers[target]
    assert f'<a href="#fig-loss">{numbers["fig-loss"]}</a>' in report.html
    assert re.search(r'<a href="#chapter-06_held_out">[Cc]hapter 6</a>', report.html)
    assert ".ipynb" not in re.sub(r"(?s)<details.*?</details>|<code>.*?</code>|<pre.*?</pre>", "", report.html)


def test_figures_are_svg_with_real_text_and_a_text_for_who_cannot_see_them(page):
    pictures = [picture for figure in page.iter("figure") for picture in figure.iter(SVG + "svg")]
    figures = [picture for picture in pictures if picture.get("role") == "img"]
    assert len(figures) >= 6
    for figure in figures:
        assert len(figure.get("aria-label")) > 20
        assert list(figure.iter(SVG + "text"))


def test_mathematics_is_rendered_and_readable_by_screen_readers(report, page):
    assert report.html.count('class="katex"') > 30
    assert "katex-error" not in report.html
    assert len(list(page.iter("math"))) + report.html.count("<math ") > 30


def test_the_style_names_the_classes_that_katex_writes(report):
    for name in set(re.findall(r"\.(katex[\w-]*)", (ROOT / "report" / "style.css").read_text("utf-8"))):
        assert re.search(rf'class="[^"]*\b{name}\b', report.html), name


def test_equations_are_numbered_in_order_in_page_and_paper(report, paper):
    sources = "".join(path.read_text("utf-8") for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")))
    tags = re.findall(r"\\\\tag\{(\d+)\}", sources)
    assert tags == [str(n) for n in range(1, len(tags) + 1)]
    for n in tags:
        assert f'id="eq-{n}"' in report.html
        assert f"({n})" in paper


def test_code_is_folded_in_the_page_and_not_in_the_paper(report, paper):
    assert report.html.count('<details class="code">') > 10
    assert "import numpy as np" not in paper
    assert "def backward(params" in paper


def test_a_rehearsal_says_so_on_its_face(report, paper):
    assert "its numbers mean nothing" in report.html
    assert paper.count("A rehearsal") == len(PdfReader(report.folder / "report.pdf").pages)


def test_the_title_block_is_filled(report, paper):
    head = report.html.split('id="chapter-01')[0]
    for part in ("A vanilla RNN reads a novel", "<time>", "83 of them distinct", "7 epochs", "AdaGrad", "\xa0±\xa0"):
        assert part in head
    assert "{" not in re.sub(r"<(style|script)\b.*?</\1>", "", head, flags=re.DOTALL)
    assert "A vanilla RNN reads a novel" in paper


def test_quotes_dashes_and_text_come_through(report, paper):
    for text in in_notebooks(r"(?s)```\n(.*?)\n```", report.folder, without="page-only"):
        assert squeezed(text)[:100] in squeezed(paper)
    text = re.sub("<[^>]+>", "", report.html)
    for character in "“”—’":
        assert character in text
        assert character in paper


def test_live_only_cells_are_left_out(report, paper):
    """Code and Markdown alike."""
    page = re.sub(r"\s+", " ", report.html)
    for only_live in ("ipywidgets.jslink", "Try it", "RMSProp"):
        assert only_live in "".join(path.read_text("utf-8") for path in (ROOT / "notebooks").glob("0*.ipynb"))
        assert only_live not in page
        assert only_live not in paper
    assert "%%prose" not in page + paper
    assert "{{" not in re.sub(r"(?s)<(style|script).*?</\1>", "", report.html)


def test_a_later_sampler_lends_its_networks_to_the_first_and_paper_has_none(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(json.dumps({"name": f"{name} </script>"}))
    first, both = f"{tmp_path}/one", f"{tmp_path}/one {tmp_path}/two"
    blocks = "\n\n".join(f'<div class="sampler" data-files="{files}">\n\nsentence\n\n</div>' for files in (first, both))
    pieces = [{"place": "04_a.ipynb, cell 1", "format": "markdown", "text": blocks, "classes": []}]
    (tmp_path / "body").write_text("$body$")
    page = html5lib.parse(render.pandoc(pieces, "html5", tmp_path / "body"), namespaceHTMLElements=False)
    assert [section.get("class") for section in page.iter("section")] == ["sampler"]
    assert [json.loads(script.text)["name"] for script in page.iter("script")] == ["one </script>", "two </script>"]
    (link,) = page.iter("a")
    assert link.get("href") == "#sampler"
    assert render.pandoc(pieces, "typst", tmp_path / "body").strip() == ""


def test_what_moves_is_not_folded_in_the_page(page):
    for folded in page.iter("details"):
        classes = {name for section in folded.iter("section") for name in (section.get("class") or "").split()}
        assert not classes & {"reader", "sequence", "trainer", "sampler"}


def test_the_paper_has_outline_metadata_and_tags(report):
    reader = PdfReader(report.folder / "report.pdf")
    assert reader.metadata.title == "A vanilla RNN reads a novel"
    assert reader.outline[0].title.endswith("Are the gradients right?")
    assert "/StructTreeRoot" in reader.trailer["/Root"]


def test_a_hostile_text_shows_as_text(project, hostile_report):
    assert HOSTILE.startswith("<script>")
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    page = parser.parse(hostile_report.html)
    assert parser.errors == []
    scripts = [script.text for script in page.iter("script") if script.get("type") != "application/json"]
    assert scripts
    assert not any("hacked" in script for script in scripts), "what is packed is data"
    folded = {block for code in page.iter("details") for block in code.iter("pre")}
    shown = "".join("".join(block.itertext()) for block in page.iter("pre") if block not in folded)
    assert "<script>document.title" in shown.replace("\n", "")
    assert any(part.startswith("a_hostile__") for part in hostile_report.folder.parts)
    assert not list(page.iter("img")), "the name of a text is text"
    assert not list(project.folder.rglob("PWNED")), "and no command"
    paper = "".join(page.extract_text() for page in PdfReader(hostile_report.folder / "report.pdf").pages)
    packed = [json.loads(script.text) for script in page.iter("script") if script.get("type") == "application/json"]
    (trainer,) = (part for part in packed if "curve" in part)
    assert {part["prime"] for part in packed if "prime" in part} == {HOSTILE[:60]}
    assert gzip.decompress(base64.b64decode(trainer["text"])).decode().startswith(HOSTILE[:60])
    letters = {character for character in shown if ord(character) > 127 and unicodedata.category(character)[0] in "LSP"}
    assert len(letters) > 300
    assert letters <= set(unicodedata.normalize("NFKC", paper)) | set(paper)
    assert set("<>&$`") <= set(paper)
    assert not re.search("x{117}", paper), "a line is longer than 17.2 cm, which are 117 characters of 6.9 pt"


def test_a_paper_that_fails_leaves_the_page_and_the_paper_of_before(project, report):
    made = [report.folder / "report.html", report.folder / "report.pdf"]
    template = project.folder / "report" / "template.typ"
    before = [path.read_bytes() for path in made]
    with restored(template):
        template.write_text(template.read_text("utf-8") + '\n#panic("broken on purpose")\n', "utf-8")
        result = project.make("report", "QUICK=1")
    assert result.returncode != 0
    assert "broken on purpose" in result.stderr
    assert [path.read_bytes() for path in made] == before


def test_what_is_wrong_above_the_report_is_said_before_anything_is_trained(project, report):
    heading = project.folder / "report.yaml"
    first = report.folder / "01_gradient_check.ipynb"
    with restored(heading, first):
        heading.write_text("title: {\n", "utf-8")
        first.unlink()
        result = project.make("report", "QUICK=1")
    assert result.returncode != 0
    assert "report.yaml" in result.stderr
    assert "Traceback" not in result.stderr
    assert "ipynb ..." not in result.stdout


def test_chapters_can_be_chosen_and_the_shortest_text_gives_the_same_bytes_again(project, hostile_report, tmp_path):
    (tmp_path / "short.txt").write_text(("To be, or not to be, that " * 39)[:1_000], "utf-8")
    asked = "CHAPTERS=4", f"CORPUS={tmp_path / 'short.txt'}"
    built = project.report(*asked)
    assert "1,000 characters" in built.html
    assert built.folder != hostile_report.folder
    for report, other in ((built, "Müller"), (hostile_report, "To be, or not to be")):
        assert other not in report.html, "two texts do not mix"
        assert "moby-dick" not in report.html
    made = [built.folder / "report.html", built.folder / "report.pdf"]
    assert "How do you draw a text from it?" in built.html
    assert "Are the gradients right?" not in built.html
    page = html5lib.parse(built.html, namespaceHTMLElements=False)
    test_no_identifier_stands_twice_and_every_reference_leads_somewhere(page)
    words = {" ".join("".join(link.itertext()).split()) for link in page.iter("a")}
    assert not {name for name in words if re.fullmatch(r"[Cc]hapter [1-35-9]", name)}, "they are not in this report"
    assert re.search(r"[Cc]hapter\s[1-35-9]", re.sub("<[^>]+>", "", built.html)), "and are named in words"
    before = [path.read_bytes() for path in made]
    for path in (*made, built.folder / "04_sampling.ipynb"):
        path.unlink()
    project.report(*asked)
    assert [path.read_bytes() for path in made] == before
