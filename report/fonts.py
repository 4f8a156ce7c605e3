"""Make build/fonts/*.ttf from the web fonts of node_modules, for matplotlib: figures in the typeface of the text."""

import sys
from pathlib import Path

from fontTools.merge import Merger
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parent.parent
WEB_FONTS = ROOT / "node_modules/@fontsource/libertinus-serif/files"
SUBSETS = ("latin", "latin-ext", "greek", "cyrillic")
STYLES = {"Regular": "400-normal", "Italic": "400-italic", "Bold": "700-normal"}


def main(folder):
    """Write one font a style to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for style, suffix in STYLES.items():
        parts = []
        for subset in SUBSETS:
            font = TTFont(WEB_FONTS / f"libertinus-serif-{subset}-{suffix}.woff2")
            font.flavor = None
            parts.append(folder / f"{style}-{subset}.part")
            font.save(parts[-1])
        Merger().merge([str(part) for part in parts]).save(folder / f"LibertinusSerif-{style}.ttf")
        for part in parts:
            part.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
