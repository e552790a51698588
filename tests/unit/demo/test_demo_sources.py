"""The demo's sources read by the real collectors: every indicator arrives with the value that the world has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml

from slo_guard.collect import COLLECTORS, Collector
from slo_guard.config import load_config
from slo_guard.demo.adapted_rules import write_rules
from slo_guard.demo.demo_config import demo_config
from slo_guard.demo.mission_control import EVENTS, SERIES, SIGNED, MissionControl
from slo_guard.demo.mission_files import MissionFiles
from slo_guard.demo.sources import source_server
from slo_guard.domain.readings import CollectionFailure, EventBatch, Evidence, GaugeFrame
from slo_guard.domain.series import LabelSet
from slo_guard.notify import RECEIVERS
from tests.support.demo_world import T0, mission


@dataclass(slots=True)
class Seen:
    """What the collectors have brought: the newest value of each series, all events, the newest sign-offs."""

    latest: dict[str, dict[LabelSet, float]] = field(default_factory=dict)
    events: dict[str, list[tuple[float, LabelSet, float]]] = field(default_factory=dict)
    signed: dict[str, Evidence] = field(default_factory=dict)
    failures: list[CollectionFailure] = field(default_factory=list)
    rejected: list[str | None] = field(default_factory=list)

    def take(self, collector: Collector, now: float, cursor: str | None) -> str | None:
        collection = collector.collect(now, cursor)
        for item in collection.observations:
            if isinstance(item, CollectionFailure):
                self.failures.append(item)
                continue
            self.rejected += [item.example] if item.rejected else []
            match item.frame:
                case GaugeFrame() as frame:
                    present = np.ones(len(frame.index), bool) if frame.present is None else frame.present
                    newest = self.latest.setdefault(item.indicator, {})
                    newest |= {frame.index.label_sets[row]: float(frame.values[row]) for row in np.flatnonzero(present)}
                case EventBatch() as batch:
                    self.events.setdefault(item.indicator, []).extend(
                        (at, batch.index.label_sets[row], value)
                        for at, row, value in zip(
                            batch.at.tolist(), batch.series.tolist(), batch.values.tolist(), strict=True
                        )
                    )
                case Evidence() as evidence:
                    self.signed[item.indicator] = evidence
        return collection.cursor if collection.cursor is not None else cursor


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Collect at several instants of the story, over two rotations, with everything in place as the demo has it."""
    folder, control, clock = tmp_path_factory.mktemp("demo"), mission(), [T0]
    files, found = MissionFiles(folder, control), Seen()
    with source_server(control, lambda: clock[0]) as server:
        cursors: dict[str, str | None] = {}
        collectors: list[Collector] = []
        for now in (T0, T0 + 2, T0 + 58, T0 + 80, T0 + 126, T0 + 140):
            clock[0] = now
            files.advance(now)
            collectors = collectors or list(built(folder, control, server.url))
            for collector in collectors:
                cursors[collector.name] = found.take(collector, now, cursors.get(collector.name))
        for collector in collectors:
            collector.close()
    files.close()
    return found


def built(folder: Path, control: MissionControl, url: str) -> Iterator[Collector]:
    (folder / "slo-guard.yaml").write_text(yaml.safe_dump(demo_config(url, 0), sort_keys=False))
    (folder / "slack-url").write_text("http://127.0.0.1:1/services/x")
    write_rules(folder / "rules", T0, story=control.story)
    types = [{name: kind.options for name, kind in kinds.items()} for kinds in (COLLECTORS, RECEIVERS)]
    loaded = load_config(folder / "slo-guard.yaml", *types)
    assert [str(finding) for finding in loaded.findings] == []
    assert loaded.config is not None
    for options in loaded.config.collectors:
        yield COLLECTORS[options.type].build(options, control.story.history_from)


def test_every_type_of_collector_is_there_and_none_fails(seen: Seen) -> None:
    """The demo shows every kind of source; one that fails by itself would be a fault that nobody announced."""
    types = {collector["type"] for collector in demo_config("http://127.0.0.1:1", 0)["collectors"]}

    assert types == set(COLLECTORS)
    assert [failure.message for failure in seen.failures] == []
    assert seen.rejected == []


def test_every_series_arrives_with_the_value_of_the_world(seen: Seen) -> None:
    """Units, labels, pages and increments: whatever is lost on the way would be judged wrong in silence."""
    control = mission()
    newest = T0 + 140

    values: Mapping[str, Mapping[LabelSet, float]] = {name: control.now(name, newest) for name in SERIES}

    assert set(seen.latest) == set(values)
    for name, series in values.items():
        assert seen.latest[name] == pytest.approx(series, rel=1e-5), name


def test_every_event_arrives_once(seen: Seen) -> None:
    """A ledger is shown again and again, a file is read on: the sum and the median must not notice."""
    control = mission()

    for name in EVENTS:
        events = [(event.at, event.labels, event.value) for event in control.events(name, 0.0, T0 + 140)]
        got = sorted(seen.events.get(name, []))
        assert [(labels, value) for _, labels, value in got] == [
            (labels, pytest.approx(value)) for _, labels, value in sorted(events)
        ], name
        assert [at for at, _, _ in got] == pytest.approx([at for at, _, _ in sorted(events)], abs=0.001)


def test_everything_that_is_signed_arrives(seen: Seen) -> None:
    """By label, too: a tenant's evidence is not another one's."""
    signed = mission().sign_offs(T0 + 140)

    assert set(seen.signed) == set(SIGNED)
    for name, entries in signed.items():
        got = [(each.labels, each.value, each.by) for each in seen.signed[name].sign_offs]
        assert got == [(each.labels, each.value, each.by) for each in entries], name
