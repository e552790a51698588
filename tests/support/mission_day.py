"""One day of the shipped lanes with the real process, lived through once: what was to be seen, and what arrived.

All is calm; then every objective is breached at once while Slack is busy; then what can be mended is; then both pilots are
called off, and what is broken of them is nobody's business, and a tenant is forgotten; then the process starts again, and the sprint ends.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slo_guard.domain.builtin import SPRINT_CLOSE
from tests.support.daemon import Daemon, eventually, slo_guard
from tests.support.mission_cases import CASES
from tests.support.mission_cases.case import Case, Ruling
from tests.support.mission_world import MissionWorld
from tests.support.shipped_mission import kpis_with, shipped_queries, write_config, write_rules
from tests.support.slack_stand_in import SlackStandIn
from tests.support.told import hook_bodies, slack_headed, slack_messages
from tests.support.town_zone import TownZone
from tests.support.webhook_stand_in import Received, WebhookStandIn

RETRY_AFTER = 3.0
HOURS_BEFORE = 26
"""The sprint began so long ago: its first day is over, and a day is read back in steps of 9 s."""

CLOSES_IN = 15.0
PAST_READ_WITHIN = 240.0
"""The first start reads a day of the query API's indicators back; on a busy machine that takes its time."""

TOLD_WITHIN = 90.0

CONDITIONAL = kpis_with("when")
NOT_APPLICABLE: Ruling = ("not_applicable", "condition_not_met")
PACKETS_BEFORE = 100
FORGOTTEN_TENANT = "hooli"
"""A tenant that comes late, and for whom no export is planned."""

_BURNING = {name: "burn" for name, case in CASES.items() if case.burns}

Kpis = Mapping[str, Any]


@dataclass
class Day:
    """What was to be seen and what arrived; rulings by KPI, for the series that its case is about."""

    slack: SlackStandIn
    hook: WebhookStandIn
    store: Path
    calm: dict[str, Ruling] = field(default_factory=dict)
    breached: dict[str, Ruling] = field(default_factory=dict)
    mended: dict[str, Ruling] = field(default_factory=dict)
    called_off: dict[str, Ruling] = field(default_factory=dict)
    others: dict[str, set[str]] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    busy: list[Received] = field(default_factory=list)
    signed: str = ""
    told_before_called_off: int = 0
    told_before_close: int = 0
    log: str = ""


def live(folder: Path, slack: SlackStandIn, hook: WebhookStandIn) -> Day:
    """Live through the day; the receivers' stand-ins have to be served until it has been looked at."""
    started_at = math.floor(time.time())  # noqa: TID251 - the process under test reads the same clock
    zone = TownZone(folder / "zones", started_at - HOURS_BEFORE * 3600)
    with MissionWorld(folder, shipped_queries()) as world:
        world.calm_past(zone.start_at, started_at)
        config = write_config(world, slack_url=slack.url, webhook_url=hook.url)
        with Daemon(config, env=zone.env) as daemon:
            return _Life(world, zone, daemon, slack, hook).run()


