"""Shorten Matplotlib's SVG for the page. It still shows the same, to a hundredth of a point."""

import re

_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def shortened(svg):
    """Return an SVG with few elements, without spaces between them, with two decimals and with relative lines."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", svg)
    svg = _without_plain_groups(svg)
    svg = re.sub(r' d="([^"]+)"', lambda match: f' d="{_relative(match[1])}"', svg)
    return re.sub(r"<[^>]+>", lambda tag: _NUMBER.sub(_rounded, tag[0]), svg)  # text in the figure does not change


def _without_plain_groups(svg):
    """Return an SVG without the groups that have at most a name, to which nothing refers. Their content stays."""
    kept = []  # for each open group, whether it stays

    def opened_or_closed(tag):
        if tag[0] == "</g>":
            return tag[0] if kept.pop() else ""
        kept.append(not re.fullmatch(r'<g( id="[^"]*")?>', tag[0]))
        return tag[0] if kept[-1] else ""

    return re.sub(r"</g>|<g( [^>]*[^/>])?>", opened_or_closed, svg)


def _rounded(number):
    return _decimals(round(float(number[0]) * 100))


def _relative(path):
    """Return a path with relative instead of absolute lines. A path with curves does not change."""
    commands = re.findall(r"([A-Za-z])([^A-Za-z]*)", path)
    if {command for command, _ in commands} - set("MLz"):
        return " ".join(path.split())
    parts = []
    at = (0, 0)
    begin = (0, 0)
    for command, numbers in commands:
        if command == "z":
            parts.append("z")
            at = begin
            continue
        x, y = (round(float(number) * 100) for number in numbers.split())
        step = f"{_decimals(x - at[0])} {_decimals(y - at[1])}".replace(" -", "-")
        parts.append(command.lower() + step if command == "M" or parts[-1] == "z" else f" {step}")
        at = x, y
        if command == "M":  # further numbers after an M are lines
            begin = at
    return "".join(parts).replace(" -", "-")


def _decimals(hundredths):
    """Return a number of hundredths as a decimal number in as few characters as possible."""
    digits = f"{abs(hundredths) / 100:.2f}".rstrip("0").rstrip(".")
    return ("-" if hundredths < 0 else "") + (digits.lstrip("0") or "0")
