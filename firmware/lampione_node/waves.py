"""A wave of light: who sees somebody walk tells the nodes of its group, and those near light up.

One topic a group, no controller: the nodes hear each other through the broker. Members are
numbered along the path. What is older than a minute, or was heard before, is no news; a node whose
clock is unset hears nobody, and is at its design level anyway. A wave can only raise light.
"""

import asyncio
from time import ticks_diff, ticks_ms

from cryptolib import aes
from lampione_light.level import GROUP as NEARBY
from lampione_protocol.ccm import Ccm
from lampione_protocol.codec import decode, encode_into
from lampione_protocol.errors import ReplayError, TooLongError
from lampione_protocol.schema import GROUP, GROUP_FIELDS
from lampione_protocol.seal import FRAME_MAX, UP_HEADER, UpSealer, parse_up, wave_key
from lampione_protocol.topics import WAVE, topic
from micropython import const

_ECB = const(1)
_KEY = const(16)
_FRESH_S = const(60)
_EVERY_MS = const(2000)  # somebody who walks on is told no more often
_SEQ_MAX = const(0xFFFFFF)


class Waves:
    """Talks to the group.

    Args:
        group: the content of a config's GROUP section: member 2, key 16, name.
        shard: the node's.
        epoch: of this boot.
        lighting: whose light is raised.
        clock: the node's.

    Attributes:
        topic: of the group.
        due: an Event, set when there is something to say.
        refused: frames that were not news.
    """

    def __init__(self, group: bytes, shard: str, epoch: bytes, lighting, clock) -> None:  # type: ignore[no-untyped-def]
        self._member = int.from_bytes(group[:2], "big")
        self._name = group[2 + _KEY :]
        self._ccm = Ccm(aes(wave_key(group[2 : 2 + _KEY]), _ECB))
        self._sealer = UpSealer(self._ccm, self._name, epoch, self._member)
        self._lighting = lighting
        self._clock = clock
        self._seq = 0
        self._heard = {}  # {member: (epoch, seq)}
        self._say = None
        self._said_ms = None
        self.topic = topic(shard, self._name.decode(), WAVE)
        self.due = asyncio.Event()
        lighting.on_presence = self.told

    def told(self, level_percent: int, hold_s: int) -> None:
        """Hear that somebody walks here."""
        now = ticks_ms()
        said = self._said_ms
        if said is not None and 0 <= ticks_diff(now, said) < _EVERY_MS:
            return
        self._said_ms = now
        if self._clock.quality() and self._seq < _SEQ_MAX:
            self._say = level_percent, hold_s
            self.due.set()

    def frame(self) -> "bytes | None":
        """Return what is to be said to the group now."""
        self.due.clear()
        say, self._say = self._say, None
        if not say:
            return None
        self._seq += 1
        buf = bytearray(FRAME_MAX)
        values = self._clock.now(), min(say[0], 100), max(1, min(say[1], 510))
        end = encode_into(GROUP_FIELDS, values, buf, UP_HEADER)
        return bytes(buf[: self._sealer.seal(GROUP, self._seq, buf, end)])

    def take(self, payload: bytes) -> None:
        """Take what came on the group's topic.

        Raises ProtocolError for what is not of the group, or no news.
        """
        kind, epoch, member, seq = parse_up(payload)
        reach = self._lighting.reach()
        if kind != GROUP or member == self._member or abs(member - self._member) > reach:
            return
        if len(payload) > FRAME_MAX:
            raise TooLongError("frame", FRAME_MAX, len(payload))
        frame = bytearray(payload)
        header = bytes(frame[:UP_HEADER])
        end = self._ccm.open(header + bytes(3), header + self._name, frame, UP_HEADER, len(frame))
        said_s, level, hold_s = decode(GROUP_FIELDS, frame, UP_HEADER, end)[:3]
        heard = self._heard.get(member)
        if heard and heard[0] == epoch and seq <= heard[1]:
            raise ReplayError(heard[1], seq)
        clock = self._clock
        if said_s is None or not clock.quality() or abs(clock.now() - said_s) > _FRESH_S:
            raise ReplayError(clock.now(), said_s)
        self._heard[member] = epoch, seq
        if level and hold_s:
            self._lighting.hear(NEARBY, level, hold_s, member)
