"""From values to a committed frame: the one door that everything the node says goes through."""

from lampione_protocol.codec import encode_into
from lampione_protocol.schema import EVENT, EVENT_FIELDS, LOG, LOG_FIELDS
from lampione_protocol.seal import UP_HEADER
from micropython import const

from .outbox import SEQ_MAX

_TEXT_BYTES = const(27)

INFO = const(0)
WARNING = const(1)
ERROR = const(2)

# Events, as the wire numbers them, and their arguments
BOOT = const(0)  # why it was reset, as in Hello
CLOCK_SET = const(1)  # seconds since boot at that instant: what ties undated reports to UTC
TASK_RESTARTED = const(2)  # how often that task was; a Log names it
SENSOR_STATE = const(3)  # sensor << 4 | state
OUTBOX_DROPPED = const(4)  # the oldest number that is held now
OUTBOX_DAMAGED = const(5)  # a number that is not on flash and should be; one event each
REFUSED = const(6)  # reason * 1,000,000 + how many since the last such event; see uplink
OVERRIDE_ENDED = const(7)  # the level now, percent
SETTINGS_DAMAGED = const(8)  # how many faults
LAMP_FAILURE = const(9)  # from here to 18 see sensing/checks; the lamp's power in W
IMPACT = const(10)  # peak in mg
TILTED = const(11)  # half degrees away from upright as installed
WIND = const(12)  # 1 begins, 0 ends
NOISE_PEAK = const(13)  # LAF in 0.1 dB
DAY_BURNING = const(14)  # the lamp's power in W
LAMP_CYCLING = const(15)  # how often it went out and on in ten minutes
LIGHT_DISAGREES = const(16)  # the ambient light in lx
TRAFFIC_DISAGREES = const(17)  # vehicles that the radar counts and the microphone does not hear
KNOCKED = const(18)  # half degrees by which an impact moved the post
CONFIG_TRIAL = const(20)  # from here to 23 the config's version; 0: the settings' file alone
CONFIG_CONFIRMED = const(21)
CONFIG_REVERTED = const(22)  # the version that was on trial
CONFIG_DAMAGED = const(23)  # the version that runs in its place


def fit(fields: tuple, values: list) -> None:
    """Bring every number into its field's range: the wire saturates, it never wraps."""
    i = 0
    for field in fields:
        value = values[i]
        if isinstance(value, int):
            if value < field[3]:
                values[i] = field[3]
            elif value > field[4]:
                values[i] = field[4]
        i += 1


class Post:
    """Seals messages and commits them to the outbox.

    `on_news()` is called after every committed frame. `exhausted` turns True when this boot has
    no number left.
    """

    def __init__(self, sealer, outbox, clock) -> None:  # type: ignore[no-untyped-def]
        self._sealer = sealer
        self.outbox = outbox
        self.clock = clock
        self.exhausted = False
        self.on_news = None
        self._event = [0, 0, 0, 0, 0, None]

    def send(self, kind: int, fields: tuple, values: list) -> int:
        """Seal and commit a message; return its number, 0 when it could not be kept."""
        box = self.outbox
        seq = box.next_seq
        if seq > SEQ_MAX:
            self.exhausted = True
            return 0
        fit(fields, values)
        end = encode_into(fields, values, box.frame, UP_HEADER)
        if not box.commit(self._sealer.seal(kind, seq, box.frame, end)):
            return 0
        if self.on_news:
            self.on_news()
        return seq

    def event(self, code: int, severity: int, argument: int = 0) -> int:
        """Send an Event of this moment."""
        values = self._event
        values[0] = self.clock.now()
        values[1] = self.clock.quality()
        values[2] = code
        values[3] = severity
        values[4] = argument
        return self.send(EVENT, EVENT_FIELDS, values)

    def log(self, level: int, text: str) -> int:
        """Send a short text, cut to 27 characters; ASCII only."""
        clock = self.clock
        return self.send(
            LOG, LOG_FIELDS, [clock.now(), clock.quality(), level, None, text[:_TEXT_BYTES]]
        )
