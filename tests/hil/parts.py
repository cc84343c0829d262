"""Parts that only tests have; importable by the supervisor."""

from lampione_hil.virtual.devices import UartDevice


class Doubler(UartDevice):
    """Says everything twice."""

    name = "doubler"

    def feed(self, data: bytes, now_s: float) -> bytes:
        return data + data
