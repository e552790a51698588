"""``kill -9`` at twenty random instants: the same transitions as in a life without, and no message lost.

The same script of faults is played twice, each time on a fresh store: once undisturbed, once while the process is killed
again and again and started at once on the same store. A step of the script is over when the API shows its effect, so that
both lives see the same faults. What happens once may be told twice (with the same idempotency key), never not at all.

What may differ is when a transition happens, never whether or why. Not even a pending alert may begin anew: it would if
nobody had observed for longer than ``no_data.after``, but the process is started again at once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKey, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.notifications import Decision, NotToldReason
from slo_guard.domain.verdicts import AlertState, Verdict
from tests.support.daemon import Daemon, described, eventually, stored
from tests.support.http_sources import Reply
from tests.support.mission_sources import MissionSources
from tests.support.seeds import SEED, announce_seed  # noqa: F401 - prints the seed
from tests.support.slack_stand_in import SlackStandIn
from tests.support.webhook_stand_in import Received, WebhookStandIn

pytestmark = pytest.mark.xdist_group("kill")

KILLS = 20
STALE_AFTER = "5s"
STEP_WITHIN = 60.0
FINISHED_WITHIN = 90.0
"""A message whose sending was cut off by the kill is tried again when its lease has run out."""

QUERIES = {"errors_total": "errors", "requests_total": "requests", "incidents_total": "incidents", "alarm": "alarm"}
RULES: dict[str, Any] = {
    "version": 1,
    "sprint": "s1",
    "lane": "killed",
    "owner": "SRE Lead",
    "interval": "1s",
    "defaults": {"no_data": {"after": "1m", "then": "alert"}, "forget_after": "5m"},
    "kpis": [
        {
            "kpi": "latency",
            "indicator": "latency_seconds",
            "by": ["system"],
            "expect": {"system": ["a", "b"]},
            "measure": "last",
            "objective": {"at_most": "1s"},
            "warn": {"at_most": "0.8s"},
            "resolve": {"at_most": "0.9s"},
            "for": "2s",
            "keep_firing_for": "1s",
            "no_data": {"after": STALE_AFTER, "then": "alert"},
        },
        {
            "kpi": "errors",
            "indicator": {"bad": "errors_total", "total": "requests_total"},
            "measure": "ratio over 10m",
            "objective": {"below": "1%"},
            "for": "1s",
        },
        {
            "kpi": "incidents",
            "indicator": "incidents_total",
            "measure": "increase over 10m",
            "objective": {"equals": 0},
        },
        {"kpi": "alarms", "indicator": "alarm", "measure": "max over 3s", "objective": {"below": 1}},
        {
            "kpi": "signed",
            "indicator": "signed",
            "measure": "last",
            "objective": {"is": True},
            "severity": "ticket",
        },
    ],
}

COLLECTIONS = "slo_guard_collection_duration_seconds_count"

Effect = tuple[str, tuple[tuple[str, str], ...], str]
"""An alert as the API shows it: KPI, labels, kind."""


def alert(kpi: str, kind: str = "breach", **labels: str) -> Effect:
    return kpi, tuple(sorted(labels.items())), kind


@dataclass(frozen=True)
class Step:
    """A change at the sources, and which alerts then fire or fire no more."""

    change: Callable[[Life], None]
    fires: tuple[Effect, ...] = ()
    ends: tuple[Effect, ...] = ()


@dataclass
class Life:
    """One run of the script: its process, its sources and its receivers."""

    daemon: Daemon
    sources: MissionSources
    slack: SlackStandIn
    hook: WebhookStandIn

    def latency(self, system: str, seconds: float) -> None:
        self.sources.set("latency", seconds, system=system)

    def sign(self, value: bool) -> None:
        """Add a sign-off as of now, in one go."""
        file = self.daemon.config.parent / "signed.yaml"
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
        now = int(time.time())  # noqa: TID251 - the process under test reads the same clock
        entries.append({"indicator": "signed", "value": value, "by": "Ana", "when": iso(now)})
        half = file.with_suffix(".half")
        half.write_text(yaml.safe_dump(entries), encoding="utf-8")
        half.replace(file)

    def break_page(self) -> None:
        self.sources.break_door("page", Reply(b"down", 500))


PAGE_ALERTS = (alert("latency", system="a"), alert("latency", system="b"), alert(COLLECTOR_UP, collector="page"))

SCRIPT = (
    Step(lambda life: life.latency("a", 1.5), fires=(alert("latency", system="a"),)),
    Step(lambda life: life.sources.add("errors", 500), fires=(alert("errors"),)),
    Step(lambda life: life.sources.set("alarm", 1.0), fires=(alert("alarms"),)),
    # Met, but not yet past the bound at which a firing alert resolves.
    Step(lambda life: life.latency("b", 0.85), fires=(alert("latency", "risk", system="b"),)),
    Step(lambda life: life.latency("a", 0.5), ends=(alert("latency", system="a"),)),
    Step(lambda life: life.sign(value=False), fires=(alert("signed"),)),
    Step(lambda life: life.sources.set("alarm", 0.0), ends=(alert("alarms"),)),
    Step(lambda life: life.latency("b", 1.2), fires=(alert("latency", system="b"),)),
    Step(lambda life: life.sources.add("requests", 99_000), ends=(alert("errors"),)),
    Step(lambda life: life.sources.add("incidents", 1), fires=(alert("incidents"),)),
    Step(
        lambda life: life.latency("b", 0.5), ends=(alert("latency", system="b"), alert("latency", "risk", system="b"))
    ),
    Step(lambda life: life.sign(value=True), ends=(alert("signed"),)),
    Step(Life.break_page, fires=PAGE_ALERTS),
    Step(lambda life: life.sources.mend_door("page"), ends=PAGE_ALERTS),
    Step(lambda life: life.latency("a", 1.5), fires=(alert("latency", system="a"),)),
    Step(lambda life: life.latency("a", 0.5), ends=(alert("latency", system="a"),)),
)


def play(life: Life) -> None:
    """Play the script; each step waits until the API shows its effect."""
    for number, step in enumerate(SCRIPT, 1):
        if number in (2, 9):
            life.slack.answer(429, retry_after=1)
            life.hook.answer(500, times=2)
        step.change(life)

        def done(step: Step = step) -> bool:
            firing = life.daemon.firing()
            return firing.issuperset(step.fires) and firing.isdisjoint(step.ends)

        eventually(done, STEP_WITHIN, what=f"step {number} fires {step.fires} and ends {step.ends}")


@contextmanager
def lives(folder: Path) -> Iterator[Life]:
    """Give a fresh store, calm sources and new receivers."""
    with ExitStack() as stack:
        sources = stack.enter_context(MissionSources(QUERIES_BACK, {"latency_seconds": "latency"}))
        slack, hook = stack.enter_context(SlackStandIn()), stack.enter_context(WebhookStandIn())
        for system in ("a", "b"):
            sources.past("latency", 0.5, system=system)
        began = time.time()  # noqa: TID251 - the process under test reads the same clock
        sources.past("requests", lambda at: 1000.0 if at >= began - 300 else 0.0)
        sources.past("errors", lambda at: 1.0 if at >= began - 300 else 0.0)
        sources.past("incidents", 3.0)
        sources.past("alarm", 0.0)
        daemon = stack.enter_context(Daemon(write_config(folder, sources, slack, hook)))
        yield Life(daemon, sources, slack, hook)


QUERIES_BACK = {f"sum({metric})": name for metric, name in QUERIES.items()}


def write_config(folder: Path, sources: MissionSources, slack: SlackStandIn, hook: WebhookStandIn) -> Path:
    folder.mkdir()
    (folder / "rules").mkdir()
    sprint = {"version": 1, "sprint": "s1", "timezone": "UTC", "start": "2020-01-01", "end": "2020-12-31"}
    (folder / "rules" / "sprint.yaml").write_text(yaml.safe_dump(sprint), encoding="utf-8")
    (folder / "rules" / "lane.yaml").write_text(yaml.safe_dump(RULES, sort_keys=False), encoding="utf-8")
    signed = [{"indicator": "signed", "value": True, "by": "Ana", "when": "2020-01-01T00:00:00Z"}]
    (folder / "signed.yaml").write_text(yaml.safe_dump(signed), encoding="utf-8")
    types = {"errors_total": "counter", "requests_total": "counter", "incidents_total": "counter", "alarm": "gauge"}
    receiving = {"min_interval": "0s", "http": {"total_timeout": "1s"}}
    config = {
        "rules": ["rules"],
        "server": {"port": 0},
        "collector_alert": {"for": "1s"},
        "collectors": [
            {
                "name": "prometheus",
                "type": "prometheus",
                "url": sources.url("prometheus"),
                "interval": "1s",
                "indicators": [{"name": name, "type": types[name], "query": f"sum({name})"} for name in QUERIES],
            },
            {
                "name": "page",
                "type": "scrape",
                "url": sources.url("page") + "/metrics",
                "interval": "1s",
                "indicators": [
                    {"name": "latency_seconds", "type": "gauge", "unit": "seconds", "metric": "latency_seconds"}
                ],
            },
            {"name": "signed", "type": "evidence", "file": "signed.yaml", "interval": "1s", "indicators": ["signed"]},
        ],
        "receivers": [
            {"name": "slack", "type": "slack", "url": slack.url, **receiving},
            {"name": "oncall", "type": "webhook", "url": hook.url, **receiving},
        ],
    }
    path = folder / "slo-guard.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


class Killer:
    """Kills the process at random instants after its start and starts it again at once, ``KILLS`` times."""

    def __init__(self, daemon: Daemon, chance: random.Random) -> None:
        self.waits = [
            # A third of them before the process serves, or as it begins to; the others counted from then on: a machine
            # that is busy takes longer to start one than to kill it, and then nothing would ever be judged.
            (False, chance.uniform(0.05, 1.6)) if chance.random() < 0.35 else (True, chance.uniform(0.2, 3.4))
            for _ in range(KILLS)
        ]
        self.killed = 0
        self._daemon = daemon
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._cancelled.set()
        self._thread.join()

    def _run(self) -> None:
        for serving, wait in self.waits:
            while serving and not self._daemon.url and self._daemon.running:
                if self._cancelled.wait(0.05):
                    return
            if self._cancelled.wait(wait):
                return
            self._daemon.kill()
            self.killed += 1
            self._daemon.start()


@dataclass(frozen=True)
class Record:
    """What a life left behind."""

    transitions: tuple[Transition, ...]
    decisions: tuple[Decision, ...]
    taken: dict[str, list[Received]]
    problems: list[str]
    log: str


def finished(life: Life) -> Record:
    """Wait until all is delivered, end the process and read its store."""
    eventually(life.daemon.outbox_is_empty, FINISHED_WITHIN, what="all messages are delivered")
    assert life.daemon.stop() == 0, life.daemon.stderr
    transitions, decisions = stored(life.daemon.config.parent / "slo-guard.db")
    taken = {"slack": life.slack.accepted, "oncall": life.hook.accepted}
    return Record(transitions, decisions, taken, life.slack.problems + life.hook.problems, life.daemon.all_stderr)


def without_kills(folder: Path) -> Record:
    """Play the script with a process that nobody kills."""
    with lives(folder) as life:
        life.daemon.start().wait_ready()
        play(life)
        return finished(life)


def with_kills(folder: Path) -> Record:
    """Play the script while the process is killed twenty times."""
    with lives(folder) as life:
        life.daemon.start()
        with Killer(life.daemon, random.Random(SEED)) as killer:
            play(life)
        assert killer.killed == KILLS
        life.daemon.wait_ready()
        return finished(life)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Record]:
    """Live both lives, side by side: without kills, and with them."""
    folders = [tmp_path_factory.mktemp(name) / "mission" for name in ("undisturbed", "killed")]
    with ThreadPoolExecutor(2) as pool:
        lived = [pool.submit(live, folder) for live, folder in zip((without_kills, with_kills), folders, strict=True)]
        undisturbed, killed = (each.result() for each in lived)
    return undisturbed, killed


@pytest.fixture(scope="module")
def undisturbed(records: tuple[Record, Record]) -> Record:
    return records[0]


@pytest.fixture(scope="module")
def killed(records: tuple[Record, Record]) -> Record:
    return records[1]


def histories(transitions: Iterable[Transition]) -> dict[AlertKey, list[str]]:
    """Return each alert's changes in order: from, to and why, without their times and numbers."""
    found: dict[AlertKey, list[str]] = {}
    for each in transitions:
        change = f"{each.from_state.label} -> {each.to_state.label}: {each.reason.value}"
        found.setdefault(each.key, []).append(change)
    return found


