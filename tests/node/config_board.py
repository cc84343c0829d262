# mypy: ignore-errors
"""MicroPython's half of test_config_store: configs on LittleFS in memory, with power that can fail.

Reads one list of operations a line, as JSON, and prints "=" and what came of each, as JSON.
"""

import asyncio
import gc
import json
import os
import sys

import vfs
from lampione_node import config, settings, setup
from lampione_protocol import codec, schema

BLOCK = 4096
EIO = 5
CHUNK = 25


class CutError(BaseException):
    """The power is gone. Not an Exception, so that nothing on the node can catch it."""


class Flash:
    """NOR flash that tears write or erase number `left` and does nothing from then on.

    While `broken` it refuses to write; `erases` counts them a block.
    """

    def __init__(self, data):
        self.data = data
        self.left = -1
        self.dead = self.broken = False
        self.erases = [0] * (len(data) // BLOCK)
        self.steps = 0

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        buf[:] = memoryview(self.data)[at : at + len(buf)]

    def _put(self, at, buf):
        if self.dead:
            return 0
        if self.broken:
            return -EIO
        self.steps += 1
        torn = self.left == 0
        size = len(buf) // 2 if torn else len(buf)
        self.data[at : at + size] = memoryview(buf)[:size]
        if torn:
            self.dead = True
            raise CutError()
        self.left -= 1
        return 0

    def writeblocks(self, block, buf, offset=0):
        return self._put(block * BLOCK + offset, buf)

    def ioctl(self, op, arg):
        if op == 4:
            return len(self.data) // BLOCK
        if op == 5:
            return BLOCK
        if op == 6:
            self.erases[arg] += 1
            return self._put(arg * BLOCK, b"\xff" * BLOCK)
        return 0


class Desk:
    """Commands and post in one: admits everything, notes what is said."""

    def __init__(self):
        self.clock = self
        self.now = 0
        self.said = []
        self.events = []

    def admit(self, *_):
        return 0

    def result(self, counter, op, outcome, reason=0, value=None):
        self.said.append([op, outcome, reason, value])
        return 1

    def event(self, code, severity, argument=0):
        self.events.append([code, argument])

    def uptime_s(self):
        return self.now


class Node:
    """One flash through its boots."""

    def __init__(self, blocks, blobs, given):
        self.blobs = [bytes.fromhex(blob) for blob in blobs]
        self.data = bytearray(blocks * BLOCK)
        self.flash = Flash(self.data)
        vfs.VfsLfs2.mkfs(self.flash)
        self.counter = 0
        self.mount()
        with open("/f/settings.json", "w") as file:
            json.dump(given, file)
        self.power_on()

    def mount(self):
        flash = Flash(self.data)
        flash.erases = self.flash.erases
        flash.left = -1 if self.flash.dead else self.flash.left
        self.flash.dead = True  # or the collector closes files of the boot before
        if "f" in os.listdir("/"):
            vfs.umount("/f")
        gc.collect()
        self.flash = flash
        vfs.mount(vfs.VfsLfs2(flash), "/f")

    def power_on(self):
        """Boot until it goes through; the power may fail in the first try."""
        while True:
            try:
                self.boot()
                return
            except CutError:
                pass

    def boot(self):
        self.mount()
        asyncio.new_event_loop()
        sys.modules["lampione_node.settings"] = settings
        sys.modules["lampione_node"].settings = settings
        self.restart = False
        made, self.faults = config.start(settings, "/f")
        self.running = made["config"]
        self.desk = Desk()
        self.lit = self.running.get("blob")
        self.setup = setup.Setup(self.desk, self.desk, self.running, self.restarts, "/f")
        self.setup.on_config = self.light
        self.at = 0
        if "reverted" in self.running:
            self.desk.events.append([22, self.running["reverted"]])
        if self.running["state"] == 1:
            self.setup.begin()

    def restarts(self, _seq):
        self.restart = True

    def light(self, blob):
        if blob and b"dark" in blob:
            raise ValueError(blob)
        self.lit = blob

    def frame(self, fields, values):
        buf = codec.encode(fields, values)
        sys.modules["lampione_node.settings"] = settings
        sys.modules["lampione_node"].settings = settings
        return bytearray(buf)

    def ask(self, op, which, trial_s=600):
        blob = self.blobs[which]
        digest = config.sha256(blob).digest()[:8]
        self.counter += 1
        values = [op, which, len(blob), digest, None, None, trial_s]
        buf = self.frame(schema.SETUP_FIELDS, values)
        self.setup.execute(self.counter, buf, 0, len(buf))
        if op == 11 and self.desk.said[-1][1] == 0:
            self.at = self.desk.said[-1][3]

    def chunk(self, which, at, data):
        buf = self.frame(schema.CONFIG_FIELDS, [which, at, None, data])
        self.setup.chunk(buf, 0, len(buf))

    def send(self, which, count):
        blob = self.blobs[which]
        while count and self.at < len(blob):
            self.chunk(which, self.at, blob[self.at : self.at + CHUNK])
            self.at += CHUNK
            count -= 1

    def damage(self, slot, how):
        path = "/f/config/" + slot
        try:
            with open(path, "rb") as file:
                data = bytearray(file.read())
        except OSError:
            return
        at = how % len(data)
        while True:
            if how < 0:
                data = data[:how]
            else:
                data[at] ^= 1 << how % 8
            with open(path, "wb") as file:
                file.write(data)
            if not config.load("/f/config", slot):
                return
            at = (at + 1) % len(data)  # a bit that was damaged already

    def fill(self):
        number = 0
        size = BLOCK
        while size > 100:
            try:
                with open("/f/other%d" % number, "wb") as file:
                    file.write(bytes(size))
                number += 1
            except OSError:
                size //= 2

    def do(self, op):
        name = op[0]
        if name in ("offer", "apply", "confirm", "revert"):
            self.ask(("offer", "apply", "confirm", "revert").index(name) + 11, op[1])
        elif name == "send":
            self.send(op[1], op[2])
        elif name == "chunk":  # any at all
            self.chunk(op[1], op[2], bytes.fromhex(op[3]))
        elif name == "expire":
            self.desk.now += 5000
            asyncio.run(self.setup._watch())
        elif name == "boot":
            self.boot()
        elif name == "cut":  # the power fails at the n-th write or erase from now on
            self.flash.left = op[1]
        elif name == "broken":
            self.flash.broken = op[1]
        elif name == "damage":
            self.damage(op[1], op[2])
        elif name == "fill":  # somebody else's file takes room
            self.fill()
        else:
            raise ValueError(name)

    def facts(self):
        try:
            files = {entry[0]: entry[3] for entry in os.ilistdir("/f/config")}
        except OSError:
            files = {}
        running = self.running
        return {
            "version": running["version"],
            "state": running["state"],
            "lit": self.blobs.index(self.lit) if self.lit else 0,
            "files": files,
            "erases": sum(self.flash.erases),
            "steps": self.flash.steps,
        }

    def answer(self, op):
        cut = False
        self.desk.said.clear()
        self.desk.events.clear()
        restarted = False
        try:
            self.do(op)
            if self.restart:
                restarted = True
                said = self.desk.said
                events = self.desk.events
                self.boot()
                self.desk.said = said + self.desk.said
                self.desk.events = events + self.desk.events
        except CutError:
            cut = True
            self.power_on()
        found = {"cut": cut, "restarted": restarted, "said": self.desk.said}
        found["events"] = self.desk.events
        found.update(self.facts())
        return json.loads(json.dumps(found))


node = None
for line in sys.stdin:
    job = json.loads(line)
    node = Node(job["blocks"], job["blobs"], job["settings"])
    print("=", json.dumps([node.answer(op) for op in job["ops"]]))
