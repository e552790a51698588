"""The trails of all KPIs: over their sprint, to be kept, and lately, in memory alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from slo_guard.domain.kpi import KPI, Sprint
from slo_guard.domain.trails import Trail, Trails
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.evaluate.course import Course, Grid, folded, resumed, standing_in

Key = tuple[str, str]

SLOTS_A_SPRINT: Final = 400
SLOTS_LATELY: Final = 120
KEPT_EVERY_SECONDS: Final = 600.0
"""How long what is kept of a trail may stay behind, beyond the slot that is not over."""

_SHORTEST_SLOT, _SHORTEST_LATELY = 60.0, 5.0


def sprint_grid(sprint: Sprint) -> Grid:
    """Return the slots of a sprint: about 400, each of whole minutes; the last one may end after the sprint."""
    length = sprint.end_at - sprint.start_at
    slot_seconds = max(_SHORTEST_SLOT, 60.0 * round(length / SLOTS_A_SPRINT / 60.0))
    most = math.ceil(length / slot_seconds)
    return Grid(sprint.start_at, sprint.end_at, slot_seconds, most, from_the_start=True)


def recent_grid(kpi: KPI) -> Grid:
    """Return the slots of the last evaluations of a KPI: one for each, of five seconds at least."""
    return Grid(0.0, math.inf, max(_SHORTEST_LATELY, kpi.interval_seconds), most=SLOTS_LATELY)


class CourseTrails(Mapping[Key, Trail]):
    """Trails as they stand at one instant; each look-up puts one together anew."""

    def __init__(self, courses: Mapping[Key, Course]) -> None:
        self._courses = dict(courses)

    def __getitem__(self, key: Key) -> Trail:
        return self._courses[key].trail()

    def __iter__(self) -> Iterator[Key]:
        return iter(self._courses)

    def __len__(self) -> int:
        return len(self._courses)


class TrailBook:
    """Records how the KPIs of a plan go. KPIs that belong to no sprint, which are built in, have no trail."""

    def __init__(self) -> None:
        self._grids: dict[Key, tuple[Grid, Grid]] = {}
        self._sprint_long: dict[Key, Course] = {}
        self._recent: dict[Key, Course] = {}
        self._kept_at: dict[Key, float] = {}

    @property
    def over_sprint(self) -> Trails:
        """How each KPI has gone over its sprint so far."""
        return CourseTrails(self._sprint_long)

    @property
    def lately(self) -> Trails:
        """How each KPI went in its last evaluations."""
        return CourseTrails(self._recent)

    def follow(self, kpis: Iterable[KPI], sprints: Mapping[str, Sprint]) -> None:
        """Record these KPIs and no others; where a sprint was moved, what was recorded moves to its slots."""
        grids = {name: sprint_grid(sprint) for name, sprint in sprints.items()}
        guarded = [kpi for kpi in kpis if kpi.sprint in sprints]
        self._grids = {(kpi.sprint, kpi.id): (grids[kpi.sprint], recent_grid(kpi)) for kpi in guarded}
        self._sprint_long = self._fitting(self._sprint_long, 0)
        self._recent = self._fitting(self._recent, 1)
        self._kept_at = {key: at for key, at in self._kept_at.items() if key in self._grids}

    def resume(self, kept: Trails, until: float) -> None:
        """Go on from the trails that were kept; ``until``: the last evaluation (Unix seconds)."""
        for key, (grid, _) in self._grids.items():
            course = resumed(kept[key], grid, until) if key in kept else None
            if course is not None:
                self._sprint_long[key] = course
                self._kept_at[key] = until

    def go_on_from(self, other: TrailBook) -> None:
        """Take over what ``other`` recorded, which knows more of the same KPIs than was kept."""
        self._sprint_long |= {key: course for key, course in other._sprint_long.items() if key in self._grids}
        self._recent |= {key: course for key, course in other._recent.items() if key in self._grids}
        self._kept_at |= {key: at for key, at in other._kept_at.items() if key in self._grids}
        self._sprint_long, self._recent = self._fitting(self._sprint_long, 0), self._fitting(self._recent, 1)

    def note(self, frames: Iterable[VerdictFrame]) -> dict[Key, Trail]:
        """Record how KPIs stand by ``frames``; returns the trails that are to be kept now.

        Those are the ones of which a slot has ended, each at most every ten minutes, and those of a sprint that is
        over. What is of no later time than what is recorded, or of a time outside the sprint, is not recorded.
        """
        ripe: dict[Key, Trail] = {}
        for frame in frames:
            key = (frame.kpi.sprint, frame.kpi.id)
            grids = self._grids.get(key)
            if grids is None or frame.at < grids[0].begins:
                continue
            standing = standing_in(frame)
            lately = self._recent.get(key)
            if lately is None or frame.at > lately.at:
                self._recent[key] = folded(lately, grids[1], frame.at, standing)
            before = self._sprint_long.get(key)
            if frame.at > grids[0].ends or (before is not None and frame.at <= before.at):
                continue
            course = self._sprint_long[key] = folded(before, grids[0], frame.at, standing)
            if self._is_ripe(key, before, course):
                ripe[key] = course.trail()
                self._kept_at[key] = frame.at
        return ripe

    def _is_ripe(self, key: Key, before: Course | None, course: Course) -> bool:
        if course.at >= course.grid.ends:
            return True
        slot_ended = before is not None and before.slot < course.slot
        kept_at = self._kept_at.get(key)
        return slot_ended and (kept_at is None or course.at - kept_at >= KEPT_EVERY_SECONDS)

    def _fitting(self, courses: Mapping[Key, Course], which: int) -> dict[Key, Course]:
        """Return the courses of the KPIs that are followed, in their slots."""
        fitting: dict[Key, Course] = {}
        for key, course in courses.items():
            grids = self._grids.get(key)
            if grids is None:
                continue
            grid = grids[which]
            moved = course if course.grid == grid else resumed(course.trail(), grid, course.at)
            if moved is not None:
                fitting[key] = moved
        return fitting
