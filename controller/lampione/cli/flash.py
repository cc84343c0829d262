"""`lampione flash`: the firmware onto boards, several at once, each with its own end."""

import argparse
import signal
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from lampione.cli.deeds import telling
from lampione.cli.errors import FAILED, INTERRUPTED, OK, USAGE, CliError
from lampione.cli.output import Printer, printer
from lampione.cli.progress import Progress
from lampione.room.deeds import FLASH, Tell, to_nobody

if TYPE_CHECKING:
    from lampione_hil.flashing import Flashed
    from lampione_hil.flashing.image import Image
    from lampione_hil.flashing.layout import Layout
    from lampione_hil.real.ports import Port

_AT_ONCE = 16
_LOOK_S = 0.2


def flash(options: argparse.Namespace) -> int:
    """`lampione flash`."""
    out = printer(options)
    if options.instrument and options.dry_run:
        raise CliError("--instrument writes what differs; it has no dry run", USAGE)
    if options.erase and not options.micropython:
        raise CliError("--erase goes with --micropython IMAGE, which is what comes after it", USAGE)
    if options.no_rom and not options.micropython:
        raise CliError("--no-rom goes with --micropython IMAGE", USAGE)
    wanted, missing = _chosen(options)
    image = _image(options, out)
    if options.dry_run:
        return _Work(options, out, image, to_nobody).run(wanted, missing)
    with telling(options) as tell:
        return _Work(options, out, image, tell).run(wanted, missing)


def _image(options: argparse.Namespace, out: Printer) -> "Image | None":
    """Return the MicroPython to be installed, if any, after saying what it is."""
    if not options.micropython:
        return None
    from lampione_hil.flashing import image as images

    image = images.read(options.micropython)
    if not out.as_json:
        out.line(f"{image.path.name}: MicroPython {image.version} for {image.chip}")
        out.line(f"sha256 {image.sha256}")
        out.line(_partitions(image, _usual(image, options)))
    return image


def _usual(image: "Image", options: argparse.Namespace) -> "Layout | None":
    """Return the table for a board whose files are where the image has them; None: unknown."""
    from lampione_hil.flashing import layout

    if image.layout is None or options.no_rom:
        return image.layout
    return layout.with_rom(image.layout)


def _partitions(image: "Image", layout: "Layout | None") -> str:
    if layout is None:
        return f"partitions: {image.wrong}; it is installed as it is"
    why = f"; no ROM partition: {layout.why_no_rom}" if layout.why_no_rom else ""
    return f"partitions: {layout.words}{why}"


def _chosen(options: argparse.Namespace) -> tuple[dict[str, "Port"], dict[str, str]]:
    """Return the boards by what they are called here, and what is wrong with those not there."""
    from lampione_hil.real import ports
    from lampione_hil.real.errors import NoBoardError

    if options.all and (options.boards or options.port):
        raise CliError("--all is every board: name none beside it", USAGE)
    found: dict[str, ports.Port] = {}
    missing: dict[str, str] = {}
    for url in options.port:
        found[url] = ports.Port(url, "")
    if options.port and not options.boards:
        return found, missing
    connected = ports.find()
    if options.boards:
        for name in options.boards:
            try:
                port = ports.choose(connected, name)
                found[port.shown] = port
            except NoBoardError as error:
                missing[name] = str(error).removeprefix(f"{name}: ")
    elif not connected:
        raise CliError(ports.there_is(connected))
    elif len(connected) > 1 and not options.all:
        raise CliError(f"{ports.there_is(connected)}: name those you mean, or --all", USAGE)
    else:
        found.update((port.shown, port) for port in connected)
    return found, missing


