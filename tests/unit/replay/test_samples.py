"""Samples files: what is read, what is refused and what is said about it."""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.domain.readings import EventBatch, GaugeFrame, HistogramFrame, IndicatorSpec, IndicatorType, Reading
from slo_guard.domain.series import LabelSet
from slo_guard.errors import SamplesError, UnreadableError
from slo_guard.replay.samples import Samples, read_samples

T0 = 1783332000.0  # 2026-07-06T10:00:00Z


def specs(**types: str) -> dict[str, IndicatorSpec]:
    return {name: IndicatorSpec(name, IndicatorType(kind)) for name, kind in types.items()}


def read(path: Path, text: str, **types: str) -> Samples:
    path.write_text(text, encoding="utf-8")
    return read_samples(path, specs(**(types or {"latency": "gauge"})))


def rows(samples: Samples) -> list[tuple[float, str, LabelSet, float]]:
    """All samples of gauge-like frames, in the order in which the evaluator would see them."""
    found = []
    for stored in samples.observations:
        reading = stored.observation
        assert isinstance(reading, Reading)
        assert isinstance(reading.frame, GaugeFrame)
        assert reading.seen_at == reading.frame.at
        for labels, value in zip(reading.frame.index.label_sets, reading.frame.values, strict=True):
            found.append((reading.frame.at, reading.indicator, labels, float(value)))
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "samples.csv"


def test_csv_rows_become_one_frame_for_each_indicator_and_instant(file: Path) -> None:
    """A frame is what one collection brought; the evaluator judges all series of an instant together."""
    text = (
        "timestamp,indicator,value,system\n"
        "2026-07-06T10:00:00Z,latency,0.9,fs\n"
        "2026-07-06T04:00:00-06:00,latency,1.2,xai2\n"
        "1783332060,latency,0.8,fs\n"
    )

    samples = read(file, text)

    assert [len(stored.observation.frame.index) for stored in samples.observations] == [2, 1]
    assert rows(samples) == [
        (T0, "latency", (("system", "fs"),), 0.9),
        (T0, "latency", (("system", "xai2"),), 1.2),
        (T0 + 60, "latency", (("system", "fs"),), 0.8),
    ]
    assert [stored.id for stored in samples.observations] == [1, 2]


def test_json_lines_give_what_the_same_rows_give_as_csv(tmp_path: Path) -> None:
    """Two spellings of one recording must not be judged differently."""
    as_csv = read(
        tmp_path / "a.csv", "timestamp,indicator,value,system\n1783332000,latency,0.9,fs\n1783332000,latency,1,\n"
    )
    lines = [
        {"timestamp": 1783332000, "indicator": "latency", "value": 0.9, "labels": {"system": "fs"}},
        {"timestamp": "2026-07-06T10:00:00+00:00", "indicator": "latency", "value": 1},
    ]

    as_json = read(tmp_path / "a.jsonl", "\n".join(map(json.dumps, lines)))

    assert rows(as_json) == rows(as_csv)


def test_rows_are_sorted_by_time_whatever_their_order_in_the_file(file: Path) -> None:
    """Exports are often sorted by series or newest first; the evaluator must see time go forward."""
    samples = read(
        file, "timestamp,indicator,value\n1783332120,latency,3\n1783332000,latency,1\n1783332060,latency,2\n"
    )

    assert [value for *_, value in rows(samples)] == [1.0, 2.0, 3.0]


def test_equal_label_sets_come_over_the_same_index_object(file: Path) -> None:
    """The evaluator caches by index identity; a new object each instant would make long recordings slow."""
    text = "timestamp,indicator,value,system\n" + "".join(
        f"{1783332000 + 60 * k},latency,1,{system}\n" for k in range(3) for system in ("xai2", "fs")
    )

    samples = read(file, text)

    assert len({id(stored.observation.frame.index) for stored in samples.observations}) == 1


