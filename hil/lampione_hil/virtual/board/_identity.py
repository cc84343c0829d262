"""What a virtual board says that it is: an ESP32-S3, and virtual. `os` and `sys` as seen from it.

`sys` is the interpreter's own behind an object, since a module of its own would not follow
`sys.path = [...]`. What .mpy files it loads is the truth, as tools compile for it; the banner of
the REPL is the interpreter's.
"""

import sys as _sys
from collections import namedtuple

from _wire import native

MACHINE = "Virtual ESP32S3 board with ESP32S3"
_BUILD = "LAMPIONE_VIRTUAL_S3"
# What the unix port has and no board.
_STRANGERS = ("VfsPosix", "errno", "getenv", "putenv", "system", "unsetenv")

_fields = ("sysname", "nodename", "release", "version", "machine")
_uname = namedtuple("uname", _fields)
_implementation = namedtuple(
    "implementation", ("name", "version", "_machine", "_mpy", "_build", "_thread")
)


def names(module):
    """Return {name: value} of what a board has of a module."""
    return {n: getattr(module, n) for n in dir(module) if n[:2] != "__" and n not in _STRANGERS}


def uname():
    version = _sys.implementation.version
    release = "%d.%d.%d" % version[:3]
    if len(version) > 3 and version[3]:
        release += "-" + version[3]
    said = "v" + release + " " + _sys.version.split("MicroPython ", 1)[-1]
    return _uname("esp32", "esp32", release, said, MACHINE)


class Sys:
    """The interpreter's `sys`, except for what names the hardware."""

    platform = "esp32"
    __all__ = [n for n in dir(_sys) if n[0] != "_"]
    _own = _sys.implementation
    implementation = _implementation(
        _own.name, _own.version, MACHINE, _own._mpy, _BUILD, getattr(_own, "_thread", None)
    )

    def __getattr__(self, name):
        return getattr(_sys, name)

    def __setattr__(self, name, value):
        setattr(_sys, name, value)

    def __repr__(self):
        return "<module 'sys'>"


native["sys"] = _sys
