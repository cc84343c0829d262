"""Figures that compose: of every node, in buckets of 5 minutes, an hour and a UTC day.

Pure: messages' columns in, blocks of integers out (`accumulate`, `block`), and from those the
figures that people read (`noise`, `traffic`, `air`, `energy`). docs/indices.md lists them.
"""

from lampione.rollup.accumulate import accumulate, coarsen
from lampione.rollup.block import Block, BlockError
from lampione.rollup.measures import BLOCK, LEVELS, MEASURES, Kind, Measure

__all__ = [
    "BLOCK",
    "LEVELS",
    "MEASURES",
    "Block",
    "BlockError",
    "Kind",
    "Measure",
    "accumulate",
    "coarsen",
]
