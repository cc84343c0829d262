"""`os` with chance that repeats: on the virtual clock the same board does the same at each boot."""

import random
from hashlib import sha256
from os import *  # noqa: F403

from _wire import info

_seed = (info["unique_id"] + str(info["boots"])).encode()
_drawn = [0]


def urandom(n):
    found = b""
    while len(found) < n:
        _drawn[0] += 1
        found += sha256(_seed + str(_drawn[0]).encode()).digest()
    return found[:n]


random.seed(int.from_bytes(urandom(4), "big"))
