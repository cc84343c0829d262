"""The life of a connection: hello, what is new, what is old, what is asked for again.

Frames go out of the outbox and stay in it; only the controller's watermark says that one is
stored. Live frames go first, so that a long backlog keeps nobody waiting for the present.
"""

import asyncio
from time import ticks_diff, ticks_ms

from lampione_protocol import errors
from lampione_protocol.codec import decode, encode_into
from lampione_protocol.schema import (
    COMMAND,
    CONFIG,
    HELLO_FIELDS,
    REVISION,
    SETUP,
    WATERMARK,
    WATERMARK_FIELDS,
)
from lampione_protocol.seal import DOWN_HEADER, FRAME_MAX, HELLO_HEADER
from lampione_protocol.topics import DOWN, OFFLINE, ONLINE, STATE, UP, topic
from micropython import const

from .clock import CONTROLLER, EPOCH_S, NTP
from .mqtt import Connection, MqttError
from .outbox import SEQ_MAX, Reader
from .post import OUTBOX_DAMAGED, REFUSED, WARNING
from .rare import rare
from .supervisor import backoff_ms

_IN_FLIGHT = const(4)  # frames published and not yet acknowledged by the broker
_LOOK_MS = const(1000)
_JOIN_MS = const(200)
_STATE_MS = const(900000)  # "online" is said again so often
_RESEND_MAX_MS = const(900000)
_HELLO_MS = const(14400000)  # a hello brings the time, and a crystal drifts 0.3 s in these 4 h,
_HELLO_UNSET_MS = const(600000)  # more often while nobody has set the clock
_REFUSED_MS = const(60000)  # an Event on refused frames comes no more often, a reason
_HOLES_MAX = const(256)  # Events on lost numbers in one boot: a broken flash must not fill itself
_FETCHES = const(8)
_SAVE_EVERY = const(64)  # acknowledged frames: a segment, about

# Why a frame from the controller's side was refused, from 0 on; 5 and 6 follow
_ERRORS = (
    errors.TruncatedError,
    errors.VersionError,
    errors.EpochError,
    errors.SealError,
    errors.ReplayError,
)
_UNKNOWN_TYPE = const(5)
_MALFORMED = const(6)


