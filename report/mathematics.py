"""Markdown whose mathematics is what Jupyter takes for it, written so that pandoc takes the same for it.

Jupyter sets what is between dollars, spaces or not, and LaTeX's environments without dollars too. A macro that one cell
defines holds in all cells of the notebook.
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
    """Return the formulas of a cell's Markdown, in order, as they are written."""
    return [inside for inside in map(_inside, _PARTS.finditer(source)) if inside is not None]


def for_pandoc(source, macros=()):
    r"""Return (Markdown for pandoc with `tex_math_double_backslash`, macros): formulas are in \\( \\) and \\[ \\].

    `macros` are the definitions of earlier cells; those of this cell are added to the ones that come back.
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
        before_digit = source[match.end() : match.end() + 1].isdigit()  # where pandoc sees no formula
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
    r"""Return a formula without what shows nothing in Jupyter: labels, and the numbers that `align` has in LaTeX."""
    formula = re.sub(r"\\label\s*\{[^}]*\}", "", formula)
    formula = re.sub(r"\\(begin|end)\{equation\*?\}", "", formula)
    formula = formula.replace(r"\begin{eqnarray}", r"\begin{array}{rcl}").replace(r"\end{eqnarray}", r"\end{array}")
    return _NUMBERED.sub(r"\\\1{\2*}", formula).strip()
