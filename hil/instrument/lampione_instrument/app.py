"""The instrument: takes a request from its line, does it, answers, and keeps playing meanwhile.

Every request has an end: a measurement its window, a press its time, a wait its limit.
"""

import json
import os
import sys
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

import machine
import micropython
from lampione_protocol import bench
from lampione_protocol.codec import decode
from lampione_protocol.errors import ProtocolError
from micropython import const

from .clock import Clock
from .inputs import Current, Inputs, Level, Pulses, Voltage
from .line import standard
from .outputs import Button, Outputs, press
from .refusal import (
    FAILED,
    MALFORMED,
    NOT_HERE,
    NOT_WIRED,
    RANGE,
    UNKNOWN,
    Refusal,
    need,
)
from .uarts import Uarts

VERSION = (0, 1, 0)
SETTINGS = "/instrument.json"
_CTRL_C = const(3)
_IDLE_MS = const(20)
_TEXT = const(60)
_CALIBRATED = ("pwm", "voltage", "current", "tone", "doppler")
_DAYS_2020 = const(18262)  # from 1970-01-01


def load(path):
    """Return the settings of a file; {} where there is none, or none of use."""
    try:
        with open(path) as file:
            found = json.load(file)
        return found if isinstance(found, dict) else {}
    except OSError:
        print("instrument: no", path)
    except ValueError as error:
        print("instrument:", path, repr(error))
    return {}


def days(text):
    """Return the days from 2020-01-01 to a date as "2026-05-01", None where it is none."""
    try:
        year, month, day = [int(part) for part in text.split("-")]
    except (AttributeError, ValueError):
        return None
    month -= 2  # March is 1: the leap day ends the year
    if month < 1:
        month += 12
        year -= 1
    count = 365 * year + year // 4 - year // 100 + year // 400 + (367 * month) // 12 + day
    return max(0, min(16382, count - 719499 - _DAYS_2020))


def hardware():
    """Return the protocol's number of what this runs on."""
    if sys.platform != "esp32" or "Virtual" in os.uname().machine:
        return 0
    return 2 if "S3" in os.uname().machine else 1


