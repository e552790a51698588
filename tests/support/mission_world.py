"""Everything that the shipped config reads, in the test's hands: a query API, a page, JSON endpoints, databases, files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from slo_guard.clock import to_unix, utcnow
from tests.support.mission_api import MissionApi
from tests.support.mission_databases import TENANTS, Billing, Onboarding
from tests.support.mission_files import MissionFiles
from tests.support.mission_sources import MissionSources

SYSTEMS = ("fs", "predictive", "xai2")
STEPS = ("packs", "policy-simulator", "budgets", "appeal-tokens")
E2E_METRIC = "gateway_e2e_latency_p95_milliseconds"

BURNED_SECONDS = 588.0
"""So much of the ten minutes of burn alarms is used up before the test begins."""

_CENSUS_EVERY = _SNAPSHOT_EVERY = 300.0
_DRIFTS_FOR = 6 * 3600.0


class MissionWorld:
    """Use as a context manager. The doors of ``prometheus`` have the names of the collectors.

    ``queries`` maps the config's PromQL to indicators. Databases and files are made in ``folder``, beside the config.
    """

    def __init__(self, folder: Path, queries: Mapping[str, str]) -> None:
        self.folder = folder
        self.prometheus = MissionSources(queries, {E2E_METRIC: ("ga_e2e_p95_seconds", 1000.0)})
        self.api = MissionApi()
        self.billing = Billing(folder)
        self.onboarding = Onboarding(folder)
        self.files = MissionFiles(folder)
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        for part in (self.prometheus, self.api, self.billing, self.onboarding):
            self._entered.enter_context(part)
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()

    @property
    def now(self) -> float:
        """The present, as the process under test has it."""
        return to_unix(utcnow())

    def sign(self, indicator: str, *, value: bool = True, **labels: str) -> None:
        """Sign by hand, as of now."""
        self.files.sign(indicator, self.now, value=value, **labels)

    def calm_past(self, sprint_start: float, now: float) -> None:
        """Give all sources a past in which nothing is missed; what is due is not done yet."""
        self._calm_services(now)
        self._calm_pilots(now)
        self._calm_partners(now)
        self._calm_tenants(sprint_start, now)
        for ceremony in ("stand-up", "retro", "stand-up", "stand-up"):
            self.files.hold(ceremony, now - 3600)
        self.api.change_scope(now - 7200, 3)
        self.api.change_scope(now - 3600, -1)
        self.api.change_scope(now - 1800, 2)
        for signed in ("demo", "pre-groom"):
            self.files.sign("sprint_closing_held", now - 60, ceremony=signed)

    def _calm_services(self, now: float) -> None:
        """Each system had 1,000 requests within 24 hours, ten too slow, one complaint, and 100 audits, all passed."""
        past = self.prometheus.past
        past("sev1_incidents_total", 0.0)
        burned = now - 4 * 3600
        past("burn_alarm_active", lambda at: 1.0 if burned <= at < burned + BURNED_SECONDS else 0.0)
        past("query_p95_4hop_100k_seconds", 0.71)
        recent = now - 3600
        for system in SYSTEMS:
            past("ga_e2e_p95_seconds", 0.9, system=system)
            past("ga_requests_total", lambda at: 6000.0 if at >= recent else 5000.0, system=system)
            past("ga_requests_within_target_total", lambda at: 5990.0 if at >= recent else 5000.0, system=system)
            past("ga_complaints_total", lambda at: 41.0 if at >= recent else 40.0, system=system)
            past("ga_audits_total", lambda at: 100.0 if at >= recent else 0.0, system=system)
            past("ga_audits_passed_total", lambda at: 100.0 if at >= recent else 0.0, system=system)

    def _calm_pilots(self, now: float) -> None:
        """Both pilots are decided on. FS-v2 blends one source so far; XAI-2.1 is a bit behind its line of sessions."""
        past, files = self.prometheus.past, self.files
        past("fsv2_blended_sources", 1.0)
        past("fsv2_ab_harness_running", 0.0)
        past("fsv2_production_requests_total", 0.0)
        for arm, ctr5, p95 in (("v2", 0.33, 0.8), ("baseline", 0.3, 1.0)):
            past("fsv2_ctr5_ratio", ctr5, arm=arm)
            past("fsv2_p95_seconds", p95, arm=arm)
        for decision in ("fsv2_decision_go", "xai_m1_approved"):
            files.sign(decision, now - 3600)
        for number, ago in enumerate((7200.0, 3600.0, 600.0, 0.0)):
            files.report_usage(now - ago, sessions=(0, 12, 24, 31)[number], opt_outs=0)
            files.report_usage(now - ago, sessions=0, opt_outs=0, cohort="beta")

    def _calm_partners(self, now: float) -> None:
        for partner, number, hours in (("acme", 4, 10.0), ("globex", 3, 12.0), ("initech", 3, 5.0)):
            self.files.resolve_tickets(partner, number, hours, now - 3600)
        self.files.resolve_tickets("globex", 2, 400.0, now - 3600, kind="test")

    def _calm_tenants(self, sprint_start: float, now: float) -> None:
        """One tenant of two went live. Of one that is billed, metered units drift away from billed ones."""
        times = [sprint_start - 600 + _CENSUS_EVERY * number for number in range(_steps(sprint_start - 600, now))]
        self.onboarding.census((at, 6 if at > now - 3600 else 5, 0) for at in [*times, now])
        self.onboarding.attach_bundle("northwind")
        for tenant in ("northwind", "contoso"):
            self.prometheus.past("onboarding_tenant_slos_green", 1.0, tenant=tenant)
        self.files.sign("security_evidence_complete", now - 60, tenant="northwind")
        for step in STEPS[:3]:
            self.files.sign("onboarding_factory_steps", now - 60, step=step)
        began = now - _DRIFTS_FOR
        drift = {"initech": 0.002 / _DRIFTS_FOR}
        times = [began + _SNAPSHOT_EVERY * number for number in range(_steps(began, now, _SNAPSHOT_EVERY))]
        self.billing.snapshots(
            (at, tenant, drift.get(tenant, 0.0) * (at - began)) for at in [*times, now] for tenant in TENANTS
        )


def _steps(begin: float, end: float, every: float = _CENSUS_EVERY) -> int:
    return int((end - begin) / every)
