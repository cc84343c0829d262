# Runs before main.py at every start: finds the slots, the folders that the node's modules may come
# from. /slot names them by their letters, best first; the others stand behind, for a slot that
# cannot start.


def _slots():
    import os
    import sys

    import machine

    folders = {b"a": "/lib", b"b": "/lib.b", b"r": "/rom/lib"}
    letters = b""
    try:
        with open("/slot", "rb") as file:
            letters = file.read(8)
    except OSError:
        pass
    letters += b"ab"
    found = []
    for i in range(len(letters)):
        folder = folders.get(letters[i : i + 1])
        if folder and folder not in found:
            try:
                os.stat(folder)
                found.append(folder)
            except OSError:
                pass
    if not found:
        found.append("/lib")
    # main.py left its mark, and neither came to its end nor lost its power: that start hung.
    if machine.RTC().memory() == found[0].encode() and len(found) > 1:
        if machine.reset_cause() in (0, machine.WDT_RESET):
            print("lampione: the start from", found[0], "hung")
            found.append(found.pop(0))
    paths = [path for path in sys.path if path not in ("/lib", "/lib.b", "/rom", "/rom/lib")]
    sys.path[:] = paths + found[:1]
    return found


slots = _slots()
del _slots
