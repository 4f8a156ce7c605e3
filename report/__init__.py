"""From notebooks to the write-up: what they measure (`measure`), how they show it (`show`), and the page and paper."""

import sys

sys.modules["rfc3987_syntax"] = None  # jsonschema, which nbformat imports, does without it: importing it takes a second
