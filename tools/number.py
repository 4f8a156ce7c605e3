"""Number the captions, their references and the equations of the notebooks.

    python tools/number.py [--check] notebooks/*.ipynb

Figures and tables are numbered in each chapter by themselves, in the order of their captions; equations through the
whole report. Writes the notebooks that change, or with --check says which would, and what leads nowhere.
"""

import re
import sys
from pathlib import Path

import nbformat

KINDS = {"fig": "Figure", "tbl": "Table"}
CAPTION = re.compile(r'(?m)^<a id="(fig|tbl)-([\w-]+)"></a>\*\*(?:Figure|Table) [\w.]+\*\*')
REFERENCE = re.compile(r"\[(?:Figure|Table)(\s)[\w.]+\]\(([\w.]*)#((?:fig|tbl)-[\w-]+)\)")  # \s: a line may end in it
EQUATION = re.compile(r'<a id="eq-(\w+)"></a>(\s*\$\$(?:(?!\$\$)[\s\S])*?\\tag\{)\w+\}')
EQUATION_REFERENCE = re.compile(r"\[\(\w+\)\]\(([\w.]*)#eq-(\w+)\)")
TAG = re.compile(r"\\tag\{")


def of_words(cell):
    """Whether a cell is Markdown, with numbers in it or without."""
    return cell.cell_type == "markdown" or cell.source.startswith("%%prose")


def numbered(notebooks):
    """Number all notebooks {path: notebook} in place; return sentences about what leads nowhere or stands twice."""
    labels, equations, faults = {}, {}, []
    for path, notebook in notebooks.items():
        chapter, count = int(path.name[:2]), dict.fromkeys(KINDS, 0)
        for cell in filter(of_words, notebook.cells):
            for kind, name in CAPTION.findall(cell.source):
                count[kind] += 1
                if (path.name, f"{kind}-{name}") in labels:
                    faults.append(f"{path.name}: two captions are called {kind}-{name}.")
                labels[path.name, f"{kind}-{name}"] = f"{KINDS[kind]} {chapter}.{count[kind]}"
            found = EQUATION.findall(cell.source)
            if len(found) != len(TAG.findall(cell.source)):
                faults.append(f'{path.name}: every \\tag needs <a id="eq-…"></a> right before the $$ of its formula.')
            for name, _ in found:
                if name in equations:
                    faults.append(f"{path.name}: two equations are called eq-{name}.")
                equations.setdefault(name, str(len(equations) + 1))

    def relabelled(path, source):
        def caption(match):
            kind, name = match.groups()
            return f'<a id="{kind}-{name}"></a>**{labels[path.name, f"{kind}-{name}"]}.**'

        def reference(match):
            space, notebook, identifier = match.groups()
            label = labels.get((notebook or path.name, identifier))
            return f"[{label.replace(' ', space)}]({notebook}#{identifier})" if label else nowhere(match)

        def equation(match):
            name, formula = match.groups()
            return f'<a id="eq-{equations[name]}"></a>{formula}{equations[name]}}}'

        def equation_reference(match):
            notebook, name = match.groups()
            number = equations.get(name)
            return f"[({number})]({notebook}#eq-{number})" if number else nowhere(match)

        def nowhere(match):
            faults.append(f"{path.name}: {match[0]} leads nowhere.")
            return match[0]

        source = REFERENCE.sub(reference, CAPTION.sub(caption, source))
        return EQUATION_REFERENCE.sub(equation_reference, EQUATION.sub(equation, source))

    for path, notebook in notebooks.items():
        for cell in filter(of_words, notebook.cells):
            cell.source = relabelled(path, cell.source)
    return faults


def main():
    """Number, or check."""
    check, paths = "--check" in sys.argv, [Path(name) for name in sys.argv[1:] if name != "--check"]
    notebooks = {path: nbformat.read(path, 4) for path in sorted(paths)}
    before = {path: [cell.source for cell in notebook.cells] for path, notebook in notebooks.items()}
    faults = numbered(notebooks)
    for path, notebook in notebooks.items():
        if [cell.source for cell in notebook.cells] != before[path]:
            if check:
                faults.append(f"{path.name}: figures, tables or equations are out of order; `make number` mends it.")
            else:
                nbformat.write(notebook, path)
                print(f"{path.name}: numbered anew")
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
