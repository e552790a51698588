"""Files: each row is taken once as it stands, and what cannot be taken is said with its line."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slo_guard.collect.file import FileCollector, FileOptions
from slo_guard.domain.readings import Collection, CollectionFailure, EventBatch, GaugeFrame, Reading

NOW = 1_784_196_000.0
HEADER = "at,tenant,hours\n"
TIMES = {"column": "at", "zone": "America/Denver"}
EVENT = {"name": "took", "type": "event", "unit": "hours", "value": "hours", "time": TIMES, "labels": ["tenant"]}
GAUGE = {"name": "points", "type": "gauge", "value": "hours", "labels": {"team": "tenant"}}


class Reader:
    """A collector that goes on where the last collection that was stored ended."""

    def __init__(self, path: Path | str, *indicators: dict[str, Any], **options: Any) -> None:
        given = {
            "name": "rows",
            "type": "file",
            "path": str(path),
            "indicators": list(indicators or (EVENT,)),
            **options,
        }
        self.collector = FileCollector(FileOptions.model_validate(given))
        self.cursor: str | None = None

    def collect(self) -> Collection:
        collection = self.collector.collect(NOW, self.cursor)
        self.cursor = collection.cursor or self.cursor
        return collection

    def first(self) -> Any:
        return self.collect().observations[0]


def rows_of(reading: Any) -> list[tuple[str, float]]:
    """Return the first label's value and the value of each event or present sample, sorted."""
    frame = reading.frame
    if isinstance(frame, EventBatch):
        pairs = zip(frame.series, frame.values, strict=True)
    else:
        present = np.ones(len(frame.index), dtype=bool) if frame.present is None else frame.present
        pairs = ((row, frame.values[row]) for row in np.flatnonzero(present))
    label_sets = frame.index.label_sets
    return sorted((label_sets[row][0][1] if label_sets[row] else "", float(value)) for row, value in pairs)


def line(tenant: str, hours: object, minute: int = 0) -> str:
    return f"2026-07-16 04:{minute:02}:00,{tenant},{hours}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sessions.csv"
    path.write_text(HEADER)
    return path


def append(file: Path, text: str | bytes) -> None:
    with file.open("ab") as stream:
        stream.write(text.encode() if isinstance(text, str) else text)


def test_each_row_is_taken_once_in_base_units_at_its_own_time(file):
    """A sprint's median is of rows, each at its time in the zone that the config names."""
    reader = Reader(file)
    append(file, line("acme", 2))
    first = reader.first()
    append(file, line("birch", 1, minute=5))
    second = reader.first()

    assert rows_of(first) == [("acme", 7200.0)]
    assert first.frame.at.tolist() == [NOW]
    assert rows_of(second) == [("birch", 3600.0)]
    assert second.frame.at.tolist() == [NOW + 300]
    assert rows_of(reader.first()) == []


def test_a_row_without_its_line_end_waits(file):
    """12 of 1234 is not a value."""
    reader = Reader(file)
    append(file, line("acme", 1234).rstrip()[:-2])
    waits = reader.first()
    append(file, "34\n")

    assert rows_of(waits) == []
    assert (waits.rejected, rows_of(reader.first())) == (0, [("acme", 1234 * 3600.0)])


def test_several_indicators_read_a_file_in_one_pass(file):
    """One export often holds several KPIs, told apart by a column."""
    resolved = {**EVENT, "where": {"state": "resolved"}}
    opened = {"name": "opened", "type": "event", "time": TIMES, "where": {"state": "!resolved"}}
    matched = {"name": "matched", "type": "event", "time": TIMES, "where": {"tenant": "~a.*"}}
    file.write_text("at,tenant,hours,state\n2026-07-16,acme,2,resolved\n2026-07-16,birch,,open\n")

    took, count, regex = Reader(file, resolved, opened, matched).collect().observations

    assert rows_of(took) == [("acme", 7200.0)]
    assert rows_of(count) == [("", 1.0)]
    assert rows_of(regex) == [("", 1.0)]
    assert [each.rejected for each in (took, count, regex)] == [0, 0, 0]


