"""A Tasmota plug, by MQTT.

`cmnd/TOPIC/POWER` with ON or OFF switches it, an empty payload asks; the plug answers on
`stat/TOPIC/POWER`. A plug of several outlets counts them: POWER1, POWER2. `tele/TOPIC/LWT`, kept by
the broker, says Online or Offline.
"""

import queue
import time
from pathlib import Path
from typing import Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import Field

from lampione_hil.real.power.switch import PowerError, Switch

_WORDS = {b"ON": True, b"OFF": False}


class Tasmota(Switch):
    """See Switch.

    broker, broker_port: where the plug's MQTT broker is.
    topic: the plug's, and full_topic as the plug has it.
    outlet: of several; None: it has one.
    user, password_file: for the broker; the file is read at each use.
    """

    kind: Literal["tasmota"]
    broker: str
    broker_port: int = Field(default=1883, ge=1, le=65535)
    topic: str = Field(pattern=r"^[^#+/]+$")
    full_topic: str = Field(default="%prefix%/%topic%/", pattern=r"^[^#+]*%prefix%[^#+]*$")
    outlet: int | None = Field(default=None, ge=1, le=32)
    user: str | None = None
    password_file: Path | None = None
    answer_s: float = Field(default=5.0, gt=0)

    @property
    def name(self) -> str:
        """What it is, for messages."""
        return f"the plug {self.topic}" + ("" if self.outlet is None else f" {self.outlet}")

    def state(self) -> bool:
        """Ask the plug."""
        return self._ask(b"", None)

    def _turn(self, on: bool) -> None:
        self._ask(b"ON" if on else b"OFF", on)

    def _switch(self, on: bool) -> None:
        self._turn(on)  # its answer has been awaited already

    def _path(self, prefix: str, leaf: str) -> str:
        full = self.full_topic.replace("%prefix%", prefix).replace("%topic%", self.topic)
        return full.rstrip("/") + "/" + leaf

    def _ask(self, payload: bytes, wanted: bool | None) -> bool:
        """Send a command; return the state that the plug answers."""
        power = f"POWER{'' if self.outlet is None else self.outlet}"
        answers = {self._path("stat", power)}
        if self.outlet in (None, 1):  # a plug of one may count, too
            answers |= {self._path("stat", "POWER"), self._path("stat", "POWER1")}
        alive = self._path("tele", "LWT")
        heard: queue.SimpleQueue[mqtt.MQTTMessage | str] = queue.SimpleQueue()
        client = self._client(heard, [*answers, alive])
        end = time.monotonic() + self.answer_s
        lines: set[bytes] = set()
        said: bool | None = None
        try:
            while (left := end - time.monotonic()) > 0:
                try:
                    message = heard.get(timeout=left)
                except queue.Empty:
                    break
                if isinstance(message, str):
                    if message:
                        raise PowerError(f"{self.name}: {self._place} {message}")
                    client.publish(self._path("cmnd", power), payload, qos=1)
                elif message.topic == alive:
                    lines.add(bytes(message.payload))
                # What the broker kept is an answer to an earlier question.
                elif not message.retain and bytes(message.payload).upper() in _WORDS:
                    said = _WORDS[bytes(message.payload).upper()]
                    if wanted in (None, said):
                        return said
        finally:
            client.disconnect()
            client.loop_stop()
        raise PowerError(self._silence(said, offline=b"Offline" in lines, heard=bool(lines)))

    @property
    def _place(self) -> str:
        return f"the broker {self.broker}:{self.broker_port}"

    def _silence(self, said: bool | None, *, offline: bool, heard: bool) -> str:
        if said is not None:
            return f"{self.name} still says {'on' if said else 'off'}: switch it by hand and look"
        if offline:
            return f"{self.name} is offline, says {self._place}: see to its plug and its Wi-Fi"
        if heard:
            return f"{self.name} is online and does not answer: look at its outlets' numbers"
        return (
            f"{self.name} does not answer at {self._place} within {self.answer_s:g} s: look at "
            "Topic and FullTopic in its console"
        )

    def _client(
        self, heard: queue.SimpleQueue[mqtt.MQTTMessage | str], topics: list[str]
    ) -> mqtt.Client:
        """Return a client under way; it puts "" when it has subscribed, or what went wrong."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if self.user is not None:
            client.username_pw_set(self.user, self._password())

        def connected(
            client: mqtt.Client,
            _data: object,
            _flags: object,
            reason: ReasonCode,
            _more: object,
        ) -> None:
            if reason.is_failure:
                heard.put(f"refuses us ({reason}): look at user and password_file")
            else:
                client.subscribe([(topic, 1) for topic in topics])

        client.on_connect = connected
        client.on_subscribe = lambda *_: heard.put("")
        client.on_message = lambda _client, _data, message: heard.put(message)
        client.connect_timeout = self.answer_s
        try:
            client.connect(self.broker, self.broker_port)
        except (OSError, ValueError) as error:
            raise PowerError(f"{self.name}: no answer from {self._place} ({error})") from None
        client.loop_start()
        return client

    def _password(self) -> str | None:
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text("utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise PowerError(f"{self.name}: {self.password_file} cannot be read: {error}") from None