def test_a_life_with_twenty_kills_has_the_transitions_of_one_without(undisturbed: Record, killed: Record) -> None:
    """What pages must not depend on when the machine lost its power."""
    assert histories(killed.transitions) == histories(undisturbed.transitions)
    assert len(histories(killed.transitions)) == 8


def test_transitions_are_numbered_without_gaps(killed: Record) -> None:
    """A missing number would be an alert that somebody was never told of."""
    assert [each.seq for each in killed.transitions] == list(range(1, len(killed.transitions) + 1))
    times = [each.at for each in killed.transitions]
    assert times == sorted(times)


def test_no_message_is_lost(killed: Record) -> None:
    """Each transition is named by a message that each receiver took, or by a recorded reason why it was not told."""
    keys = {receiver: {each.key for each in taken} for receiver, taken in killed.taken.items()}

    made = sorted((each.transition, each.receiver) for each in killed.decisions)
    assert made == sorted((each.seq, receiver) for each in killed.transitions for receiver in keys)
    by_number = {each.seq: each for each in killed.transitions}
    for decision in killed.decisions:
        transition = by_number[decision.transition]
        if decision.told_by is not None:
            assert decision.told_by in keys[decision.receiver], described(transition)
        else:
            assert decision.not_told in reasons_not_to_tell(transition), described(transition)