def test_of_rows_without_a_time_the_last_one_of_a_series_counts(file):
    """A file that is only appended to says the present in its last row."""
    reader = Reader(file, GAUGE)
    append(file, line("acme", 1) + line("acme", 3) + line("birch", 2))

    [first] = reader.collect().observations
    append(file, line("birch", 5))
    [second] = reader.collect().observations

    assert (rows_of(first), first.frame.at, first.rejected) == ([("acme", 3.0), ("birch", 2.0)], NOW, 0)
    assert rows_of(second) == [("birch", 5.0)]
    assert first.frame.increment
    assert second.frame.index is first.frame.index


def test_a_whole_file_is_the_present_state_each_time(file):
    """A dump that is rewritten: what stands no longer in it is gone."""
    reader = Reader(file, GAUGE, read="whole")
    file.write_text(HEADER + line("acme", 1) + line("birch", 2).rstrip())
    first = reader.first()
    file.write_text(HEADER + line("birch", 2))
    second = reader.first()

    assert rows_of(first) == [("acme", 1.0), ("birch", 2.0)]
    assert rows_of(second) == rows_of(reader.first()) == [("birch", 2.0)]
    assert not first.frame.increment


def test_two_rows_of_a_series_in_a_whole_file_are_not_believed(file):
    """Nobody can say which of them is the present."""
    append(file, line("acme", 1) + line("acme", 2))

    reading = Reader(file, GAUGE, read="whole").first()

    assert rows_of(reading) == []
    assert (reading.rejected, "comes twice" in reading.example) == (1, True)


def test_events_of_a_whole_file_are_taken_once(file):
    """A nightly export of all tickets has each of them again; two that are alike are two."""
    reader = Reader(file, read="whole")
    file.write_text(HEADER + line("acme", 1) + line("acme", 1))
    first = reader.first()
    file.write_text(HEADER + line("birch", 2) + line("acme", 1) + line("acme", 1))

    assert rows_of(first) == [("acme", 3600.0), ("acme", 3600.0)]
    assert rows_of(reader.first()) == [("birch", 7200.0)]
    assert rows_of(reader.first()) == []


def test_an_event_that_comes_again_under_its_id_is_counted_and_left_out(file):
    """A job that runs twice writes its rows twice."""
    reader = Reader(file, {**EVENT, "id": "ticket"})
    file.write_text("at,tenant,hours,ticket\n2026-07-16,acme,2,T-1\n2026-07-16,acme,2,T-1\n2026-07-16,acme,2,T-2\n")
    first = reader.first()
    append(file, "2026-07-17,acme,3,T-2\n2026-07-17,acme,3,\n")
    second = reader.first()

    assert (len(rows_of(first)), first.rejected) == (2, 1)
    assert first.example == "sessions.csv:3: the event 'T-1' comes again"
    assert (rows_of(second), second.rejected) == ([], 2)


def test_events_without_an_id_are_separate_ones(file):
    """Two tickets may take as long as each other."""
    append(file, line("acme", 2) * 2)

    assert len(rows_of(Reader(file).first())) == 2


def test_json_lines_have_nested_fields(tmp_path):
    """Logs are written so."""
    file = tmp_path / "events.jsonl"
    file.write_text(
        '{"at": "2026-07-16T10:00:00Z", "ticket": {"tenant": "acme", "hours": 2}}\n'
        '\n{"at": 1784196000, "ticket.tenant": "flat", "ticket": {"hours": "3"}}\n'
        '{"at": 1784196000, "ticket": {"hours": null}}\n{"at": 1784196000}\n'
    )
    indicator = {**EVENT, "value": "ticket.hours", "labels": {"tenant": "ticket.tenant"}}

    reading = Reader(file, indicator).first()

    assert rows_of(reading) == [("acme", 7200.0), ("flat", 10800.0)]
    assert (reading.rejected, reading.example) == (2, "events.jsonl:4: ticket.hours is missing")


