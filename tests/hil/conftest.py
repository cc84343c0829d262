"""One bench with the wall clock for the tests of a module."""

from tests.virtual_bench import bench

__all__ = ["bench"]
