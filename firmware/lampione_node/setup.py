"""A config's way to the node: offered, sent in chunks, tried, confirmed or taken back.

There while a Setup is at work or a trial goes on. Chunks go to flash as they come. Only a Setup
ends a trial well, so a config that cuts the node off goes back by itself; a boot ends it too.
"""

import asyncio
import gc
import os
import sys
from time import ticks_diff, ticks_ms

import machine
from lampione_light.layout import SIZE_MAX
from lampione_protocol.codec import decode
from lampione_protocol.schema import CONFIG_FIELDS, SETUP, SETUP_FIELDS
from micropython import const

from . import config
from .forget import forget
from .post import CONFIG_CONFIRMED, CONFIG_REVERTED, CONFIG_TRIAL, INFO, WARNING

# Operations, outcomes and reasons, as the wire numbers them
_OFFER = const(11)
_APPLY = const(12)
_CONFIRM = const(13)
_REVERT = const(14)
_ACCEPTED = const(0)
_DONE = const(1)
_REFUSED = const(2)
_NONE = const(0)
_UNKNOWN = const(3)
_RANGE = const(4)
_BUSY = const(7)
_DAMAGED = const(10)
_NOT_HERE = const(11)
_FLASH = const(12)

_FLUSH = const(512)  # bytes: each time costs the flash a block
_TELL_MS = const(1000)
_TELLS = const(8)  # without a chunk that fits: whoever repeats frames must not wear out the flash
_LOOK_MS = const(1000)
_IDLE_MS = const(600000)