def test_booleans_and_numbers_are_compared_as_they_are_written_in_json(tmp_path):
    """where: {passed: "true"} must find true."""
    file = tmp_path / "events.ndjson"
    file.write_text('{"at": 1784196000, "ok": true, "n": 5}\n{"at": 1784196000, "ok": false, "n": 5.0}\n')
    count = {"name": "passed", "type": "event", "time": {"column": "at"}}

    true, five = (
        Reader(file, {**count, "where": where}).first() for where in ({"ok": "true"}, {"n": "5"})
    )  # fmt: skip

    assert (len(rows_of(true)), len(rows_of(five))) == (1, 2)


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ({}, "\ufeff".encode() + (HEADER + line("müller", 1)).encode()),
        ({"encoding": "cp1252"}, (HEADER + line("müller", 1)).encode("cp1252")),
        ({"delimiter": ";"}, (HEADER + line("müller", 1)).replace(",", ";").encode()),
        ({"delimiter": "\t"}, (HEADER + line("müller", 1)).replace(",", "\t").replace("\n", "\r\n").encode()),
        ({"columns": ["at", "tenant", "hours"]}, line("müller", 1).encode()),
        ({}, (HEADER + line('"müller"', '"1"')).encode()),
        ({}, ("note," + HEADER + '"two\n""lines""",' + line("müller", 1)).encode()),
    ],
    ids=["BOM", "cp1252", "semicolon", "tab and CRLF", "no header", "quotes", "line break in quotes"],
)
def test_the_usual_kinds_of_csv_are_read(file, options, content):
    """Spreadsheets write each of them."""
    file.write_bytes(content)

    reading = Reader(file, **options).first()

    assert (rows_of(reading), reading.rejected) == ([("müller", 3600.0)], 0)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (line("acme", "two"), "the value is 'two', not a number"),
        (line("acme", ""), "the value is empty"),
        (line("acme", "nan"), "nan"),
        (line("acme", "1e308"), "too large"),
        ("2026-07-16,acme\n", "it has 2 cells, the header has 3"),
        ("2026-07-16,acme,1,2\n", "it has 4 cells, the header has 3"),
        ("yesterday,acme,1\n", "'yesterday' is not a time"),
        (",acme,1\n", "the time is empty"),
        (f"{NOW * 1000:.0f},acme,1\n", "looks like ms"),
        (b"2026-07-16,\xff\xfe,1\n", "it is not utf-8 text"),
        (bytes(range(128, 256)) + b"\n", "it is not utf-8 text"),
        (b"\x00\x01\x02\n", "it has 1 cells"),
        ("2026-07-16,a\tb,1\n", "control characters"),
        ('2026-07-16,"acme,1\n', "a quote is not closed"),
        (b"x" * 10_000_000 + b"\n", "longer than 1 MiB"),
        (line("x" * 2000, 1), "longer than 1,000 characters"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_counted_with_its_line_and_the_others_taken(file, bad, said):
    """One wrong row must not hide the thousand right ones, nor be hidden by them."""
    append(file, line("acme", 1))
    append(file, bad)
    append(file, line("birch", 2) * 60)

    reading = Reader(file).first()

    assert len(rows_of(reading)) == 61
    assert reading.rejected == 1
    assert reading.example.startswith("sessions.csv:3: ")
    assert said in reading.example


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("[1, 2]", "a JSON list"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a":' * 100_000, "not JSON"),
        ('{"at": 1784196000, "hours": [1]}', "a list, not a number"),
        ('{"at": 1784196000, "hours": true}', "true, not a number"),
        ('{"at": {}, "hours": 1}', "the time is a dict"),
        ('{"at": 1784196000000, "hours": 1}', "looks like ms"),
        ('{"at": "2026-07-16T10:00:00", "hours": 1}', "states no time zone"),
        ('{"at": 1784196000, "hours": 1, "tenant": {}}', "the label tenant is a dict"),
        ('{"at": 1784196000, "hours": 1' + "0" * 400 + "}", "not"),
        ('{"at": 1784196000, "hours": NaN}', "not JSON"),
    ],
)
def test_a_json_line_that_cannot_be_used_is_counted_with_its_line(tmp_path, bad, said):
    """The same for logs."""
    file = tmp_path / "events.jsonl"
    good = '{"at": 1784196000, "hours": 1}\n'
    file.write_text(f"{good}{bad}\n{good}")

    reading = Reader(file, {**EVENT, "time": {"column": "at"}}).first()

    assert len(rows_of(reading)) == 2
    assert reading.rejected == 1
    assert reading.example.startswith("events.jsonl:2: ")
    assert said in reading.example


