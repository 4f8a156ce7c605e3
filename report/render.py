"""Make report.html and report.pdf of executed notebooks, in one piece or not at all.

    python -m report.render BUILD [QUICK] [CHAPTERS=01-05]

BUILD is the folder with the executed notebooks; without CHAPTERS it has all that report/chapters.py names.
"""

import base64
import hashlib
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # jsonschema goes without: it takes a second to import

import pypandoc
import typst

from report import chapters, notebooks
from report.heading import known_only, read_heading, variables
from report.numbering import numbered
from report.pieces import Media, pieces_of
from report.show import prose, web
from report.typefaces import MONO, SERIF, fonts, katex_css
from rnn.engine.runs import write_atomically

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "report"


def chosen_notebooks(arguments):
    """Return the paths of the notebooks that CHAPTERS=... names among the arguments of a command, or of all."""
    settings = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    try:
        return chapters.chosen(settings.get("CHAPTERS", ""))
    except ValueError as error:
        sys.exit(str(error))


def results_of(executed):
    """Return what executed notebooks, {name: notebook}, gave with `show.results`: of equal names the first."""
    results = {}
    for notebook in executed.values():
        for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
            results = output.get("data", {}).get(prose.RESULTS, {}) | results
    return results


def pandoc(pieces, to, template, *arguments):
    """Return the document that pandoc makes of pieces; end with a sentence where a notebook has a fault."""
    settings = [f"--template={HERE / template}", "--number-sections", "--wrap=none", *arguments]
    try:
        return pypandoc.convert_text(
            json.dumps(pieces),
            to,
            str(HERE / "reader.lua"),
            settings,
            filters=[str(HERE / "filter.lua")],
            cworkdir=str(ROOT),
            verify_format=False,
        )
    except RuntimeError as error:
        fault = re.search(r"FAULT (.*)", str(error))
        sys.exit(f"The notebooks cannot be rendered. {fault[1]}." if fault else str(error))


def page_of(pieces, heading):
    """Return the page as pandoc makes it, without scripts, styles and typefaces."""
    return pandoc(pieces, "html5", "template.html", "--toc", "--toc-depth=2", "--section-divs", *heading)


def complete(page):
    """Return the page with all that it needs, in one file."""
    page = without_line_names(weights_once(page))
    # into empty elements, which no text in the page can look like: its < is escaped
    style = web.style("page") + (HERE / "style.css").read_text("utf-8")
    in_base64 = " ".join(base64.b64encode(kernel).decode() for kernel in web.kernels())
    page = page.replace("<script></script>", f"<script>\n{web.script('page')}</script>", 1)
    page = page.replace('"application/wasm"><', f'"application/wasm">{in_base64}<', 1)
    rules, faces = katex_css(page)
    page = page.replace('class="formulas"><', f'class="formulas">{faces}<', 1)  # the first screen has none
    return policed(page.replace("<style></style>", f"<style>\n{fonts(page)}{rules}{style}</style>", 1))


def without_line_names(page):
    """Return a page whose lines of code have no names and no empty links, which pandoc gives to each of them."""
    return re.sub(r'<span id="cb\d+-\d+"><a href="#cb\d+-\d+"[^>]*></a>', "<span>", page)


def weights_once(page):
    """Return a page in which weights that are packed again are the number of those that were packed before."""
    seen = {}

    def numbered(match):
        n = len(seen)
        return match[0] if seen.setdefault(match[1], n) == n else f'"weights": {seen[match[1]]}'

    return re.sub(r'"weights": "([^"]+)"', numbered, page)


def policed(page):
    """Return the page with a policy that lets just its own scripts run, by their hashes."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return page.replace("script-src 'self'", "script-src " + " ".join(f"'sha256-{digest}'" for digest in hashes), 1)


def paper_of(pieces, heading):
    """Return the bytes of the paper, a PDF."""
    source = pandoc(pieces, "typst-smart", "template.typ", *heading)
    try:
        return typst.compile(
            source.encode(), root=str(ROOT), font_paths=[str(SERIF), str(MONO)], ignore_system_fonts=True
        )
    except typst.TypstError as error:
        hints = "".join(f" ({hint})" for hint in getattr(error, "hints", ()) or ())
        sys.exit(f"The paper cannot be set: {error.message if hasattr(error, 'message') else error}{hints}")


def put_in_order(executed):
    """Number figures, tables and equations of executed notebooks in place, as `make number` does in their sources."""
    numbered({Path(name): notebook for name, notebook in executed.items()})
    for cell in (cell for notebook in executed.values() for cell in notebook.cells):
        for output in cell.get("outputs", []):
            if prose.KEPT in output.get("data", {}):
                output.data |= prose.bundle(cell.source.partition("\n")[2], output.data[prose.KEPT])


def page_and_paper(executed, folder, quick, results, rehearsal=False):
    """Return (page, paper) of executed notebooks, {name: notebook}; pictures are kept in `folder`."""
    put_in_order(executed)
    text = "report" if rehearsal else results.get("text_id", "report")
    media = Media(ROOT, folder / "media", ROOT / "figures" / text)
    pieces = [piece for name, notebook in executed.items() for piece in pieces_of(notebook, name, media)]
    chosen, arguments = known_only(read_heading(), results), ["--metadata=rehearsal=true"] * rehearsal
    headings = [variables(chosen, results, quick, to) + arguments for to in ("html5", "typst")]
    with ThreadPoolExecutor() as pool:
        page, paper = pool.submit(page_of, pieces, headings[0]), pool.submit(paper_of, pieces, headings[1])
        return page.result(), paper.result()


def main():
    """Render the notebooks of a build folder."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # node is there
    folder = Path(sys.argv[1]).resolve()
    executed = {path.name: notebooks.read(folder / path.name) for path in chosen_notebooks(sys.argv[2:])}
    page, paper = page_and_paper(executed, folder, "QUICK" in sys.argv[2:], results_of(executed))
    write_atomically(folder / "report.html", complete(page).encode())  # both, or none
    write_atomically(folder / "report.pdf", paper)
    if read_heading().get("author") == "Your name":
        print("The author is “Your name”: put yours into report.yaml.")
    pages = re.findall(rb"/Type ?/Page\b", paper)
    print(f"report.pdf has {len(pages)} pages.")


if __name__ == "__main__":
    main()
