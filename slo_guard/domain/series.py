"""Label sets and the immutable, interned index that names the rows of a frame."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import ClassVar

LabelSet = tuple[tuple[str, str], ...]
"""A series' labels as (name, value) pairs, sorted by name; hashable."""


def label_set(labels: Mapping[str, str]) -> LabelSet:
    """Return ``labels`` in the canonical, hashable form."""
    return tuple(sorted(labels.items()))


class SeriesIndex:
    """The label sets of a frame's rows: immutable, and one object for as long as the sets are the same.

    Build it with :meth:`of`, which interns: two calls with equal label sets in equal order give the
    same object while one is alive, so consumers may cache what they derive by ``id`` or in a
    ``WeakKeyDictionary``. Label sets are unique within an index; ``of`` raises ``ValueError`` if not.
    """

    _interned: ClassVar[weakref.WeakValueDictionary[tuple[LabelSet, ...], SeriesIndex]] = weakref.WeakValueDictionary()

    def __init__(self, label_sets: tuple[LabelSet, ...]) -> None:
        self.label_sets = label_sets
        self._values_of: dict[str, tuple[str, ...]] = {}

    @classmethod
    def of(cls, label_sets: Iterable[LabelSet]) -> SeriesIndex:
        """Return the interned index of ``label_sets``, in their order."""
        key = tuple(label_sets)
        found = cls._interned.get(key)
        if found is None:
            if len(set(key)) != len(key):
                raise ValueError("an index names each series once; a label set occurs twice")
            found = cls._interned.setdefault(key, cls(key))
        return found

    def __len__(self) -> int:
        return len(self.label_sets)

    def __repr__(self) -> str:
        return f"SeriesIndex({len(self)} series)"

    def values_of(self, label: str) -> tuple[str, ...]:
        """Return the values that ``label`` has, sorted, without the empty one; found once, as the sets never change."""
        if label not in self._values_of:
            found = {value for labels in self.label_sets for name, value in labels if name == label}
            self._values_of[label] = tuple(sorted(found - {""}))
        return self._values_of[label]

    @cached_property
    def positions(self) -> dict[LabelSet, int]:
        """Map each label set to its row."""
        return {labels: row for row, labels in enumerate(self.label_sets)}

    @cached_property
    def digest(self) -> str:
        """A stable name of the content (hex, 32 characters) for stores."""
        content = json.dumps(self.label_sets, ensure_ascii=False, separators=(",", ":"))
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


EMPTY_INDEX = SeriesIndex.of(())
NO_LABELS_INDEX = SeriesIndex.of(((),))
