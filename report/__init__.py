"""From notebooks to the write-up: what they measure (`measure`), how they show it (`show`), and the page and paper."""
