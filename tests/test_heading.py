import html5lib
import pypandoc
import pytest
import typst

from report import heading
from tests.conftest import ROOT

RESULTS = {"bits": [2.714, 0.06], "word": "a_b <i>", "n": 1234}
NASTY = 'RNN: a "report" # <script>alert(1)</script> {lone \\ brace $x$ *s* #panic("x")'


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setattr(heading, "ROOT", tmp_path)

    def write(text):
        (tmp_path / "report.yaml").write_text(text, "utf-8")
        return heading.read_heading()

    return write


def rendered(chosen, to, template):
    arguments = [f"--template={ROOT / 'report' / template}", *heading.variables(chosen, RESULTS, True, to)]
    return pypandoc.convert_text("text", to, format="markdown", extra_args=arguments)


def test_what_stands_above_the_report_is_text_and_no_markup(given):
    quoted = "'" + NASTY.replace("'", "''") + "'"
    chosen = given(f"title: {quoted}\nauthor: [{quoted}, Bo]\nsubtitle: {quoted}\ncourse: {quoted}\nabstract: {quoted}")
    page = html5lib.parse(rendered(chosen, "html5", "template.html"), namespaceHTMLElements=False)
    scripts = ["".join(script.itertext()) for script in page.iter("script")]
    assert not any("alert(1)" in script for script in scripts)
    (title,) = [element for element in page.iter("h1") if element.get("class") == "title"]
    assert "".join(title.itertext()) == NASTY
    (author,) = [element for element in page.iter("p") if element.get("class") == "author"]
    assert "".join(author.itertext()).startswith(f"{NASTY} and Bo · {NASTY} · ")
    pdf = typst.compile(rendered(chosen, "typst", "template.typ").encode())
    assert pdf.startswith(b"%PDF")


@pytest.mark.parametrize(("to", "template"), [("html5", "template.html"), ("typst", "template.typ")])
def test_the_abstracts_quotes_and_apostrophes_stay_as_they_are(given, to, template):
    chosen = given("title: T\nabstract: AdaGrad’s “first” steps")
    assert "AdaGrad’s “first” steps" in rendered(chosen, to, template)


def test_the_abstract_has_paragraphs_and_results_with_their_formats(given):
    chosen = given("title: T\nabstract: |\n  From {bits:.2f} and {n:,} {.\n\n  A second, *{word}*.")
    page = html5lib.HTMLParser(strict=False, namespaceHTMLElements=False)
    tree = page.parse(rendered(chosen, "html5", "template.html"))
    assert page.errors == []
    (abstract,) = [element for element in tree.iter("div") if element.get("class") == "abstract"]
    assert ["".join(p.itertext()) for p in abstract.iter("p")] == [
        "From 2.71\xa0±\xa00.06 and 1,234 {.",
        "A second, a_b <i>.",
    ]


def test_an_interval_that_one_run_does_not_have_and_a_setting_that_is_none():
    paragraph = "{one:.2f}, {none}, {minus}"
    results = {"one": [2.7, None], "none": None, "minus": -3}
    assert heading.with_results(paragraph, results) == "2\\.70, —, −3"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title: RNN: a report", "report.yaml, line 1: mapping values are not allowed here"),
        ("title: T\nauthor: [Anna", "report.yaml, line 2"),
        ("just a text", "must have lines like"),
        ("title: T\ntytle: X", "line 2: there is no 'tytle'"),
        ("title: T\nauthor: {a: b}", "line 2: author must be a text"),
        ("author: Anna", "report.yaml has no title"),
        ("title: T\nabstract: 'See ![this](x.png).'", "the abstract cannot have a picture"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence_with_its_line(given, text, sentence):
    with pytest.raises(SystemExit) as stopped:
        given(text)
    assert sentence in str(stopped.value)
    assert len(str(stopped.value).splitlines()) == 1


@pytest.mark.parametrize("abstract", ["{word:.2f}", "{n:>99999999999}"])
def test_a_result_that_cannot_be_written_so_is_named(given, abstract):
    with pytest.raises(SystemExit, match=r"report.yaml: \{(word|n)"):
        heading.variables(given(f"title: T\nabstract: '{abstract}'"), RESULTS, False, "html5")


def test_sentences_whose_results_no_chapter_gives_are_left_out_and_named(given, capsys):
    abstract = "One, {n:,}. Two needs {other:.2f} bits. Three.\n\n  Four {other}."
    chosen = heading.known_only(given(f"title: T\nabstract: |\n  {abstract}"), RESULTS)
    assert chosen["abstract"] == "One, {n:,}. Three."
    output = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2].partition(";")[0] for line in output] == ["no notebook gives {other}"] * 2


def test_a_citation_in_the_abstract_is_text(given):
    pdf = typst.compile(
        rendered(given("title: T\nabstract: 'As [@x] and x@y.z say.'"), "typst", "template.typ").encode()
    )
    assert pdf.startswith(b"%PDF")
