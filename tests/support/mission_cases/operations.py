"""The lanes metering, onboarding, security-governance and reporting."""

from __future__ import annotations

from tests.support.mission_cases.case import MET_LATE, NOT_DUE, OVERDUE, Case, due_evidence

METERING = {
    # Another tenant drifts all the while: that is a risk, told before anything is breached.
    "metering_variance": Case(
        lambda world: world.billing.snapshots([(world.now, "globex", 0.004)]),
        lambda world: world.billing.snapshots([(world.now, "globex", 0.0005)]),
        labels={"tenant": "globex"},
        others=frozenset({"met", "at_risk"}),
        says="0.4%",
        risk=({"tenant": "initech"}, "drifting"),
    ),
    "metering_exports_on_schedule": Case(
        lambda world: world.billing.export("globex", on_schedule=False),
        lambda world: world.billing.export("globex", on_schedule=True),
        labels={"tenant": "globex"},
        says="export of globex",
    ),
    "metering_rotation_rehearsed": due_evidence("metering_rotation_rehearsed", "signer rotation"),
    "metering_invoice_preview_reviewed": due_evidence("metering_invoice_preview_reviewed", "invoice preview"),
    "metering_finance_note_filed": due_evidence("metering_finance_note_filed", "Finance note"),
}

ONBOARDING = {
    "tenants_onboarded": Case(
        recover=lambda world: world.onboarding.count(world.now, went_live=1),
        calm=NOT_DUE,
        breached=OVERDUE,
        recovered=MET_LATE,
        says="1 tenants went live",
    ),
    "onboarding_policy_blocks": Case(
        lambda world: world.onboarding.count(world.now, blocked=1), says="policy has blocked 1"
    ),
    "onboarding_evidence_bundles": Case(
        recover=lambda world: world.onboarding.attach_bundle("contoso"),
        calm=NOT_DUE,
        breached=OVERDUE,
        recovered=MET_LATE,
        says="1 evidence bundles",
    ),
    "onboarding_factory_steps": due_evidence(
        "onboarding_factory_steps", "appeal-tokens is not signed off", by_command=True, step="appeal-tokens"
    ),
    "onboarding_tenant_slos_green": Case(
        lambda world: world.prometheus.set("onboarding_tenant_slos_green", 0.0, tenant="contoso"),
        lambda world: world.prometheus.set("onboarding_tenant_slos_green", 1.0, tenant="contoso"),
        labels={"tenant": "contoso"},
        says="SLO of the new tenant contoso",
    ),
    "onboarding_docs_updated": due_evidence("onboarding_docs_updated", "docs are not signed off"),
}

SECURITY_GOVERNANCE = {
    "security_evidence_complete": due_evidence(
        "security_evidence_complete", "evidence of contoso", by_command=True, tenant="contoso"
    ),
}

REPORTING = {
    "blocker_age_max": Case(
        lambda world: world.api.block("MC-3", 80.0),
        lambda world: world.api.block("MC-3", None),
        calm=("tracked", "no_objective"),
        breached=("at_risk", "past_warn"),
        recovered=("tracked", "no_objective"),
        kind="risk",
        says="3d 8h",
    ),
    "standups_held": Case(
        recover=lambda world: world.files.hold("stand-up", world.now),
        calm=NOT_DUE,
        breached=OVERDUE,
        recovered=MET_LATE,
        says="3 stand-ups",
    ),
    "kickoff_held": due_evidence("kickoff_held", "kickoff"),
    "beta_plan_review_held": due_evidence("beta_plan_review_held", "Beta plan review"),
    "sprint_closing_held": due_evidence("sprint_closing_held", "the retro is not signed off", ceremony="retro"),
    "release_papers_published": due_evidence("release_papers_published", "release notes and demo deck"),
}