class Setup:
    """Carries out Setups and takes Config's chunks.

    Args:
        commands: admits Setups, and says what became of them.
        post: for events; its clock counts the trial.
        running: the settings' "config" of this boot (see config.start), kept up to date.
        on_restart: called with the number of the result that should be out before.
        root: of the file system.

    `on_config(blob)` puts a config into force without a restart: None where there is none but the
    settings' file. What it raises refuses the config. Without it every config restarts the node.
    """

    def __init__(self, commands, post, running, on_restart, root: str = "") -> None:  # type: ignore[no-untyped-def]
        self._commands = commands
        self._post = post
        self._running = running
        self._on_restart = on_restart
        self._folder = root + config.FOLDER
        self._settings = root + config.SETTINGS
        self.on_config = None
        self._restarting = False
        self._offer = None  # (counter, version, size, digest) of what chunks are taken for
        self._file = None
        self._held = self._flushed = 0  # bytes of it
        self._told_ms = self._heard_ms = ticks_ms()
        self._tells = 0
        self._before = None  # what ran before a live trial
        self._end_s = 0  # of the trial, in uptime
        self._watching = None

    def rest(self) -> bool:
        """Say whether nothing is under way; this module is forgotten then, and loaded when needed.

        To be asked every few days, as it lets go of an offer that nobody goes on with.
        """
        if self._offer and ticks_diff(ticks_ms(), self._heard_ms) > _IDLE_MS:
            self._close()
            self._offer = None
        if self._offer or self._restarting or self._running["state"] == config.TRIAL:
            return False
        self._stop_watching()
        forget("lampione_node.config", "lampione_node.settings", "lampione_node.setup")
        return True

    def begin(self) -> None:
        """Start the trial that this boot is."""
        running = self._running
        self._commands.result(running["counter"], _APPLY, _DONE, _NONE, running["version"])
        self._start_trial(running["trial_s"])

    def _start_trial(self, trial_s: int) -> None:
        self._post.event(CONFIG_TRIAL, INFO, self._running["version"])
        self._end_s = self._post.clock.uptime_s() + trial_s
        self._stop_watching()
        self._watching = asyncio.create_task(self._watch())

    def _stop_watching(self) -> None:
        """End the watch over a trial that is over; the next one has its own end."""
        if self._watching:
            self._watching.cancel()
            self._watching = None

    async def _watch(self) -> None:
        try:
            while self._running["state"] == config.TRIAL:
                if self._post.clock.uptime_s() >= self._end_s:
                    self._take_back()
                    if self._restarting:
                        self._on_restart(0)
                    return
                await asyncio.sleep_ms(_LOOK_MS)
        except Exception as error:
            sys.print_exception(error)
            machine.reset()  # which ends the trial, too

    def take(self, kind: int, counter: int, buf: bytearray, start: int, end: int) -> None:
        """Take the Setup or Config in `buf[start:end]`; see `execute` and `chunk`."""
        if kind == SETUP:
            self.execute(counter, buf, start, end)
        else:
            self.chunk(buf, start, end)

    def execute(self, counter: int, buf: bytearray, start: int, end: int) -> None:
        """Do what the Setup in `buf[start:end]` says.

        Raises ReplayError, and ProtocolError when it cannot be understood.
        """
        op, version, size, digest, expires, challenge, trial_s = decode(
            SETUP_FIELDS, buf, start, end
        )[:7]
        reason = self._commands.admit(counter, expires, challenge)
        value = version
        if reason:
            pass
        elif self._restarting:
            reason = _BUSY
        elif version is None or size is None or digest is None:
            reason = _RANGE
        else:
            try:
                if op == _OFFER:
                    value = size
                    reason = self._take_offer(counter, version, size, digest)
                    if reason is None:
                        return
                else:
                    reason = self._do(op, counter, version, digest, trial_s)
            except OSError:
                reason = _FLASH
            except MemoryError:
                reason = _BUSY
        outcome = _REFUSED
        if not reason:
            outcome = _ACCEPTED if op == _APPLY and self._restarting else _DONE
        seq = self._commands.result(counter, op, outcome, reason, value)
        if self._restarting and not reason:
            self._on_restart(seq)

    def _runs(self, version: int, digest: bytes) -> bool:
        running = self._running
        return version == running["version"] and digest == running.get("digest")

    def _do(self, op: int, counter: int, version: int, digest: bytes, trial_s) -> int:  # type: ignore[no-untyped-def]
        """Do what is not an offer; return why not."""
        runs = self._runs(version, digest)
        on_trial = self._running["state"] == config.TRIAL
        if op == _APPLY:
            if runs:
                return _NONE
            return _BUSY if on_trial else self._apply(counter, version, digest, trial_s)
        if op == _CONFIRM:
            if not runs:
                return _NOT_HERE
            return self._confirm() if on_trial else _NONE
        if op != _REVERT:
            return _UNKNOWN
        if runs and not on_trial:  # there is nothing to go back from
            return _NOT_HERE
        if runs:
            self._take_back()
        return _NONE

    # Offer and chunks

    def _say(self, outcome: int, reason: int, value: int) -> None:
        self._commands.result(self._offer[0], _OFFER, outcome, reason, value)

    def _close(self) -> None:
        if self._file:
            try:
                self._file.close()
            except OSError:
                pass
            self._file = None

    def _drop(self, reason: int) -> None:
        """Refuse what was offered, and let go of what is here of it."""
        self._close()
        try:
            os.remove(self._folder + "/new")
        except OSError:
            pass
        self._say(_REFUSED, reason, 0)
        self._offer = None

    def _take_offer(self, counter: int, version: int, size: int, digest: bytes):  # type: ignore[no-untyped-def]
        """Return why not, _NONE when it runs already, None when all is said."""
        if self._runs(version, digest):
            return _NONE
        if self._running["state"] == config.TRIAL:
            return _BUSY
        if not 0 < size <= SIZE_MAX:
            return _RANGE
        self._close()
        self._heard_ms = ticks_ms()
        folder = self._folder
        self._offer = offer = counter, version, size, digest
        self._tells = 0
        head = config.read_header(folder, "new")
        if head and head[:3] == offer[1:] and head[3] <= size:
            self._held = head[3]
        else:
            try:
                os.mkdir(folder)
            except OSError:
                pass
            try:
                with open(folder + "/new", "wb") as file:
                    file.write(config.header(version, size, digest))
            except OSError:
                self._drop(_FLASH)
                return None
            self._held = 0
        self._flushed = self._held
        if self._held == size:
            self._whole()
        else:
            self._say(_ACCEPTED, _NONE, self._held)
        return None

    def chunk(self, buf: bytearray, start: int, end: int) -> None:
        """Take the piece of what was offered in `buf[start:end]`, if it is the next.

        Raises ProtocolError when it cannot be understood.
        """
        version, offset, _, data = decode(CONFIG_FIELDS, buf, start, end)
        offer = self._offer
        if not offer or version != offer[1] or self._held >= offer[2]:
            return
        if offset != self._held or not data or offset + len(data) > offer[2]:
            now = ticks_ms()
            if self._tells < _TELLS and (
                not self._tells or ticks_diff(now, self._told_ms) >= _TELL_MS
            ):
                self._tells += 1
                self._told_ms = now
                self._say(_ACCEPTED, _NONE, self._held)
            return
        self._tells = 0
        self._heard_ms = ticks_ms()
        try:
            if not self._file:
                self._file = open(self._folder + "/new", "ab")
            self._file.write(data)
            self._held += len(data)
            if self._held - self._flushed >= _FLUSH:
                self._file.flush()
                self._flushed = self._held
            if self._held == offer[2]:
                self._file.close()
                self._file = None
        except OSError:
            self._drop(_FLASH)
            return
        if self._held == offer[2]:
            self._whole()

    def _whole(self) -> None:
        """Every byte is here: are they the ones that were offered?"""
        if config.load(self._folder, "new"):
            self._say(_DONE, _NONE, self._held)
        else:
            self._drop(_DAMAGED)

    # The trial

    def _apply(self, counter: int, version: int, digest: bytes, trial_s) -> int:  # type: ignore[no-untyped-def]
        """Begin a trial; return why not."""
        if not trial_s:  # a trial without an end is none
            return _RANGE
        folder = self._folder
        found = config.load(folder, "new")
        if not found or found[:2] != (version, digest):
            return _NOT_HERE
        blob = found[2]
        try:
            if not self._check(blob):
                return _DAMAGED
            asked = config.lasting(blob)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # a ConfigError, no JSON, a value of another type, ...
            print("lampione: config", repr(error))
            return _DAMAGED
        self._close()
        self._offer = None
        if not self.on_config or asked != config.lasting(self._blob()):
            config.mark(folder, config.START, trial_s, counter)
            self._restarting = True
            return _NONE
        config.mark(folder, config.RUN, trial_s, counter)
        running = self._running
        self._before = running["version"], running.get("digest"), running["state"]
        running["version"], running["digest"] = version, digest
        running["state"] = config.TRIAL
        try:
            self.on_config(blob)
        except Exception as error:
            sys.print_exception(error)
            self._take_back()
            if self._restarting:
                self._on_restart(0)
            return _DAMAGED
        self._start_trial(trial_s)
        return _NONE

    def _check(self, blob: bytes) -> bool:
        """Say whether the settings with this config have no fault that they have not without."""
        from . import settings

        gc.collect()
        try:
            faults = settings.load(self._settings, lambda given: config.overlay(given, blob))[1]
            known = settings.load(self._settings)[1] if faults else ()
        finally:
            forget("lampione_node.settings")
        for line in faults:
            if line not in known:
                return False
        return True

    def _blob(self) -> "bytes | None":
        """Return the config that runs, unless it is on trial; None: the settings' file alone."""
        for slot in ("good", "old"):
            found = config.load(self._folder, slot)
            if found and found[1] == self._running.get("digest"):
                return found[2]
        return None

    def _confirm(self) -> int:
        """End the trial well; return why not."""
        config.mark(self._folder, config.KEEP, 0, 0)
        if not config.keep(self._folder):
            return _DAMAGED
        self._running["state"] = config.CONFIRMED
        self._before = None
        self._post.event(CONFIG_CONFIRMED, INFO, self._running["version"])
        return _NONE

    def _take_back(self) -> None:
        """Go back to the config before, at once or by a restart that is still to be made."""
        if self._before:
            config.unmark(self._folder)  # or the next boot goes back as well
            running = self._running
            self._post.event(CONFIG_REVERTED, WARNING, running["version"])
            running["version"], running["digest"], running["state"] = self._before
            self._before = None
            try:
                self.on_config(self._blob())
                return
            except Exception as error:
                sys.print_exception(error)
        self._restarting = True
