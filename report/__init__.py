"""From notebooks to the write-up: what they measure (`measure`), how they show it (`show`), page and paper."""
