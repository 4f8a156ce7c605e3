"""The title, author and abstract of the report: `report.yaml`, as data for the two templates, never as their markup.

A sentence of the abstract is left out if it names a result that no chapter of this report gives.
"""

import html
import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from textwrap import shorten

import pypandoc
import yaml

from report.measure.estimates import Estimate
from report.show.characters import inline
from report.show.prose import text, unbroken

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"\{([A-Za-z_]\w*)(:[^{}]*)?\}")  # the name of a result, with a format
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[A-Z*_“\"{\[(])")
MARKDOWN = "markdown-smart-raw_html-raw_tex-raw_attribute-citations"
LINES = ("title", "subtitle", "author", "course", "date")  # literal text
PARAGRAPHS = ("abstract", "made-from")  # Markdown


def read_heading():
    """Return {key: text} of report.yaml; exit with a sentence that names the line if it cannot be used."""
    path = ROOT / "report.yaml"
    try:
        chosen = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or error
        sys.exit(f"report.yaml{line}: {why}. Put a text with a colon, a quote or a # in it into quotes.")
    except UnicodeDecodeError:
        sys.exit("report.yaml is not UTF-8: save it as UTF-8.")
    if not isinstance(chosen, dict):
        sys.exit("report.yaml must have lines like `title: A vanilla RNN reads a novel`.")
    for key, value in chosen.items():
        if key not in (*LINES, *PARAGRAPHS):
            sys.exit(
                f"report.yaml, {_line(path, key)}: there is no {key!r}; it may have {', '.join((*LINES, *PARAGRAPHS))}."
            )
        if isinstance(value, dict):
            sys.exit(f"report.yaml, {_line(path, key)}: {key} must be a text, or a list of texts.")
    if not chosen.get("title"):
        sys.exit("report.yaml has no title: give it a line like `title: A vanilla RNN reads a novel`.")
    if re.search(r"!\[|<img\b", f"{chosen.get('abstract', '')} {chosen.get('made-from', '')}"):
        sys.exit("report.yaml: the abstract cannot have a picture: put it into a notebook.")
    return {key: _joined(value) for key, value in chosen.items() if value}


def _line(path, key):
    lines = path.read_text("utf-8").splitlines()
    return f"line {next((n for n, line in enumerate(lines, 1) if line.startswith(str(key))), 1)}"


def _joined(value):
    """Return a text. A list of texts is joined, as in "Anna, Bo and Cy"."""
    if not isinstance(value, list):
        return str(value)
    *first, last = map(str, value)
    return f"{', '.join(first)} and {last}" if first else last


def as_value(result):
    """Return a result that was JSON: a list becomes an `Estimate`, in which null is NaN."""
    if not isinstance(result, list):
        return result
    return Estimate(*(math.nan if part is None else part for part in result))


def with_results(paragraph, results, linked=False):
    """Return a paragraph with the values of results instead of their names in braces, as literal Markdown.

    With `linked`, each value is a link to the place in a notebook that gives it. Exits with a sentence if a format does
    not fit its value.
    """

    def value(match):
        name, spec = match[1], (match[2] or ":")[1:]
        try:
            shown = text(as_value(results[name]), spec)
        except (TypeError, ValueError) as error:
            sys.exit(f"report.yaml: {match[0]} cannot be written: {error}.")
        literal = unbroken(inline(shown))
        return f"[{literal}](#result-{name})" if linked else literal

    return NAME.sub(value, paragraph)


def known_only(chosen, results):
    """Return the heading without the sentences that name a result which no notebook gives; print which they are."""
    remaining = dict(chosen)
    for key in PARAGRAPHS:
        for sentence in (part for paragraph in _paragraphs(chosen.get(key, "")) for part in paragraph):
            if missing := [name for name, _ in NAME.findall(sentence) if name not in results]:
                remaining[key] = remaining[key].replace(sentence, "", 1)
                print(f"report.yaml: no notebook gives {{{missing[0]}}}; left out: {shorten(sentence, 60)}")
        if key in remaining:
            remaining[key] = "\n\n".join(filter(None, (" ".join(parts) for parts in _paragraphs(remaining[key]))))
    return {key: value for key, value in remaining.items() if value}


def _paragraphs(text):
    """Return the sentences of each paragraph of a text."""
    return [list(filter(None, map(str.strip, SENTENCE_END.split(part)))) for part in re.split(r"\n\s*\n", text)]


def variables(chosen, results, quick, to):
    """Return pandoc's arguments that pass the heading to its template; `to` is "html5" or "typst"."""
    made_on = time.gmtime(build_time())
    chosen = {"date": time.strftime("%d %B %Y", made_on).lstrip("0")} | chosen
    if to == "html5":
        given = {key: html.escape(chosen[key]) for key in LINES if key in chosen}
    else:
        given = {key: json.dumps(chosen[key], ensure_ascii=False) for key in LINES if key in chosen}
        given["made-on"] = f"year: {made_on.tm_year}, month: {made_on.tm_mon}, day: {made_on.tm_mday}"
    for key in PARAGRAPHS:
        if key in chosen:
            markdown = with_results(chosen[key], results, linked=(to, key) == ("html5", "abstract"))
            writer = "typst-smart" if to == "typst" else to  # or a curly apostrophe becomes a straight one
            given[key] = pypandoc.convert_text(markdown, writer, MARKDOWN, verify_format=False)
    return [f"--variable={key}={value}" for key, value in given.items()] + ["--variable=quick=true"] * quick


def build_time():
    """Return the report's date in seconds since 1970: SOURCE_DATE_EPOCH, or the last commit, or now."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    try:
        committed = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, stderr=subprocess.DEVNULL)
        return int(committed)
    except (OSError, subprocess.CalledProcessError):  # there is no git or no repository
        return int(time.time())
