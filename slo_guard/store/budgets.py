"""Error budgets as they stood at a sprint's end, as one column block: the rule as JSON, then the arrays."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from slo_guard.domain.budgets import BudgetFrame
from slo_guard.domain.kpi import BudgetMethod, BurnPair, ErrorBudget, Severity, Window, WindowKind
from slo_guard.store.blocks import pack_block, unpack_block


def budget_block(budget: BudgetFrame | None) -> bytes | None:
    """Return a frame as a block; None where there is none."""
    if budget is None:
        return None
    return pack_block(
        json.dumps(asdict(budget.budget)).encode(),
        np.array([budget.start, budget.end, budget.pace_seconds, budget.length_seconds]),
        budget.bad,
        budget.total,
        budget.remaining,
        budget.windows,
        budget.rates.ravel(),
        budget.totals.ravel(),
        budget.burning.ravel().astype(np.int8),
        budget.exhausted_in,
    )


def budget_from(block: bytes | None) -> BudgetFrame | None:
    """Return the frame that :func:`budget_block` wrote. Raises ``BlockError``."""
    if block is None:
        return None
    rule, scalars, bad, total, remaining, windows, rates, totals, burning, exhausted_in = unpack_block(block)
    start, end, pace_seconds, length_seconds = (float(number) for number in scalars)
    budget = _budget(json.loads(rule))
    return BudgetFrame(
        budget=budget,
        start=start,
        end=end,
        bad=bad,
        total=total,
        remaining=remaining,
        windows=windows,
        rates=rates.reshape(len(windows), len(bad)),
        totals=totals.reshape(len(windows), len(bad)),
        burning=burning.reshape(len(budget.burn_alerts), len(bad)).astype(bool),
        # It bears on alerts only, and a final verdict has none.
        unseen=np.zeros((len(budget.burn_alerts), len(bad)), dtype=bool),
        exhausted_in=exhausted_in,
        pace_seconds=pace_seconds,
        length_seconds=length_seconds,
    )


def _budget(document: dict[str, object]) -> ErrorBudget:
    rule = dict(document)
    window, pairs = rule.pop("window"), rule.pop("burn_alerts")
    assert isinstance(window, dict)
    assert isinstance(pairs, list)
    tiers = tuple(BurnPair(**pair | {"severity": Severity(pair["severity"])}) for pair in pairs)
    kept = Window(WindowKind(window["kind"]), window["seconds"])
    method = BudgetMethod(str(rule.pop("method")))
    return ErrorBudget(window=kept, burn_alerts=tiers, method=method, **rule)  # type: ignore[arg-type]
