"""An MQTT 3.1.1 client for asyncio: QoS 0 and 1, durable session, last will, TLS.

One object is one connection; who reconnects makes a new one. What was not acknowledged is
sent again by the outbox, so nothing is kept here. With TLS the node's clock must be set
before connect(): certificates have dates.

Source: OASIS MQTT Version 3.1.1; the numbers in brackets are its sections.
"""

import asyncio
import socket
from errno import EINPROGRESS
from time import ticks_diff, ticks_ms

from micropython import const

from .rare import rare

# Largest packet either way, in bytes: a sealed frame and its topic take some 150.
_BUFFER = const(576)
# Requests that may wait for their acknowledgement at the same time.
_WINDOW = const(8)

_CONNECT = const(0x10)
_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBSCRIBE = const(0x82)
_SUBACK = const(0x90)
_PINGREQ = const(0xC0)
_PINGRESP = const(0xD0)
_DISCONNECT = const(0xE0)


class MqttError(Exception):
    """Root of what can go wrong with a connection."""


class MqttRefused(MqttError):
    """The broker said no; `args[0]` is its CONNACK (1 to 5) or SUBACK (0x80) code."""


class MqttUntrusted(MqttError):
    """TLS failed: a certificate is wrong, or not valid at the time this node believes in."""


class MqttTimeout(MqttError):
    """No answer in time."""


class MqttClosed(MqttError):
    """There is no connection, or it ended."""


class MqttMalformed(MqttError):
    """The peer sent what is not MQTT 3.1.1."""


class Reader:
    """Cuts a stream of bytes into packets, within one buffer of `size` bytes.

    Fill the view that `room()` gives, say how much with `filled()`, then call `next()` until
    it returns -1. A packet larger than the buffer is handed over once, cut off (`whole` is
    False), and the rest of it is dropped.
    """

    def __init__(self, size: int):
        self.buf = bytearray(size)
        self._view = memoryview(self.buf)
        self._start = self._end = self._skip = self.pos = self.stop = 0
        self.whole = True

    def room(self) -> memoryview:
        """Return the free end of the buffer; never empty once next() has returned -1."""
        start = self._start
        self._end -= start
        self.buf[: self._end] = self.buf[start : start + self._end]
        self._start = 0
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """Say that `count` bytes have been written to room()."""
        self._end += count
        self._start = min(self._skip, count)
        self._skip -= self._start

    def next(self) -> int:
        """Return the first byte of the next packet, its body at buf[pos:stop]; -1: need more.

        Raises MqttMalformed when its length has more than four bytes [2.2.3].
        """
        buf = self.buf
        end = self._end
        start = self._start
        pos = start + 1
        length = shift = 0
        while True:
            if pos >= end:
                return -1
            byte = buf[pos]
            pos += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 21:
                raise MqttMalformed
        stop = pos + length
        self.whole = stop - start <= len(buf)
        if not self.whole and end - start == len(buf):
            self._skip = stop - end
            stop = end
        if stop > end:
            return -1
        self._start = self.stop = stop
        self.pos = pos
        return buf[start]

    def u16(self, pos: int) -> int:
        """Return the 16 bits at `pos`. Raises MqttMalformed beyond the packet's end."""
        if pos + 2 > self.stop:
            raise MqttMalformed
        return self.buf[pos] << 8 | self.buf[pos + 1]

    def answer(self, size: int) -> int:
        """Return the first 16 bits of a body that must have `size` bytes."""
        if self.stop - self.pos != size:
            raise MqttMalformed
        return self.u16(self.pos)

    def publish(self, first: int):
        """Return (topic, payload, packet id or 0) of a PUBLISH with QoS 0 or 1 [3.3]."""
        start = self.pos + 2
        pos = end = start + self.u16(self.pos)
        mid = 0
        if first & 6:
            mid = self.u16(pos)
            pos += 2
        if pos > self.stop or first & 4 or bool(mid) != bool(first & 2):
            raise MqttMalformed
        try:
            return str(self._view[start:end], "utf-8"), bytes(self._view[pos : self.stop]), mid
        except ValueError:
            raise MqttMalformed


def pack(buf, first: int, *parts) -> int:
    """Write a packet of a fixed header [2.2] and `parts` into `buf`; return its size.

    Raises ValueError when it will not fit.
    """
    size = sum(map(len, parts))
    if size + 3 > len(buf):
        raise ValueError("packet too large")
    buf[0] = first
    buf[1] = size
    pos = 2
    if size > 127:
        buf[1] = size & 127 | 128
        buf[2] = size >> 7
        pos = 3
    for part in parts:
        buf[pos : pos + len(part)] = part
        pos += len(part)
    return pos