class _Work:
    """One run over several boards."""

    def __init__(
        self, options: argparse.Namespace, out: Printer, image: "Image | None", tell: Tell
    ) -> None:
        from lampione_hil.firmware import Trees

        self._options = options
        self._out = out
        self._image = image
        self._tell = tell
        self._trees = Trees()
        self._stop = threading.Event()
        self._failed: list[str] = []
        self._layouts: dict[str, Layout] = {}  # of those that got MicroPython

    def run(self, wanted: "dict[str, Port]", missing: dict[str, str]) -> int:
        # Not by an exception, which could come in the middle of handing out the work.
        before = signal.signal(signal.SIGINT, lambda *_: self._stop.set())
        try:
            return self._run(wanted, missing)
        finally:
            signal.signal(signal.SIGINT, before)

    def _run(self, wanted: "dict[str, Port]", missing: dict[str, str]) -> int:
        with self._out.held(), Progress(self._out, [*wanted, *missing]) as progress:
            for name, text in missing.items():
                self._say(progress, name, text)
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                going = {
                    pool.submit(self._one, progress, name, port): name
                    for name, port in wanted.items()
                }
                while wait(going, _LOOK_S).not_done:  # a signal is seen between two looks
                    if self._out.wrong is not None:
                        self._stop.set()
        done = len(wanted) + len(missing) - len(self._failed)
        if not self._out.as_json and len(wanted) + len(missing) > 1:
            self._out.line(self._summary(done))
        if self._stop.is_set():
            return INTERRUPTED
        return FAILED if self._failed else OK

    def _one(self, progress: Progress, name: str, port: "Port") -> None:
        """Flash one board, and say what became of it, whatever it is."""
        from lampione_hil.board import BenchError
        from lampione_hil.firmware import CompileError
        from lampione_hil.flashing import flash

        def tell(step: str, part: float) -> None:
            progress.tell(name, step, part)

        try:
            self._check()
            installs = self._image and self._install(self._image, progress, name, port)
            if self._image and installs and self._options.dry_run:
                text = f"would install MicroPython {self._image.version}, then the firmware"
                self._say(progress, name, text, good=True)
                return
            if self._options.instrument:
                self._instrument(progress, name, port, tell)
                return
            done = flash(
                port.port,
                told=tell,
                dry_run=self._options.dry_run,
                force=self._options.force,
                source=self._trees,
                check=self._check,
            )
        except (BenchError, CompileError) as error:
            self._say(progress, name, str(error))
            self._tell(FLASH, result="failed", board=name, why=str(error))
        except Exception as error:  # noqa: BLE001 - the others go on
            why = f"unexpected {type(error).__name__}: {error}"
            self._say(progress, name, why)
            self._tell(FLASH, result="failed", board=name, why=why)
        else:
            self._say(progress, name, done.words(dry_run=self._options.dry_run), done)
            self._tell(FLASH, result="done", board=name, firmware=done.firmware)

    def _install(self, image: "Image", progress: Progress, name: str, port: "Port") -> bool:
        """Install MicroPython; False: the board runs this very one, laid out as it should be."""
        from lampione_hil.flashing import install

        flags = self._options
        rom = image.layout is not None and not flags.no_rom
        url = port.rfc2217 or port.port
        options = ["--no-stub"] if port.virtual else []  # it has the chip's own loader only

        def tell(step: str, part: float) -> None:
            progress.tell(name, step, part)

        runs = False
        if not (flags.force or flags.erase):
            tell("connecting", 0)
            runs, has_rom = install.has(image, port.port, self._check)
            if runs and (has_rom or not rom):
                return False
        usual = wanted = _usual(image, flags)
        if rom and not flags.erase:
            wanted = install.plan(image, url, options=options, told=tell, check=self._check)
        if wanted and wanted != usual:
            progress.say(f"{name}: {_partitions(image, wanted)}")
        if wanted and wanted.why_no_rom and runs:
            return False
        if wanted:
            self._layouts[name] = wanted
        if not flags.dry_run:
            install.install(
                image, url, wanted, erase=flags.erase, options=options, told=tell, check=self._check
            )
        return True

    def _instrument(self, progress: Progress, name: str, port: "Port", tell: Any) -> None:
        from lampione_hil.instrument_flash import install

        done = install(port.port, force=self._options.force, told=tell, check=self._check)
        text = (
            f"an instrument runs firmware {done.firmware}: {', '.join(sorted(done.capabilities))}"
        )
        if done.lacking:
            text += f"; this MicroPython has no {', '.join(sorted(done.lacking))}"
        progress.end(name, text, True)
        self._tell(FLASH, result="done", board=name, firmware=done.firmware, instrument=True)
        if self._out.as_json:
            said: dict[str, Any] = {"port": done.port, "unique_id": done.serial_number}
            said |= {"firmware": done.firmware, "sent": done.sent, "kept": done.kept}
            said["bytes"] = done.bytes
            self._out.json({"board": name, "ok": True, "says": text, **said})

    def _check(self) -> None:
        if self._stop.is_set():
            from lampione_hil.flashing import Stopped

            raise Stopped("stopped before it began; it runs what it ran before")

    def _say(
        self,
        progress: Progress,
        name: str,
        text: str,
        done: "Flashed | None" = None,
        good: bool = False,
    ) -> None:
        good = good or done is not None
        if not good:
            self._failed.append(name)
        progress.end(name, text, good)
        if self._out.as_json:
            said = {"board": name, "ok": good, "says": text, **_facts(done)}
            if name in self._layouts:
                said["partitions"] = [vars(one) for one in self._layouts[name].entries]
            self._out.json(said)

    def _summary(self, done: int) -> str:
        text = f"{done} of {done + len(self._failed)} boards done"
        if not self._failed:
            return text
        again = " ".join(f"--port {name}" if "/" in name else name for name in self._failed)
        return f"{text}. Put the others right, then type: lampione flash {again}"


def _facts(done: "Flashed | None") -> dict[str, Any]:
    if done is None:
        return {}
    hello = done.hello
    return {
        "port": done.port,
        "unique_id": done.chip.unique_id,
        "machine": done.chip.machine,
        "micropython": done.chip.micropython,
        "firmware": done.firmware,
        "tree": done.ident,
        "slot": done.slot,
        "rom_bytes": done.chip.rom_bytes,
        "node": hello.name if hello else None,
        "written": done.written,
        "sent": done.sent,
        "copied": done.copied,
        "kept": done.kept,
        "bytes": done.bytes,
        "seconds": round(done.seconds, 3),
    }
