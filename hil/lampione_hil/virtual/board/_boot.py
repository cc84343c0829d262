# The first thing a virtual board runs: puts the simulated hardware in place, mounts the flash,
# then lets boot.py and main.py run as they would on the board. The REPL follows (`-i`).


def _start():
    import gc
    import json
    import sys

    import _wire

    home = sys.path[0]
    sys.path[:] = []
    for name in ("time", "select", "socket"):
        _wire.native[name] = __import__(name)
        sys.modules.pop(name, None)
    sys.path[:] = [home]
    _wire.info.update(json.loads(bytes(_wire.ask(b"B", 512))))
    if _wire.info["virtual"]:
        import _vselect

        sys.modules["select"] = _vselect
        import _chance

        sys.modules["os"] = _chance

    import _tasks

    # The interpreter's own task queue reads its own clock, which never wraps.
    sys.modules["_asyncio"] = _tasks
    import socket  # noqa: F401

    import esp32  # noqa: F401
    import machine  # noqa: F401
    import network  # noqa: F401
    import vfs
    from _flash import Flash

    flash = Flash(_wire.info["flash_bytes"])
    vfs.umount("/")
    try:
        vfs.mount(flash, "/")
    except OSError:
        vfs.VfsLfs2.mkfs(flash)
        vfs.mount(vfs.VfsLfs2(flash), "/")
    sys.path[:] = ["", ".frozen", "/lib"]
    sys.argv[:] = []
    for name in ("_flash", "_vtime", "_vselect", "_tasks", "_chance"):
        sys.modules.pop(name, None)
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
