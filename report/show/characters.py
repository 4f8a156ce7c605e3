"""Characters that cannot be shown, or that have a meaning in Markdown."""

import re
import string
import unicodedata


def named(text):
    """Return a text with control characters, except line breaks and tabs, replaced by their pictures or numbers."""
    return "".join(character if _is_shown(character) else _name(character) for character in text)


def inline(text):
    """Return a short text for use in a sentence of Markdown, in which every character is literal."""
    return re.sub(f"([{re.escape(string.punctuation)}])", r"\\\1", named(text.replace("\n", "↵")))


def _is_shown(character):
    no_character = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"  # XML has no place for them
    return character in "\n\t" or (unicodedata.category(character) not in ("Cc", "Cs") and not no_character)


def _name(character):
    code = ord(character)
    return chr(0x2400 + code) if code < 32 else "␡" if code == 127 else f"\\x{code:02x}"