def test_a_line_that_is_too_long_is_counted_once_however_it_arrives(file):
    """It is skipped while it is still being written, in bounded memory."""
    reader = Reader(file)
    readings = []
    for part in (b"x" * 3_000_000, b"y" * 10, b"z" * 3_000_000 + b"\n", line("acme", 1).encode()):
        append(file, part)
        readings.append(reader.first())

    assert [each.rejected for each in readings] == [1, 0, 0, 0]
    assert rows_of(readings[-1]) == [("acme", 3600.0)]


def test_a_stray_quote_swallows_no_rows(file):
    """It is told from a cell with line breaks as soon as the rows behind it make no sense within it."""
    reader = Reader(file)
    append(file, '2026-07-16,"acme,1\n' + line("birch", 2))
    waits = reader.first()
    append(file, line("cedar", 3) * 60)
    reading = reader.first()

    assert rows_of(waits) == []
    assert len(rows_of(reading)) == 61
    assert (reading.rejected, reading.example) == (1, "sessions.csv:2: a quote is not closed")


def test_a_header_may_come_again_and_change(file):
    """A writer that restarts writes its header again; a new release may have other columns."""
    append(file, line("acme", 1) + HEADER + "hours,at,more,tenant\n2,2026-07-16,,birch\n" + "1,2026-07-16,acme\n")

    reading = Reader(file).first()

    assert rows_of(reading) == [("acme", 3600.0), ("birch", 7200.0)]
    assert (reading.rejected, reading.example) == (1, "sessions.csv:6: it has 3 cells, the header has 4")


def test_a_column_that_the_header_lacks_fails_its_indicator_alone(file):
    """One renamed column must not silence the other KPIs of the file."""
    append(file, line("acme", 1))

    took, lost = Reader(file, EVENT, {**GAUGE, "name": "lost", "value": "points"}).collect().observations

    assert rows_of(took) == [("acme", 3600.0)]
    assert isinstance(lost, CollectionFailure)
    assert (lost.indicators, lost.reason) == (("lost",), "missing_column")
    assert lost.message == (
        "sessions.csv:1: the column 'points' is not in the header; there are 'at', 'tenant', 'hours'"
    )


def test_a_file_whose_columns_nobody_knows_is_left_unread_until_the_config_is_mended(file):
    """What is not understood today is not lost tomorrow."""
    append(file, line("acme", 1))
    wrong = Reader(file, {**EVENT, "value": "hour"})
    failure = wrong.first()
    mended = Reader(file)
    mended.cursor = wrong.cursor

    assert failure.reason == "missing_column"
    assert rows_of(mended.first()) == [("acme", 3600.0)]


def test_a_file_among_many_that_lacks_a_column_is_counted(tmp_path):
    """The others are read, and the one is named."""
    (tmp_path / "a.csv").write_text(HEADER + line("acme", 1))
    (tmp_path / "b.csv").write_text("at,tenant\n2026-07-16,birch\n")
    (tmp_path / "c.csv").write_text(HEADER + line("cedar", 3))

    reading = Reader(tmp_path / "*.csv").first()

    assert rows_of(reading) == [("acme", 3600.0), ("cedar", 10800.0)]
    assert reading.rejected == 1
    assert "b.csv:1: no row is read; the column 'hours'" in reading.example


def test_most_rows_of_a_collection_and_the_next_goes_on(file):
    """A file of a million rows must not stop the evaluations for minutes, nor fill the memory."""
    reader = Reader(file, max_rows=4)
    append(file, "".join(line("acme", number) for number in range(10)))

    batches = [rows_of(reader.first()) for _ in range(4)]

    assert [len(batch) for batch in batches] == [4, 4, 2, 0]
    assert sorted(hours / 3600 for batch in batches for _, hours in batch) == list(range(10))


