"""What the switches of real boards talk to, as models: a hub's program, a relay board, a plug."""

import json
import os
import pty
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

# Prints as uhubctl 2.6 does. What the ports do lies in a file beside it.
_UHUBCTL = """\
#!{python} -SE
import json, sys
place = {place!r}
state = json.load(open(place))
arguments = sys.argv[1:]
options = dict(zip(arguments[::2], arguments[1::2]))
state["calls"].append(arguments)
hub, port, action = options["-l"], options["-p"], options.get("-a")
if state["denied"]:
    print("There were permission problems while accessing USB.")
if state["denied"] or hub not in state["hubs"]:
    print("No compatible devices detected at location %s!" % hub)
    print("Run with -h to get usage info.")
    json.dump(state, open(place, "w"))
    sys.exit(1)
if action == "off" and int(options.get("-r", 1)) < state["deaf"]:
    action = None
def show(word):
    for name in (hub, *state["twins"]):
        print("%s status for hub %s [2109:2817 VIA Labs, Inc., USB 2.10, ppps]" % (word, name))
        on = state["hubs"][name].get(port)
        if on is not None:
            power = "0503 power highspeed enable connect [303a:1001 Espressif]"
            print("  Port %s: %s" % (port, power if on else "0000 off"))
show("Current")
if action in ("on", "off"):
    for name in (hub, *state["twins"]):
        if name not in state["stuck"] and port in state["hubs"][name]:
            state["hubs"][name][port] = action == "on"
    print("Sent power %s request" % action)
    show("New")
json.dump(state, open(place, "w"))
"""


class Hub:
    """A `uhubctl` in a folder, and the hubs that it switches."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "uhubctl"
        self._place = folder / "hubs.json"
        self.program.write_text(_UHUBCTL.format(python=sys.executable, place=str(self._place)))
        self.program.chmod(0o755)
        self.set(hubs={"1-1.4": {"2": True}}, twins=[], stuck=[], deaf=0, denied=False, calls=[])

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._place.read_text())
        return found

    def set(self, **values: object) -> None:
        """Change what the hubs are and do."""
        old = self.state if self._place.exists() else {}
        self._place.write_text(json.dumps({**old, **values}))


class RelayBoard:
    """A relay board behind a pseudo-terminal; `answers` "text", "bytes" or "none" when asked."""

    def __init__(self, relays: int, answers: str, *, stuck: bool = False) -> None:
        self.states = [False] * relays
        self.refused: list[bytes] = []
        self._answers = answers
        self._stuck = stuck
        self._board, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.close(self._stop[1])
        self._thread.join(5)
        for end in (self._board, self._slave, self._stop[0]):
            os.close(end)

    def _run(self) -> None:
        import select

        heard = b""
        while self._stop[0] not in (
            ready := select.select([self._board, self._stop[0]], [], [])[0]
        ):
            assert ready
            heard += os.read(self._board, 64)
            while heard:
                if heard[:1] == b"\xff":
                    heard = heard[1:]
                    os.write(self._board, self._answer())
                elif heard[0] == 0xA0 and len(heard) < 4:
                    break
                else:
                    self._take(heard[:4])
                    heard = heard[4:]

    def _take(self, frame: bytes) -> None:
        start, channel, on, total = frame
        good = start == 0xA0 and on < 2 and 1 <= channel <= len(self.states)
        if not good or total != (start + channel + on) & 0xFF:
            self.refused.append(frame)
        elif not self._stuck:
            self.states[channel - 1] = bool(on)

    def _answer(self) -> bytes:
        if self._answers == "text":
            words = ["ON " if state else "OFF" for state in self.states]
            return "".join(f"CH{n}: {w}\r\n" for n, w in enumerate(words, 1)).encode()
        return bytes(self.states) if self._answers == "bytes" else b""


class Plug:
    """A Tasmota plug at a broker; `numbered`: it counts its outlets; `deaf`: it is only online."""

    def __init__(
        self,
        port: int,
        topic: str,
        *,
        outlets: int = 1,
        numbered: bool = False,
        retain: bool = False,
    ) -> None:
        self.states = [False] * outlets
        self.deaf = False
        self.stuck = False
        self.asked: list[tuple[str, bytes]] = []
        self._topic = topic
        self._numbered = numbered or outlets > 1
        self._retain = retain
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"plug-{topic}")
        self._client.will_set(f"tele/{topic}/LWT", b"Offline", retain=True)
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.publish(f"tele/{topic}/LWT", b"Online", retain=True)
        self._client.subscribe(f"cmnd/{topic}/#")
        self._client.loop_start()
        assert self._ready.wait(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def vanish(self) -> None:
        """Lose the power: the broker says it for the plug."""
        self._client.publish(
            f"tele/{self._topic}/LWT", b"Offline", qos=1, retain=True
        ).wait_for_publish(5)
        self.close()

    def _take(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        leaf = message.topic.rpartition("/")[2]
        self.asked.append((leaf, bytes(message.payload)))
        number = int(leaf.removeprefix("POWER") or 1)
        if self.deaf or not leaf.startswith("POWER") or number > len(self.states):
            return
        word = bytes(message.payload).upper()
        if word and not self.stuck:
            self.states[number - 1] = word == b"ON"
        said = b"ON" if self.states[number - 1] else b"OFF"
        name = f"POWER{number}" if self._numbered else "POWER"
        base = f"stat/{self._topic}"
        self._client.publish(f"{base}/RESULT", json.dumps({name: said.decode()}))
        self._client.publish(f"{base}/{name}", said, retain=self._retain)


@contextmanager
def relay_board(relays: int, answers: str, *, stuck: bool = False) -> Iterator[RelayBoard]:
    """Run a relay board."""
    board = RelayBoard(relays, answers, stuck=stuck)
    try:
        yield board
    finally:
        board.close()