def test_byte_order_mark_windows_line_ends_and_an_empty_label_cell_are_fine(file: Path) -> None:
    """Spreadsheets write all three; none of them says anything about the samples."""
    file.write_bytes("\ufefftimestamp,indicator,value,system\r\n1783332000,latency,0.9,\r\n\r\n".encode())

    samples = read_samples(file, specs(latency="gauge"))

    assert rows(samples) == [(T0, "latency", (), 0.9)]


def test_not_a_number_and_infinity_are_rejected_and_counted(file: Path) -> None:
    """They must age into missing data, never be compared with an objective."""
    samples = read(
        file, "timestamp,indicator,value\n1783332000,latency,NaN\n1783332060,latency,+Inf\n1783332120,latency,1\n"
    )

    assert rows(samples) == [(T0 + 120, "latency", (), 1.0)]
    assert samples.rejected == 2
    assert samples.examples[0] == f"{file}:2: latency at 2026-07-06T10:00:00Z"
    assert "2 samples are NaN or infinite" in samples.notices[0]


def test_python_s_own_nan_in_json_lines_is_rejected_and_counted_too(file: Path) -> None:
    """json.dumps writes NaN bare, which is no JSON, but what every Python exporter writes."""
    samples = read(file, '{"timestamp": 1783332000, "indicator": "latency", "value": NaN}\n')

    assert samples.rejected == 1


def test_the_first_of_repeated_samples_is_used_and_the_rest_are_counted(file: Path) -> None:
    """Overlapping exports repeat rows; counting one twice would change sums without a word."""
    samples = read(file, "timestamp,indicator,value\n1783332000,latency,1\n2026-07-06T10:00:00Z,latency,2\n")

    assert rows(samples) == [(T0, "latency", (), 1.0)]
    assert samples.duplicates == 1
    assert "first of each is used" in samples.notices[0]


def test_rows_of_indicators_that_no_rule_reads_are_ignored_and_named(file: Path) -> None:
    """A mistyped indicator would else look like a source that is silent."""
    samples = read(file, "timestamp,indicator,value\n1783332000,latncy,1\n1783332000,latency,2\n")

    assert rows(samples) == [(T0, "latency", (), 2.0)]
    assert samples.ignored == (("latncy", 1),)
    assert "latncy (1)" in samples.notices[0]


def test_a_bool_indicator_takes_true_and_false(file: Path) -> None:
    """Sign-offs are recorded as words more often than as 1 and 0."""
    samples = read(
        file,
        "timestamp,indicator,value\n1783332000,signed,false\n1783332060,signed,True\n1783332120,signed,0\n",
        signed="bool",
    )

    assert [value for *_, value in rows(samples)] == [0.0, 1.0, 0.0]


def test_events_keep_every_observation_of_an_instant(file: Path) -> None:
    """Two requests may take equally long in the same second; both count."""
    samples = read(
        file, "timestamp,indicator,value,system\n1783332000,request,5,fs\n1783332000,request,5,fs\n", request="event"
    )

    (stored,) = samples.observations
    frame = stored.observation.frame
    assert isinstance(frame, EventBatch)
    assert frame.series.tolist() == [0, 0]
    assert frame.values.tolist() == [5.0, 5.0]
    assert frame.at.tolist() == [T0, T0]


def test_buckets_of_a_histogram_become_one_row_of_counts(file: Path) -> None:
    """One row a bucket in the file is one series in the frame; a bucket that a series lacks is unknown, not zero."""
    text = (
        "timestamp,indicator,value,le,system\n"
        "1783332000,latency,3,0.5,fs\n"
        "1783332000,latency,9,+Inf,fs\n"
        "1783332000,latency,4,1,xai2\n"
    )

    samples = read(file, text, latency="histogram")

    (stored,) = samples.observations
    frame = stored.observation.frame
    assert isinstance(frame, HistogramFrame)
    assert frame.bounds.tolist() == [0.5, 1.0, math.inf]
    table = dict(zip(frame.index.label_sets, frame.counts, strict=True))
    np.testing.assert_array_equal(table[(("system", "fs"),)], [3.0, np.nan, 9.0])
    np.testing.assert_array_equal(table[(("system", "xai2"),)], [np.nan, 4.0, np.nan])


