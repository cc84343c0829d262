"""Columns of unsigned numbers as bytes that compress well, and back: vectors over all of them."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.uint8]


@lru_cache(64)
def masks(bits: tuple[int, ...], size: int) -> NDArray[Any]:
    """Return [column, 1]: the greatest number of so many bits, in `size` bytes."""
    return np.array([(1 << width) - 1 for width in bits], f"u{size}")[:, None]


@lru_cache(64)
def counts(bits: tuple[int, ...]) -> tuple[int, ...]:
    """Return how many bytes, and planes, each column has."""
    return tuple((width + 7) // 8 for width in bits)


def deltas(values: NDArray[Any], masks: NDArray[Any]) -> NDArray[Any]:
    """Return [column, row] as differences along the rows, zigzag within each column's bits."""
    moved = values.copy()
    moved[:, 1:] -= values[:, :-1]
    moved &= masks
    one = moved.dtype.type(1)
    # 0, -1, 1, -2 ... become 0, 1, 2, 3: negative ones are those above the half.
    down = moved > masks >> one
    np.subtract(masks, moved, out=moved, where=down)
    moved <<= one
    moved |= down
    return moved


def sums(folded: NDArray[Any], masks: NDArray[Any]) -> NDArray[Any]:
    """Return what `deltas` made [column, row] of."""
    one = folded.dtype.type(1)
    moved = folded >> one
    np.subtract(masks, moved, out=moved, where=(folded & one).astype(np.bool_))
    summed: NDArray[Any] = np.cumsum(moved, axis=1, dtype=folded.dtype)
    summed &= masks
    return summed


@lru_cache(64)
def _needed(bits: tuple[int, ...], size: int) -> NDArray[np.bool_]:
    """Return [column, byte of `size`]: which bytes a column of so many bits has."""
    return np.array(counts(bits))[:, None] > np.arange(size)


def planes(values: NDArray[Any], bits: tuple[int, ...]) -> Planes:
    """Return [plane, row]: the bytes of each column, the least first."""
    size = values.dtype.itemsize
    by_byte = np.ascontiguousarray(values).view(np.uint8).reshape(*values.shape, size)
    return by_byte.transpose(0, 2, 1)[_needed(bits, size)]


def numbers(planes: Planes, bits: tuple[int, ...], kind: type[Any]) -> NDArray[Any]:
    """Return [column, row], which `planes` took apart."""
    size = np.dtype(kind).itemsize
    by_byte = np.zeros((len(bits), size, planes.shape[1]), np.uint8)
    by_byte[_needed(bits, size)] = planes
    turned = np.ascontiguousarray(by_byte.transpose(0, 2, 1))
    found: NDArray[Any] = turned.view(kind).reshape(len(bits), planes.shape[1])
    return found


def cheaper(values: NDArray[Any], deltas: NDArray[Any]) -> NDArray[np.bool_]:
    """Say of each column whether its differences are about the smaller numbers."""

    return np.asarray(
        deltas.sum(axis=1, dtype=np.float32) < values.sum(axis=1, dtype=np.float32), np.bool_
    )
