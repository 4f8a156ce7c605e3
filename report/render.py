"""Make report.html and report.pdf of executed notebooks, in one piece or not at all.

python report/render.py build [QUICK] [CHAPTERS=01-05]
"""

import base64
import hashlib
import io
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # jsonschema goes without: it takes a second to import

import nbformat
import pypandoc
import typst
from heading import read_heading, variables
from nbconvert import MarkdownExporter
from traitlets.config import Config

from report.show import web
from report.show.prose import RESULTS
from tools import chapters

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "report"
KATEX = ROOT / "node_modules" / "katex" / "dist"
SERIF = ROOT / "build" / "fonts"
MONO = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"  # not imported: it takes a second
# not `smart`: what is a straight quote in a notebook stays one
MARKDOWN = "markdown-smart-raw_tex-tex_math_single_backslash+lists_without_preceding_blankline"


def notebook_to_markdown(path, media, figures):
    """Return an executed notebook as Markdown, its figures in the folder `figures`, other pictures in `media`."""
    settings = Config()
    settings.TagRemovePreprocessor.enabled = True
    settings.TagRemovePreprocessor.remove_cell_tags = ("live-only",)
    settings.TagRemovePreprocessor.remove_input_tags = ("hide-code",)
    order = ["text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/html", "text/plain"]
    settings.NbConvertBase.display_data_priority = order
    exporter = MarkdownExporter(config=settings, template_file=str(HERE / "notebook.md.j2"))
    resources = {"unique_key": path.stem, "output_files_dir": str(media.relative_to(ROOT))}
    notebook = nbformat.read(path, 4)
    for data in outputs_of(notebook):
        if RESULTS in data:  # where the abstract's links lead
            data["text/markdown"] = "".join(f"[]{{#result-{name} .result}}" for name in data[RESULTS])
        if name := re.match(r"!\[caption\]\(figures/([\w-]+)\.svg\)", data.get("text/markdown", "")):
            write(figures / f"{name[1]}.svg", data["image/svg+xml"].encode())
            there = (figures / f"{name[1]}.svg").relative_to(ROOT)
            data["text/markdown"] = data["text/markdown"].replace(f"figures/{name[1]}.svg", str(there), 1)
    markdown, resources = exporter.from_notebook_node(notebook, resources)
    for name, data in resources["outputs"].items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_bytes(data)
    return re.sub(r"^(# .*)$", rf"\1 {{#chapter-{path.stem}}}", markdown, count=1, flags=re.MULTILINE)


def outputs_of(notebook):
    """Return what the cells of a notebook show, {kind: data} of each output."""
    return [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]


def results_of(paths):
    """Return the values that the notebooks gave with `show.results`."""
    results = {}
    for data in (data for path in paths for data in outputs_of(nbformat.read(path, 4))):
        for name, value in data.get(RESULTS, {}).items():
            if name in results:
                sys.exit(f"Two results are called {name}.")
            results[name] = value
    return results


def cut_down(path, characters):
    """Return the font of a file with no more than `characters` in it, as WOFF2 in a data URL."""
    key = hashlib.sha256(path.read_bytes() + "".join(sorted(characters)).encode()).hexdigest()
    kept = SERIF / "cut" / f"{path.stem}-{key[:16]}.woff2"  # other sentences seldom have other characters
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        write(kept, _cut(path, characters))
    return f"url(data:font/woff2;base64,{base64.b64encode(kept.read_bytes()).decode()}) format('woff2')"


def _cut(path, characters):
    from fontTools import subset  # takes half a second to import, and is seldom needed

    font = subset.load_font(str(path), subset.Options())
    cutter = subset.Subsetter(
        subset.Options(drop_tables=["FFTM"], layout_features=["kern", "liga", "mark", "mkmk", "ccmp", "lnum", "tnum"])
    )
    cutter.populate(unicodes=map(ord, characters))
    cutter.subset(font)
    font.flavor = "woff2"
    file = io.BytesIO()
    font.save(file)
    return file.getvalue()


def font_face(family, path, characters, weight=400, style="normal"):
    """Return a CSS rule with the font of a file, cut down to `characters`, in it."""
    source = cut_down(path, characters)
    return f"@font-face{{font-family:'{family}';font-weight:{weight};font-style:{style};src:{source}}}\n"


def fonts(page):
    """Return the CSS of the page's own typefaces, with the characters that the page has."""
    characters = set(page) | set("▸▾◐")
    serif = "Libertinus Serif"
    return (
        font_face(serif, SERIF / "LibertinusSerif-Regular.ttf", characters)
        + font_face(serif, SERIF / "LibertinusSerif-Italic.ttf", characters, style="italic")
        + font_face(serif, SERIF / "LibertinusSerif-Bold.ttf", characters, weight=700)
        + font_face("DejaVu Sans Mono", MONO / "DejaVuSansMono.ttf", characters)
    )