def test_a_bound_counts_once_however_it_is_written(file: Path) -> None:
    """Two tools write 1 and 1.0; the second must not silently take the place of the first."""
    text = "timestamp,indicator,value,le\n1783332000,latency,3,1\n1783332000,latency,5,1.0\n1783332000,latency,9,+Inf\n"

    samples = read(file, text, latency="histogram")

    frame = samples.observations[0].observation.frame
    assert (frame.bounds.tolist(), frame.counts.tolist()) == ([1.0, math.inf], [[3.0, 9.0]])
    assert samples.duplicates == 1


def test_a_histogram_without_an_end_is_named(file: Path) -> None:
    """No quantile can be told of it: whoever wrote the file must hear so."""
    text = "timestamp,indicator,value,le,system\n1783332000,latency,3,1,fs\n1783332060,latency,3,1,fs\n"

    (notice,) = read(file, text, latency="histogram").notices

    assert notice.startswith("1 histograms have no bucket for +Inf")
    assert "latency{system=fs}" in notice


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2026-07-06T10:00:00,latency,1", "has no time zone; write 2026-07-06T10:00:00Z"),
        ("2026-07-06,latency,1", "has no time zone; write 2026-07-06T00:00:00Z"),
        ("1783332000123,latency,1", "is finer than seconds; write Unix seconds, here 1783332000.123"),
        ("1783332000123456789,latency,1", "here 1783332000.123"),
        ("-5,latency,1", "is before 1970"),
        ("nan,latency,1", "is not an instant"),
        ("6 July,latency,1", "is not an instant; write 2026-07-06T10:00:00Z or Unix seconds"),
        ("1783332000,latency,830ms", "is not a plain number; write it in base units, here 0.83"),
        ("1783332000,latency,", "the value is empty"),
        ("1783332000,latency,fast", "'fast' is not a number"),
        ("1783332000,latency,1_000", "without underscores"),
        ("1783332000,latency,true", "is not a number, and latency is a gauge"),
        ("1783332000,latency,1,fs", "has 4 cells, the header 3"),
        ("1783332000,latency", "has 2 cells, the header 3"),
    ],
)
def test_a_row_that_does_not_parse_is_named_with_what_to_write(file: Path, row: str, says: str) -> None:
    """A row that is dropped without a word would be judged as silence."""
    with pytest.raises(SamplesError) as error:
        read(file, f"timestamp,indicator,value\n1783332000,latency,1\n{row}\n")

    assert str(error.value).startswith(f"{file}:3: ")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"timestamp": 1783332000, "indicator": "latency"}', 'lacks "value"'),
        ('{"timestamp": 1783332000, "indicator": "latency", "value": 1, "label": {}}', 'write "labels"'),
        ('{"timestamp": 1783332000, "indicator": "latency", "value": 1, "labels": {"a": 1}}', "names to strings"),
        ('{"timestamp": true, "indicator": "latency", "value": 1}', '"timestamp" is 2026-07-06T10:00:00Z'),
        ('{"timestamp": 1783332000, "indicator": "latency", "value": null}', '"value" is null'),
        ('{"timestamp": 1783332000, "indicator": 5, "value": 1}', '"indicator" is a name'),
        ('{"timestamp": 1783332000', "is not JSON"),
        ("[1]", "is not an object"),
        ('{"timestamp": 1783332000, "indicator": "latency", "value": 1' + "0" * 400 + "}", "beyond all bounds"),
        ('{"timestamp": 1783332000, "indicator": "\\ud800", "value": 1}', "half a character"),
        ("[" * 100_000, "too deeply nested"),
    ],
)
def test_a_json_line_that_does_not_parse_is_named_with_what_to_write(file: Path, line: str, says: str) -> None:
    """The same promise as for CSV."""
    with pytest.raises(SamplesError) as error:
        read(file, f'{{"timestamp": 1783332000, "indicator": "latency", "value": 1}}\n{line}\n')

    assert str(error.value).startswith(f"{file}:2: ")
    assert says in str(error.value)


