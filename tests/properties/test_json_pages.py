"""However an API cuts its rows into pages, and however it says where the next one is, the readings are the same."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.json_sources import NOW, PAGINGS, builds, paged, samples

VALUE = st.one_of(st.integers(-5, 5), st.floats(-1e6, 1e6), st.sampled_from([None, "7", "x", True, [], {}]))
TIME = st.one_of(st.integers(-3, 3).map(lambda minutes: NOW + 60 * minutes), st.sampled_from([None, "soon", NOW + 1e6]))
ROWS = st.lists(
    st.fixed_dictionaries({"tenant": st.sampled_from(["a", "b", "c", None]), "v": VALUE, "at": TIME}), max_size=12
)
SHARED = {"rows": "rows", "labels": {"tenant": "tenant"}}
INDICATORS = (
    {**SHARED, "value": "v", "type": "counter", "unit": "ms"},
    {**SHARED, "value": "v", "time": {"path": "at"}},
    {**SHARED, "type": "event", "value": "v", "time": {"path": "at"}, "id": "key"},
    {**SHARED, "type": "event", "time": {"path": "at"}},
)


def cut(rows: list, at: list[int]) -> list[list]:
    """Cut rows into pages at the given places; none of them is empty, since an empty page ends some kinds of paging."""
    places = sorted({place for place in at if 0 < place < len(rows)})
    return [rows[begin:end] for begin, end in zip([0, *places], [*places, len(rows)], strict=True)]


def outcome(stack: ExitStack, pages: list[list], paging: dict | None) -> list:
    """Return all samples and counts of two collections, the second with one more row."""
    served = [pages]
    _, collector = builds(stack)(paged(served[0]), *INDICATORS, paging=paging)
    first = collector.collect(NOW, None)
    served[0] = [*pages[:-1], [*pages[-1], {"key": "last", "tenant": "d", "v": 1, "at": NOW}]]
    second = collector.collect(NOW, first.cursor)
    told = []
    for collection in (first, second):
        assert collection.succeeded
        told.append(sorted(samples(collection.observations)))
        told.append([(item.indicator, item.rejected) for item in collection.observations])
    return told


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, st.lists(st.integers(1, 11), max_size=4), st.sampled_from([*PAGINGS]))
def test_any_split_of_rows_gives_the_same_readings_as_one_page(rows, places, kind):
    """Numbers that depend on the page size would be wrong at every size but one."""
    numbered = [{"key": f"k{number}", **row} for number, row in enumerate(rows)]
    with ExitStack() as stack:
        whole = outcome(stack, [numbered], None)
        in_pages = outcome(stack, cut(numbered, places), PAGINGS[kind])

    assert in_pages == whole
