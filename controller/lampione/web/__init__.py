"""The screens in a browser: textual-serve's terminal on a page of our own, behind a token."""
