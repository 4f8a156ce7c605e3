"""Number the captions of notebooks, the references to them, and the equations.

Figures and tables are numbered in each chapter, in the order of their captions; equations are numbered through the
whole report. Cells tagged `page-only` get letters, as in Figure 3.A: the paper leaves them out, and its numbers still
have no gap.
"""

import re
from collections import Counter

KINDS = {"fig": "Figure", "tbl": "Table"}
CAPTION = re.compile(r'(?m)^<a id="(fig|tbl)-([\w-]+)"></a>\*\*(?:Figure|Table) [\w.]+\*\*')
REFERENCE = re.compile(r"\[(?:Figure|Table)(\s)[\w.]+\]\(([^()#]*)#((?:fig|tbl)-[\w-]+)\)")  # \s: a line may end in it
EQUATION = re.compile(r'<a id="eq-(\w+)"></a>(\s*\$\$(?:(?!\$\$)[\s\S])*?\\tag\{)\w+\}')
EQUATION_REFERENCE = re.compile(r"\[\(\w+\)\]\(([^()#]*)#eq-(\w+)\)")
TAG = re.compile(r"\\tag\{")


def numbered(notebooks):
    """Number all notebooks {path: notebook} in place; return sentences about dead references and repeated names."""
    labels, faults = labels_of(notebooks)
    equations, equation_faults = equations_of(notebooks)
    faults += equation_faults
    for path, notebook in notebooks.items():
        for cell in filter(has_words, notebook.cells):
            cell.source = with_captions(cell.source, path.name, labels, faults)
            cell.source = with_equations(cell.source, path.name, equations, faults)
    return faults


def labels_of(notebooks):
    """Return ({(notebook's name, identifier): label} of all captions, sentences about repeated ones)."""
    labels = {}
    faults = []
    chapters = {}  # {number: notebook's name}
    names = {}  # {identifier: notebook's name}
    for path, notebook in notebooks.items():
        chapter = re.match(r"\d+", path.name)[0].lstrip("0")
        if chapter in chapters:
            faults.append(f"{chapters[chapter]} and {path.name} are both chapter {chapter}: rename one of them.")
        chapters[chapter] = path.name
        count = Counter()
        for cell in filter(has_words, notebook.cells):
            for kind, name in CAPTION.findall(cell.source):
                identifier = f"{kind}-{name}"
                is_curious = is_left_out(cell)
                if identifier in names:
                    faults.append(f"{names[identifier]} and {path.name}: two captions are called {identifier}.")
                names[identifier] = path.name
                count[kind, is_curious] += 1
                labels[path.name, identifier] = (
                    f"{KINDS[kind]} {chapter}.{ordinal(count[kind, is_curious], is_curious)}"
                )
    return labels, faults


def equations_of(notebooks):
    """Return ({name: number} of all equations, sentences about repeated or unnamed ones)."""
    equations = {}
    faults = []
    count = Counter()
    for path, notebook in notebooks.items():
        for cell in filter(has_words, notebook.cells):
            found = EQUATION.findall(cell.source)
            if len(found) != len(TAG.findall(cell.source)):
                faults.append(f'{path.name}: every \\tag needs <a id="eq-…"></a> right before the $$ of its formula.')
            for name, _ in found:
                if name in equations:
                    faults.append(f"{path.name}: two equations are called eq-{name}.")
                is_curious = is_left_out(cell)
                count[is_curious] += 1
                equations.setdefault(name, ordinal(count[is_curious], is_curious))
    return equations, faults


def with_captions(source, name, labels, faults):
    """Return a cell's source with new labels in its captions and references."""

    def caption(match):
        identifier = "-".join(match.groups())
        return f'<a id="{identifier}"></a>**{labels[name, identifier]}.**'

    def reference(match):
        space, notebook, identifier = match.groups()
        label = labels.get((notebook.replace("%20", " ") or name, identifier))
        if label is None:
            return nowhere(match, name, faults)
        return f"[{label.replace(' ', space)}]({notebook}#{identifier})"

    return REFERENCE.sub(reference, CAPTION.sub(caption, source))


def with_equations(source, name, equations, faults):
    """Return a cell's source with new numbers in its equations and references."""

    def equation(match):
        number = equations[match[1]]
        return f'<a id="eq-{number}"></a>{match[2]}{number}}}'

    def reference(match):
        number = equations.get(match[2])
        return f"[({number})]({match[1]}#eq-{number})" if number else nowhere(match, name, faults)

    return EQUATION_REFERENCE.sub(reference, EQUATION.sub(equation, source))


def nowhere(match, name, faults):
    """Report a dead reference in `faults`; return the reference unchanged."""
    faults.append(f"{name}: {match[0]} leads nowhere.")
    return match[0]


def has_words(cell):
    """Whether a cell is Markdown or `%%prose`."""
    return cell.cell_type == "markdown" or cell.source.startswith("%%prose")


def is_left_out(cell):
    """Whether the page has a cell and the paper does not."""
    return not {"page-only", "not-in-paper"}.isdisjoint(cell.metadata.get("tags", []))


def ordinal(n, lettered):
    """Return the n-th label: 1, 2, 3, ..., or A, B, ..., Z, AA, ... if `lettered`."""
    if not lettered:
        return str(n)
    return (ordinal((n - 1) // 26, True) if n > 26 else "") + chr(ord("A") + (n - 1) % 26)
