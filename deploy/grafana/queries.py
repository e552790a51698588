"""PromQL of the panels, as text: selectors by the dashboard's variables, verdicts as codes, joins with titles."""

from __future__ import annotations

from slo_guard.domain.verdicts import Verdict

KEY = "sprint, lane, kpi"
"""What names a KPI; the labels behind it name one of its series."""

OBJECTIVE_BOUNDS = "at_most|below|at_least|above|equals|is"


def selector(lane: str | None = None, kpis: tuple[str, ...] = (), *, tenant: bool = False, more: str = "") -> str:
    """Return the label matchers of what is chosen above, narrowed to a lane and to some of its KPIs.

    ``tenant``: the series have the label, and only those of the tenants chosen are shown.
    """
    parts = ['sprint=~"$sprint"']
    if lane is not None:
        parts.append(f'lane="{lane}"')
    parts.append('lane=~"$lane"')
    if kpis:
        parts.append(f'kpi="{kpis[0]}"' if len(kpis) == 1 else f'kpi=~"{"|".join(kpis)}"')
    if tenant:
        parts.append('tenant=~"$tenant"')
    return "{" + ", ".join(parts + ([more] if more else [])) + "}"


def with_title(expression: str, lane: str | None = None, facts: str = "title", info: str = "") -> str:
    """Return ``expression`` joined with what the rule file says of each KPI.

    The maximum over replicas: two pages that say the same of a KPI must not end the query. ``info``: further matchers
    of the KPIs, such as ``gate="true"``.
    """
    return (
        f"{expression} * on ({KEY}) group_left ({facts}) "
        f"max by ({KEY}, {facts}) (slo_guard_kpi_info{selector(lane, more=info)})"
    )


def verdict_codes(matchers: str) -> str:
    """Return each KPI's verdict as its code, 0 to 7, a larger one worse.

    A state set has a series a verdict, 1 for the one that holds: times its code, the largest is the code that holds.
    """
    states = [verdict for verdict in sorted(Verdict, reverse=True) if verdict]
    chosen = [(_and(matchers, f'verdict="{verdict.label}"'), int(verdict)) for verdict in states]
    terms = [f"slo_guard_kpi_verdict{one} * {code}" for one, code in chosen]
    return f"max by ({KEY}) ({' or '.join(terms)})"


def verdict_count(matchers: str, verdicts: tuple[Verdict, ...], info: str = "") -> str:
    """Return how many KPIs have one of ``verdicts``; ``info`` narrows them by what the rule file says."""
    names = "|".join(verdict.label for verdict in verdicts)
    chosen = _and(matchers, f'verdict=~"{names}"')
    held = f"max by ({KEY}, verdict) (slo_guard_kpi_verdict{chosen})"
    if info:
        held += f" * on ({KEY}) group_left () max by ({KEY}) (slo_guard_kpi_info{_and(matchers, info)})"
    return f"sum({held})"


def _and(matchers: str, more: str) -> str:
    return f"{matchers[:-1]}, {more}}}"
