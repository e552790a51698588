"""Runs: the frames of one indicator over one index in one block, each keeping its id, ``at`` and ``seen_at``.

From frame to frame most bytes stay as they are: every payload but the first is stored as its difference (xor)
from the one before, which is mostly zeros and compresses to little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from slo_guard.store.blocks import BlockError, pack_block, unpack_block


@dataclass(frozen=True, slots=True)
class RunMember:
    """One frame of a run; ``payload`` as :func:`slo_guard.store.blocks.inflate_block` gives it."""

    id: int
    seen_at: float
    at: float | None
    payload: bytes


def pack_run(members: Sequence[RunMember]) -> bytes:
    """Return the block of a run; members in ascending id."""
    differences, before = [], b""
    for member in members:
        differences.append(_difference(member.payload, before))
        before = member.payload
    return pack_block(
        np.array([member.id for member in members], dtype=np.int64),
        np.array([member.seen_at for member in members], dtype=np.float64),
        np.array([np.nan if member.at is None else member.at for member in members], dtype=np.float64),
        np.array([len(member.payload) for member in members], dtype=np.int64),
        b"".join(differences),
    )


def unpack_run(block: bytes) -> Iterator[RunMember]:
    """Yield the members of a run in ascending id. Raises ``BlockError``."""
    columns = unpack_block(block)
    if len(columns) != 5:
        raise BlockError("a run of readings is not complete")
    *arrays, differences = columns
    offset, before = 0, b""
    for number, seen_at, at, length in zip(*(array.tolist() for array in arrays), strict=True):
        before = _difference(differences[offset : offset + length], before)
        offset += length
        yield RunMember(number, seen_at, None if np.isnan(at) else at, before)


def _difference(payload: bytes, before: bytes) -> bytes:
    """Return ``payload`` xor ``before``, which undoes itself; as it is where their lengths differ."""
    if len(payload) != len(before):
        return payload
    return (np.frombuffer(payload, np.uint8) ^ np.frombuffer(before, np.uint8)).tobytes()