def _text(data) -> bytes:
    """Return a string or bytes with the length in 16 bits before it [1.5.3]."""
    if isinstance(data, str):
        data = data.encode()
    return len(data).to_bytes(2, "big") + data


def _ready(sock, to_write):
    queue = asyncio.core._io_queue
    yield (queue.queue_write if to_write else queue.queue_read)(sock)


class Connection:
    """One connection to the broker of `settings` (the "broker" part of /settings.json).

    `will` is (topic, payload, qos, retain) or None, `keepalive_s` 2 to 65535. `on_message` is
    a function or coroutine function (topic: str, payload: bytes); a message with QoS 1 is
    acknowledged after it returned, and not at all if it raised (counted in `faults`). It must
    not itself await publish() with QoS 1 or subscribe(), since the same task reads the answer.
    Every wait for the broker ends after `timeout_s` and a quarter of it. Packets above 576
    bytes are dropped, counted in `skipped`. With "tls", "ca" and, when the broker asks for
    them, "cert" and "key" name DER files: not every build of MicroPython reads PEM.
    """

    @rare
    def __init__(
        self, settings, client_id, will=None, keepalive_s=60, on_message=None, timeout_s=15
    ):
        self._about = settings, client_id, will
        self._half_ms = keepalive_s * 500
        self._timeout_ms = int(timeout_s * 1000)
        self._on_message = on_message
        self._reader = Reader(_BUFFER)
        self._out = bytearray(_BUFFER)
        self._writing = asyncio.Lock()
        self._heard = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = asyncio.Event()
        self._waiting = {}  # packet id -> [event, code of the answer or -1, since when]
        self._tasks = []
        self._sock = self._error = None
        self._mid = self._received_ms = self._sent_ms = 0
        self.faults = self.skipped = 0

    @rare
    async def connect(self) -> bool:
        """Open the connection; return whether the broker still had this client's session.

        Raises MqttRefused, MqttUntrusted, MqttTimeout, MqttClosed or MqttMalformed. Looking
        up a name blocks the whole node: an address is better.
        """
        present = None
        try:
            present = await self._within(self._open())
        except ValueError as error:  # how mbedTLS says what is wrong with a certificate
            raise MqttUntrusted(str(error))
        except OSError as error:
            # mbedTLS has codes from -0x1080 down, the resolver from -1 to -212.
            code = error.args[0]
            if isinstance(code, int) and code < -0x1000:
                raise MqttUntrusted(str(error))
            raise MqttClosed(str(error))
        finally:
            if present is None:
                self._end(self)
                self._shut()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._watch())]
        return present

    async def subscribe(self, topic: str, qos=1) -> int:
        """Subscribe to one topic; return the QoS granted. Raises MqttError."""
        code = await self._ask(_SUBSCRIBE, b"", _text(topic) + bytes((qos,)))
        if code > 2:
            raise MqttRefused(code)
        return code

    async def publish(self, topic: str, payload, qos=1, retain=False) -> None:
        """Publish, and with QoS 1 wait until the broker acknowledged; 8 may wait at once.

        Raises MqttError; ValueError when the packet would have more than 576 bytes.
        """
        work = self._ask if qos else self._write
        await work(_PUBLISH | qos << 1 | bool(retain), _text(topic), payload)

    async def run(self) -> None:
        """Wait for the end of the connection. Raises the MqttError that ended it, if any."""
        await self._ended.wait()
        error = self._error
        await self.close()
        if error is not self:
            raise error

    async def close(self) -> None:
        """Say goodbye (no last will), close the socket. Harmless when closed already."""
        try:
            if self._error is None:
                await self._write(_DISCONNECT)
            self._end(self)
            # Who waits to write must leave the poll before its socket goes.
            await self._writing.acquire()
            self._writing.release()
        except MqttError:
            pass
        finally:
            self._end(self)
            self._shut()

    async def _within(self, work):
        try:
            return await asyncio.wait_for_ms(work, self._timeout_ms)
        except asyncio.TimeoutError:
            raise MqttTimeout

    @rare
    async def _open(self) -> bool:
        settings, client_id, will = self._about
        host = settings["host"]
        address = socket.getaddrinfo(host, settings["port"])[0]
        sock = self._sock = socket.socket(address[0])
        sock.setblocking(False)
        try:
            sock.connect(address[-1])
        except OSError as error:
            if error.errno != EINPROGRESS:
                raise
        await _ready(sock, True)
        if settings.get("tls"):
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.verify_mode = ssl.CERT_REQUIRED  # MicroPython's ssl.py begins with CERT_NONE
            context.load_verify_locations(settings["ca"])
            if settings.get("cert"):
                context.load_cert_chain(settings["cert"], settings["key"])
            self._sock = context.wrap_socket(
                sock, server_hostname=host, do_handshake_on_connect=False
            )
        flags = 0
        fields = _text(client_id)
        if will:
            flags = 0x04 | will[2] << 3 | bool(will[3]) << 5
            fields += _text(will[0]) + _text(will[1])
        for name, bit in (("user", 0x80), ("password", 0x40)):
            if settings.get(name):
                flags |= bit
                fields += _text(settings[name])
        keepalive = (self._half_ms // 500).to_bytes(2, "big")
        await self._write(_CONNECT, _text("MQTT"), bytes((4, flags)), keepalive, fields)
        reader = self._reader
        while (first := reader.next()) < 0:
            await self._fill()
        answer = reader.answer(2)
        if first != _CONNACK:
            raise MqttMalformed
        if answer & 0xFF:
            raise MqttRefused(answer & 0xFF)
        return bool(answer)

    async def _fill(self) -> None:
        count = None
        while count is None:  # TLS: not a whole record yet
            await _ready(self._sock, False)
            count = self._sock.readinto(self._reader.room())
        if not count:
            raise MqttClosed("by the broker")
        self._reader.filled(count)
        self._received_ms = ticks_ms()
        self._heard.set()

    async def _write(self, first: int, *parts) -> None:
        async with self._writing:
            if self._error:
                raise MqttClosed
            rest = memoryview(self._out)[: pack(self._out, first, *parts)]
            try:
                while rest:
                    count = self._sock.write(rest)
                    if count is None:
                        await self._within(_ready(self._sock, True))
                    else:
                        rest = rest[count:]
            except BaseException as error:  # also cancelled: half a packet cannot be mended
                self._end(error)
                if self._tasks and isinstance(error, OSError):
                    raise self._error
                raise
            self._sent_ms = ticks_ms()

    async def _ask(self, first: int, topic: bytes, payload) -> int:
        """Send a request and wait for its answer; return the broker's code."""
        waiting = self._waiting
        while len(waiting) >= _WINDOW:
            self._room.clear()
            await self._room.wait()
        mid = self._mid = self._mid % 0xFFFF + 1
        answer = waiting[mid] = [asyncio.Event(), -1, ticks_ms()]
        try:
            await self._write(first, topic, mid.to_bytes(2, "big"), payload)
            await answer[0].wait()
        finally:
            del waiting[mid]
            self._room.set()
        if answer[1] < 0:
            raise MqttClosed if self._error else MqttTimeout
        return answer[1]

    async def _handle(self, first: int) -> None:
        reader = self._reader
        if first & 0xF0 == _PUBLISH:
            topic, payload, mid = reader.publish(first)
            try:
                if not reader.whole:
                    self.skipped += 1
                elif self._on_message:
                    result = self._on_message(topic, payload)
                    if hasattr(result, "send"):
                        await result
            except Exception:
                self.faults += 1
                return
            if mid:
                await self._write(_PUBACK, mid.to_bytes(2, "big"))
        elif first in (_PUBACK, _SUBACK):
            code = 0
            mid = reader.answer(2 if first == _PUBACK else 3)
            if first == _SUBACK:
                code = reader.buf[reader.pos + 2]
            answer = self._waiting.get(mid)
            if answer:
                answer[1] = code
                answer[0].set()
        elif first != _PINGRESP:
            raise MqttMalformed

    async def _read(self) -> None:
        try:
            while True:
                first = self._reader.next()
                if first < 0:
                    await self._fill()
                else:
                    await self._handle(first)
        except Exception as error:
            self._end(error)

    async def _watch(self) -> None:
        """End what waits for too long; ping after half a keep-alive with no traffic [3.1.2.10].

        No traffic one way is enough. One task for all time-outs, for wait_for() makes two tasks
        at each use.
        """
        try:
            while True:
                now = ticks_ms()
                for answer in self._waiting.values():
                    if ticks_diff(now, answer[2]) >= self._timeout_ms:
                        answer[0].set()
                quiet_ms = max(ticks_diff(now, self._sent_ms), ticks_diff(now, self._received_ms))
                if quiet_ms < self._half_ms:
                    await asyncio.sleep_ms(min(self._half_ms - quiet_ms, self._timeout_ms // 4))
                else:
                    self._heard.clear()
                    await self._write(_PINGREQ)
                    await self._within(self._heard.wait())
        except Exception as error:
            self._end(error)

    def _end(self, error) -> None:
        """Note why the connection is over (self: closed here), and wake all who wait for it."""
        if not self._error:
            self._error = (
                error if isinstance(error, (MqttError, Connection)) else MqttClosed(repr(error))
            )
        for answer in self._waiting.values():
            answer[0].set()
        self._room.set()
        self._ended.set()

    def _shut(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._tasks = []
        if self._sock:
            self._sock.close()
            self._sock = None
