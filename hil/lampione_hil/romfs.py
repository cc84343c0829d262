"""A tree of files as a ROMFS image: from there MicroPython runs bytecode without a copy in RAM."""

from collections.abc import Mapping
from typing import Any

from mpremote.romfs import VfsRomWriter


def image(files: Mapping[str, bytes], folder: str = "/lib") -> bytes:
    """Return the image of what lies below `folder`; its last name stands in the image too.

    Mounted at /rom, the file /lib/a/b.mpy is /rom/lib/a/b.mpy.
    """
    tree: dict[str, Any] = {}
    above = folder.rpartition("/")[0]
    for path in sorted(files):
        if path.startswith(folder + "/"):
            *folders, name = path.removeprefix(above).strip("/").split("/")
            place = tree
            for each in folders:
                place = place.setdefault(each, {})
            place[name] = files[path]
    writer = VfsRomWriter()
    _write(writer, tree)
    return bytes(writer.finalise())


def _write(writer: Any, tree: Mapping[str, Any]) -> None:
    for name, what in tree.items():
        if isinstance(what, bytes):
            writer.mkfile(name, what)
        else:
            writer.opendir(name)
            _write(writer, what)
            writer.closedir()
