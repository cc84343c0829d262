"""Peaks of Doppler spectra followed from frame to frame, until they are a vehicle or are not."""

from array import array

from micropython import const

_MOST = const(8)  # tracks at a time
_SLOTS = const(64)
_LONGEST = const(1024)  # frames: 22 s, 67 m at 11 km/h; what lasts longer is a machine
_GATE = const(80)  # 32nds of a line
_SURE = const(10)  # hits that make a track
_PATIENT = const(12)  # frames without a hit that a track outlives
_NEVER = const(16777216)
_LEAST = const(16)  # hits that are worth a fit


class _Track:
    def __init__(self, frame, at, excess):
        self.at = at << 4
        self.slope = 0
        self.hits = 1
        self.missed = 0
        self.born = self.last = frame
        self.points = array("H", bytes(2 * _SLOTS))
        self.wide = 0  # a slot holds the mean of 2^wide frames
        self.slot = self.sum = self.n = 0
        self.excess = excess
        self.put(frame, at)

    def put(self, frame, at):
        k = frame - self.born >> self.wide
        while k >= _SLOTS:
            self.close()
            points = self.points
            for i in range(_SLOTS // 2):
                a = points[2 * i]
                b = points[2 * i + 1]
                points[i] = a + b + 1 >> 1 if a and b else a or b
            for i in range(_SLOTS // 2, _SLOTS):
                points[i] = 0
            self.wide += 1
            k >>= 1
        if k != self.slot:
            self.close()
            self.slot = k
        self.sum += at
        self.n += 1

    def close(self):
        if self.n:
            self.points[self.slot] = (self.sum + (self.n >> 1)) // self.n
        self.sum = self.n = 0


class Tracks:
    """Follows peaks.

    Args:
        done: called with each track that has ended and was long enough.
    """

    def __init__(self, done):
        self._done = done
        self._tracks = []

    def oldest(self):
        """Return the frame in which the oldest sure track began, else a frame far ahead."""
        for track in self._tracks:
            if track.hits >= _SURE:
                return track.born
        return _NEVER

    def any(self):
        """Return whether something is followed."""
        return bool(self._tracks)

    def take(self, frame, found, count):
        """Take the peaks of a frame."""
        free = (1 << count) - 1
        for track in self._tracks:
            at = track.at + track.slope
            best = _GATE << 4
            if track.missed:
                best += track.missed << 7
            which = -1
            for i in range(count):
                if free >> i & 1:
                    off = (found[3 * i] << 4) - at
                    if -best < off < best:
                        best = off if off > 0 else -off
                        which = i
            if which < 0:
                track.missed += 1
                track.at = at
                continue
            free &= ~(1 << which)
            off = (found[3 * which] << 4) - at
            track.missed = 0
            track.hits += 1
            if track.hits < 6:
                track.at = at + (off >> 1)
                track.slope += off >> 3
            else:
                track.at = at + (off * 3 >> 3)
                track.slope += off >> 4
            track.last = frame
            track.excess += found[3 * which + 1]
            track.put(frame, found[3 * which])
        for i in range(len(self._tracks) - 1, -1, -1):
            track = self._tracks[i]
            if (
                track.missed > (_PATIENT if track.hits >= _SURE else 2)
                or track.last - track.born >= _LONGEST
            ):
                del self._tracks[i]
                if track.hits >= _LEAST:
                    track.close()
                    self._done(track)
        for i in range(count):
            if free >> i & 1 and len(self._tracks) < _MOST:
                self._tracks.append(_Track(frame, found[3 * i], found[3 * i + 1]))
