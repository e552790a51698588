"""Rotated, copied, cut, replaced, gone and back: a file is known by what was read of it, and loss is told."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from slo_guard.domain.readings import CollectionFailure
from tests.unit.collect.test_file import EVENT, HEADER, NOW, Reader, append, failing, line, rows_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sessions.csv"
    path.write_text(HEADER + line("first", 1))
    return path


def tenants(reader: Reader) -> list[str]:
    return [tenant for tenant, _ in rows_of(reader.first())]


def beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


@pytest.mark.parametrize("suffix", [".1", "-20260716", ".old"])
@pytest.mark.parametrize("glob", ["", "*"])
def test_the_rest_of_a_renamed_file_is_read(file, suffix, glob):
    """What was written between the last collection and the rotation, and after it by a writer that still has it open."""
    reader = Reader(f"{file}{glob}")
    assert tenants(reader) == ["first"]
    append(file, line("before", 2))
    file.rename(beside(file, suffix))
    file.write_text(HEADER + line("after", 3))

    assert tenants(reader) == ["after", "before"]
    append(beside(file, suffix), line("late", 4))
    append(file, line("next", 5))
    assert tenants(reader) == ["late", "next"]
    beside(file, suffix).rename(beside(file, ".2"))
    assert tenants(reader) == []


def test_a_file_that_was_rotated_twice_between_two_collections_is_read(file):
    """After an outage of the daemon several rotated files lie there."""
    reader = Reader(file)
    assert tenants(reader) == ["first"]
    file.rename(beside(file, ".2"))
    beside(file, ".1").write_text(HEADER + line("second", 2))
    file.write_text(HEADER + line("third", 3))

    assert tenants(reader) == ["second", "third"]
    assert tenants(reader) == []


def test_what_was_rotated_before_the_first_collection_is_not_read(file):
    """Only files that the glob names begin to be read."""
    beside(file, ".1").write_text(HEADER + line("past", 1))

    assert tenants(Reader(file)) == ["first"]


@pytest.mark.parametrize("writes_header", [True, False])
@pytest.mark.parametrize("glob", ["", "*"])
def test_the_rest_of_a_file_that_was_copied_and_cut_is_read(file, writes_header, glob):
    """Log-rotate's copytruncate, also seen between the two; the writer does not know that its header is gone."""
    reader = Reader(f"{file}{glob}")
    assert tenants(reader) == ["first"]
    append(file, line("before", 2))
    shutil.copy(file, beside(file, ".1"))
    assert tenants(reader) == ["before"]
    os.truncate(file, 0)
    append(file, (HEADER if writes_header else "") + line("after", 3))

    [reading] = reader.collect().observations

    assert [tenant for tenant, _ in rows_of(reading)] == ["after"]
    assert reading.rejected == 0


def test_two_generations_without_a_header_are_read(file):
    """The copies of a file that is cut have no header either."""
    reader = Reader(file)
    assert tenants(reader) == ["first"]
    shutil.copy(file, beside(file, ".2"))
    beside(file, ".1").write_text(line("second", 2))
    os.truncate(file, 0)
    append(file, line("third", 3))

    assert tenants(reader) == ["second", "third"]


def test_a_file_that_is_sent_anew_with_more_rows_goes_on(file):
    """Rsync and editors replace the file: what was read of it is not read again."""
    reader = Reader(file)
    assert tenants(reader) == ["first"]
    copy = beside(file, ".sent")
    copy.write_text(file.read_text() + line("second", 2))
    copy.rename(file)

    assert tenants(reader) == ["second"]


@pytest.mark.parametrize("in_place", [True, False])
def test_other_content_under_the_same_name_is_read_from_its_start_and_told(file, in_place):
    """A file that was replaced has new rows, and may have lost the last ones of the old: that is said."""
    reader = Reader(file)
    assert tenants(reader) == ["first"]
    if not in_place:
        file.unlink()
        beside(file, "x").write_text("takes the inode")
    file.write_text(HEADER + line("other", 2) + line("more", 3))

    [reading] = reader.collect().observations

    assert [tenant for tenant, _ in rows_of(reading)] == ["more", "other"]
    assert reading.rejected == 1
    assert reading.example.startswith(f"{file}: it was cut short or replaced, and is read from its start")
    assert reader.first().rejected == 0


def test_a_file_that_goes_with_rows_unread_is_told(tmp_path):
    """Rows that nobody can read any more must not be lost in silence."""
    kept, gone = tmp_path / "a.csv", tmp_path / "b.csv"
    kept.write_text(HEADER)
    gone.write_text(HEADER + line("first", 1) + "2026-07-16,begun")
    reader = Reader(tmp_path / "*.csv")
    assert tenants(reader) == ["first"]
    gone.unlink()

    reading = reader.first()

    assert (reading.rejected, reading.example) == (1, f"{gone}: it is gone with at least 16 bytes that were not read")
    assert reader.first().rejected == 0


