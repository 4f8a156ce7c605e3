"""Make report.html and report.pdf from executed notebooks; write both, or neither if something is wrong.

    python -m report.render BUILD [QUICK] [CHAPTERS=01-05]

BUILD is the folder with the executed notebooks. Without CHAPTERS, all chapters are rendered (see report/chapters.py).
"""

import base64
import hashlib
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # jsonschema does without it: importing it takes a second

import pypandoc
import typst

from report import chapters, notebooks
from report.heading import known_only, read_heading, variables
from report.numbering import numbered
from report.pieces import Media, pieces_of
from report.show import prose, web
from report.typefaces import MONO, SERIF, fonts, katex_css
from rnn.engine.runs import RunError, write_atomically

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "report"


def chosen_notebooks(arguments):
    """Return the paths of the notebooks that CHAPTERS=... names in a command's arguments, or of all; or exit."""
    settings = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    try:
        return chapters.chosen(settings.get("CHAPTERS", ""))
    except ValueError as error:
        sys.exit(str(error))


def results_of(executed):
    """Return {name: value} from `show.results` in executed notebooks {name: notebook}; the first of a name counts."""
    results = {}
    for notebook in executed.values():
        for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
            results = output.get("data", {}).get(prose.RESULTS, {}) | results
    return results


def pandoc(pieces, to, template, *arguments):
    """Return the document that pandoc makes from pieces; exit with a sentence if a notebook has a fault."""
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
    """Return the page from pandoc, still without scripts, styles and typefaces."""
    return pandoc(pieces, "html5", "template.html", "--toc", "--toc-depth=2", "--section-divs", *heading)


def complete(page):
    """Return the page with everything that it needs, as one file."""
    page = without_line_names(weights_once(page))
    # empty elements mark the places: no text can look like one, because its < is escaped
    style = web.style("page") + (HERE / "style.css").read_text("utf-8")
    in_base64 = " ".join(base64.b64encode(kernel).decode() for kernel in web.kernels())
    page = page.replace("<script></script>", f"<script>\n{web.script('page')}</script>", 1)
    page = page.replace('"application/wasm"><', f'"application/wasm">{in_base64}<', 1)
    rules, faces = katex_css(page)
    page = page.replace('class="formulas"><', f'class="formulas">{faces}<', 1)  # the first screen has none
    return policed(page.replace("<style></style>", f"<style>\n{fonts(page)}{rules}{style}</style>", 1))


def without_line_names(page):
    """Return the page without the names and empty links that pandoc gives to lines of code."""
    return re.sub(r'<span id="cb\d+-\d+"><a href="#cb\d+-\d+"[^>]*></a>', "<span>", page)


def weights_once(page):
    """Return the page with each set of weights only once. A repetition becomes the number of the first."""
    seen = {}

    def numbered(match):
        n = len(seen)
        return match[0] if seen.setdefault(match[1], n) == n else f'"weights": {seen[match[1]]}'

    return re.sub(r'"weights": "([^"]+)"', numbered, page)


def policed(page):
    """Return the page with a policy under which only its own scripts run, by their hashes."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return page.replace("script-src 'self'", "script-src " + " ".join(f"'sha256-{digest}'" for digest in hashes), 1)


def paper_of(pieces, heading):
    """Return the paper as the bytes of a PDF; exit with a sentence if Typst cannot set it."""
    source = pandoc(pieces, "typst-smart", "template.typ", *heading)
    try:
        return typst.compile(
            source.encode(), root=str(ROOT), font_paths=[str(SERIF), str(MONO)], ignore_system_fonts=True
        )
    except typst.TypstError as error:
        hints = "".join(f" ({hint})" for hint in getattr(error, "hints", ()) or ())
        sys.exit(f"The paper cannot be typeset: {error.message if hasattr(error, 'message') else error}{hints}")


def put_in_order(executed):
    """Number figures, tables and equations in executed notebooks, in place, as `make number` does in their sources."""
    numbered({Path(name): notebook for name, notebook in executed.items()})
    for cell in (cell for notebook in executed.values() for cell in notebook.cells):
        for output in cell.get("outputs", []):
            if prose.KEPT in output.get("data", {}):
                output.data |= prose.bundle(cell.source.partition("\n")[2], output.data[prose.KEPT])


def page_and_paper(executed, folder, quick, results, rehearsal=False):
    """Return (page, paper) from executed notebooks {name: notebook}; write pictures into `folder`."""
    put_in_order(executed)
    text = "report" if rehearsal else results.get("text_id", "report")
    media = Media(ROOT, folder / "media", ROOT / "figures" / text)
    pieces = [piece for name, notebook in executed.items() for piece in pieces_of(notebook, name, media)]
    chosen = known_only(read_heading(), results)
    arguments = ["--metadata=rehearsal=true"] * rehearsal
    for_page, for_paper = (variables(chosen, results, quick, to) + arguments for to in ("html5", "typst"))
    with ThreadPoolExecutor() as pool:
        page = pool.submit(page_of, pieces, for_page)
        paper = pool.submit(paper_of, pieces, for_paper)
        return page.result(), paper.result()


def main():
    """Render the executed notebooks of a build folder."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # with the folder of node
    folder = Path(sys.argv[1]).resolve()
    executed = {path.name: notebooks.read(folder / path.name) for path in chosen_notebooks(sys.argv[2:])}
    page, paper = page_and_paper(executed, folder, "QUICK" in sys.argv[2:], results_of(executed))
    write_atomically(folder / "report.html", complete(page).encode())
    write_atomically(folder / "report.pdf", paper)
    if read_heading().get("author") == "Your name":
        print("The author is “Your name”: put yours into report.yaml.")
    pages = re.findall(rb"/Type ?/Page\b", paper)
    print(f"report.pdf has {len(pages)} pages.")


if __name__ == "__main__":
    try:
        main()
    except (OSError, RunError) as error:  # a full disk, say
        sys.exit(str(error))
