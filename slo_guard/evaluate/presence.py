"""Which groups of a KPI are in view: those with series, those expected, those whose alerts came back from the store."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from slo_guard.domain.kpi import KPI
from slo_guard.domain.readings import BoolArray, IntArray
from slo_guard.domain.series import SeriesIndex
from slo_guard.evaluate.history import grown_flags
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.rows import Groups


class Presence:
    """Knows of each group why it is shown. Two kinds of groups are *stand-ins* that have no series of their own.

    The one without labels stands for a KPI that has no series at all. Where ``expect`` names some of the ``by``
    labels only, one with the others empty stands for the series that are missing, until any group agrees with it.
    """

    def __init__(self, kpi: KPI, groups: Groups, inputs: tuple[Input, ...]) -> None:
        self._kpi = kpi
        self._groups = groups
        self._inputs = inputs
        self._in_part = bool(kpi.expect) and len(kpi.expect) < len(groups.by)
        self._expected: BoolArray = np.zeros(0, dtype=bool)
        self._expected_from: object = None
        self._stand_ins: dict[tuple[str, ...], int] = {}
        self._stand_in_of: IntArray = np.zeros(0, dtype=np.int64)
        self._kept: BoolArray = np.zeros(0, dtype=bool)
        self._restored_at = -np.inf
        self._answered_at: float | None = None
        self._shown: tuple[IntArray, SeriesIndex] | None = None

    @property
    def expected(self) -> BoolArray:
        """Which groups ``expect`` names, shape (groups,)."""
        self._expected = grown_flags(self._expected, len(self._groups))
        return self._expected

    def keep(self, group: int, restored_at: float) -> None:
        """Keep a group in view whose alert was restored as of ``restored_at``, although nothing is read of it yet."""
        self._kept = grown_flags(self._kept, len(self._groups))
        self._kept[group] = True
        self._restored_at = max(self._restored_at, restored_at)

    def expect(self, found: Mapping[str, tuple[str, ...]]) -> None:
        """Give the groups that ``expect`` names their numbers, again when the labels ``found`` elsewhere change."""
        known = tuple(sorted(found.items()))
        if not self._kpi.expect or known == self._expected_from:
            return
        self._expected_from = known
        names = [expected.label for expected in self._kpi.expect]
        choices = [
            expected.values if expected.labels_of is None else found.get(expected.label, ())
            for expected in self._kpi.expect
        ]
        self._stand_ins = {}
        for values in product(*choices):
            have = dict(zip(names, values, strict=True))
            self._stand_ins[values] = self._groups.code(tuple((name, have.get(name, "")) for name in self._groups.by))
        self._stand_in_of = np.zeros(0, dtype=np.int64)
        self._expected = np.zeros(len(self._groups), dtype=bool)
        self._expected[list(self._stand_ins.values())] = True

    def stood_in(self, group: int) -> bool:
        """Whether a group only stood for series that were missing; it leaves when they appear."""
        if not self._kpi.by:
            return False
        never_read = all(source.folding.counts[group] == 0 for source in self._inputs)
        return self._groups.labels[group] == () or (self._in_part and never_read and bool(self.expected[group]))

    def in_view(self, now: float, kept: BoolArray | None = None) -> tuple[IntArray, SeriesIndex]:
        """Return the groups to show and their index, the same index object while they are the same groups.

        ``kept``: which groups stay whatever becomes of their series: what is broken for good does not leave with them.
        """
        seen = np.zeros(len(self._groups), dtype=bool) if kept is None else kept.copy()
        unread = np.ones(len(self._groups), dtype=bool)
        for source in self._inputs:
            seen |= self._signed(source, now)
            folding = source.folding
            seen |= folding.any(~source.forgotten(now, self._kpi.forget_after_seconds))
            unread &= folding.counts == 0
        if self._keeps_unread(now):
            seen |= unread & grown_flags(self._kept, len(unread)) & ~self._partly_expected
        groups = np.flatnonzero(seen | self._awaited(seen))
        labels = self._groups.labels
        if not len(groups) and () in labels:
            groups = np.array([self._groups.code(())], dtype=np.int64)
        elif self._kpi.by and () in labels and len(groups) > 1:
            groups = groups[groups != self._groups.code(())]
        if self._shown is None or not np.array_equal(self._shown[0], groups):
            self._shown = groups, SeriesIndex.of(labels[group] for group in groups)
        return self._shown

    @property
    def _partly_expected(self) -> BoolArray:
        return self.expected if self._in_part else np.zeros(len(self._groups), dtype=bool)

    def _signed(self, source: Input, now: float) -> BoolArray:
        """Return the groups that evidence has spoken of at any time: unsigned they are false, not gone."""
        if source.evidence is None:
            return np.zeros(len(self._groups), dtype=bool)
        spoken_of = np.array([labels != () for labels in self._groups.labels], dtype=bool) & ~self._partly_expected
        if self._in_part:
            for sign_off in source.evidence.sign_offs:
                if sign_off.when <= now and source.rows.accepts(sign_off.labels):
                    spoken_of[self._groups.code_of_series(sign_off.labels)] = True
        return spoken_of

    def _keeps_unread(self, now: float) -> bool:
        """Whether groups of restored alerts of which nothing is read yet stay in view.

        They do until the source has had ``forget_after`` to show them: while it fails, time says nothing of them.
        """
        if not self._kept.any():
            return False
        if self._answered_at is None:
            answers = [source.succeeded_at for source in self._inputs]
            known = [at for at in answers if at is not None and at > self._restored_at]
            self._answered_at = max(known) if len(known) == len(answers) else None
        return self._answered_at is None or now - self._answered_at < self._kpi.forget_after_seconds

    def _awaited(self, seen: BoolArray) -> BoolArray:
        """Return the groups that ``expect`` shows: those it names, less stand-ins that a ``seen`` group agrees with."""
        expected = self.expected
        if not self._in_part:
            return expected
        needless = self._stand_ins_of_groups()[seen]
        awaited = expected.copy()
        awaited[needless[needless >= 0]] = False
        return awaited

    def _stand_ins_of_groups(self) -> IntArray:
        """Return for each group the stand-in that it makes needless, or -1."""
        known = len(self._stand_in_of)
        if known < len(self._groups):
            names = [expected.label for expected in self._kpi.expect]
            new = (dict(labels) for labels in self._groups.labels[known:])
            found = [self._stand_ins.get(tuple(have.get(name, "") for name in names), -1) for have in new]
            self._stand_in_of = np.concatenate([self._stand_in_of, np.array(found, dtype=np.int64)])
        return self._stand_in_of
