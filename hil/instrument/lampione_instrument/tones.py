"""Tones, out of an I2S transmitter: a table of whole periods, played round and round."""

import math
import select
import struct

from micropython import const

from .refusal import RANGE, Refusal

_LONGEST = const(2400)  # samples of a table: 9.6 kB
_FULL = const(8388607)  # of 24 bits
_DMA_BYTES = const(40000)  # 104 ms at 48 kHz
_IDLE_MS = const(20)
_BUSY_MS = const(5)
TONE_HZ = const(48000)
DOPPLER_HZ = const(24000)


def periods(frequency, rate_hz):
    """Return (periods, samples) that come nearest to a frequency in 0.01 Hz."""
    best = (1, 0, 1)  # error, periods, samples
    count = 1
    while True:
        samples = (count * rate_hz * 200 // frequency + 1) // 2
        if samples > _LONGEST:
            break
        error = abs(samples * frequency - count * rate_hz * 100) / (samples * frequency)
        if error < best[0]:
            best = (error, count, samples)
            if not error:
                break
        count += 1
    return best[1], best[2]


def table(count, samples, amplitude):
    """Return `count` periods in so many words of 24 bits in 32, at a share of full scale."""
    buf = bytearray(4 * samples)
    for i in range(samples):
        phase = 2 * math.pi * (i * count % samples) / samples
        struct.pack_into("<i", buf, 4 * i, round(_FULL * amplitude * math.sin(phase)) * 256)
    return buf


class Tones:
    """A transmitter on the pins of the settings ("i2s", "sck", "ws", "sd")."""

    def __init__(self, machine, part, rate_hz):
        self._machine = machine
        self._part = part
        self._rate_hz = rate_hz
        self._i2s = None
        self._poll = None
        self._view = memoryview(bytearray(0))
        self._at = 0

    def play(self, frequency, amplitude):
        """Play a frequency in 0.01 Hz at a share of full scale."""
        if not 0 < amplitude <= 1:
            raise Refusal(RANGE, "more than full scale" if amplitude > 1 else "no amplitude")
        if not 2000 <= frequency <= self._rate_hz * 45:
            raise Refusal(RANGE, "frequency: 20 Hz to %d" % (self._rate_hz * 45 // 100))
        self._view = memoryview(table(*periods(frequency, self._rate_hz), amplitude))
        self._at = 0
        if not self._i2s:
            part, pin = self._part, self._machine.Pin
            self._i2s = self._machine.I2S(
                part["i2s"],
                sck=pin(part["sck"]),
                ws=pin(part["ws"]),
                sd=pin(part["sd"]),
                mode=self._machine.I2S.TX,
                bits=32,
                format=self._machine.I2S.MONO,
                rate=self._rate_hz,
                ibuf=_DMA_BYTES,
            )
            self._poll = select.poll()  # asked once, the transmitter takes what has room
            self._poll.register(self._i2s, select.POLLOUT)
        self.service()

    def service(self):
        """Keep the transmitter busy; return for how many ms there is nothing to do."""
        if not self._i2s:
            return _IDLE_MS
        size = len(self._view)
        while self._poll.poll(0):
            n = self._i2s.write(self._view[self._at :])
            if not n:
                break
            self._at = (self._at + n) % size
        return _BUSY_MS

    def stop(self):
        """Be silent."""
        if self._i2s:
            self._i2s.deinit()
            self._i2s = self._poll = None
