"""What is done with boards in hand: at a cable or a bench, beside the controller, which is told."""

from typing import Any, Protocol

FLASH = "flash"
PROVISION = "provision"
SIGN_OFF = "sign-off"
BENCH = "bench run"
ACTIONS = (FLASH, PROVISION, SIGN_OFF, BENCH)


class Tell(Protocol):
    """Has the controller's audit hear of a deed."""

    def __call__(self, action: str, node: str | None = None, **detail: Any) -> None:
        """Tell it.

        Args:
            detail: `result`, and what else there is to say; it holds no secret.

        Raises CoreError, TimeoutError where a controller runs and does not take it.
        """
        ...


def to_nobody(action: str, node: str | None = None, **detail: Any) -> None:
    """No controller runs."""
