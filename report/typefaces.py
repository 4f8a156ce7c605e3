"""The page's typefaces for its style sheet, cut down to the characters that the page has."""

import base64
import hashlib
import io
import re
from importlib.util import find_spec
from pathlib import Path

from rnn.engine.runs import write_atomically

ROOT = Path(__file__).resolve().parent.parent
KATEX = ROOT / "node_modules" / "katex" / "dist"
SERIF = ROOT / "build" / "fonts"
MONO = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"  # not imported: it takes a second


def cut_down(path, characters):
    """Return a font with only `characters` in it, as WOFF2 in a data URL."""
    key = hashlib.sha256(path.read_bytes() + "".join(sorted(characters)).encode()).hexdigest()
    cached = SERIF / "cut" / f"{path.stem}-{key[:16]}.woff2"  # changed sentences seldom have new characters
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cached, _cut(path, characters))
    return f"url(data:font/woff2;base64,{base64.b64encode(cached.read_bytes()).decode()}) format('woff2')"


def _cut(path, characters):
    from fontTools import subset  # imported here: it takes half a second and is seldom needed

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
    """Return a CSS rule for the font in a file, cut down to `characters`."""
    source = cut_down(path, characters)
    return f"@font-face{{font-family:'{family}';font-weight:{weight};font-style:{style};src:{source}}}\n"


def fonts(page):
    """Return the CSS of the page's typefaces, cut down to the characters that the page has."""
    characters = set(page) | set("▸▾◐")
    serif = "Libertinus Serif"
    return (
        font_face(serif, SERIF / "LibertinusSerif-Regular.ttf", characters)
        + font_face(serif, SERIF / "LibertinusSerif-Italic.ttf", characters, style="italic")
        + font_face(serif, SERIF / "LibertinusSerif-Bold.ttf", characters, weight=700)
        + font_face("DejaVu Sans Mono", MONO / "DejaVuSansMono.ttf", characters)
    )


FACE = r"@font-face\{[^}]+\}"


def katex_css(page):
    """Return KaTeX's CSS as (rules, typefaces); only the typefaces that the page uses, cut down to its characters."""
    characters = set(page)
    style = (KATEX / "katex.min.css").read_text("utf-8")
    rules = re.sub(FACE, "", style)
    used = _fonts_of(rules, {name for names in re.findall(r'class="([^"]*)"', page) for name in names.split()})
    return rules, "".join(_with_data(face, characters) for face in re.findall(FACE, style) if _is_used(face, used))


def _with_data(face, characters):
    name = re.search(r"url\(fonts/([\w-]+\.woff2)\)", face)[1]
    return re.sub(r"src:[^;}]+", lambda _: f"src:{cut_down(KATEX / 'fonts' / name, characters)}", face)


def _is_used(face, used):
    """Return whether one of the declarations `used` asks for this typeface, style and weight."""
    family, *kind = (re.search(rf"font-{name}:([^;}}]+)", face)[1] for name in ("family", "style", "weight"))
    wanted = [family.strip('"'), *(word for word in kind if word not in ("normal", "400"))]
    return any(all(word in declarations for word in wanted) for declarations in used)


def _fonts_of(rules, classes):
    """Return the declarations of rules that choose a typeface for elements with these classes."""
    return [
        declarations
        for selectors, declarations in re.findall(r"([^{}]+)\{([^{}]*font[^{}]*)\}", rules)
        if any(set(re.findall(r"\.([\w-]+)", selector)) <= classes for selector in selectors.split(","))
    ]
