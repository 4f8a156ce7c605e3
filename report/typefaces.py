"""The page's typefaces, each cut down to the characters that the page has, in its style sheet."""

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
    """Return the font of a file with no more than `characters` in it, as WOFF2 in a data URL."""
    key = hashlib.sha256(path.read_bytes() + "".join(sorted(characters)).encode()).hexdigest()
    kept = SERIF / "cut" / f"{path.stem}-{key[:16]}.woff2"  # other sentences seldom have other characters
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, _cut(path, characters))
    return f"url(data:font/woff2;base64,{base64.b64encode(kept.read_bytes()).decode()}) format('woff2')"


def _cut(path, characters):
    from fontTools import subset  # takes half a second to import, and is seldom needed

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
    """Return a CSS rule with the font of a file, cut down to `characters`, in it."""
    source = cut_down(path, characters)
    return f"@font-face{{font-family:'{family}';font-weight:{weight};font-style:{style};src:{source}}}\n"


def fonts(page):
    """Return the CSS of the page's own typefaces, with the characters that the page has."""
    characters = set(page) | set("▸▾◐")
    serif = "Libertinus Serif"
    return (
        font_face(serif, SERIF / "LibertinusSerif-Regular.ttf", characters)
        + font_face(serif, SERIF / "LibertinusSerif-Italic.ttf", characters, style="italic")
        + font_face(serif, SERIF / "LibertinusSerif-Bold.ttf", characters, weight=700)
        + font_face("DejaVu Sans Mono", MONO / "DejaVuSansMono.ttf", characters)
    )


def katex_css(page):
    """Return KaTeX's style with its typefaces in it, each cut down to the characters that the page has."""
    characters = set(page)

    def with_data(match):
        name = re.search(r"url\(fonts/([\w-]+\.woff2)\)", match[0])[1]
        source = f"src:{cut_down(KATEX / 'fonts' / name, characters)}"
        return re.sub(r"src:[^;}]+", lambda _: source, match[0])

    return re.sub(r"@font-face\{[^}]+\}", with_data, (KATEX / "katex.min.css").read_text("utf-8"))
