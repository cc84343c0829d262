# The first thing a virtual board runs: puts the simulated hardware in place, mounts the flash,
# then lets boot.py and main.py run as they would on the board. The REPL follows (`-i`).


def _start():
    import gc
    import json
    import sys

    import _wire

    home = sys.path[0]
    sys.path[:] = []
    for name in ("os", "time", "select", "socket"):
        _wire.native[name] = __import__(name)
        sys.modules.pop(name, None)
    sys.path[:] = [home]
    _wire.info.update(json.loads(bytes(_wire.ask(b"B", 1024))))
    if _wire.info["virtual"]:
        import _vselect

        sys.modules["select"] = _vselect
        import _chance

        sys.modules["os"] = _chance

    if _wire.info["wired"]:
        import _irq  # noqa: F401
    import _keys

    sys.modules["micropython"] = _keys
    import _tasks

    # The interpreter's own task queue reads its own clock, which never wraps.
    sys.modules["_asyncio"] = _tasks
    import os  # noqa: F401
    import socket  # noqa: F401

    import esp32  # noqa: F401
    import machine  # noqa: F401
    import network  # noqa: F401
    import vfs
    from _flash import Flash
    from _identity import Sys

    if _wire.info["rom_bytes"]:
        import _rom

    flash = Flash(_wire.info["flash_bytes"], _wire.info["endurance"])
    vfs.umount("/")
    try:
        vfs.mount(flash, "/")
    except OSError:
        vfs.VfsLfs2.mkfs(flash)
        vfs.mount(vfs.VfsLfs2(flash), "/")
    sys.path[:] = ["", ".frozen", "/lib"]
    if _wire.info["rom_bytes"]:
        _rom.start(flash)
        sys.modules["vfs"] = _rom
        sys.path[:] = ["", "/rom", "/rom/lib", ".frozen", "/lib"]
    sys.argv[:] = []
    for name in ("_flash", "_vtime", "_vselect", "_tasks", "_chance", "_identity", "_rom"):
        sys.modules.pop(name, None)
    sys.modules["sys"] = Sys()
    gc.collect()
    _wire.tell(b"Y")


def _run(name):
    import os
    import sys

    try:
        os.stat(name)
    except OSError:
        return True
    try:
        execfile(name, globals())
        return True
    except SystemExit:
        import time

        import _wire

        # To raise it further would lead to the prompt, not to the end.
        _wire.die(b"E%d" % time.uptime_us())
    except BaseException as error:
        sys.print_exception(error)
        return False


def _main():
    import _wire

    raw = _wire.info["raw"]
    del globals()["_main"], globals()["_start"]
    run = globals().pop("_run")
    run("boot.py")
    if not raw:
        run("main.py")
    _wire.tell(b"M")


_start()
_main()
