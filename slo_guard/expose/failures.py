"""How often an address may be wrong about who it is: ten times at once, then once every six seconds."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable

_AT_ONCE = 10
_SECONDS_EACH = 6.0
_ADDRESSES = 4096


class FailureLimit:
    """Counts tries by client address, in bounded memory; not for use from several threads.

    A try is charged before it is judged, so that many at the same time do not slip through, and given back when it
    was right. ``stopwatch`` gives seconds that never go back.
    """

    def __init__(self, stopwatch: Callable[[], float]) -> None:
        self._stopwatch = stopwatch
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def charge(self, address: str) -> int | None:
        """Charge a try; returns None, or after how many whole seconds the next is let through."""
        place, now = _place(address), self._stopwatch()
        spent = self._left(place, now)
        if spent + 1 > _AT_ONCE:
            return math.ceil((spent + 1 - _AT_ONCE) * _SECONDS_EACH)
        self._keep(place, spent + 1, now)
        return None

    def give_back(self, address: str) -> None:
        """Take back what was charged last: it was right."""
        place, now = _place(address), self._stopwatch()
        self._keep(place, max(0.0, self._left(place, now) - 1), now)

    def _left(self, place: str, now: float) -> float:
        spent, at = self._spent.get(place, (0.0, now))
        return max(0.0, spent - (now - at) / _SECONDS_EACH)

    def _keep(self, place: str, spent: float, now: float) -> None:
        self._spent[place] = (spent, now)
        self._spent.move_to_end(place)
        while len(self._spent) > _ADDRESSES:
            self._spent.popitem(last=False)


def _place(address: str) -> str:
    """Return what counts as one client: an IPv4 address, the /64 network of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
