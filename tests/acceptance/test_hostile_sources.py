"""Sources that misbehave in every way at once, before the real process: it goes on, and nothing of it turns green.

Each fault has a collector and a KPI of its own, once behind a query API and once on a page. All are well at first, all
break at the same time, and all are mended. The tests below look at the record of that one run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slo_guard.domain.alerts import Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.notifications import Decision, NotToldReason
from slo_guard.domain.verdicts import AlertState
from tests.support.daemon import Daemon, eventually, stored
from tests.support.http_sources import Reply, hangs, html, never_ends, trickles_body
from tests.support.mission_sources import MissionSources
from tests.support.small_mission import gauge_kpi, query, scrape, webhook, write_config, write_rules
from tests.support.webhook_stand_in import Received, WebhookStandIn

pytestmark = pytest.mark.xdist_group("hostile-sources")

FINE, BAD = 0.5, 7.0
WITHIN = 60.0


@dataclass(frozen=True)
class Fault:
    """What is done to a door or to a series, and what is then said of the KPI."""

    door: Any = None
    value: float | None = None
    double: bool = False
    reason: str = "source_failed"
    says: Mapping[str, str] = field(default_factory=dict)
    """What the note tells people, by kind of collector."""

    @property
    def fails_the_collection(self) -> bool:
        return self.door is not None


FAULTS: dict[str, Fault] = {
    "html": Fault(html(), says={"query": "not JSON", "page": "metrics"}),
    "endless": Fault(never_ends, says={"query": "max_response", "page": "max_response"}),
    "trickling": Fault(trickles_body, says={"query": "in time", "page": "in time"}),
    "hanging": Fault(hangs, says={"query": "in time", "page": "in time"}),
    "error": Fault(Reply(b"oops", 500), says={"query": "answers 500", "page": "answers 500"}),
    "nan": Fault(value=math.nan, reason="stale"),
    "inf": Fault(value=math.inf, reason="stale"),
    "minus_inf": Fault(value=-math.inf, reason="stale"),
}
KINDS = ("query", "page")
BROKEN = {f"{kind}_{name}": (kind, fault) for kind in KINDS for name, fault in FAULTS.items()}
TWICE = ("query_twice", "page_twice")
STEADY = "steady"


@dataclass
class Night:
    """What was to be seen while the faults lasted, and what was left behind."""

    broken: dict[str, Any]
    seen_while_broken: dict[str, set[str]]
    steady_while_broken: list[str]
    twice: dict[str, Any]
    up: dict[str, float | None]
    rejected: dict[str, float | None]
    web_page: str
    mended: dict[str, str]
    exit_code: int
    messages: list[Received]
    transitions: tuple[Transition, ...]
    decisions: tuple[Decision, ...]
    log: str


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """Live through the night once."""
    folder = tmp_path_factory.mktemp("hostile")
    names = [*BROKEN, *TWICE, STEADY]
    with (
        MissionSources({name: name for name in names}, {name: name for name in names}) as sources,
        WebhookStandIn() as hook,
    ):
        for name in names:
            sources.past(name, FINE)
        config = _write(folder, sources, hook)
        with Daemon(config) as daemon:
            yield _live(daemon.start().wait_ready(), sources, hook)


def _write(folder: Path, sources: MissionSources, hook: WebhookStandIn) -> Path:
    write_rules(folder, [gauge_kpi(name, no_data={"after": "6s"}) for name in (*BROKEN, *TWICE, STEADY)])
    limits = {"timeout": "1s", "http": {"max_response": "256KiB", "retries": 0}}
    collectors = [scrape(STEADY, sources.url(STEADY), STEADY)]
    for name in (*BROKEN, *TWICE):
        build: Callable[..., dict[str, Any]] = query if name.startswith("query") else scrape
        collectors.append(build(name, sources.url(name), name, **limits))
    return write_config(folder, collectors, [webhook(hook.url)])


def _live(daemon: Daemon, sources: MissionSources, hook: WebhookStandIn) -> Night:
    eventually(lambda: {kpi["verdict"] for kpi in daemon.kpis().values()} == {"met"}, WITHIN, what="all is well")
    for name, (_, fault) in BROKEN.items():
        if fault.fails_the_collection:
            sources.break_door(name, fault.door)
        else:
            sources.set(name, fault.value)
    for name in TWICE:
        sources.double(name, BAD)
    wrong = (*BROKEN, *TWICE)
    eventually(lambda: all(daemon.kpi(name)["verdict"] == "no_data" for name in wrong), WITHIN, what="all is broken")

    seen: dict[str, set[str]] = {name: set() for name in (*BROKEN, *TWICE)}
    steady: list[str] = []

    def look() -> str:
        kpis = daemon.kpis()
        for name, verdicts in seen.items():
            verdicts.add(kpis[name]["verdict"])
        steady.append(kpis[STEADY]["verdict"])
        return steady[-1]

    sources.set(STEADY, BAD)
    eventually(lambda: look() == "missed", WITHIN, what="the steady source is judged")
    sources.set(STEADY, FINE)
    eventually(lambda: look() == "met", WITHIN, what="the steady source is judged again")
    firing = [name for name, (_, fault) in BROKEN.items() if fault.fails_the_collection]
    eventually(
        lambda: (
            look() and daemon.firing().issuperset((COLLECTOR_UP, (("collector", name),), "breach") for name in firing)
        ),
        WITHIN,
        what="the collectors' alerts fire",
    )
    broken = {name: daemon.series(name) for name in BROKEN}
    twice = {name: daemon.series(name) for name in TWICE}
    up = {name: daemon.metric("slo_guard_collector_up", collector=name) for name in (*BROKEN, *TWICE)}
    rejected = {name: daemon.metric("slo_guard_samples_rejected_total", collector=name) for name in (*BROKEN, *TWICE)}
    web_page = daemon.get("/sources").text

    for name in BROKEN:
        sources.mend_door(name)
        sources.set(name, FINE)
    for name in TWICE:
        sources.double(name, None)
    eventually(lambda: {kpi["verdict"] for kpi in daemon.kpis().values()} == {"met"}, WITHIN, what="all is well again")
    eventually(lambda: not daemon.firing(), WITHIN, what="no alert fires any more")
    eventually(daemon.outbox_is_empty, WITHIN, what="all is told")
    mended = {name: kpi["verdict"] for name, kpi in daemon.kpis().items()}
    exit_code = daemon.stop()
    transitions, decisions = stored(daemon.config.parent / "slo-guard.db")
    return Night(
        broken, seen, steady, twice, up, rejected, web_page, mended, exit_code, hook.accepted, transitions, decisions,
        daemon.stderr,
    )  # fmt: skip


def told(night: Night, kpi: str, status: str) -> list[dict[str, Any]]:
    """Return the alerts of a KPI in the messages with that status."""
    bodies = [each.document for each in night.messages]
    return [
        alert
        for body in bodies
        if body["groupLabels"]["kpi"] == kpi
        for alert in body["alerts"]
        if alert["status"] == status
    ]


@pytest.mark.parametrize("name", BROKEN)
def test_a_source_that_misbehaves_is_no_data_with_its_reason_and_never_met(night: Night, name: str) -> None:
    """Silence is never green, and whoever looks must read what is wrong with the source, not guess."""
    kind, fault = BROKEN[name]
    series = night.broken[name]

    assert night.seen_while_broken[name] == {"no_data"}
    assert (series["verdict"], series["reason"]) == ("no_data", fault.reason)
    assert series["value"] is None
    if fault.fails_the_collection:
        assert fault.says[kind] in series["note"]
        assert fault.says[kind] in night.web_page
        assert night.up[name] == 0.0
    else:
        assert night.up[name] == 1.0
        assert (night.rejected[name] or 0.0) >= 1.0, "samples that cannot be used are counted"
        assert f"collector={name}" in night.log


@pytest.mark.parametrize("name", TWICE)
def test_a_series_that_comes_twice_is_never_met(night: Night, name: str) -> None:
    """One of its two values is within the objective and the other is not: nobody can say that it is met."""
    assert "met" not in night.seen_while_broken[name]
    assert (night.rejected[name] or 0.0) >= 1.0


def test_the_other_sources_go_on_being_judged(night: Night) -> None:
    """Sixteen sources that fail, some of them slowly, delay nobody else: a breach beside them is seen and told."""
    assert "no_data" not in night.steady_while_broken
    assert len(told(night, STEADY, "firing")) == 1
    assert len(told(night, STEADY, "resolved")) == 1


def test_all_recover_by_themselves(night: Night) -> None:
    """Once the sources are well nobody has to restart anything."""
    assert set(night.mended.values()) == {"met"}
    assert night.exit_code == 0


@pytest.mark.parametrize("name", [name for name, (_, fault) in BROKEN.items() if fault.fails_the_collection])
def test_a_failing_collector_is_told_once_instead_of_all_that_it_causes(night: Night, name: str) -> None:
    """One message about the source is to the point; one for each KPI behind it is what people learn to ignore."""
    about = [alert for alert in told(night, COLLECTOR_UP, "firing") if alert["labels"]["collector"] == name]
    ended = [alert for alert in told(night, COLLECTOR_UP, "resolved") if alert["labels"]["collector"] == name]
    fired = [each for each in night.transitions if each.key.kpi == name and each.to_state is AlertState.FIRING]
    reasons = {each.not_told for each in night.decisions if each.transition in {item.seq for item in fired}}

    assert about
    assert len(ended) == 1
    assert len(fired) == 1
    assert reasons == {NotToldReason.SOURCE_DOWN}
    assert told(night, name, "firing") == []
    assert told(night, name, "resolved") == []


@pytest.mark.parametrize("name", [name for name, (_, fault) in BROKEN.items() if not fault.fails_the_collection])
def test_values_that_are_no_numbers_are_told_as_missing_data(night: Night, name: str) -> None:
    """The source answers, so its own alert is silent: the KPI's message is the only one."""
    (fired,) = told(night, name, "firing")
    (ended,) = told(night, name, "resolved")

    assert fired["annotations"]["reason"] == "stale"
    assert ended["annotations"]["reason"] == "recovered"


def test_the_log_has_no_traceback(night: Night) -> None:
    """What a source can do is expected: it is said in one line."""
    assert "Traceback" not in night.log
    assert "job_failed" not in night.log
    assert "collector_bug" not in night.log