def reasons_not_to_tell(transition: Transition) -> set[NotToldReason]:
    """Return the reasons for which the script's transitions may be kept back; none for a breach and its end."""
    if AlertState.FIRING not in (transition.from_state, transition.to_state):
        return {NotToldReason.PENDING}
    if transition.key.kind.value == "risk":
        return {NotToldReason.SUPERSEDED_BY_BREACH}
    if transition.verdict is Verdict.NO_DATA and transition.key.kpi != COLLECTOR_UP:
        return {NotToldReason.SOURCE_DOWN}
    if transition.key.kpi == "latency" and transition.to_state is AlertState.INACTIVE:
        # The end of what was held back behind the page that was down.
        return {NotToldReason.NEVER_TOLD_FIRING}
    return set()


def test_what_comes_twice_is_the_same_message(killed: Record) -> None:
    """A receiver that remembers keys must be able to drop the copy; one that does not reads the same again."""
    for taken in killed.taken.values():
        bodies: dict[str | None, set[bytes]] = {}
        for each in taken:
            bodies.setdefault(each.key, set()).add(each.body)
        assert None not in bodies
        assert {key: len(different) for key, different in bodies.items() if len(different) > 1} == {}


@pytest.mark.parametrize("receiver", ["slack", "oncall"])
def test_each_alert_is_told_in_the_order_in_which_it_happened(killed: Record, receiver: str) -> None:
    """A recovery before its breach leaves people with a page that never ends."""
    told: dict[str | None, list[int]] = {}
    for decision in killed.decisions:
        if decision.receiver == receiver and decision.told_by is not None:
            told.setdefault(decision.told_by, []).append(decision.transition)
    first_taken = list(dict.fromkeys(each.key for each in killed.taken[receiver]))

    by_number = {each.seq: each for each in killed.transitions}
    order: dict[AlertKey, list[int]] = {}
    for key in first_taken:
        for number in told.get(key, []):
            order.setdefault(by_number[number].key, []).append(number)

    assert order
    assert {key: numbers for key, numbers in order.items() if numbers != sorted(numbers)} == {}
    # A copy may only come directly behind its original: nothing newer has been told in between.
    keys = [each.key for each in killed.taken[receiver]]
    assert [
        key for number, key in enumerate(keys) if key in keys[: max(0, number - 1)] and key != keys[number - 1]
    ] == []


