"""asyncio's Task, TaskQueue and its queue of streams on the board's own clock.

The interpreter has them in C, where they read a clock that wraps at another place than the
board's `ticks_ms` and cannot follow virtual time. Here the queue is a sorted list: a node has a
dozen tasks. What waits for streams is asyncio's own, compiled: it runs a hundred times a second,
and its frames would be the program's memory.
"""

import select
import sys
from time import ticks_diff, ticks_ms

import micropython
from micropython import const

_HALF = const(1 << 29)
_IN, _OUT = select.POLLIN, select.POLLOUT
_core = []  # asyncio.core


class TaskQueue:
    """Tasks in the order of their time; first come, first served at the same time."""

    def __init__(self):
        self.first = None
        if not _core:  # asyncio's import has come to where it makes its own
            _compile()

    @micropython.native
    def peek(self):
        return self.first

    @micropython.native
    def push(self, task, key=None):
        task.data = None
        task.ph_key = key = ticks_ms() if key is None else key
        before = None
        at = self.first
        # ticks_diff(key, at.ph_key) >= 0, without a call for each
        while at is not None and key - at.ph_key & 0x3FFFFFFF < _HALF:
            before = at
            at = at.after
        task.after = at
        if before is None:
            self.first = task
        else:
            before.after = task

    @micropython.native
    def pop(self):
        task = self.first
        self.first = task.after
        task.after = None
        return task

    @micropython.native
    def remove(self, task):
        if self.first is task:
            self.first = task.after
        else:
            at = self.first
            while at.after is not task:
                at = at.after
            at.after = task.after
        task.after = None


class Task:
    """One coroutine. `loop` is asyncio.core's namespace, as the C version takes it.

    `state`: True while running with nobody waiting, a TaskQueue of those who wait, a function to
    call at the end, None when ended unseen, False when ended and seen.
    """

    def __init__(self, coro, loop=None):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0
        self.after = None
        self.loop = loop

    @micropython.native
    def __iter__(self):
        if not self.state:
            self.state = False
        elif self.state is True:
            self.state = TaskQueue()
        elif type(self.state) is not TaskQueue:
            raise RuntimeError("can't wait")
        return self

    @micropython.native
    def __next__(self):
        if not self.state:
            raise self.data
        current = self.loop["cur_task"]
        self.state.push(current)
        current.data = self

    def done(self):
        return not self.state

    def cancel(self):
        if not self.state:
            return False
        if self is self.loop["cur_task"]:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        queue = self.loop["_task_queue"]
        if hasattr(task.data, "remove"):
            task.data.remove(task)
            queue.push(task)
        elif ticks_diff(task.ph_key, ticks_ms()) > 0:
            queue.remove(task)
            queue.push(task)
        task.data = self.loop["CancelledError"]
        return True


def _compile():
    _core.append(sys.modules["asyncio.core"])
    queue = _core[0].IOQueue
    queue._enqueue = _enqueue
    queue._dequeue = _dequeue
    queue.wait_io_event = _wait_io_event


@micropython.native
def _enqueue(self, stream, index):
    task = _core[0].cur_task
    entry = self.map.get(id(stream))
    if entry is None:
        self.map[id(stream)] = entry = [None, None, stream]
        self.poller.register(stream, _OUT if index else _IN)
    else:
        assert entry[index] is None
        self.poller.modify(stream, _IN | _OUT)
    entry[index] = task
    task.data = self


@micropython.native
def _dequeue(self, stream):
    del self.map[id(stream)]
    self.poller.unregister(stream)


@micropython.native
def _wait_io_event(self, dt):
    for stream, events in self.poller.ipoll(dt):
        entry = self.map[id(stream)]
        if events & ~_OUT and entry[0] is not None:
            _core[0]._task_queue.push(entry[0])
            entry[0] = None
        if events & ~_IN and entry[1] is not None:
            _core[0]._task_queue.push(entry[1])
            entry[1] = None
        if entry[0] is None and entry[1] is None:
            self._dequeue(stream)
        else:
            self.poller.modify(stream, _OUT if entry[0] is None else _IN)
