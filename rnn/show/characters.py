"""Characters that cannot be shown as they are."""

import unicodedata


def named(text):
    """Return a text whose control characters, but for line breaks and tabs, have become their pictures."""
    return "".join(
        character if unicodedata.category(character) != "Cc" or character in "\n\t" else _picture(character)
        for character in text
    )


def _picture(character):
    code = ord(character)
    return chr(0x2400 + code) if code < 32 else "␡" if code == 127 else f"\\x{code:02x}"
