"""Who signs what, and when: by the plan's days, and as the story goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slo_guard.demo.world.fs_v2 import NO_GO
from slo_guard.demo.world.ga_ops import DRILL_UNSIGNED
from slo_guard.demo.world.onboarding import NEW_TENANTS
from slo_guard.demo.world.series import labelled
from slo_guard.demo.world.story import Story
from slo_guard.demo.world.xai import approved_at
from slo_guard.domain.readings import SignOff
from slo_guard.domain.series import LabelSet

_LINKS = "https://runbooks.example/mission-control/log"
_DRILL = "ga_rollback_drill_logged"
_GO = "fsv2_decision_go"
_APPROVED = "xai_m1_approved"
_SECURITY = "security_evidence_complete"
_SIMULATED_AT = 60.0
_EVIDENCE_BEFORE_LIVE = 3.0


@dataclass(frozen=True, slots=True)
class _Planned:
    """A sign-off of the sprint's plan: on which day of the sprint, from 0, at which local hour."""

    indicator: str
    by: str
    day: int
    hour: float
    labels: LabelSet = ()


_PLANNED: tuple[_Planned, ...] = (
    _Planned("kickoff_held", "Eng Manager", 0, 10),
    _Planned("fsv2_decision_signed", "Backend Lead", 0, 15),
    _Planned(_GO, "Backend Lead", 0, 15),
    _Planned("onboarding_factory_steps", "Product Ops", 0, 16, labelled("step", "packs")),
    _Planned("ga_slo_dashboards_live", "SRE Lead", 2, 11),
    _Planned("fsv2_risk_gates_agreed", "Backend Lead", 2, 14),
    _Planned("onboarding_factory_steps", "Product Ops", 3, 11, labelled("step", "budgets")),
    _Planned("fsv2_pilot0_board_populated", "Backend Lead", 3, 16),
    _Planned("metering_rotation_rehearsed", "Product Ops", 4, 10),
    _Planned("ga_abuse_rules_in_force", "SRE Lead", 4, 15),
    _Planned("onboarding_factory_steps", "Product Ops", 7, 10, labelled("step", "appeal-tokens")),
    _Planned("fsv2_adapter_contracts_tested", "Backend Lead", 7, 14),
    _Planned("mpd_partner_feedback_reviewed", "FE Lead", 7, 15),
    _Planned("xai_privacy_reviewed", "Legal/Ombuds", 8, 10),
    _Planned("fsv2_fail_safe_validated", "Backend Lead", 8, 11),
    _Planned("fsv2_first_compare_logged", "Backend Lead", 8, 16),
    _Planned("mpd_beta_criteria_agreed", "FE Lead", 8, 16),
    _Planned("mpd_sla_dashboard_live", "FE Lead", 9, 9),
    _Planned("beta_plan_review_held", "Eng Manager", 9, 15),
    _Planned("metering_finance_note_filed", "Finance", 9, 16),
    _Planned("mpd_beta_plan_ready", "FE Lead", 10, 11),  # a day late
    _Planned("xai_export_v21_audited", "ML Lead", 10, 12),
    _Planned("ga_provenance_stitched", "SRE Lead", 10, 14),
    _Planned("mpd_pilot_hardening_complete", "FE Lead", 10, 16),
    _Planned("xai_a11y_pass", "ML Lead", 11, 9),
    _Planned("fsv2_uplift_report", "Backend Lead", 11, 10),
    _Planned("onboarding_docs_updated", "Product Ops", 11, 10),
    _Planned("release_papers_published", "Eng Manager", 11, 11),
    *(
        _Planned("sprint_closing_held", "Eng Manager", 11, hour, labelled("ceremony", ceremony))
        for ceremony, hour in (("demo", 14), ("retro", 15), ("pre-groom", 16))
    ),
)

NEVER_SIGNED = ("metering_invoice_preview_reviewed",)
"""What nobody gets round to: it is missed when the sprint closes."""

INDICATORS: tuple[str, ...] = tuple(
    dict.fromkeys((*(each.indicator for each in _PLANNED), _APPROVED, _SECURITY, _DRILL, *NEVER_SIGNED))
)
"""All that can be signed."""


def sign_offs(story: Story, at: float) -> Mapping[str, tuple[SignOff, ...]]:
    """Return what has been signed by an instant, by indicator, each ascending; what nobody signed has none."""
    signed: dict[str, list[SignOff]] = {name: [] for name in INDICATORS}
    for planned in _PLANNED:
        when = story.local(planned.day, planned.hour)
        signed[planned.indicator].append(_word(planned.indicator, planned.by, when, labels=planned.labels))
    for indicator, sign_off in _as_the_story_goes(story, at):
        signed[indicator].append(sign_off)
    return {
        name: tuple(sorted((each for each in entries if each.when <= at), key=lambda each: each.when))
        for name, entries in signed.items()
    }


def _as_the_story_goes(story: Story, at: float) -> Iterator[tuple[str, SignOff]]:
    yield _APPROVED, _word(_APPROVED, "ML Lead", approved_at(story))
    for tenant, live in NEW_TENANTS.items():
        when = story.instant(live.starts - _EVIDENCE_BEFORE_LIVE)
        yield _SECURITY, _word(_SECURITY, "SecEng Lead", when, labels=labelled("tenant", tenant))
    steps = "onboarding_factory_steps"
    labels = labelled("step", "policy-simulator")
    yield steps, _word(steps, "Product Ops", story.instant(_SIMULATED_AT), labels=labels)
    if not story.faults:
        return
    # Only the last word counts, so that the file does not grow with the number of cycles.
    cycle = story.cycle_at(at)
    for number in range(max(0, cycle - 1), cycle + 1):
        if number > 0:
            yield _DRILL, _word(_DRILL, "SRE Lead", story.instant(DRILL_UNSIGNED.starts, number), value=False)
        yield _DRILL, _word(_DRILL, "SRE Lead", story.instant(DRILL_UNSIGNED.ends, number))
        yield _GO, _word(_GO, "Backend Lead", story.instant(NO_GO.starts, number), value=False)
        yield _GO, _word(_GO, "Backend Lead", story.instant(NO_GO.ends, number))


def _word(indicator: str, by: str, when: float, *, value: bool = True, labels: LabelSet = ()) -> SignOff:
    return SignOff(labels, value=value, by=by, when=when, link=f"{_LINKS}/{indicator}" if value else None)
