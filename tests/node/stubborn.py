"""A part that a virtual board's supervisor imports."""

from lampione_hil.virtual.devices.ld2415h import Ld2415h


class Stubborn(Ld2415h):
    """A radar whose settings cannot be changed."""

    commands = 0

    def _command(self, frame: bytes) -> str:
        if frame[2] == 7:
            return super()._command(frame)
        self.commands += 1
        return ""

    def told(self) -> int:
        """Return how many commands it was sent to no avail."""
        return self.commands
