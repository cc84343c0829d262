# mypy: ignore-errors
"""MicroPython's half of test_outbox: an outbox on LittleFS in memory, with power that can fail.

Reads one list of operations a line, as JSON, and prints "=" and what came of it, as JSON. Other
lines are the collector's complaints about files of a flash without power.
"""

import gc
import json
import os
import sys

import vfs
from lampione_node.outbox import Outbox, Reader

BLOCK = 4096


class CutError(BaseException):
    """The power is gone. Not an Exception, so that nothing on the node can catch it."""


class Flash:
    """A block device that tears write number `cut_at` and does nothing from then on."""

    def __init__(self, data):
        self.data = data
        self.left = -1
        self.dead = False

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        buf[:] = memoryview(self.data)[at : at + len(buf)]

    def writeblocks(self, block, buf, offset=0):
        if self.dead:
            return
        at = block * BLOCK + offset
        if self.left == 0:
            half = len(buf) // 2
            self.data[at : at + half] = memoryview(buf)[:half]
            self.dead = True
            raise CutError()
        self.left -= 1
        self.data[at : at + len(buf)] = buf

    def ioctl(self, op, arg):
        if op == 4:
            return len(self.data) // BLOCK
        if op == 5:
            return BLOCK
        if op == 6:
            return 0
        return None


class Node:
    """One flash through its boots."""

    def __init__(self, blocks, limit):
        self.data = bytearray(blocks * BLOCK)
        self.limit = limit
        vfs.VfsLfs2.mkfs(Flash(self.data))
        self.acked = 0
        self.salt = 0
        self.boot()

    def boot(self):
        if "f" in os.listdir("/"):
            vfs.umount("/f")
        gc.collect()
        self.flash = Flash(self.data)
        vfs.mount(vfs.VfsLfs2(self.flash), "/f")
        self.outbox = Outbox("/f/outbox", self.limit, self.acked)
        self.holes = []
        self.reader = Reader(self.outbox, lambda first, last: self.holes.append((first, last)))

    def frame(self, seq, size):
        self.salt += 1
        body = bytes((seq * 7 + i + self.salt) & 255 for i in range(size - 10))
        return b"\x22" + bytes(6) + seq.to_bytes(3, "big") + body

    def commit(self, size):
        box = self.outbox
        frame = self.frame(box.next_seq, size)
        box.frame[:size] = frame
        seq = box.next_seq
        try:
            kept = box.commit(size)
        except CutError:
            self.boot()
            return ["torn", seq, frame.hex()]
        return ["kept" if kept else "refused", seq, frame.hex()]

    def read(self, first, last):
        self.holes.clear()
        self.reader.seek(first)
        return self.follow(last)

    def follow(self, last):
        found = []
        while True:
            n = self.reader.read(last)
            if not n:
                return found
            found.append([self.reader.seq - 1, bytes(self.reader.frame[:n]).hex()])

    def facts(self):
        box = self.outbox
        size = sum(os.stat(box.path(first))[6] for first in box.firsts)
        return {
            "next": box.next_seq,
            "oldest": box.oldest_held,
            "depth": box.depth,
            "dropped": box.dropped,
            "bytes": size,
            "segments": len(box.firsts),
        }

    def do(self, op):
        name = op[0]
        if name == "commit":
            return self.commit(op[1])
        if name == "cut":  # the power fails at the n-th write from now on
            self.flash.left = op[1]
            return ["armed"]
        if name == "boot":
            self.outbox.close()
            self.boot()
            return ["booted"]
        if name == "ack":
            seq = max(self.outbox.acked, self.outbox.next_seq - 1 - op[1])
            done = self.outbox.acknowledge(seq)
            return ["acked", seq, done]
        if name == "read":
            found = self.read(1, 0xFFFFFF)
            return ["read", found, self.holes, self.facts()]
        if name == "follow":  # as the uplink does, from where it stands
            return ["follow", self.follow(0xFFFFFF), self.holes]
        if name == "range":
            return ["range", self.read(op[1], op[2]), self.holes]
        if name == "remember":  # the state file has the acknowledged number
            self.acked = self.outbox.acked
            return ["remembered"]
        if name == "fill":  # somebody else's file takes room
            try:
                with open("/f/other", "wb") as file:
                    for _ in range(op[1]):
                        file.write(bytes(BLOCK))
            except OSError:
                pass
            return ["filled"]
        if name == "damage":  # bytes of a segment, counted from its end
            first = self.outbox.firsts[op[1]]
            self.outbox.close()
            with open(self.outbox.path(first), "rb") as file:
                data = bytearray(file.read())
            for i in range(op[2], op[2] + op[3]):
                data[-1 - i] ^= 0xA5
            with open(self.outbox.path(first), "wb") as file:
                file.write(data)
            return ["damaged"]
        raise ValueError(name)


base = None
for line in sys.stdin:
    job = json.loads(line)
    try:
        if job["base"] is None or job["base"] != base:
            node = Node(job["blocks"], job["limit"])
            before = [node.do(op) for op in job["base"] or ()]
            base = job["base"]
            saved = bytes(node.data)
        else:  # the same flash again, as it was then
            node.data[:] = saved
            node.acked = node.salt = 0
            node.boot()
        answers = before + [node.do(op) for op in job["ops"]]
        print("=", json.dumps(answers))
    except CutError:
        print("=", json.dumps(None))
