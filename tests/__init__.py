import report  # noqa: F401  first, because it makes the import of nbformat short
