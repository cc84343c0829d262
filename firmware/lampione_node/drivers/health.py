"""What a sensor's value is worth, as small integers that go on the wire."""

from micropython import const

OK = const(0)
WARMING = const(1)  # started, not yet to be believed
STALE = const(2)  # the last good value is too old
STUCK = const(3)  # it answers, always the same
IMPLAUSIBLE = const(4)  # it answers what cannot be
SILENT = const(5)  # it has answered and does no longer
ABSENT = const(6)  # it has never answered, or the profile has none
