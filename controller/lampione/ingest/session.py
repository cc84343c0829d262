"""The MQTT session of one shard: reads many messages a system call, acknowledges when told to.

paho does the protocol; it is driven by hand (`fileno`, `read`, `write`, `tick`), from one thread,
and its socket calls go through buffers, since most of the cost of a small message is system
calls. What a busy session consists of, whole PUBLISH packets, is parsed here from the buffer;
everything else goes to paho.

An acknowledgement belongs to the connection that the message came by: a later one would
acknowledge something else under the same number, so the numbers of a lost connection are void.
"""

import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from lampione_protocol import topics
from lampione_protocol.seal import FRAME_MAX
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from lampione.broker_url import BrokerUrl

KEEPALIVE_S = 30
CONNECT_S = 10.0
_CHUNK = 1 << 16
_PUBLISH = 0x30
_PUBACK = b"\x40\x02"
_PUBACK_BYTES = 4
# A topic of the most that MQTT allows, a packet's number, and what is kept of a payload.
_HEAD_MAX = 2 + 65535 + 2 + 64
# Of anything longer only so much is kept that it is seen to be too long: a batch stays small.
_PAYLOAD_KEPT = FRAME_MAX + 1
_TOPIC_KEPT = 256  # bytes, far more than any of ours has


class Received(NamedTuple):
    """One message; `mid` is 0 for QoS 0, which wants no acknowledgement."""

    topic: str
    payload: bytes
    mid: int


class _Client(mqtt.Client):
    """paho's client with buffered socket calls."""

    def __init__(self, client_id: str):
        self.unread = b""
        self.read_at = 0
        self.unsent = bytearray()
        self.skip = 0  # bytes to come of a packet that is too large to be kept
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=False,
            manual_ack=True,
            reconnect_on_failure=False,
        )

    def fill(self) -> bool:
        """Read from the socket; say whether it is still open. Raises OSError, BlockingIOError."""
        chunk = super()._sock_recv(_CHUNK)
        skipped = min(self.skip, len(chunk))
        self.skip -= skipped
        self.unread = self.unread[self.read_at :] + chunk[skipped:]
        self.read_at = 0
        return bool(chunk)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self.read_at == len(self.unread):
            self.fill()  # BlockingIOError: nothing more for now
        at = self.read_at
        data = self.unread[at : at + bufsize]
        self.read_at = at + len(data)
        return data

    def _sock_send(self, buf: bytes | bytearray) -> int:
        self.unsent += buf
        return len(buf)

    def flush(self) -> None:
        """Send what the socket takes now. Raises OSError."""
        while self.unsent:
            try:
                sent = super()._sock_send(self.unsent)
            except BlockingIOError:
                return
            del self.unsent[:sent]

    @property
    def between_packets(self) -> bool:
        """Say whether paho has no packet half read."""
        return not self._in_packet["command"]