class Uplink:
    """Keeps the node connected and its frames moving.

    Args:
        settings: the node's. Without a risen watermark for "resend_s" (30) everything that is
            not acknowledged is sent again; then after twice as long, 15 minutes at most.
        wifi: whose `joined()` says that there is a network.
        identity: of this boot.
        post: whose outbox is emptied.
        commands: who carries out what comes.
        facts: (firmware, hardware, profile, reset cause) of the Hello, and the config that runs.

    `on_config(kind, counter, frame, start, end)` is told of every Setup and Config.
    """

    def __init__(self, settings, wifi, identity, post, commands, facts) -> None:  # type: ignore[no-untyped-def]
        node = settings["node"]
        self._settings = settings["broker"]
        self._wifi = wifi
        self._node = node
        shard = settings["shard"]
        self._up = topic(shard, node, UP)
        self._down = topic(shard, node, DOWN)
        self._state = topic(shard, node, STATE)
        self._identity = identity
        self._post = post
        self._box = box = post.outbox
        self._commands = commands
        self._facts = facts
        self._resend_least_ms = self._resend_ms = settings.get("resend_s", 30) * 1000
        post.on_news = self._news
        commands.on_hello = self._on_hello
        commands.on_fetch = self._on_fetch
        self.on_config = None
        self._hello_ms = ticks_ms()
        self._hello = None  # the answer to put into the Hello that is due
        self._live = Reader(box, self._on_hole)
        self._old = Reader(box, self._on_hole)
        self._again = Reader(box, self._on_lost)
        self._fetches = []  # [counter, first, last]
        self._told = 0  # holes up to here have been told
        self._holes = 0
        self._sent = box.next_seq - 1  # earlier boots may have sent what they left
        self._wake = asyncio.Event()
        self._frame = memoryview(bytearray(FRAME_MAX))
        self._since = ticks_ms()
        self._heard = self._broken = False
        self.waves = None  # of a group, if the node belongs to one
        self.connected = False
        self.published = 0  # the newest frame that the broker has acknowledged
        self.refused = [0] * 7
        self._refused_told = [0] * 7
        self._refused_ms = None
        self._failures = 0  # in a row

    # What comes

    def _on_message(self, there: str, payload: bytes) -> None:
        try:
            if self.waves and there == self.waves.topic:
                self.waves.take(payload)
                return
            frame = bytearray(payload)
            kind, counter, end = self._identity.opener.open(frame)
            if kind == COMMAND:
                self._commands.execute(counter, frame, DOWN_HEADER, end)
            elif kind == WATERMARK:
                seq = decode(WATERMARK_FIELDS, frame, DOWN_HEADER, end)[0]
                if seq is not None and seq <= self._sent and self._box.acknowledge(seq):
                    self._progress()
            elif kind in (SETUP, CONFIG):
                self.on_config(kind, counter, frame, DOWN_HEADER, end)
            else:
                self.refused[_UNKNOWN_TYPE] += 1
            self._heard = True
            self._failures = 0
        except errors.ProtocolError as error:
            reason = _MALFORMED
            for i in range(len(_ERRORS)):
                if isinstance(error, _ERRORS[i]):
                    reason = i
            self.refused[reason] += 1

    def _progress(self) -> None:
        self._since = ticks_ms()
        self._resend_ms = self._resend_least_ms
        if self._old.seq <= self._box.acked:
            self._old.seek(self._box.acked + 1)

    def _on_hello(self, answer) -> None:  # type: ignore[no-untyped-def]
        self._hello = answer or bytes(4)
        self._wake.set()

    def _on_fetch(self, counter: int, first: int, last: int) -> bool:
        if len(self._fetches) >= _FETCHES:
            return False
        self._fetches.append([counter, first, last])
        self._wake.set()
        return True

    def _news(self) -> None:
        self._wake.set()

    def _on_hole(self, first: int, last: int) -> None:
        """Numbers that should be on flash are not: tell each once, so that nobody waits for it."""
        for seq in range(max(first, self._told + 1), last + 1):
            if self._holes < _HOLES_MAX:
                self._holes += 1
                self._post.event(OUTBOX_DAMAGED, WARNING, seq)
        self._told = max(self._told, last)

    def _on_lost(self, first: int, last: int) -> None:
        self._on_hole(first, last)
        self._commands.refuse_fetch(self._fetches[0][0], first)

    # What goes

    @rare
    def _make_hello(self) -> bytes:
        box = self._box
        identity = self._identity
        firmware, hardware, profile, cause, config = self._facts
        values = (
            identity.epoch,
            identity.boot,
            box.first_seq,
            box.oldest_held,
            self._commands.state.counter,
            self._commands.new_challenge(),
            self._hello,
            firmware,
            REVISION,
            hardware,
            profile,
            cause,
            config["version"],
            self._post.clock.quality(),
            config["state"],
        )
        self._hello = None
        self._hello_ms = ticks_ms()
        frame = self._frame
        return frame[
            : identity.seal_hello(frame, encode_into(HELLO_FIELDS, values, frame, HELLO_HEADER))
        ]

    def _next(self):  # type: ignore[no-untyped-def]
        """Return (frame, its number or 0) that is to go out now, or None."""
        if self._hello:
            return bytes(self._make_hello()), 0
        reader = self._live
        n = reader.read(SEQ_MAX)
        if not n:
            reader = self._old
            n = reader.read(self._live_from - 1)
        if not n:
            reader = self._again
            while not n and self._fetches:
                _, first, last = self._fetches[0]
                if reader.seq < first or reader.seq > last:
                    reader.seek(first)
                n = reader.read(last)
                if not n or reader.seq > last:
                    self._fetches.pop(0)
                    reader.seek(0)
            if not n:
                return None
        seq = reader.seq - 1
        if seq > self._sent:
            self._sent = seq
        return bytes(reader.frame[:n]), seq

    async def _work(self, connection) -> None:  # type: ignore[no-untyped-def]
        """Publish one frame after the other; several of these run at a time."""
        try:
            while True:
                self._wake.clear()
                item = self._next()
                if item is None:
                    await self._wake.wait()
                    continue
                await connection.publish(self._up, item[0])
                if item[1] > self.published:
                    self.published = item[1]
        except Exception as error:
            print("uplink:", repr(error))
            self._broken = True

    async def _tell_group(self, connection) -> None:  # type: ignore[no-untyped-def]
        """Publish what the group is told, once: it is of the moment."""
        waves = self.waves
        try:
            await connection.subscribe(waves.topic, 0)
            while True:
                await waves.due.wait()
                frame = waves.frame()
                if frame:
                    await connection.publish(waves.topic, frame, 0)
        except Exception as error:
            print("uplink:", repr(error))
            self._broken = True

    def _from_the_start(self) -> None:
        """Send everything that is not acknowledged, and from now on what is new first."""
        box = self._box
        self._old.seek(box.acked + 1)
        self._live_from = box.next_seq
        self._live.seek(box.next_seq)
        self._since = ticks_ms()
        self._wake.set()

    def _look(self) -> None:
        """Once a second: is what was sent stored; has anybody answered the hello?"""
        now = ticks_ms()
        if (self._box.acked >= self._sent and self._heard) or self._old.seq < self._live_from:
            self._since = now
        elif ticks_diff(now, self._since) > self._resend_ms:
            self._resend_ms = min(2 * self._resend_ms, _RESEND_MAX_MS)
            self._on_hello(self._hello)
            self._from_the_start()
        state = self._commands.state
        if self._box.acked - state.acked >= _SAVE_EVERY:
            state.acked = self._box.acked
            state.save()
        quiet_ms = _HELLO_MS if self._post.clock.quality() == CONTROLLER else _HELLO_UNSET_MS
        if ticks_diff(now, self._hello_ms) > quiet_ms:
            self._on_hello(None)
        if self._refused_ms is not None and ticks_diff(now, self._refused_ms) > _REFUSED_MS:
            self._refused_ms = None  # ticks of days ago would seem to lie ahead
        if self._refused_ms is None:
            for i in range(len(self.refused)):
                count = self.refused[i] - self._refused_told[i]
                if count:
                    self._refused_ms = now
                    self._refused_told[i] += count
                    self._post.event(REFUSED, WARNING, i * 1000000 + min(count, 999999))

    @rare
    def _ask_ntp(self) -> None:
        """Set the clock by NTP, where the port has it; blocks for a second at most."""
        try:
            import ntptime

            self._post.clock.set(ntptime.time() - EPOCH_S, 0, NTP)
        except (ImportError, OSError) as error:
            print("uplink: ntp:", repr(error))

    async def _live_on(self, connection) -> None:  # type: ignore[no-untyped-def]
        """Connect and stay so. Raises MqttError when it is over."""
        if self._settings["tls"] and not self._post.clock.quality():
            self._ask_ntp()  # certificates have dates
        await connection.connect()
        self._check_in()
        await connection.subscribe(self._down)
        self._check_in()
        state_ms = None
        self._heard = self._broken = False
        self._hello = bytes(4)
        self._from_the_start()
        self.connected = True
        workers = [asyncio.create_task(self._work(connection)) for _ in range(_IN_FLIGHT)]
        if self.waves:
            workers.append(asyncio.create_task(self._tell_group(connection)))
        try:
            while not self._broken and self._wifi.joined():
                now = ticks_ms()
                if state_ms is None or ticks_diff(now, state_ms) > _STATE_MS:
                    await connection.publish(self._state, ONLINE, retain=True)
                    state_ms = now
                self._look()
                self._check_in()
                try:
                    await asyncio.wait_for_ms(connection.run(), _LOOK_MS)
                    return
                except asyncio.TimeoutError:
                    pass
        finally:
            self.connected = False
            for worker in workers:
                worker.cancel()

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Connect for ever, waiting longer after each failure, never at the same time as others."""
        self._check_in = check_in
        will = self._state, OFFLINE, 1, True
        while True:
            while not self._wifi.joined():
                check_in()
                await asyncio.sleep_ms(_JOIN_MS)
            connection = Connection(self._settings, self._node, will, on_message=self._on_message)
            try:
                await self._live_on(connection)
            except (MqttError, OSError) as error:
                print("uplink:", repr(error))
            finally:
                await connection.close()
            wait_ms = backoff_ms(self._failures)
            self._failures += 1
            while wait_ms > 0:
                check_in()
                await asyncio.sleep_ms(min(wait_ms, _LOOK_MS))
                wait_ms -= _LOOK_MS
