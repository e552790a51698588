"""A store whose disk is full for a while."""

from __future__ import annotations

from typing import Any

from slo_guard.domain.ports import Store
from slo_guard.errors import StoreError

_HOPS = {"save_collection", "save_evaluation", "save_plan", "record_attempt", "lease", "prune", "withdraw"}
_SAYINGS = {"add_silence", "expire_silence", "acknowledge", "end_acknowledgement"}
_WRITES = frozenset(_HOPS | _SAYINGS)


class FlakyStore:
    """Implements :class:`slo_guard.domain.ports.Store` over another; while ``full`` all that writes fails, or only ``refused``."""

    def __init__(self, store: Store, refused: frozenset[str] = _WRITES) -> None:
        self._store = store
        self._refused = refused
        self.full = False

    def __getattr__(self, name: str) -> Any:
        if name in self._refused and self.full:
            return self._refuse
        return getattr(self._store, name)

    @staticmethod
    def _refuse(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk is full")