class Session:
    """One connection of the session `ingest-<shard>`, from its making to its end.

    `received` fills with messages. `error` is set, for good, when the connection ended.
    """

    def __init__(self, url: BrokerUrl, shard: str):
        self.received: deque[Received] = deque()
        self.ready = False  # subscribed
        self.error: str | None = None
        self.more = False  # the last `read` stopped at its limit: do not wait for the socket
        self._url = url
        self._shard = shard
        self._tick_at = 0.0
        self._mid = 0  # of what we publish
        client = self._client = _Client(f"ingest-{shard}")
        if url.user is not None:
            client.username_pw_set(url.user, url.password)
        if url.tls:
            context = ssl.create_default_context(cafile=None if url.ca is None else str(url.ca))
            if url.cert is not None:
                context.load_cert_chain(url.cert, url.key)
            client.tls_set_context(context)
        client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect

    def connect(self) -> None:
        """Open the connection and ask for the session. Blocks, so call it beside the core.

        Raises OSError.
        """
        self._client.connect_timeout = CONNECT_S
        self._client.connect(self._url.host, self._url.port, KEEPALIVE_S)
        self._client.flush()

    def fileno(self) -> int:
        """Return the socket to wait on, or -1 when the connection has ended."""
        wire = self._client.socket()
        return -1 if wire is None or self.error else wire.fileno()

    @property
    def wants_write(self) -> bool:
        """Say whether the socket did not take everything."""
        return bool(self._client.unsent)

    def read(self, limit: int) -> None:
        """Take what has come, up to about `limit` messages."""
        self.more = True
        while self.error is None and len(self.received) < limit:
            try:
                if not self._read_some(limit):
                    self.more = False
                    break
            except BlockingIOError:
                self.more = False
                break
            except OSError as error:
                self._fail(f"the connection broke: {error.strerror or error}")
            except (ValueError, IndexError, struct.error):  # paho trusts what brokers send
                self._fail("the broker sends what is not MQTT")
        self._flush()

    def _read_some(self, limit: int) -> bool:
        """Take in a packet or more; say whether there may be others."""
        client = self._client
        if not client.between_packets:
            return self._read_other()
        complete = self._take_publishes(limit)
        if not complete:
            if not client.fill():
                self._fail("the broker ended the connection")
            return True
        if client.read_at < len(client.unread) and len(self.received) < limit:
            return self._read_other()
        return True

    def _read_other(self) -> bool:
        """Have paho read one packet."""
        client = self._client
        before = client.read_at, client.unread
        if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail("the broker ended the connection")
        return (client.read_at, client.unread) != before

    def _take_publishes(self, limit: int) -> bool:
        """Take the PUBLISH packets (3.3) at the buffer's start; False: it ends within a packet."""
        client = self._client
        data, at = client.unread, client.read_at
        received = self.received
        end = len(data)
        complete = True
        while len(received) < limit:
            if at == end:
                complete = False
                break
            first = data[at]
            if first == _PUBACK[0] and data[at + 1 : at + 2] == _PUBACK[1:]:
                if at + _PUBACK_BYTES > end:
                    complete = False
                    break
                at += _PUBACK_BYTES
                continue
            if first & 0xF0 != _PUBLISH:
                break
            body, size = _length(data, at + 1)
            # Of a large packet the head will do: it is counted, acknowledged, and skipped.
            needed = min(size, _HEAD_MAX)
            if body < 0 or body + needed > end:
                complete = False
                break
            start = body + 2 + (data[body] << 8 | data[body + 1])
            mid = 0
            if first & 0x06:
                mid = data[start] << 8 | data[start + 1]
            payload = start + (2 if mid else 0)
            at = body + size
            if payload > at:
                raise ValueError("a topic longer than its packet")
            topic = data[body + 2 : min(start, body + 2 + _TOPIC_KEPT)].decode(errors="replace")
            received.append(Received(topic, data[payload : min(at, payload + _PAYLOAD_KEPT)], mid))
            if at > end:
                client.skip = at - end
                at = end
        client.read_at = at
        return complete

    def write(self) -> None:
        """Send what waits."""
        self._flush()

    def tick(self, now: float) -> None:
        """Keep the connection alive, and notice when it is not."""
        if now >= self._tick_at and self.error is None:
            self._tick_at = now + 1
            if self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._fail("the broker does not answer")
            self._flush()

    def acknowledge(self, mids: list[int]) -> None:
        """Tell the broker that these are stored: PUBACK, MQTT 3.1.1 section 3.4."""
        if self.error is None and mids:
            self._client.unsent += b"".join([_PUBACK + mid.to_bytes(2, "big") for mid in mids])
            self._flush()

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        """Queue a message of QoS 0 or 1; `write` sends it.

        Nobody waits for its acknowledgement: who speaks to nodes repeats what matters, and paho
        looks through all that are in flight at each.
        """
        if self.error is None:
            self._client.unsent += self._publish_packet(topic, payload, qos)

    def _publish_packet(self, topic: str, payload: bytes, qos: int) -> bytes:
        """Return a PUBLISH, 3.3."""
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name
        if qos:
            self._mid = self._mid % 65535 + 1
            body += self._mid.to_bytes(2, "big")
        body += payload
        size = len(body)
        length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])  # < 16 KiB
        return bytes([_PUBLISH | qos << 1]) + length + body

    def close(self) -> None:
        """Say goodbye; the broker keeps the session."""
        if self.error is None:
            self._client.disconnect()
            self._flush()
        self._fail("closed")
        self._client._sock_close()

    def _flush(self) -> None:
        client = self._client
        if client.want_write():
            client.loop_write()  # into our buffer: what callbacks queued
        try:
            client.flush()
        except OSError as error:
            self._fail(f"the connection broke: {error.strerror or error}")

    def _fail(self, why: str) -> None:
        if self.error is None:
            self.error = why

    def _on_connect(
        self, client: mqtt.Client, _userdata: object, _flags: object, reason: object, _props: object
    ) -> None:
        code = getattr(reason, "value", 0)
        if code:
            self._fail(f"the broker refuses the session: {reason}")
            return
        leaves = (topics.UP, topics.STATE)
        client.subscribe([(topics.topic(self._shard, "+", leaf), 1) for leaf in leaves])

    def _on_subscribe(
        self, _c: mqtt.Client, _u: object, _mid: int, reasons: Any, _props: Any = None
    ) -> None:
        if any(getattr(reason, "is_failure", False) for reason in reasons):
            self._fail("the broker refuses the subscription: may this user read the shard?")
        else:
            self.ready = True

    def _on_disconnect(
        self, _c: mqtt.Client, _u: object, _flags: object, reason: object, _props: object
    ) -> None:
        self._fail(f"the connection ended: {reason}")

    def _on_message(self, _c: mqtt.Client, _u: object, message: mqtt.MQTTMessage) -> None:
        mid = message.mid if message.qos else 0
        try:
            topic = message.topic[:_TOPIC_KEPT]
        except UnicodeDecodeError:
            topic = ""
        self.received.append(Received(topic, bytes(message.payload[:_PAYLOAD_KEPT]), mid))


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return (where the packet's body starts, its size), MQTT 3.1.1 section 2.2.3; (-1, 0): more.

    Raises ValueError.
    """
    size = shift = 0
    for position in range(at, min(at + 4, len(data))):
        size |= (data[position] & 127) << shift
        shift += 7
        if data[position] < 128:
            return position + 1, size
    if len(data) >= at + 4:
        raise ValueError("a length of more than four bytes")
    return -1, 0


class Connector:
    """Opens a session in a thread of its own, since resolving, connecting and TLS block."""

    def __init__(self, url: BrokerUrl, shard: str, done: Callable[[], None]):
        self.session: Session | None = None
        self.error: str | None = None
        self.done = False  # it succeeded (`session`) or failed (`error`)
        self._url = url
        self._shard = shard
        self._tell = done
        self._lock = threading.Lock()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="mqtt-connect", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            session = Session(self._url, self._shard)
            session.connect()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.error = f"cannot reach the broker at {self._url}: {reason}"
        else:
            with self._lock:
                self.session = session
                if self._abandoned:
                    session.close()
        self.done = True
        self._tell()

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._abandoned = True
            if self.session is not None:
                self.session.close()
