"""Flashing: a firmware onto a board, over its serial line, without ever leaving it without one."""

from lampione_hil.flashing.flash import Flashed, Stopped, flash
from lampione_hil.flashing.hello import Hello, wait_hello
from lampione_hil.flashing.slots import SLOT, Tree

__all__ = ["SLOT", "Flashed", "Hello", "Stopped", "Tree", "flash", "wait_hello"]