def test_the_receivers_find_nothing_wrong(killed: Record) -> None:
    """Half a message would be worse than none."""
    assert killed.problems == []
    assert "Traceback" not in killed.log


def test_a_break_between_a_collection_and_its_evaluation_pages_for_nothing(tmp_path: Path) -> None:
    """What was collected before a break, and not yet judged, is old after it: it says nothing of the source now."""
    with lives(tmp_path / "mission") as life:
        lane = life.daemon.config.parent / "rules" / "lane.yaml"
        rules = RULES | {"interval": "10s", "kpis": [RULES["kpis"][0] | {"no_data": {"after": "2s"}}]}
        lane.write_text(yaml.safe_dump(rules), encoding="utf-8")
        life.daemon.start().wait_ready()
        collected = eventually(lambda: life.daemon.metric(COLLECTIONS, collector="page"), what="the page is collected")
        evaluated = life.daemon.json("/api/v1/kpis")["at"]
        eventually(lambda: (life.daemon.metric(COLLECTIONS, collector="page") or 0.0) > collected + 1)
        assert life.daemon.json("/api/v1/kpis")["at"] == evaluated, "the instant is wrong: run the test again"
        life.daemon.kill()
        time.sleep(2.5)

        life.daemon.start().wait_ready()
        eventually(lambda: life.daemon.kpi("latency")["verdict"] == "met", what="it is judged again")
        assert life.daemon.stop() == 0

        transitions, _ = stored(life.daemon.config.parent / "slo-guard.db")
        assert [described(each) for each in transitions] == []