def test_ten_faulty_rows_are_named_and_the_rest_counted(file: Path) -> None:
    """A file in a wrong format must not flood the terminal, nor give up its faults one by one."""
    with pytest.raises(SamplesError) as error:
        read(file, "timestamp,indicator,value\n" + "1783332000,latency,x\n" * 25)

    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 15 more rows like these"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("time,value\n1,2\n", "the header lacks timestamp, indicator"),
        ("timestamp;indicator;value\n", "separate the cells with commas"),
        ("timestamp,indicator,value,a,a\n", "occurs twice"),
        ("timestamp,indicator,value,\n", "has no name"),
        ('timestamp,indicator,value\n1783332000,latency,"1"x\n', "is not CSV"),
    ],
)
def test_a_file_that_is_no_samples_file_says_what_one_looks_like(file: Path, text: str, says: str) -> None:
    """The first mistake people make is the header."""
    with pytest.raises(SamplesError) as error:
        read(file, text)

    assert says in str(error.value)


def test_a_bucket_without_a_bound_is_refused(file: Path) -> None:
    """A histogram's total row without le would be taken for a bucket."""
    with pytest.raises(SamplesError, match="write it as the label le"):
        read(file, "timestamp,indicator,value\n1783332000,latency,3\n", latency="histogram")


@pytest.mark.parametrize("bound", ["wide", "NaN", "-Inf"])
def test_a_bound_that_no_value_is_at_most_is_refused(file: Path, bound: str) -> None:
    """Nothing could be in such a bucket."""
    with pytest.raises(SamplesError, match="is not a number; write one such as"):
        read(file, f"timestamp,indicator,value,le\n1783332000,latency,3,{bound}\n", latency="histogram")


def test_files_that_cannot_be_read_at_all_say_so(tmp_path: Path) -> None:
    """Another exit code than rows to mend, and never a traceback."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00\x01")

    with pytest.raises(UnreadableError, match="cannot be read: No such file"):
        read_samples(tmp_path / "absent", {})
    with pytest.raises(UnreadableError, match="is not UTF-8"):
        read_samples(tmp_path / "bytes", {})
    with pytest.raises(UnreadableError, match="cannot be read: Is a directory"):
        read_samples(tmp_path, {})


_SAMPLES = st.dictionaries(
    st.tuples(
        st.integers(0, 4_000_000_000),
        st.sampled_from(["latency", "errors"]),
        st.dictionaries(
            st.sampled_from(["system", "zone"]),
            st.text('abcæ",\n=', min_size=1, max_size=3).map(str.strip).filter(bool),
            max_size=2,
        ).map(lambda labels: tuple(sorted(labels.items()))),
    ),
    st.floats(allow_nan=False, allow_infinity=False),
    max_size=30,
)


@given(recorded=_SAMPLES, iso=st.booleans())
@settings(max_examples=100)
def test_what_is_written_is_read_back_from_either_format(
    tmp_path_factory: pytest.TempPathFactory, recorded: dict[tuple[int, str, LabelSet], float], iso: bool
) -> None:
    """No value, label or instant may change on its way from the file to the evaluator."""
    folder = tmp_path_factory.mktemp("samples")
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "indicator", "value", "system", "zone"])
        for (at, name, labels), value in recorded.items():
            stamp = datetime.fromtimestamp(at, UTC).isoformat() if iso else at
            named = dict(labels)
            writer.writerow([stamp, name, repr(value), named.get("system", ""), named.get("zone", "")])
    lines = [
        json.dumps({"timestamp": at, "indicator": name, "value": value, "labels": dict(labels)})
        for (at, name, labels), value in recorded.items()
    ]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n" if lines else "{}", encoding="utf-8")
    expected = sorted((float(at), name, labels, value) for (at, name, labels), value in recorded.items())

    from_csv = read_samples(folder / "a.csv", specs(latency="gauge", errors="counter"))

    assert sorted(rows(from_csv)) == expected
    if lines:
        from_json = read_samples(folder / "a.jsonl", specs(latency="gauge", errors="counter"))
        assert sorted(rows(from_json)) == expected