def test_many_files_share_what_a_collection_may_read(tmp_path):
    """A file with a long past must not keep the others waiting."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(HEADER + line(name, 1) * 10)

    reading = Reader(tmp_path / "*.csv", max_rows=6).first()

    assert {tenant for tenant, _ in rows_of(reading)} == {"a", "b"}
    assert len(rows_of(reading)) == 6


def test_time_runs_out_and_the_next_goes_on(file):
    """The time-out is of the whole collection; each gets somewhere."""
    reader = Reader(file, timeout="0.001s")
    append(file, line("acme", 1) * 5000)

    counts = []
    while not counts or counts[-1]:
        counts.append(len(rows_of(reader.first())))

    assert sum(counts) == 5000
    assert counts[0] < 5000


def test_frames_of_many_instants_stay_within_bounds(file, monkeypatch):
    """Each instant is a frame over all series: as many as fit in the memory are made in one collection."""
    monkeypatch.setattr("slo_guard.collect.file_rows.MOST_INSTANTS", 300)
    reader = Reader(file, {**GAUGE, "time": {"column": "at", "epoch": "s"}})
    append(file, "".join(f"{int(NOW) + number},acme,{number}\n" for number in range(1000)))

    frames = [[item.frame for item in reader.collect().observations] for _ in range(3)]
    values = [float(frame.values[0]) for each in frames for frame in each if len(frame.index)]

    assert values == [float(number) for number in range(1000)]
    assert max(map(len, frames)) <= 600


def failing(reader: Reader) -> CollectionFailure:
    [failure] = reader.collect().observations
    assert isinstance(failure, CollectionFailure)
    return failure


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: be somebody else meanwhile."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


def test_what_is_no_file_fails_with_its_name_and_without_hanging(tmp_path):
    """A pipe without a writer would hold up the collector for good."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()

    missing = failing(Reader(tmp_path / "sessions-*.csv"))
    pipe = failing(Reader(tmp_path / "pipe.csv"))
    folder = failing(Reader(tmp_path / "folder.csv"))

    assert (missing.reason, missing.message) == ("no_file", f"no file matches {tmp_path}/sessions-*.csv")
    assert (pipe.reason, pipe.message) == ("not_a_file", f"{tmp_path}/pipe.csv is not a file")
    assert folder.reason == "not_a_file"


def test_a_folder_beside_the_files_of_a_glob_is_counted(file):
    """It is not meant, and it is not kept silent."""
    append(file, line("acme", 1))
    (file.parent / "old.csv").mkdir()

    reading = Reader(file.parent / "*.csv").first()

    assert len(rows_of(reading)) == 1
    assert (reading.rejected, "old.csv is not a file" in reading.example) == (1, True)