class App:
    """An instrument with its settings and its line."""

    def __init__(self, settings, line):
        self._line = line
        self._settings = settings
        self.clock = Clock()
        self.inputs = Inputs(self.pause)
        self.parts = {}  # capability: what plays or drives it
        self.capable = set()
        self.lacking = set()
        for name in bench.CAPABILITIES:
            part = settings.get(name)
            if name in ("trigger", "level"):
                part = settings.get("level")
            if part:
                self._add(name, part)

    def _add(self, name, part):
        try:
            self._build(name, part)
            self.capable.add(name)
        except (AttributeError, ImportError, NotImplementedError) as error:
            print("instrument:", name, repr(error))
            self.lacking.add(name)
        except (KeyError, TypeError, ValueError, OSError) as error:
            print("instrument: settings:", name, repr(error))

    def _build(self, name, part):
        kinds = self.inputs.kinds
        if name == "uart":
            self.parts[name] = Uarts(machine, part)
        elif name == "i2c":
            from .target import Target

            self.parts[name] = Target(machine, part)
        elif name == "tone" or name == "doppler":
            from .tones import DOPPLER_HZ, TONE_HZ, Tones

            self.parts[name] = Tones(machine, part, TONE_HZ if name == "tone" else DOPPLER_HZ)
        elif name == "pwm":
            kinds[0] = [Pulses(machine, one) for one in part]
        elif name == "voltage":
            kinds[1] = [Voltage(machine, one) for one in part]
        elif name == "current":
            kinds[2] = [Current(machine, one) for one in part]
        elif name == "level":
            kinds[3] = [Level(machine, one) for one in part]
        elif name == "trigger":
            for level in kinds[3]:
                level.pin.irq(None)  # not every port knows interrupts
        elif name == "drive":
            self.parts[name] = Outputs(machine, part)
        elif name == "reset" or name == "boot":
            self.parts[name] = Button(machine, part)
        elif name == "dali":
            import esp32

            from .dali import Dali

            self.parts[name] = Dali(machine, esp32, part, self.clock)

    # The loop

    def run(self):
        """Serve until Ctrl-C."""
        while True:
            for frame in self._line.wait(self.service()):
                self._take(frame)

    def service(self):
        """Do what is due; return for how many ms there is nothing to do."""
        self.clock.tick()
        wait = _IDLE_MS
        for part in self.parts.values():
            wait = min(wait, part.service())
        return wait

    def pause(self, ms):
        """Let time pass, while everything plays on."""
        until = ticks_add(ticks_ms(), ms)
        while True:
            wait = self.service()
            left = ticks_diff(until, ticks_ms())
            if left <= 0:
                return
            sleep_ms(min(left, wait))

    def stop(self, name=None):  # type: ignore[no-untyped-def]
        """Let go of one thing that is played or driven, or of all."""
        for one in self.parts if name is None else (name,):
            if one in self.parts:
                self.parts[one].stop()

    def _take(self, frame):
        """Do a request and answer it. What is no request of the bench's is not answered."""
        try:
            kind, ask = bench.parse(frame)
        except ProtocolError:
            return
        try:
            fields = bench.fields_of(kind)
            if fields is None or kind >= bench.INSTRUMENT:
                raise Refusal(UNKNOWN, "kind %d" % kind)
            values = decode(fields, frame, bench.HEAD_BYTES, len(frame))
            answer, said = _REQUESTS[kind](self, *values)
            self._line.send(answer, ask, said)
            return
        except Refusal as error:
            reason, text = error.args
        except ProtocolError as error:
            reason, text = MALFORMED, repr(error)
        except Exception as error:  # whatever it is, the next request is served
            reason, text = FAILED, repr(error)
        self._line.send(bench.REFUSED, ask, (reason, None, text.encode()[:_TEXT]))

    def _part(self, name):
        if name in self.parts and name in self.capable:
            return self.parts[name]
        self._lacks(name)
        return None

    def _lacks(self, name):
        if name in self.lacking:
            raise Refusal(NOT_HERE, "this MicroPython has no " + name)
        raise Refusal(NOT_WIRED, "no %s in %s" % (name, SETTINGS))

    def _done(self):
        return bench.DONE, self.clock.now()

    # Requests

    def _identify(self, _revision, _spare):
        flags = lacks = 0
        for n, name in enumerate(bench.CAPABILITIES):
            flags |= (name in self.capable) << n
            lacks |= (name in self.lacking) << n
        dates = self._settings.get("calibrated")
        dates = dates if isinstance(dates, dict) else {}
        major, minor, patch = VERSION
        said = [
            bench.REVISION,
            major << 12 | minor << 6 | patch,
            hardware(),
            flags,
            lacks,
            (machine.unique_id() + bytes(6))[:6],
        ]
        return bench.INSTRUMENT, said + [days(dates.get(name)) for name in _CALIBRATED]

    def _uart(self, line, baud, _spare):
        self._part("uart").open(line, baud)
        return self._done()

    def _play(self, line, first, every, times, data):
        uart = self._part("uart").line(line)
        uart.play(need(first, "first"), need(every, "every"), need(times, "times"), data)
        return self._done()

    def _answer(self, line, after, asked, data):
        uart = self._part("uart").line(line)
        uart.answer(need(after, "after"), need(asked, "asked"), data or b"")
        return self._done()

    def _read(self, source, line, _spare):
        if source == 0:
            self._part("uart").service()
            data, lost, more = self._part("uart").line(line).read()
        elif source == 1:
            (data, lost), more = self._part("i2c").read(), False
        elif source == 2:
            dali = self._part("dali")
            dali.service()
            return self._seen(dali.read())
        else:
            raise Refusal(RANGE, "source: 0 to 2")
        return bench.HEARD, self.clock.now() + (source, line, int(more), lost, data)

    def _seen(self, found):
        at, frame, bits, garbled, more = found
        return bench.SEEN, at + (frame, bits, int(garbled), int(more))

    def _target(self, address, register_bits, _spare):
        self._part("i2c").open(address, register_bits)
        return self._done()

    def _registers(self, offset, data):
        self._part("i2c").registers(offset, data or b"")
        return self._done()

    def _script(self, after, _spare, asked, data):
        self._part("i2c").script(need(after, "after"), need(asked, "asked"), data or b"")
        return self._done()

    def _tone(self, frequency, level, _spare):
        tones = self._part("tone")
        if frequency is None:
            tones.stop()
        else:
            full = self._settings["tone"].get("full_scale_db", 120)
            tones.play(frequency, 10 ** ((need(level, "level") / 10 - full) / 20))
        return self._done()

    def _doppler(self, frequency, amplitude):
        tones = self._part("doppler")
        if frequency is None:
            tones.stop()
        else:
            full = self._settings["doppler"].get("full_scale_mv", 1000)
            tones.play(frequency, need(amplitude, "amplitude") / 10 / full)
        return self._done()

    def _measure(self, quantity, channel, window, _spare):
        if need(quantity, "quantity") >= len(bench.QUANTITIES):
            raise Refusal(RANGE, "quantity: 0 to %d" % (len(bench.QUANTITIES) - 1))
        name = bench.QUANTITIES[quantity]
        if name not in self.capable:
            self._lacks(name)
        found = self.inputs.measure(quantity, channel, need(window, "window"))
        return bench.MEASURED, self.clock.now() + (quantity, channel) + found

    def _drive(self, channel, level, _spare):
        self._part("drive").drive(channel, level)
        return self._done()

    def _press(self, hold, boot, _spare):
        button = self._part("boot") if boot else None
        press(self._part("reset"), button, need(hold, "hold"), self.pause)
        return self._done()

    def _dali(self, frame, bits, answer, _spare):
        found = self._part("dali").send(frame, need(bits, "bits"), answer, self.pause)
        return self._seen(found)

    def _trigger(self, channel, edge, count, within, _spare):
        if "trigger" not in self.capable:
            self._lacks("trigger")
        levels = self.inputs.kinds[3]
        if channel >= len(levels):
            raise Refusal(RANGE, "channel %d of %d" % (channel, len(levels)))
        count, within = need(count, "count"), need(within, "within")
        ticks = levels[channel].edges(edge, count, within, self.pause)
        return bench.STAMP, self.clock.at(ticks) + (channel, count)

    def _stop(self, capability, _spare):
        self.stop(None if capability is None else self._name(capability))
        return self._done()

    def _name(self, capability):
        if need(capability, "capability") >= len(bench.CAPABILITIES):
            raise Refusal(RANGE, "capability: 0 to %d" % (len(bench.CAPABILITIES) - 1))
        return bench.CAPABILITIES[capability]

    def _check(self, capability, _spare):
        from .checks import check

        name = self._name(capability)
        wires = self._settings.get("check")
        part = wires.get(name) if isinstance(wires, dict) else None
        if name not in self.capable:
            part = None
        found = check(name, part, machine, self.parts, self.inputs, self.pause)
        return bench.CHECKED, (capability,) + found


_REQUESTS = {
    bench.IDENTIFY: App._identify,
    bench.UART: App._uart,
    bench.PLAY: App._play,
    bench.ANSWER: App._answer,
    bench.READ: App._read,
    bench.TARGET: App._target,
    bench.REGISTERS: App._registers,
    bench.SCRIPT: App._script,
    bench.TONE: App._tone,
    bench.DOPPLER: App._doppler,
    bench.MEASURE: App._measure,
    bench.DRIVE: App._drive,
    bench.PRESS: App._press,
    bench.DALI: App._dali,
    bench.TRIGGER: App._trigger,
    bench.STOP: App._stop,
    bench.CHECK: App._check,
}


def main():
    """Run the instrument until Ctrl-C."""
    app = App(load(SETTINGS), standard())
    micropython.kbd_intr(-1)  # a frame may hold one
    try:
        app.run()
    except KeyboardInterrupt:
        print("instrument: stopped; Ctrl-D starts it again")
    finally:
        micropython.kbd_intr(_CTRL_C)
        app.stop()
