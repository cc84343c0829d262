"""Which numbers of a boot are stored: ranges, few as long as little is missing."""

from bisect import bisect_right
from collections.abc import Iterable

from lampione.store import StoreError


class Held:
    """A set of numbers from 0 on, as ranges that do not touch."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and self._lasts[place] >= number

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Return (first, last) of each range, rising."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def add(self, number: int) -> bool:
        """Add a number; say whether it is new."""
        firsts, lasts = self._firsts, self._lasts
        if lasts and number == lasts[-1] + 1:  # nearly always
            lasts[-1] = number
            return True
        place = bisect_right(firsts, number) - 1
        if place >= 0 and lasts[place] >= number:
            return False
        joins_left = place >= 0 and lasts[place] == number - 1
        joins_right = place + 1 < len(firsts) and firsts[place + 1] == number + 1
        if joins_left and joins_right:
            lasts[place] = lasts.pop(place + 1)
            del firsts[place + 1]
        elif joins_left:
            lasts[place] = number
        elif joins_right:
            firsts[place + 1] = number
        else:
            firsts.insert(place + 1, number)
            lasts.insert(place + 1, number)
        return True

    def update(self, numbers: Iterable[int]) -> None:
        """Add numbers."""
        for number in numbers:
            self.add(number)

    def before(self, number: int) -> int:
        """Return the last number of the range before a number; -1: there is none."""
        place = bisect_right(self._firsts, number) - 1
        return self._lasts[place] if place >= 0 else -1

    def pack(self) -> bytes:
        """Return the distances from border to border, 7 bits a byte, the least first."""
        packed = bytearray()
        border = 0
        for first, last in self.ranges:
            for number in (first - border, last - first):
                rest = number
                while rest > 127:
                    packed.append(rest & 127 | 128)
                    rest >>= 7
                packed.append(rest)
            border = last
        return bytes(packed)

    @classmethod
    def unpack(cls, packed: bytes | None) -> "Held":
        """Return what `pack` made bytes of. Raises StoreError."""
        held = cls()
        numbers = []
        number = shift = 0
        for byte in packed or b"":
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                numbers.append(number)
                number = shift = 0
        if shift or len(numbers) % 2:
            raise StoreError("a boot's ranges are damaged")
        border = 0
        for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
            if gap < 2 and held._firsts:
                raise StoreError("a boot's ranges are damaged")
            held._firsts.append(border + gap)
            border += gap + length
            held._lasts.append(border)
        return held
