"""Giving data away: files, a broker of context data, and a small server that reads.

`rows` turns what the store has into columns in units, with their quality beside and the rules of
privacy applied; every form is made of those.
"""


class ExportError(Exception):
    """The export cannot be made; the text says why and what to do."""
