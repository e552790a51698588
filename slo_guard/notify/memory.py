"""The groups of one planner run: read where they matter, written back where they changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slo_guard.domain.notifications import Route
from slo_guard.notify.groups import Group, GroupHead, GroupKey


class GroupMemory:
    """What earlier runs left of each conversation, and what this run makes of it.

    Raises ``StoreError`` for groups that cannot be read.
    """

    def __init__(self, before: Mapping[str, str]) -> None:
        self._before = before
        self._heads = {name: GroupHead.from_text(text) for name, text in before.items()}
        self._groups: dict[str, Group] = {}
        self._touched: set[str] = set()

    def group(self, key: GroupKey) -> Group:
        """Return a conversation as it stands in this run; a new one where there was none."""
        name = key.text
        group = self._groups.get(name)
        if group is None:
            text = self._before.get(name)
            group = self._groups[name] = Group(key) if text is None else Group.from_text(text)
        return group

    def touch(self, group: Group) -> None:
        """Have ``group`` looked at when the run is over: it may have changed."""
        self._touched.add(group.key.text)

    def groups_of(self, route: Route, matters: Callable[[GroupHead], bool]) -> list[Group]:
        """Return the receiver's groups that this run has opened, and those whose stored head ``matters``."""
        names = [name for name, head in self._heads.items() if name in self._groups or matters(head)]
        keys = [self._heads[name].key for name in names]
        keys += [group.key for name, group in self._groups.items() if name not in self._heads]
        return [self.group(key) for key in keys if key.receiver == route.receiver]

    def forget_receivers_other_than(self, receivers: set[str]) -> None:
        """Forget the groups of receivers that are no longer in the config."""
        for name, head in self._heads.items():
            if head.key.receiver not in receivers:
                self._touched.add(name)
                self._groups[name] = Group(head.key)

    def changed(self) -> dict[str, str | None]:
        """Return the groups whose text is another than before; None for those with nothing left to remember."""
        after = {name: self._groups[name].to_text() for name in sorted(self._touched)}
        return {name: text for name, text in after.items() if text != self._before.get(name)}