@pytest.mark.parametrize("read", ["appended", "whole"])
def test_a_file_that_may_not_be_read_is_a_failure(tmp_path, read):
    """Silence is never green."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "in"
    folder.mkdir()
    file = folder / "sessions.csv"
    file.write_text(HEADER)
    reader, hidden = Reader(file, read=read), Reader(folder / "*.csv", read=read)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    file.chmod(0)
    with as_nobody():
        one = failing(reader)
    folder.chmod(0)
    with as_nobody():
        other = failing(hidden)
    folder.chmod(0o755)

    assert (one.reason, one.message) == ("unreadable", f"{file} cannot be read: Permission denied")
    assert (other.reason, other.message) == ("unreadable", f"{folder} cannot be listed: Permission denied")


def test_what_can_be_read_is_read_beside_what_cannot(tmp_path):
    """And the failure is told all the same."""
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(HEADER + line(name, 1))
    reader = Reader(tmp_path / "*.csv")
    (tmp_path / "a.csv").chmod(0)
    with as_nobody():
        reading, failure = reader.collect().observations
    (tmp_path / "a.csv").chmod(0o644)

    assert rows_of(reading) == [("b", 3600.0)]
    assert failure.reason == "unreadable"
    assert rows_of(reader.first()) == [("a", 3600.0)]


def test_a_file_that_nobody_writes_to_any_more_is_stale(file):
    """A dump whose job died would be the present state for ever."""
    append(file, line("acme", 1))
    os.utime(file, (NOW - 7200, NOW - 7200))

    failure = failing(Reader(file, GAUGE, read="whole", max_age="1h"))

    assert (failure.reason, failure.message) == (
        "stale_file",
        f"{file} was last written to 2h ago; max_age is exceeded",
    )
    assert isinstance(Reader(file, GAUGE, read="whole", max_age="3h").first(), Reading)


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        ("", {}, "empty"),
        ("\n\n", {}, "empty"),
        (HEADER + line("a", 1) * 5, {"max_rows": 4}, "too_large"),
        (HEADER + line("a", 1) * 50, {"max_bytes": 100}, "too_large"),
        (HEADER + "x\n" * 3, {}, "wrong_shape"),
        ("<html>\n</html>\n", {"format": "jsonl"}, "wrong_shape"),
    ],
)
def test_a_whole_file_that_is_not_read_whole_says_nothing(file, content, options, reason):
    """Half a state is not a state."""
    file.write_text(content)

    assert failing(Reader(file, GAUGE, read="whole", **options)).reason == reason


def test_a_whole_file_with_a_long_past_is_to_be_read_appended(file, monkeypatch):
    """Each time would be a frame of its own, again in each collection."""
    monkeypatch.setattr("slo_guard.collect.file_rows.MOST_INSTANTS", 300)
    append(file, "".join(f"{int(NOW) - number},acme,{number}\n" for number in range(1000)))

    failure = failing(Reader(file, {**GAUGE, "time": {"column": "at"}}, read="whole"))

    assert (failure.reason, "too many times" in failure.message) == ("too_large", True)


def test_a_whole_file_of_just_so_many_rows_is_read(file):
    """The bound is what may be read."""
    append(file, "".join(line(f"t{number}", 1) for number in range(5)))

    assert len(rows_of(Reader(file, GAUGE, read="whole", max_rows=5).first())) == 5


def test_a_whole_file_that_is_written_to_while_it_is_read_is_read_again(file, monkeypatch):
    """Rows of two states are no state."""
    append(file, line("acme", 1))
    pread, changes = os.pread, iter([line("birch", 2), line("cedar", 3)])

    def changing(descriptor: int, length: int, offset: int) -> bytes:
        append(file, next(changes, ""))
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", changing)

    reading = Reader(file, GAUGE, read="whole").first()

    assert rows_of(reading) == [("acme", 1.0), ("birch", 2.0), ("cedar", 3.0)]


def test_a_whole_file_that_never_rests_is_a_failure(file, monkeypatch):
    """It is said what to do about it."""
    append(file, line("acme", 1))
    pread = os.pread

    def changing(descriptor: int, length: int, offset: int) -> bytes:
        append(file, "\n" if offset == 0 else "")
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", changing)

    failure = failing(Reader(file, GAUGE, read="whole", timeout="5s"))

    assert (failure.reason, "replaced by a rename" in failure.message) == ("changing", True)


def test_a_disk_that_does_not_answer_is_left_behind(file, monkeypatch):
    """A network file system that is gone must hold up neither this source for good nor the others."""
    answers = threading.Event()
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *arguments: answers.wait(30) and pread(*arguments))
    reader = Reader(file, timeout="0.1s")

    late, still = failing(reader), failing(reader)
    answers.set()
    reader.collector._running.result(30)

    assert (late.reason, still.reason) == ("timeout", "timeout")
    assert isinstance(reader.first(), Reading)


def test_many_files_are_refused(tmp_path, monkeypatch):
    """The cursor has an entry for each, and is written with each collection."""
    monkeypatch.setattr("slo_guard.collect.file_places.MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.csv").write_text(HEADER)

    assert failing(Reader(tmp_path / "*.csv")).reason == "too_many_files"


def test_a_gauge_of_two_values_at_one_time_is_counted(file):
    """As everywhere: neither is believed."""
    append(file, line("acme", 1) + line("acme", 2))

    reading = Reader(file, {**GAUGE, "time": TIMES}).first()

    assert isinstance(reading.frame, GaugeFrame)
    assert (rows_of(reading), reading.rejected) == ([], 1)
