"""The store: readings, alerts, transitions and the outbox, in SQL.

Hop by hop: :mod:`readings`, :mod:`evaluations`, :mod:`outbox` hold the statements; :mod:`sql_store` puts each
behind the port as one transaction; what only SQLite knows stands in :mod:`sqlite`.
"""

from __future__ import annotations

from slo_guard.store.backup import back_up, check_store
from slo_guard.store.inventory import take_inventory
from slo_guard.store.sql_store import open_store, open_stored

__all__ = ["back_up", "check_store", "open_store", "open_stored", "take_inventory"]
