"""Column blocks: what is packed comes back bit for bit, in few bytes; damage is noticed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from slo_guard.store.blocks import BlockError, pack_block, unpack_block
from slo_guard.store.runs import RunMember, pack_run, unpack_run

columns = st.lists(
    st.none()
    | st.binary(max_size=50)
    | st.sampled_from([np.float64, np.int64, np.int8, np.bool_]).flatmap(
        lambda dtype: arrays.arrays(dtype, st.integers(0, 600))
    ),
    max_size=5,
)


@given(columns)
def test_columns_come_back_bit_for_bit(saved: list[Any]) -> None:
    """NaN payloads, signed zeros and empty arrays included: replay must judge the same bits."""
    read = unpack_block(pack_block(*saved))

    assert len(read) == len(saved)
    for before, after in zip(saved, read, strict=True):
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype
            assert after.tobytes() == before.tobytes()
        else:
            assert after == before


@pytest.mark.parametrize(
    ("name", "values", "most_bytes"),
    [
        ("random", np.random.default_rng(1).lognormal(-1, 0.3, 100_000), 6.9),
        ("three decimals", np.round(np.random.default_rng(1).lognormal(-1, 0.3, 100_000), 3), 2.4),
        ("counters", np.floor(np.random.default_rng(1).exponential(1e5, 100_000)), 2.8),
        ("constant", np.full(100_000, 0.83), 0.05),
    ],
)
def test_a_sample_takes_few_bytes(name: str, values: Any, most_bytes: float) -> None:
    """The disk bound is a span of history: twice the bytes is half of the history."""
    assert len(pack_block(values, None)) / len(values) < most_bytes


def test_arrays_that_are_views_are_taken_as_they_look() -> None:
    """Frames are often slices of larger arrays."""
    grid = np.arange(2000.0).reshape(1000, 2)

    (read,) = unpack_block(pack_block(grid[::-2, 1]))

    assert read.tolist() == grid[::-2, 1].tolist()


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\x00nonsense", b"\x07" + pack_block(np.ones(3))[1:-4]])
def test_damage_is_noticed(damage: bytes) -> None:
    """Half a block must not become half a reading."""
    with pytest.raises(BlockError):
        unpack_block(damage)


@given(st.lists(st.tuples(st.binary(max_size=40), st.none() | st.floats(0, 1e9)), min_size=1, max_size=8))
def test_a_run_gives_back_its_members(saved: list[tuple[bytes, float | None]]) -> None:
    """Frames of equal and of different lengths follow on each other; each must come back as it was."""
    members = [RunMember(number, number / 2, at, payload) for number, (payload, at) in enumerate(saved, start=5)]

    assert list(unpack_run(pack_run(members))) == members
