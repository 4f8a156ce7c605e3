"""Make build/fonts/*.ttf from the web fonts in node_modules.

Matplotlib and Typst use the typeface of the text. Typst also gets Unifont, which has nearly every script, and a font of
emoji, so the paper shows every character on every machine.
"""

import sys
from pathlib import Path

from fontTools.merge import Merger
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parent.parent
WEB_FONTS = ROOT / "node_modules" / "@fontsource"
SUBSETS = ("latin", "latin-ext", "greek", "cyrillic")
STYLES = {"Regular": "400-normal", "Italic": "400-italic", "Bold": "700-normal"}
WHOLE = {"Unifont": "unifont/files/unifont-latin", "NotoEmoji": "noto-emoji/files/noto-emoji-emoji"}


def unpack(source, path):
    """Write a web font as TrueType. It is read from WOFF, because unpacking a large WOFF2 takes Python a minute."""
    font = TTFont(WEB_FONTS / f"{source}.woff")
    font.flavor = None
    font.save(path)


def main(folder):
    """Write one font for each style, Unifont and the emoji to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for style, suffix in STYLES.items():
        parts = []
        for subset in SUBSETS:
            parts.append(folder / f"{style}-{subset}.part")
            unpack(f"libertinus-serif/files/libertinus-serif-{subset}-{suffix}", parts[-1])
        Merger().merge([str(part) for part in parts]).save(folder / f"LibertinusSerif-{style}.ttf")
        for part in parts:
            part.unlink()
    for name, source in WHOLE.items():
        unpack(f"{source}-400-normal", folder / f"{name}.ttf")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