class _Life:
    def __init__(
        self, world: MissionWorld, zone: TownZone, daemon: Daemon, slack: SlackStandIn, hook: WebhookStandIn
    ) -> None:
        self._world = world
        self._zone = zone
        self._daemon = daemon
        self._slack = slack
        self._hook = hook
        self._checkpoint_at = float(zone.start_at + 3600)
        self._due_at: float | None = None
        self.day = Day(slack, hook, world.folder / "slo-guard.db")

    def run(self) -> Day:
        """Do all there is to do; what was to be seen is in ``day``."""
        self._write_rules(last_day=2)
        self._daemon.start().wait_ready(PAST_READ_WITHIN)
        self._be_calm()
        self._breach()
        self._mend()
        self._call_off()
        self._end()
        self._close()
        self.day.log = self._daemon.all_stderr
        return self.day

    def _be_calm(self) -> None:
        # A counter that is new counts from its first answer on: only then have packets been verified.
        eventually(lambda: self._daemon.verdict("mpd_packet_auto_pass")[1] == "zero_denominator", PAST_READ_WITHIN)
        self._world.api.verify_packets("acme", PACKETS_BEFORE, auto_passed=PACKETS_BEFORE)
        self._watch(self.day.calm, {name: case.calm for name, case in CASES.items()}, PAST_READ_WITHIN)
        at_risk = [name for name, case in CASES.items() if case.risk is not None]
        self._wait_told(dict.fromkeys(at_risk, "risk"), "firing", dict.fromkeys(at_risk, "At risk"))

    def _breach(self) -> None:
        self._slack.answer(429, retry_after=RETRY_AFTER)
        self._slack.answer(500, b"internal_error", times=2)
        before = len(self._slack.received)
        for case in CASES.values():
            case.breach(self._world)
        self._due_at = self._world.now
        self._write_rules(last_day=2)
        self._daemon.send(signal.SIGHUP)
        self._watch(self.day.breached, {name: case.breached for name, case in CASES.items()})
        kinds = {name: case.kind for name, case in CASES.items()}
        self._wait_told(kinds, "firing", {name: case.headline for name, case in CASES.items()})
        self._wait_told(_BURNING, "firing", dict.fromkeys(_BURNING, "Burning its error budget"))
        self.day.busy = [each for each in self._slack.received[before:] if each.status != 200]
        kpis = self._daemon.kpis()
        self.day.others = {
            name: {each["verdict"] for each in kpis[name]["series"] if each["labels"] != case.labels}
            for name, case in CASES.items()
        }

    def _mend(self) -> None:
        for case in CASES.values():
            if case.recover is not None:
                case.recover(self._world)
        self._world.prometheus.set("burn_alarm_active", 0.0)
        self._world.prometheus.add("sev1_incidents_total", 1)
        for case in CASES.values():
            if case.by_command:
                self._sign(*case.by_command)
        self._watch(
            self.day.mended,
            {name: case.recovered if case.can_recover else case.breached for name, case in CASES.items()},
        )
        kinds = {name: case.kind for name, case in CASES.items() if case.can_recover}
        self._wait_told(kinds, "resolved", {**dict.fromkeys(kinds, "Recovered"), "sev1_incidents": "Worse"})
        self._wait_told(_BURNING, "resolved", {})
        self.day.samples = {
            "mpd_partner_sla_median": self._daemon.series("mpd_partner_sla_median", partner="globex")["samples"]
        }

    def _call_off(self) -> None:
        """Take both decisions back, and break what depends on them once more."""
        eventually(self._daemon.outbox_is_empty, TOLD_WITHIN, what="all messages are delivered")
        self.day.told_before_called_off = len(self._hook.accepted)
        self._world.billing.add_tenant(FORGOTTEN_TENANT)
        self._sign("fsv2_decision_go", "--value", "false")
        self._world.sign("xai_m1_approved", value=False)
        self._watch(self.day.called_off, dict.fromkeys(CONDITIONAL, NOT_APPLICABLE))
        self._world.prometheus.set("fsv2_blended_sources", 4.0)
        self._world.prometheus.set("fsv2_ab_harness_running", 0.0)
        self._world.api.enable_flag(enabled=False)
        self._world.files.report_usage(self._world.now, sessions=101, opt_outs=60)
        for name in CONDITIONAL:
            if name in CASES and CASES[name].is_signed:
                self._world.sign(name, value=False)
        self._wait_collected("prometheus", "staging", "feature-flags", "xai-usage", "sign-offs")
        self.day.called_off.clear()
        self._watch(self.day.called_off, dict.fromkeys(CONDITIONAL, NOT_APPLICABLE))
        self._wait_told({}, "firing", {"metering_exports_on_schedule": "No data"})

    def _wait_collected(self, *collectors: str) -> None:
        """Wait until each source was read from now on, and what it said has been judged."""
        now, last_success = self._world.now, "slo_guard_collection_last_success_timestamp_seconds"

        def collected() -> bool:
            times = [self._daemon.metric(last_success, collector=name) for name in collectors]
            return all(at is not None and at > now + 1.0 for at in times)

        eventually(collected, TOLD_WITHIN, what="all sources have been read")
        self._wait_judged()

    def _wait_judged(self) -> None:
        """Wait for the next evaluation but one: the next may have begun already."""
        seen: set[str] = set()

        def judged_twice() -> bool:
            seen.add(self._daemon.json("/api/v1/kpis")["at"])
            return len(seen) > 2

        eventually(judged_twice, TOLD_WITHIN, what="two more evaluations")

    def _end(self) -> None:
        eventually(self._daemon.outbox_is_empty, TOLD_WITHIN, what="all messages are delivered")
        assert self._daemon.stop(timeout=30.0) == 0, self._daemon.stderr

    def _close(self) -> None:
        """Start again on the same store, and let the sprint end soon."""
        self.day.told_before_close = len(self._hook.accepted)
        now = self._world.now
        self._zone.end_day(1, math.ceil(now + CLOSES_IN), now)
        self._write_rules(last_day=1)
        self._daemon.start().wait_ready(PAST_READ_WITHIN)
        self._slack.wait_for(lambda got: bool(slack_headed(got, "Sprint closed")), TOLD_WITHIN)
        self._hook.wait_for(lambda got: bool(hook_bodies(got, SPRINT_CLOSE, "breach", "resolved")), TOLD_WITHIN)
        self._wait_judged()
        self._end()

    def _write_rules(self, *, last_day: int) -> None:
        write_rules(
            self._world.folder, self._zone, last_day=last_day, checkpoint_at=self._checkpoint_at, due_at=self._due_at
        )

    def _sign(self, kpi: str, *options: str) -> None:
        config = self._daemon.config
        done = slo_guard(
            "sign", kpi, *options, "--by", "SRE Lead", "--link", "https://runbooks.example/signed",
            "--config", str(config), cwd=config.parent, env=self._zone.env,
        )  # fmt: skip
        self.day.signed += done.stdout + done.stderr

    def _watch(self, seen: dict[str, Ruling], wanted: Mapping[str, Ruling], timeout: float = TOLD_WITHIN) -> None:
        """Note each KPI's ruling once it is the wanted one; the last one seen where that takes too long."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            kpis = self._daemon.kpis()
            for name, ruling in wanted.items():
                if seen.get(name) != ruling:
                    with suppress(LookupError):  # a series that has not been collected yet
                        seen[name] = _ruling(kpis, name, CASES[name] if name in CASES else Case())
            if seen == wanted:
                return
            time.sleep(0.1)

    def _wait_told(self, kinds: Mapping[str, str], status: str, headlines: Mapping[str, str]) -> None:
        """Wait until the webhook was told of each KPI's alert of a kind, and Slack under the headline."""
        self._hook.wait_for(
            lambda got: all(hook_bodies(got, name, kind, status) for name, kind in kinds.items()), TOLD_WITHIN
        )
        self._slack.wait_for(
            lambda got: all(slack_messages(got, name, headline) for name, headline in headlines.items()), TOLD_WITHIN
        )


def _ruling(kpis: Kpis, name: str, case: Case) -> Ruling:
    series = next((each for each in kpis[name]["series"] if each["labels"] == case.labels), None)
    if series is None:
        raise LookupError(name)
    return series["verdict"], series["reason"]
