"""What composes: counts, sums, extremes, energies and histograms of many nodes' messages.

Everything is an integer, so that adding up is exact and no order of it matters: late data is
added when it comes, five minutes make hours, hours make days, and each way gives the same.
"""

from lampione.rollup.accumulate import accumulate, coarsen
from lampione.rollup.block import BLOCK, Block, DamagedBlock
from lampione.rollup.measures import LEVELS, MEASURES, Measure, Rule

__all__ = [
    "BLOCK",
    "LEVELS",
    "MEASURES",
    "Block",
    "DamagedBlock",
    "Measure",
    "Rule",
    "accumulate",
    "coarsen",
]
