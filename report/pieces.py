"""Turn the cells of a notebook into pieces for pandoc: words, code and outputs.

A piece is {"place": "03_training.ipynb, cell 5", "format": ..., "text": ..., "classes": [...]}. The format is markdown,
html, code, text (verbatim) or image (a path). reader.lua reads each piece separately.
"""

import base64
import re
import sys
from urllib.parse import quote

from nbconvert.filters import strip_ansi

from report.mathematics import for_pandoc
from report.show.characters import named
from report.show.prose import RESULTS

LEFT_OUT = re.compile(r"<(script|iframe|video|audio|canvas|object|embed|form|input|button)\b", re.IGNORECASE)
PICTURES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


class Media:
    """The folders for pictures. Pandoc's path of a picture begins at the project's folder, with a slash."""

    def __init__(self, root, pictures, figures):
        """Set the project's folder, the folder for pictures, and the folder for figures with captions."""
        self.root = root
        self.pictures = pictures
        self.figures = figures

    def keep(self, folder, name, data):
        """Write bytes to a file in `folder`; return its path for pandoc."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        return f"/{(folder / name).relative_to(self.root).as_posix()}"


def pieces_of(notebook, name, media):
    """Return the pieces of a notebook."""
    pieces = []
    macros = []
    number = 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        number += "injected-parameters" not in tags
        if "live-only" in tags:
            continue
        place = f"{name}, cell {number}"
        prefix = f"{name.removesuffix('.ipynb')}-{number}"
        for piece in _source_pieces(cell, tags, prefix, media) + _output_pieces(cell, place, prefix, media):
            if piece["format"] == "markdown":
                piece["text"], macros = for_pandoc(piece["text"], macros)
                piece["macros"] = list(macros)
            piece["classes"] = piece.get("classes", []) + [tag for tag in ("page-only", "not-in-paper") if tag in tags]
            pieces.append(piece | {"place": place})
    return pieces


def _source_pieces(cell, tags, prefix, media):
    """Return the piece of a cell's source, words or code, in a list; the list is empty if it is hidden."""
    if not cell.source.strip():
        return []
    if cell.cell_type == "markdown":
        return [{"format": "markdown", "text": _with_attachments(cell, prefix, media)}]
    if cell.cell_type == "raw":
        return [{"format": "text", "text": cell.source}]
    if "hide-code" in tags or cell.source.startswith("%%prose"):
        return []
    return [{"format": "code", "text": cell.source, "classes": [] if "show-code" in tags else ["code"]}]


def _with_attachments(cell, prefix, media):
    """Write the pictures that were pasted into a Markdown cell to files; return the source with their paths."""
    source = cell.source
    for number, (name, data) in enumerate(cell.get("attachments", {}).items()):
        ((kind, encoded),) = list(data.items())[:1]
        file = f"{prefix}-pasted-{number}.{PICTURES.get(kind, kind.partition('/')[2])}"
        path = media.keep(media.pictures, file, base64.b64decode(encoded))
        for written in (name, quote(name)):
            source = source.replace(f"attachment:{written}", path)
    return source


def _output_pieces(cell, place, prefix, media):
    """Return the pieces of a cell's outputs."""
    pieces = []
    for number, output in enumerate(cell.get("outputs", [])):
        if output.output_type == "stream" and output.name == "stdout":
            pieces.append(_as_text(output.text))
        elif output.output_type in ("display_data", "execute_result"):
            pieces += _displayed(output.data, place, f"{prefix}-{number}", media)
    # HTML has no place for control characters, and a text may be made of any
    return [piece | {"text": named(piece["text"].replace("\r\n", "\n"))} for piece in pieces]


def _displayed(data, place, prefix, media):
    """Return the pieces of one output {kind: data}, from the kind that says most."""
    if RESULTS in data:  # the targets of the abstract's links
        return [{"format": "markdown", "text": "".join(f"[]{{#result-{name} .result}}" for name in data[RESULTS])}]
    if "text/markdown" in data:
        return [{"format": "markdown", "text": _with_figure(data, media)}]
    for kind, suffix in PICTURES.items():
        if kind in data:
            content = data[kind].encode() if suffix == "svg" else base64.b64decode(data[kind])
            return [{"format": "image", "text": media.keep(media.pictures, f"{prefix}.{suffix}", content)}]
    if "text/latex" in data:
        return [{"format": "markdown", "text": data["text/latex"]}]
    return _as_html(data, place)


def _with_figure(data, media):
    """Return an output's Markdown; write the figure of `show.figure` to a file."""
    markdown = data["text/markdown"]
    if name := re.match(r"!\[caption\]\(figures/([\w-]+\.svg)\)", markdown):
        path = media.keep(media.figures, name[1], data["image/svg+xml"].encode())
        markdown = markdown.replace(f"figures/{name[1]}", path, 1)
    return markdown


def _as_html(data, place):
    """Return the piece of an output as HTML or as text; print what in it needs a script."""
    if "application/vnd.jupyter.widget-view+json" in data or "application/javascript" in data:
        say(f"{place}: this widget works only in Jupyter and is left out; tag the cell `live-only`.")
        return []
    if "text/html" in data:
        html = data["text/html"]
        if found := LEFT_OUT.search(html):
            say(f"{place}: this <{found[1].lower()}> cannot run in the report and is left out.")
        return [{"format": "html", "text": _with_style(html)}]
    text = data.get("text/plain", "")
    return [_as_text(text)] if text else []


def _with_style(html):
    """Return HTML in which the cells of a pandas `Styler` carry their colours: the paper has no style sheet."""
    rules = {}
    for names, declarations in re.findall(r"((?:#[\w-]+[,\s]*)+)\{([^{}]*)\}", html):
        for name in re.findall(r"#([\w-]+)", names):
            rules[name] = rules.get(name, "") + " ".join(declarations.split())

    def styled(match):
        return f'{match[0]} style="{rules[match[1]]}"' if match[1] in rules else match[0]

    return re.sub(r'(?<=<td )id="([\w-]+)"', styled, html)


def _as_text(text):
    """Return the piece of a text as it is printed, without the codes for colours."""
    return {"format": "text", "text": strip_ansi(text).rstrip("\r\n")}


def say(sentence):
    """Print to standard error what a reader of the report will not see."""
    print(sentence, file=sys.stderr)
