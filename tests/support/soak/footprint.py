"""What a process holds, counted after everything that can go is gone, and whether it grows."""

from __future__ import annotations

import ctypes
import gc
import itertools
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil


@dataclass(frozen=True)
class Footprint:
    """At one hour: bytes of memory, of arrays and of the store's files; numbers of all else; ``objects`` by type."""

    hour: float
    rss: int
    blocks: int
    arrays: int
    threads: int
    handles: int
    store: int
    objects: dict[str, int]

    @classmethod
    def taken(cls, hour: float, store: Path) -> Footprint:
        """Take it now, of this process."""
        gc.collect()
        tracked = gc.get_objects()
        counts = Counter(map(_type_name, tracked))
        arrays = _array_bytes(tracked)
        del tracked
        _give_free_memory_back()
        process = psutil.Process()
        files = [store.with_name(store.name + suffix) for suffix in ("", "-wal", "-shm")]
        return cls(
            hour=hour,
            rss=process.memory_info().rss,
            blocks=sys.getallocatedblocks(),
            arrays=arrays,
            threads=process.num_threads(),
            handles=process.num_fds(),
            store=sum(file.stat().st_size for file in files if file.exists()),
            objects=dict(counts),
        )


@dataclass(frozen=True)
class Growth:
    """By how much something grew over all samples, by the median of the slopes between any two of them."""

    what: str
    first: float
    last: float
    grown: float

    def __str__(self) -> str:
        return f"{self.what}: {self.first:,.0f} -> {self.last:,.0f}, by its slope {self.grown:+,.0f}"


def growth(what: str, hours: Sequence[float], values: Sequence[float]) -> Growth:
    """Return how ``values`` grew by Theil and Sen's slope: single peaks, such as those of malloc, do not bend it."""
    pairs = itertools.combinations(zip(hours, values, strict=True), 2)
    slope = statistics.median((later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs)
    return Growth(what, values[0], values[-1], slope * (hours[-1] - hours[0]))


def growths(samples: Sequence[Footprint]) -> dict[str, Growth]:
    """Return how each number grew, those of each type of object by ``objects of TYPE``."""
    hours = [each.hour for each in samples]
    numbers = ("rss", "blocks", "arrays", "threads", "handles", "store")
    found = {name: growth(name, hours, [getattr(each, name) for each in samples]) for name in numbers}
    for kind in {kind for each in samples for kind in each.objects}:
        counts = [each.objects.get(kind, 0) for each in samples]
        found[f"objects of {kind}"] = growth(kind, hours, counts)
    return found


def _type_name(found: Any) -> str:
    kind = type(found)
    return f"{kind.__module__}.{kind.__qualname__}"


def _array_bytes(tracked: list[Any]) -> int:
    """Return the bytes of all arrays that own theirs: the collector does not track arrays, but what holds them."""
    seen: dict[int, int] = {}
    for start in range(0, len(tracked), 10_000):
        for found in gc.get_referents(*tracked[start : start + 10_000]):
            if type(found) is np.ndarray and found.base is None:
                seen[id(found)] = found.nbytes
    return sum(seen.values())


def _give_free_memory_back() -> None:
    """Have the allocator return what is free, so that RSS is what is held, not the highest that ever was."""
    ctypes.CDLL(None).malloc_trim(0)
