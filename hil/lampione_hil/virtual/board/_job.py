# A short job on the flash of a board that is off: descriptor 7 holds what is asked, 8 the answers.
# Each request is a line of JSON; `write` has `size` bytes after it. Each answer likewise.


def _job():
    import sys

    home = sys.path[0]
    sys.path[:] = []  # the interpreter's own, not those that a board's program sees
    import json
    import os

    import vfs

    sys.path[:] = [home]
    from _flash import Flash

    asked = open(7, "rb")
    answers = open(8, "wb")
    flash = Flash(json.loads(asked.readline())["flash_bytes"])
    vfs.umount("/")
    try:
        vfs.mount(flash, "/")
    except OSError:
        vfs.VfsLfs2.mkfs(flash)
        vfs.mount(vfs.VfsLfs2(flash), "/")

    def answer(body, data=b""):
        body["size"] = len(data)
        answers.write(json.dumps(body).encode() + b"\n" + data)

    def write(path, size):
        folder = ""
        for part in path.strip("/").split("/")[:-1]:
            folder += "/" + part
            try:
                os.mkdir(folder)
            except OSError as error:
                if error.errno != 17:  # EEXIST
                    raise
        with open(path, "wb") as file:
            while size:
                chunk = asked.read(min(size, 4096))
                file.write(chunk)
                size -= len(chunk)

    def tree(path, found):
        for name, kind, _, size in os.ilistdir(path):
            below = path.rstrip("/") + "/" + name
            if kind & 0x4000:
                tree(below, found)
            else:
                found[below] = size
        return found

    while True:
        line = asked.readline()
        if not line:
            break
        request = json.loads(line)
        op = request["op"]
        path = request["path"]
        try:
            if op == "write":
                write(path, request["size"])
                answer({})
            elif op == "read":
                with open(path, "rb") as file:
                    answer({}, file.read())
            elif op == "remove":
                os.remove(path)
                answer({})
            else:
                answer({"files": tree(path, {})})
        except OSError as error:
            answer({"error": error.errno})
            if op == "write":
                break


_job()
