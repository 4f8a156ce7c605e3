"""Render the report once before anything is trained, so that mistakes in its words are reported first.

    python -m report.lint [CHAPTERS=01-05]

Figures, tables and numbers do not exist yet, so placeholders are used.
"""

import ast
import os
import re
import sys
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

from nbformat.v4 import new_output

from report import notebooks
from report.numbering import numbered
from report.pieces import say
from report.render import ROOT, chosen_notebooks, page_and_paper
from report.show import prose
from rnn.engine.runs import Config

STUBS = {
    "figure": "::: {{#fig-{name} .texts}}\n[a]{{.labels}}\n\n```\na\n```\n:::",
    "texts": "::: {{#fig-{name} .texts}}\n[a]{{.labels}}\n\n```\na\n```\n:::",
    "sequence": "::: {{#fig-{name} .texts}}\n[a]{{.labels}}\n\n```\na\n```\n:::",
    "table": "| a |\n|--:|\n| 1 |\n\n: caption {{#tbl-{name}}}",
}
WILL_NOT_RUN = re.compile(r"<script|\bJavascript\(|%%(?:javascript|js)\b|\b(?:IFrame|YouTubeVideo|Video|Audio)\(")
WIDGETS = re.compile(r"\binteract(?:ive|_manual)?\(|\bwidgets\.[A-Z]\w+\(")


class Unknown:
    """A placeholder for a result. It can be written in any format."""

    def __format__(self, spec):
        """Return a number."""
        return "0"


def rehearsed(notebook):
    """Give the cells of a notebook placeholders as outputs, in place; return {name: placeholder} of its results."""
    results = {}
    for cell in notebook.cells:
        if cell.cell_type != "code" or "live-only" in cell.metadata.get("tags", []):
            continue
        cell.outputs = []
        if cell.source.startswith("%%prose"):
            body = cell.source.partition("\n")[2]
            values = dict.fromkeys(prose.expressions(body), "0")
            cell.outputs.append(new_output("display_data", data=prose.bundle(body, values)))
            continue
        for function, call in calls_of_show(cell.source):
            if function == "results":
                results |= dict.fromkeys(names_of_results(call), Unknown())
            elif function in STUBS and (name := name_in(call)):
                data = {"text/markdown": STUBS[function].format(name=name)}
                cell.outputs.append(new_output("display_data", data=data))
    return results


def calls_of_show(source):
    """Yield (name, call) for each call of a function of `report.show` or of its widgets in a cell."""
    try:
        tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", source))
    except SyntaxError:  # Jupyter's own message is better
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("show.", "widget.")):
            yield node.func.attr, node


def names_of_results(call):
    """Return the names of the results in a call of `show.results`; ** stands for those of `show.about`."""
    given = {keyword.arg for keyword in call.keywords}
    about = {"text_id", "text", "sha256", "steps", *(field.name for field in fields(Config))}
    return given - {None} | (about if None in given else set())


def name_in(call):
    """Return the name of the figure, table or texts in a call, or None if it is not written as a constant."""
    if call.func.attr == "sequence":
        return "sequence"
    given = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
    return given[0].value if given and isinstance(given[0], ast.Constant) else None


def say_what_will_not_run(name, notebook):
    """Print which cells have scripts, players or widgets, because the report cannot show them."""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code" or "live-only" in cell.metadata.get("tags", []):
            continue
        if found := WILL_NOT_RUN.search(cell.source):
            what = found[0].rstrip("(")
            say(
                f"{name}, cell {number}: {what} will not run in the report, because its page runs only its own scripts."
            )
        if WIDGETS.search(cell.source):
            say(f"{name}, cell {number}: widgets work only in Jupyter; tag the cell `live-only`, or show a figure.")


def main():
    """Check the notebooks of CHAPTERS, or all."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # node is there
    paths = chosen_notebooks(sys.argv[1:])
    sources, renumbered = ({path: notebooks.read(path) for path in paths} for _ in range(2))
    if faults := [fault for fault in numbered(renumbered) if "leads nowhere" not in fault]:  # filter.lua reports these
        sys.exit("\n".join(faults))
    for path, notebook in sources.items():
        say_what_will_not_run(path.name, notebook)
    results = {name: value for notebook in sources.values() for name, value in rehearsed(notebook).items()}
    with TemporaryDirectory(dir=ROOT / "build") as folder:
        named = {path.name: notebook for path, notebook in sources.items()}
        page_and_paper(named, Path(folder), False, results, rehearsal=True)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:  # a full disk, say
        sys.exit(str(error))
