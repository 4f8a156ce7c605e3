"""Render the report once before anything is executed: what is wrong with its words is said before minutes of training.

    python -m report.lint [CHAPTERS=01-05]

Figures, tables and numbers are missing yet; in their place are empty ones.
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
    """A result that no notebook has given yet: it can be written in any format."""

    def __format__(self, spec):
        """Return a number."""
        return "0"


def rehearsed(notebook):
    """Give a notebook's cells, in place, what they would show, with nothing in it; return the names of its results."""
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
    """Yield (name, call) of each function of report.show, and of its widgets, that a cell calls, in their order."""
    try:
        tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", source))
    except SyntaxError:  # said by Jupyter, better
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("show.", "widget.")):
            yield node.func.attr, node


def names_of_results(call):
    """Return the names of the results that a call of `show.results` gives; what is after ** is `show.about`'s."""
    given = {keyword.arg for keyword in call.keywords}
    about = {"text_id", "text", "sha256", "steps", *(field.name for field in fields(Config))}
    return given - {None} | (about if None in given else set())


def name_in(call):
    """Return the name that a call gives its figure, table or texts, or None where only running it can tell."""
    if call.func.attr == "sequence":
        return "sequence"
    given = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
    return given[0].value if given and isinstance(given[0], ast.Constant) else None


def say_what_will_not_run(name, notebook):
    """Say which cells have scripts, players or widgets, which the report cannot have."""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code" or "live-only" in cell.metadata.get("tags", []):
            continue
        if found := WILL_NOT_RUN.search(cell.source):
            what = found[0].rstrip("(")
            say(f"{name}, cell {number}: {what} will not run in the report, whose page runs its own scripts only.")
        if WIDGETS.search(cell.source):
            say(f"{name}, cell {number}: widgets move in Jupyter only; tag the cell `live-only`, or show a figure.")


def main():
    """Look at the notebooks of CHAPTERS, or at all there are."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # node is there
    paths = chosen_notebooks(sys.argv[1:])
    sources, in_order = ({path: notebooks.read(path) for path in paths} for _ in range(2))
    if faults := [fault for fault in numbered(in_order) if "leads nowhere" not in fault]:  # the filter says it better
        sys.exit("\n".join(faults))
    for path, notebook in sources.items():
        say_what_will_not_run(path.name, notebook)
    results = {name: value for notebook in sources.values() for name, value in rehearsed(notebook).items()}
    with TemporaryDirectory(dir=ROOT / "build") as folder:
        named = {path.name: notebook for path, notebook in sources.items()}
        page_and_paper(named, Path(folder), False, results, rehearsal=True)


if __name__ == "__main__":
    main()