def katex_css(page):
    """Return KaTeX's style with its typefaces in it, each cut down to the characters that the page has."""
    characters = set(page)

    def with_data(match):
        name = re.search(r"url\(fonts/([\w-]+\.woff2)\)", match[0])[1]
        source = f"src:{cut_down(KATEX / 'fonts' / name, characters)}"
        return re.sub(r"src:[^;}]+", lambda _: source, match[0])

    return re.sub(r"@font-face\{[^}]+\}", with_data, (KATEX / "katex.min.css").read_text("utf-8"))


def pandoc(markdown, to, template, *arguments):
    """Return the document that pandoc makes; end with a sentence where the filter finds a fault of the notebooks."""
    settings = [
        f"--template={HERE / template}",
        "--number-sections",
        "--preserve-tabs",
        "--wrap=none",
        "--columns=9999",
        *arguments,
    ]
    filters = [str(HERE / "filter.lua")]
    try:
        return pypandoc.convert_text(
            markdown, to, MARKDOWN, settings, filters=filters, cworkdir=str(ROOT), verify_format=False
        )
    except RuntimeError as error:
        fault = re.search(r"filter\.lua:\d+: (.*)", str(error))
        sys.exit(f"The notebooks cannot be rendered: {fault[1]}." if fault else str(error))


def policed(page):
    """Return the page with a policy that lets just its own scripts run, by their hashes."""
    scripts = re.findall(r"<script(?: type=\"module\")?>(.*?)</script>", page, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return page.replace("script-src 'self'", "script-src " + " ".join(f"'sha256-{each}'" for each in hashes), 1)


def write(path, data):
    """Put `data` in the place of the file at once."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def weights_once(page):
    """Return a page in which weights that are packed again are the number of those that were packed before."""
    seen = {}

    def numbered(match):
        n = len(seen)
        return match[0] if seen.setdefault(match[1], n) == n else f'"weights": {seen[match[1]]}'

    return re.sub(r'"weights": "([^"]+)"', numbered, page)


def main():
    """Render the notebooks of a build folder."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # node is there
    folder = Path(sys.argv[1]).resolve()
    quick = "QUICK" in sys.argv[2:]
    choice = next((word.partition("=")[2] for word in sys.argv[2:] if word.startswith("CHAPTERS=")), "")
    paths = [folder / path.name for path in chapters.chosen(choice)]
    results = results_of(paths)
    figures = ROOT / "figures" / results.get("text_id", "report")
    figures.mkdir(parents=True, exist_ok=True)
    markdown = "\n\n".join(notebook_to_markdown(path, folder / "media", figures) for path in paths)
    chosen = read_heading()
    if chosen.get("author") == "Your name":
        print("The author is “Your name”: put yours into report.yaml.")

    with ThreadPoolExecutor() as pool:
        page = pool.submit(page_of, markdown, chosen, results, quick)
        paper = pool.submit(paper_of, markdown, chosen, results, quick)
        page, pdf = page.result(), paper.result()
    write(folder / "report.html", page.encode())  # both, or none
    write(folder / "report.pdf", pdf)
    pages = re.findall(rb"/Type ?/Page\b", pdf)
    print(f"report.pdf has {len(pages)} pages.")


def page_of(markdown, chosen, results, quick):
    """Return report.html, all in one file."""
    heading = variables(chosen, results, quick, "html5")
    page = pandoc(markdown, "html5", "template.html", "--toc", "--toc-depth=2", "--section-divs", *heading)
    page = weights_once(page)
    # into empty elements, which no text in the page can look like: its < is escaped
    style = web.style("page") + (HERE / "style.css").read_text("utf-8")
    in_base64 = " ".join(base64.b64encode(kernel).decode() for kernel in web.kernels())
    page = page.replace('<script type="module"></script>', f'<script type="module">\n{web.script("page")}</script>', 1)
    page = page.replace('"application/wasm"><', f'"application/wasm">{in_base64}<', 1)
    return policed(page.replace("<style></style>", f"<style>\n{fonts(page)}{katex_css(page)}{style}</style>", 1))


def paper_of(markdown, chosen, results, quick):
    """Return the bytes of report.pdf."""
    source = pandoc(markdown, "typst-smart", "template.typ", *variables(chosen, results, quick, "typst"))
    return typst.compile(source.encode(), root=str(ROOT), font_paths=[str(SERIF), str(MONO)], ignore_system_fonts=True)


if __name__ == "__main__":
    main()
