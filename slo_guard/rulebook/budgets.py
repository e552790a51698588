"""The error budget of a ratio and its burn alerts: what is written, checked by the arithmetic that it leads to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from slo_guard.domain.budgets import factor_of
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import (
    KPI,
    BudgetMethod,
    BurnPair,
    ErrorBudget,
    Measure,
    Objective,
    Op,
    RatioPair,
    Severity,
    Source,
    Sprint,
    Window,
    WindowKind,
)
from slo_guard.errors import Finding, UnitError
from slo_guard.located_yaml import KeyPath
from slo_guard.rulebook.amounts import misfit
from slo_guard.rulebook.drafts import Draft
from slo_guard.rulebook.models import BurnPairFields, ErrorBudgetFields
from slo_guard.units import RATIO, format_duration, format_value, parse_duration, window_text
from slo_guard.validation import nearest

WORKBOOK: Final = (
    BurnPair(3600.0, 300.0, 14.4, Severity.PAGE, "1h/5m"),
    BurnPair(6 * 3600.0, 1800.0, 6.0, Severity.PAGE, "6h/30m"),
    BurnPair(86400.0, 7200.0, 3.0, Severity.TICKET, "24h/2h"),
    BurnPair(3 * 86400.0, 6 * 3600.0, 1.0, Severity.TICKET, "3d/6h"),
)
"""The tiers of the SRE Workbook, chapter 5, table 5-8."""

_LONGEST_SECONDS = 92 * 86400.0
_SHORTEST_SLICE_SECONDS = 1.0


@dataclass(slots=True)
class BudgetReader:
    """Reads the error budget of one draft; ``findings`` holds what is wrong with it."""

    draft: Draft
    measure: Measure | None
    source: Source | None
    objective: Objective | None
    sprint: Sprint | None
    findings: list[Finding] = field(default_factory=list)

    def read(self) -> ErrorBudget | None:
        """Return the error budget; None where there is none, or it is wrong."""
        given = self.draft.fields.error_budget
        if given is None or self.measure is None or self.source is None or self.sprint is None:
            return None
        if not isinstance(self.source, RatioPair):
            if self.draft.owns("error_budget"):
                self._say((), "an error budget is for a ratio; write indicator: {good: A, total: B}, or leave it out")
            return None
        allowed = self._allowed(self.source)
        window = self._window(given)
        slice_good = self._slice_good(given)
        if allowed is None or window is None or slice_good is None:
            return None
        length = window.seconds if window.seconds is not None else self.sprint.end_at - self.sprint.start_at
        pairs = self._pairs(given, allowed, length)
        if self.findings:
            return None
        own_least = self.draft.fields.min_total
        return ErrorBudget(
            window=window,
            window_text=given.window or WindowKind.SPRINT.value,
            allowed=allowed,
            method=BudgetMethod(given.method),
            slice_seconds=_slice_seconds(given),
            slice_good=slice_good,
            burn_alerts=pairs,
            min_total=given.min_total if given.min_total is not None else (own_least or 0.0),
        )

    def _allowed(self, source: RatioPair) -> float | None:
        """Return the share that may be bad."""
        objective = self.objective
        if objective is None:
            if self.draft.fields.objective is None and "objective" not in self.draft.broken:
                self._say((), "an error budget follows from an objective; write objective: {at_least: 99%}")
            return None
        good = source.part_is == "good"
        fitting = (Op.AT_LEAST, Op.ABOVE) if good else (Op.AT_MOST, Op.BELOW)
        if objective.op not in fitting:
            side, instead = ("good", "{at_least: 99%}") if good else ("bad", "{at_most: 1%}")
            self._say((), f"{objective.text} leaves no budget for a {side} share; write objective: {instead}")
            return None
        # In decimals, as people write it: 1 - 0.95 is 0.05 and nothing beside it.
        allowed = float(1 - Decimal(repr(objective.bound))) if good else objective.bound
        if not 0.0 < allowed < 1.0:
            says = "nothing may go wrong" if allowed <= 0 else "everything may go wrong"
            self._say((), f"by {objective.text} {says}, so there is no error budget; write one such as 99.9%")
            return None
        return allowed

    def _window(self, given: ErrorBudgetFields) -> Window | None:
        if given.window is None or given.window == WindowKind.SPRINT.value:
            return Window(WindowKind.SPRINT)
        try:
            seconds = parse_duration(given.window)
        except UnitError:
            self._say(("window",), f"{given.window!r} is not a window; write sprint, or a duration such as 30d")
            return None
        if not 0 < seconds <= _LONGEST_SECONDS:
            self._say(("window",), f"a budget over {given.window} is not kept; write sprint, or up to 92d")
            return None
        return Window(WindowKind.DURATION, seconds)

    def _slice_good(self, given: ErrorBudgetFields) -> float | None:
        if given.method != BudgetMethod.TIMESLICES.value:
            for name in ("slice", "slice_objective"):
                if getattr(given, name) is not None:
                    self._say((name,), f"{name} is for time slices; write method: timeslices, or leave it out")
            return 0.0
        if given.slice is not None and given.slice < _SHORTEST_SLICE_SECONDS:
            self._say(("slice",), "a slice is at least a second long; write one such as 1m")
        if given.slice_objective is None:
            if self.objective is None:  # which was said
                return None
            bound = self.objective.bound
            return bound if self.objective.op in (Op.AT_LEAST, Op.ABOVE) else 1.0 - bound
        fault = misfit(given.slice_objective, RATIO, "slice_objective")
        share = given.slice_objective.quantity.value
        if fault is None and not 0 < share <= 1:
            fault = f"{given.slice_objective.text} is not a share of good events; write one such as 99%"
        if fault is not None:
            self._say(("slice_objective",), fault)
            return None
        return share

    def _pairs(self, given: ErrorBudgetFields, allowed: float, length: float) -> tuple[BurnPair, ...]:
        stated = given.burn_alerts
        if stated == "none":
            return ()
        if isinstance(stated, list):
            pairs = [self._explicit(("burn_alerts", at), pair, length) for at, pair in enumerate(stated)]
            places: list[KeyPath] = [("burn_alerts", at) for at in range(len(stated))]
        else:
            pairs = [*self._of_the_workbook(stated if isinstance(stated, dict) else {})]
            places = [("burn_alerts",)] * len(pairs)
        slice_seconds = _slice_seconds(given) if given.method == BudgetMethod.TIMESLICES.value else 0.0
        found: list[BurnPair] = []
        for path, pair in zip(places, pairs, strict=True):
            if pair is None or not self._can_fire(path, pair, allowed, length, found):
                continue
            if pair.severity is not Severity.NONE and pair.short_seconds < slice_seconds:
                self._say(
                    path,
                    f"the short window of {pair.text} is shorter than a slice, so at times it holds none and "
                    f"ends the alert; write a slice of at most {window_text(pair.short_seconds)}",
                )
                continue
            found.append(pair)
        return tuple(found)

    def _of_the_workbook(self, severities: Mapping[str, str]) -> list[BurnPair]:
        long_windows = {pair.text.partition("/")[0]: pair for pair in WORKBOOK}
        for name in severities:
            if name not in long_windows:
                hint = nearest(name, long_windows)
                self._say(("burn_alerts", name), f"the workbook has no tier of {name}{hint}")
        return [
            replace(pair, severity=Severity(severities.get(name, pair.severity))) for name, pair in long_windows.items()
        ]

    def _explicit(self, path: KeyPath, pair: BurnPairFields, length: float) -> BurnPair | None:
        long, short = pair.long, pair.short
        text = f"{window_text(long)}/{window_text(short)}"
        if short >= long:
            self._say(
                path, f"the short window is to end an alert soon, and {text} is no shorter; write long: 1h, short: 5m"
            )
            return None
        if (pair.factor is None) == (pair.spends is None):
            self._say(path, "a tier has exactly one of factor and spends; write factor: 14.4, or spends: 2%")
            return None
        if pair.factor is not None:
            return BurnPair(long, short, pair.factor, Severity(pair.severity), text)
        assert pair.spends is not None
        fault, share = misfit(pair.spends, RATIO, "spends"), pair.spends.quantity.value
        if fault is None and not 0 < share <= 1:
            fault = f"{pair.spends.text} is not a part of the budget; write one such as 2%"
        if fault is not None:
            self._say((*path, "spends"), fault)
            return None
        factor = factor_of(share, long, length)
        if factor < 1:
            self._say(
                (*path, "spends"),
                f"{pair.spends.text} of a budget over {format_duration(length)} in {format_duration(long)} is the "
                f"factor {share:g} x {_hours(length)} / {_hours(long)} = {factor:.3g}; below 1 it fires while the "
                f"budget lasts, write at least {format_value(long / length, RATIO)}, or factor: 1",
            )
            return None
        return BurnPair(long, short, factor, Severity(pair.severity), text)

    def _can_fire(self, path: KeyPath, pair: BurnPair, allowed: float, length: float, earlier: list[BurnPair]) -> bool:
        """Check that a tier can fire, and means something when it does."""
        if any(pair.text == other.text for other in earlier):
            self._say(path, f"the tier {pair.text} stands here twice; keep one")
        elif pair.factor < 1:
            self._say(
                path, f"a factor of {pair.factor:g} is below 1, so it fires while the budget lasts; write 1 or more"
            )
        elif pair.factor * allowed >= 1:
            off = "" if len(path) > 1 else f", or switch it off: burn_alerts: {{{pair.text.partition('/')[0]}: none}}"
            self._say(
                path,
                f"the tier {pair.text} can never fire: a factor of {pair.factor:g} on a budget of "
                f"{format_value(allowed, RATIO)} asks for more than {pair.factor:g} x {allowed:g} = "
                f"{pair.factor * allowed:.4g} of all events to be bad; write a factor below {1 / allowed:.4g}{off}",
            )
        elif pair.long_seconds > length:
            self._say(
                path,
                f"the long window of {pair.text} is longer than the budget's, {format_duration(length)}; "
                "leave the tier out, or write a longer window",
            )
        else:
            return True
        # What raises no alert can do no harm: a tier that is switched off may be anything.
        if pair.severity is Severity.NONE and len(path) == 1:
            self.findings.pop()
        return False

    def _say(self, path: KeyPath, message: str) -> None:
        self.findings.append(self.draft.finding(("error_budget", *path), message))


def _slice_seconds(given: ErrorBudgetFields) -> float:
    return given.slice if given.slice is not None else 60.0


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g}h"


def burn_alarm_faults(kpis: Sequence[KPI], drafts: Mapping[tuple[str, str], Draft]) -> Iterator[Finding]:
    """Yield what is wrong with KPIs that read the burn alarms of a sprint in which none can sound."""
    sounding = {kpi.sprint for kpi in kpis if kpi.error_budget is not None and _pages(kpi.error_budget)}
    # One that cannot be read may page once it is mended: two findings for one slip help nobody.
    read = {(kpi.sprint, kpi.id) for kpi in kpis}
    unread = (key for key, draft in drafts.items() if draft.fields.error_budget is not None and key not in read)
    sounding |= {sprint for sprint, _ in unread}
    for kpi in kpis:
        if BURN_ALARM in kpi.indicators and kpi.sprint not in sounding:
            checks = kpi.cross_check is not None and kpi.cross_check.indicator == BURN_ALARM
            yield drafts[kpi.sprint, kpi.id].finding(
                ("cross_check",) if checks else ("indicator",),
                f"no burn alert of {kpi.sprint} pages, so {BURN_ALARM} would always be 0; give a ratio an "
                "error_budget, or collect the burn alarms",
            )


def _pages(budget: ErrorBudget) -> bool:
    return any(pair.severity is Severity.PAGE for pair in budget.burn_alerts)
