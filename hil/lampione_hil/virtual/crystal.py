"""A board's times: its tick counter and its RTC, by a crystal that may be wrong."""

_BILLION = 1_000_000_000


class Crystal:
    """What counts a board's ticks and its RTC.

    Attributes:
        boot_us: the world's clock when the ticks began.
        ppb: how fast it is.
        rtc_memory: what the RTC's domain keeps as long as it has power.
    """

    def __init__(self, ppb: int = 0, base_us: int = 0) -> None:
        """Make it; base_us: where the ticks start at each boot."""
        self.ppb = ppb
        self.boot_us = 0
        self.rtc_memory = b""
        self._base_us = base_us
        self._rtc_us = 0  # RTC, at the time below
        self._rtc_at_us = 0

    def world_us(self, ticks_us: int) -> int:
        """The world's clock when the board's tick counter showed `ticks_us`."""
        run_us = ticks_us - self._base_us
        if self.ppb:
            run_us = -(-run_us * _BILLION // (_BILLION + self.ppb))  # not before it is over
        return self.boot_us + run_us

    def ticks_us(self, world_us: int, by: bool = False) -> int:
        """The inverse of `world_us`: the first tick that is no earlier; `by`: the last no later."""
        run_us = world_us - self.boot_us
        if by:
            run_us = self._aged_us(run_us)
        elif self.ppb:
            run_us = -self._aged_us(-run_us)
        return run_us + self._base_us

    def _aged_us(self, span_us: int) -> int:
        return span_us * (_BILLION + self.ppb) // _BILLION if self.ppb else span_us

    # The RTC

    def rtc_us(self) -> int:
        """What the RTC shows when the ticks begin."""
        return self._rtc_us + self._aged_us(self.boot_us - self._rtc_at_us)

    def set_rtc(self, value_us: int, world_us: int) -> None:
        """The board has set its clock."""
        self._rtc_us, self._rtc_at_us = value_us, world_us

    def lose_rtc(self) -> None:
        """Its domain had no power: the clock begins anew, its memory is empty."""
        self.set_rtc(0, self.boot_us)
        self.rtc_memory = b""
