"""Sign-offs: what people wrote is taken as it stands, and what they mistyped is said, with its line."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.clock import to_unix
from slo_guard.collect.evidence import EvidenceCollector, EvidenceOptions
from slo_guard.collect.sign_offs import Entry, EvidenceFileError, append_sign_off, parse_instant, read_evidence
from slo_guard.domain.readings import CollectionFailure, SignOff
from slo_guard.errors import CollectionError

NOW = 1_784_196_000.0
WHEN = 1_784_196_000.0
GOOD = "- {indicator: drill, value: true, by: Ana, when: 2026-07-16T10:00:00Z}\n"


def collect(file: Path, *indicators: str):
    options = {"name": "signed", "type": "evidence", "file": str(file), "indicators": list(indicators or ("drill",))}
    return EvidenceCollector(EvidenceOptions.model_validate(options)).collect(NOW, None).observations


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "evidence.yaml"


def test_a_sign_off_is_taken_with_all_that_it_says(file):
    """Who, when and where to look it up: the page shows all of it."""
    file.write_text(
        "- indicator: drill\n  value: true\n  by: Ana\n  when: 2026-07-16T12:00:00+02:00\n"
        '  link: https://wiki/drill\n  labels: {tenant: acme}\n  entered_at: "2026-07-16T10:05:00Z"\n'
    )

    [reading] = collect(file)

    assert reading.frame.sign_offs == (
        SignOff((("tenant", "acme"),), True, "Ana", WHEN, "https://wiki/drill", WHEN + 300),
    )
    assert reading.frame.at == NOW


def test_every_declared_indicator_is_told_signed_or_not(file):
    """Unsigned is known to be unsigned, not unknown."""
    file.write_text(GOOD)

    drill, memo = collect(file, "drill", "memo")

    assert (len(drill.frame.sign_offs), memo.frame.sign_offs) == (1, ())


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]\n", "---\n"])
def test_an_empty_file_is_nothing_signed(file, text):
    """Sprints begin so."""
    file.write_text(text)

    [reading] = collect(file)

    assert (reading.frame.sign_offs, reading.rejected) == ((), 0)


def test_a_missing_file_is_a_failure(file):
    """Silence is never green: a lost file must not read as nothing signed."""
    [failure] = collect(file, "drill", "memo")

    assert isinstance(failure, CollectionFailure)
    assert (failure.reason, failure.indicators) == ("file_missing", ("drill", "memo"))
    assert "slo-guard sign" in failure.message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"- {indicator: drill, by: [\n", "not_yaml"),
        (b"- indicator: drill\n\tvalue: true\n", "not_yaml"),
        (b"\xff\xfe\x00", "not_yaml"),
        (b"indicator: drill\n", "wrong_shape"),
        (b"just words\n", "wrong_shape"),
        ("x²: 1\nx²: 2\n".encode(), "not_yaml"),
    ],
)
def test_a_file_that_is_no_list_of_sign_offs_is_a_failure(file, content, reason):
    """Half a file must not count as a whole one."""
    file.write_bytes(content)

    [failure] = collect(file)

    assert failure.reason == reason
    assert str(file) in failure.message


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{indicator: drill, value: true, by: Ana, when: 2026-07-16}", "time of day"),
        ("{indicator: drill, value: true, by: Ana, when: 2026-07-16T10:00:00}", "time zone"),
        ("{indicator: drill, value: true, by: Ana, when: yesterday}", "date with time and zone"),
        ("{indicator: drill, value: true, by: Ana}", "when is missing"),
        ("{indicator: drill, value: true, by: '', when: 2026-07-16T10:00:00Z}", "by is missing"),
        ("{indicator: drill, value: true, when: 2026-07-16T10:00:00Z}", "by is missing"),
        ("{indicator: drill, value: 1, by: Ana, when: 2026-07-16T10:00:00Z}", "value is true or false"),
        ("{indicator: drill, value: 'true', by: Ana, when: 2026-07-16T10:00:00Z}", "value is true or false"),
        ("{indicator: drill, by: Ana, when: 2026-07-16T10:00:00Z}", "value is true or false"),
        ("{indicator: drill, valu: true, by: Ana, when: 2026-07-16T10:00:00Z}", "unknown field 'valu'"),
        ("{indicator: drill, value: true, by: Ana, when: 2026-07-16T10:00:00Z, labels: [a]}", "labels"),
        ("{indicator: drill, value: true, by: Ana, when: 2026-07-16T10:00:00Z, link: 7}", "link"),
        ("{indicator: drill, value: true, value: false, by: Ana, when: 2026-07-16T10:00:00Z}", "given twice"),
        ("{indicator: dril, value: true, by: Ana, when: 2026-07-16T10:00:00Z}", "not among"),
        ("drill", "not a sign-off"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_counted_with_its_line_and_the_others_taken(file, entry, said):
    """One typo must not take back what others signed."""
    file.write_text(f"{GOOD}- {entry}\n{GOOD}")

    [reading] = collect(file)

    assert len(reading.frame.sign_offs) == 2
    assert reading.rejected == 1
    assert said in reading.example
    assert str(file) in reading.example


def test_the_line_of_a_wrong_entry_is_named(file):
    """Files grow long in a sprint."""
    file.write_text(f"# Sprint 40\n{GOOD}- indicator: drill\n  value: true\n")

    [reading] = collect(file)

    assert f"{file}:3: " in reading.example


@pytest.mark.parametrize(
    "text", ["2026-07-16T10:00:00", "2026-07-16", "10:00:00Z", "", "9999-12-31T23:59:59-23:59", "now"]
)
def test_an_instant_without_date_time_or_zone_is_refused(text):
    """A guess of the zone would decide whether a deadline was met."""
    with pytest.raises(ValueError, match="2026-07-16T10:00:00Z"):
        parse_instant(text, "when")


def entry(by: str = "Ana", **changes) -> Entry:
    fields = {"labels": (), "value": True, "by": by, "when": WHEN, "link": None, "entered_at": WHEN}
    return Entry("drill", SignOff(**{**fields, **changes}))


@settings(deadline=None)
@given(
    st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), min_size=1).filter(str.strip),
    st.dictionaries(st.sampled_from(["tenant", "a b"]), st.text(st.characters(blacklist_categories=("Cs",)), max_size=5)),
)  # fmt: skip
def test_what_is_signed_is_read_back_word_for_word(tmp_path_factory, by, labels):
    """Names have quotes, colons and emoji in them."""
    file = tmp_path_factory.mktemp("signed") / "evidence.yaml"
    written = entry(by.strip(), labels=tuple(sorted(labels.items())), link="https://x/#a: b")

    append_sign_off(file, written)

    assert read_evidence(file).entries == (written,)


@pytest.mark.parametrize(
    "before",
    [
        "# who says so\n" + GOOD + "# the end\n",
        GOOD.rstrip("\n"),
        "  " + GOOD,
        "---\n" + GOOD,
        "[]\n",
        "# none\n",
        "-   indicator: drill\n    value: true\n    by: Bo\n    when: 2026-07-16T10:00:00Z\n",
        "- {indicator: drill}\n",
        "# kept\r\n" + GOOD.replace("\n", "\r\n"),
    ],
)
def test_signing_keeps_what_stands_there(file, before):
    """People write comments into such files."""
    file.write_bytes(before.encode())
    had = read_evidence(file)

    append_sign_off(file, entry("Zoe"))

    assert file.read_bytes().decode().startswith(before.replace("[]", "").rstrip("\n"))
    after = read_evidence(file)
    assert after.entries == (*had.entries, entry("Zoe"))
    assert len(after.wrong) == len(had.wrong)


@pytest.mark.parametrize("before", ["[{indicator: drill}]\n", "a: b\n", "- [\n", GOOD + "...\n"])
def test_a_file_that_cannot_be_added_to_stays_as_it_is(file, before):
    """Better an error than a file that nobody can read any more."""
    file.write_text(before)

    with pytest.raises(EvidenceFileError):
        append_sign_off(file, entry())

    assert file.read_text() == before


def test_two_who_sign_at_once_are_both_kept(file):
    """A drill ends, and everybody signs."""
    threads = [threading.Thread(target=append_sign_off, args=(file, entry(f"person {number}"))) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(each.sign_off.by for each in read_evidence(file).entries) == sorted(f"person {n}" for n in range(12))
    assert [each.name for each in file.parent.iterdir()] == ["evidence.yaml"]


def test_a_link_to_the_file_stays_a_link(tmp_path):
    """Config folders are often links into a repository."""
    target = tmp_path / "repo" / "evidence.yaml"
    target.parent.mkdir()
    target.write_text(GOOD)
    target.chmod(0o640)
    link = tmp_path / "evidence.yaml"
    link.symlink_to(target)

    append_sign_off(link, entry())

    assert link.is_symlink()
    assert len(read_evidence(target).entries) == 2
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_said_at_once(file, make):
    """A pipe would be waited for until somebody writes into it: for ever, and the KPI with it."""
    make(file)

    [failure] = collect(file)
    with pytest.raises(EvidenceFileError, match="not a regular file"):
        append_sign_off(file, entry())

    assert isinstance(failure, CollectionFailure)
    assert failure.reason == "unreadable"
    assert "is not a regular file; name the YAML file that holds the sign-offs" in failure.message


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    """A clear line instead of a traceback."""
    blocked = tmp_path / "file"
    blocked.write_text("")

    with pytest.raises(EvidenceFileError, match="cannot be written"):
        append_sign_off(blocked / "evidence.yaml", entry())


def test_a_path_that_cannot_be_one_is_said(tmp_path):
    """YAML can write a zero character, and no file can have it in its name."""
    path = tmp_path / "a\0b"

    with pytest.raises(EvidenceFileError, match="zero character"):
        append_sign_off(path, entry())
    with pytest.raises(CollectionError, match="zero character"):
        read_evidence(path)


def test_a_file_with_an_odd_field_cannot_be_added_to(file):
    """`²` looks like a digit to some."""
    file.write_text("x²: 1\nx²: 2\n")

    with pytest.raises(EvidenceFileError, match="cannot add to it"):
        append_sign_off(file, entry())


def test_the_instants_written_are_the_instants_read(file):
    """Milliseconds and zones must not move a sign-off across its deadline."""
    when = to_unix(datetime.fromisoformat("2026-07-16T10:00:00.125+02:00"))

    append_sign_off(file, entry(when=when))

    assert read_evidence(file).entries[0].sign_off.when == when
