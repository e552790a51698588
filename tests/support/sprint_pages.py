"""The demo's sprint, stepped to an instant in its middle and served as the daemon serves it: the same pages on every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from slo_guard.cli.demo_speed import shipped_sprint
from slo_guard.demo.sprint_room import SprintRoom
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.explanations import Explanation, Unexplained
from slo_guard.domain.ports import Store
from slo_guard.domain.silences import Acknowledgement, Matcher, Silence
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.explained import explain_stored
from slo_guard.expose.api import create_app
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.render import KpiRenderer
from slo_guard.expose.server import HttpServer
from slo_guard.expose.snapshot import Snapshot, SnapshotHolder
from slo_guard.loaded import load_files
from slo_guard.source_board import SourceBoard
from slo_guard.standing import StandingGates, sign_offs_known
from slo_guard.stepped import stepping
from slo_guard.store import open_store
from tests.support.serving import accepted

INTO_THE_SPRINT = timedelta(days=8, hours=16)
"""Tuesday of the second week, in the afternoon: most of the story has happened, and some of it is going on."""

_LOOKED_AT_SECONDS = 40.0


@dataclass
class SprintPages:
    """Where the pages are, what they show, and the store behind them."""

    url: str
    holder: SnapshotHolder
    store: Store
    now: float

    @property
    def snapshot(self) -> Snapshot:
        assert self.holder.current is not None
        return self.holder.current

    def publish(self, **changes: object) -> None:
        """Show another snapshot."""
        self.holder.publish(replace(self.snapshot, **changes))


def silence_of_the_blocker(now: float) -> Silence:
    """Return what was agreed about the oldest blocker."""
    return Silence(
        id=1,
        matchers=(Matcher("kpi", "blocker_age_max"),),
        starts_at=now - 7200.0,
        ends_at=now + 86_400.0,
        by="Eng Manager",
        why="waits for the vendor; raised with them on Monday",
        created_at=now - 7200.0,
    )


def known_latency(now: float) -> Acknowledgement:
    """Return what somebody said of the latency that was missed on the second day."""
    return Acknowledgement(
        id=1,
        sprint="sprint-40",
        kpi="ga_latency_slo",
        labels=None,
        until=now + 2 * 86_400.0,
        by="SRE Lead",
        why="spent by the outage of the 7th; what is left is watched by its burn alerts",
        created_at=now - 3600.0,
    )


@contextmanager
def sprint_pages(folder: Path, step_seconds: float) -> Iterator[SprintPages]:
    """Serve the pages of the demo's sprint, in ``folder``, after it was stepped through up to its second week."""
    sprint = shipped_sprint()
    until = sprint.start_at + INTO_THE_SPRINT.total_seconds()
    with ExitStack() as stack:
        room = stack.enter_context(SprintRoom(folder, sprint, step_seconds, lambda _: None))
        loaded = load_files(room.config_path)
        board, frames = SourceBoard(), dict[tuple[str, str], VerdictFrame]()
        with stepping(loaded, room.clock) as stepper:
            board.expect(
                {each.name: tuple(spec.name for spec in each.indicators) for each in stepper._collectors},
                {each.name: each.type for each in loaded.config.collectors},
            )
            for at in stepper.steps(until):
                room.advance(at)
                step = stepper.step(at)
                frames |= {(frame.kpi.sprint, frame.kpi.id): frame for frame in step.evaluation.verdicts}
                for collection in step.collections:
                    board.collected(collection, at)
            state = stepper._state
        store = open_store(loaded.config.store.path)
        stack.callback(store.close)
        shown = {key: frame for key, frame in frames.items() if key[1] != COLLECTOR_UP}
        plan = state.shown(loaded.plan)
        holder = SnapshotHolder()
        holder.publish(
            Snapshot(
                at=at,
                plan=plan,
                frames=shown,
                alerts=dict(state.alerts),
                metrics=KpiRenderer().render(list(shown.values()), state.alerts, plan.kpis),
                sources=board.statuses(),
                trails=state.trails.over_sprint,
                recent_trails=state.trails.lately,
                gates=StandingGates(store).at(plan, state, frames, at),
                sign_offs=sign_offs_known(state),
                silences=(silence_of_the_blocker(at),),
                acknowledgements=(known_latency(at),),
            )
        )
        now = at + _LOOKED_AT_SECONDS

        def explain(sprint_id: str, kpi_id: str) -> Explanation | Unexplained:
            kpi = next(each for each in loaded.plan.kpis if (each.sprint, each.id) == (sprint_id, kpi_id))
            return explain_stored(loaded.plan, store, kpi)

        app = create_app(
            holder,
            OwnMetrics(),
            accepted,
            explain=explain,
            deliveries=store.deliveries,
            transitions=lambda of, kpi, limit: store.kpi_transitions(of, kpi, until=now, limit=limit),
            clock=lambda: now,
        )
        server = HttpServer(app, port=0)
        server.start()
        stack.callback(server.stop)
        yield SprintPages(server.url, holder, store, now)
