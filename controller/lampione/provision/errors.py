"""What goes wrong at the bench: in words, and with what to do about it."""


class ProvisionError(Exception):
    """One board, or the whole run, cannot go on; the text holds no secret.

    Args:
        why: what is wrong, a line.
        do: what to do about it, a line.
    """

    def __init__(self, why: str, do: str) -> None:
        super().__init__(f"{why}: {do}")
        self.why = why
        self.do = do