def test_old_files_that_are_tidied_away_are_no_fault(tmp_path):
    """Days that are read go."""
    for day in (1, 2):
        (tmp_path / f"{day}.csv").write_text(HEADER + line(f"{day}", day))
    reader = Reader(tmp_path / "*.csv")
    assert tenants(reader) == ["1", "2"]
    (tmp_path / "1.csv").unlink()

    assert reader.first().rejected == 0


def test_a_folder_that_goes_and_comes_back_is_not_read_again(file, tmp_path):
    """A share that is mounted late gives the same files under other numbers."""
    reader = Reader(file)
    other = Reader(tmp_path / "in" / "*.csv")
    (tmp_path / "in").mkdir()
    shutil.copy(file, tmp_path / "in")
    assert (tenants(reader), tenants(other)) == (["first"], ["first"])
    shutil.move(tmp_path / "in" / "sessions.csv", tmp_path / "kept")
    (tmp_path / "in" / "else.csv").write_text(HEADER)
    assert tenants(other) == []
    assert tenants(other) == []
    shutil.copy(tmp_path / "kept", tmp_path / "in" / "sessions.csv")
    append(tmp_path / "in" / "sessions.csv", line("second", 2))

    assert tenants(other) == ["second"]


def test_nothing_there_but_the_rest_of_what_was_renamed_is_read_and_told(file):
    """Between rename and creation there is no file: the rest is read, and that there is none is said all the same."""
    reader = Reader(file)
    reader.collect()
    append(file, line("before", 2))
    file.rename(beside(file, ".1"))

    reading, failure = reader.collect().observations

    assert [tenant for tenant, _ in rows_of(reading)] == ["before"]
    assert isinstance(failure, CollectionFailure)
    assert failure.reason == "no_file"
    assert failing(reader).reason == "no_file"


def test_a_link_and_what_it_leads_to_are_one_file(file):
    """current.csv is often a link to the day's file."""
    (file.parent / "current.csv").symlink_to(file)

    assert tenants(Reader(file.parent / "*.csv")) == ["first"]


def test_hidden_files_are_no_files_of_a_glob(file):
    """Rsync prepares files under hidden names in the same folder."""
    shutil.copy(file, file.with_name(".sessions.csv.Xy12"))
    shutil.copy(file, file.with_name(".half.csv"))

    assert tenants(Reader(file.parent / "*.csv*")) == ["first"]


def test_another_path_in_the_config_does_not_read_on_in_the_old_file(file):
    """The old one lies beside it still, and grows."""
    reader = Reader(file)
    reader.collect()
    append(file, line("old", 2))
    (file.parent / "sessions-new.csv").write_text(HEADER + line("new", 3))
    moved = Reader(file.parent / "sessions-new.csv")
    moved.cursor = reader.cursor

    assert tenants(moved) == ["new"]


def test_a_name_that_is_no_utf_8_and_one_that_looks_like_a_glob_are_read(tmp_path):
    """Names are bytes, and brackets are allowed in them."""
    folder = tmp_path / os.fsdecode(b"data[1]\xff")
    folder.mkdir()
    file = folder / os.fsdecode(b"sessions[2]\xff.csv")
    file.write_text(HEADER + line("acme", "x"))
    context = {"folder": folder}
    reader = Reader("unused.csv")
    options = type(reader.collector._options).model_validate(
        {"name": "rows", "type": "file", "path": file.name, "indicators": [EVENT]}, context=context
    )
    reader.collector = type(reader.collector)(options)

    reading = reader.first()
    append(file, line("birch", 1))

    assert "sessions[2]\N{REPLACEMENT CHARACTER}.csv:2: " in reading.example
    assert tenants(reader) == ["birch"]


@pytest.mark.parametrize("change", [{"offset": 10**30}, {"mark": "x"}, {"path": "\0"}, {"inode": -1}, {"header": 5}])
def test_a_cursor_that_is_wrong_does_no_harm(file, change):
    """At worst a file is read anew."""
    reader = Reader(file)
    reader.collect()
    content = json.loads(reader.cursor)
    content["files"][0].update(change)

    collection = reader.collector.collect(NOW, json.dumps(content))

    assert collection.succeeded


def test_nothing_new_changes_no_cursor(file):
    """It would be written to the store twice a minute for nothing."""
    reader = Reader(file)
    reader.collect()

    assert reader.collect().cursor is None
