"""Rewrite Markdown so that pandoc finds the same formulas in it as Jupyter does.

In Jupyter a formula is what is between dollars, also with spaces inside them, or a LaTeX environment without dollars.
A macro that one cell defines is valid in all cells of the notebook.
"""

import re

_BALANCED = r"\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{[^{}]*\})*\})*\})*\}"
_INSIDE = r"(?:\\[\s\S]|(?!\n[ \t]*\n)[^$\\])+?"  # of a formula: no empty line
_PARTS = re.compile(
    rf"""
    (?P<code> ^[ ]{{0,3}} (?P<fence>`{{3,}}|~{{3,}}) [^\n]*\n (?: [\s\S]*?\n )?? [ ]{{0,3}} (?P=fence) [`~]* [ \t]* $
            | (?<!`) (?P<ticks>`+) (?!`) [\s\S]+? (?<!`) (?P=ticks) (?!`) )
    | (?P<escaped> \\[$`\\] (?![(\[]) )
    | \$\$ (?P<display>{_INSIDE}) \$\$
    | \$ (?P<inline>{_INSIDE}) \$
    | (?P<environment> \\begin\{{ (?P<name>[a-z]+\*?) \}} [\s\S]*? \\end\{{ (?P=name) \}} )
    | \\\\ \( (?P<round>{_INSIDE}) \\\\ \)
    | \\\\ \[ (?P<square>{_INSIDE}) \\\\ \]
    """,
    re.VERBOSE | re.MULTILINE,
)
_MACRO = re.compile(
    rf"""
    \\(?:re|provide)?newcommand \*? \s* \{{? \s* (?P<new>\\[a-zA-Z]+) \s* \}}? \s*
        (?P<arguments>(?:\[[^\]]*\])*) \s* (?P<body>{_BALANCED})
    | \\DeclareMathOperator \*? \s* \{{? \s* (?P<operator>\\[a-zA-Z]+) \s* \}}? \s* (?P<name>{_BALANCED})
    | \\def \s* (?P<defined>\\[a-zA-Z]+) (?P<parameters>(?:\#\d)*) \s* (?P<as>{_BALANCED})
    """,
    re.VERBOSE,
)
_NUMBERED = re.compile(r"\\(begin|end)\{(align|gather|alignat)\}")


def formulas(source):
    """Return the formulas in a cell's Markdown, in order, as they are written."""
    return [inside for inside in map(_inside, _PARTS.finditer(source)) if inside is not None]


def for_pandoc(source, macros=()):
    r"""Return (Markdown for pandoc with `tex_math_double_backslash`, macros): formulas are in \\( \\) and \\[ \\].

    `macros` are the definitions of earlier cells. The returned macros also include those of this cell.
    """
    defined = list(macros)

    def written(match):
        inside = _inside(match)
        if inside is None:
            return match[0]
        defined.extend(map(_definition, _MACRO.finditer(inside)))
        formula = _as_set(_MACRO.sub("", inside))
        if not formula:
            return ""
        if not (match["inline"] or match["round"]):
            return rf"\\[{formula}\\]"
        before_digit = source[match.end() : match.end() + 1].isdigit()  # there pandoc would see no formula
        return rf"\\({formula}\\)" + "<!-- -->" * before_digit

    return _PARTS.sub(written, source), defined


def _inside(match):
    return next((match[kind] for kind in ("display", "inline", "environment", "round", "square") if match[kind]), None)


def _definition(macro):
    if macro["operator"]:
        return rf"\newcommand{{{macro['operator']}}}{{\operatorname{macro['name']}}}"
    if macro["defined"]:
        count = macro["parameters"].count("#")
        return rf"\newcommand{{{macro['defined']}}}{f'[{count}]' * bool(count)}{macro['as']}"
    return rf"\newcommand{{{macro['new']}}}{macro['arguments']}{macro['body']}"


def _as_set(formula):
    r"""Return a formula without what Jupyter does not show: labels, and LaTeX's own numbers in `align`."""
    formula = re.sub(r"\\label\s*\{[^}]*\}", "", formula)
    formula = re.sub(r"\\(begin|end)\{equation\*?\}", "", formula)
    formula = formula.replace(r"\begin{eqnarray}", r"\begin{array}{rcl}").replace(r"\end{eqnarray}", r"\end{array}")
    return _NUMBERED.sub(r"\\\1{\2*}", formula).strip()
