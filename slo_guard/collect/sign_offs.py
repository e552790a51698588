"""The evidence file: a YAML list of sign-offs, read entry by entry and added to without touching what stands there."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from slo_guard.clock import iso, to_unix
from slo_guard.domain.readings import SignOff
from slo_guard.domain.series import label_set
from slo_guard.errors import CollectionError, SloGuardError
from slo_guard.located_yaml import LocatedYaml, load_stream, load_text

_FIELDS: Final = ("indicator", "value", "by", "when", "link", "labels", "entered_at")
_NO_PATH: Final = "no path holds a zero character; name another file"
_HEADER: Final = "# Sign-offs: who says that something is so, since when, and where to look it up.\n"


class EvidenceFileError(SloGuardError):
    """The evidence file cannot be added to: mend what is named and sign again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One usable entry of the file."""

    indicator: str
    sign_off: SignOff


@dataclass(frozen=True, slots=True)
class WrongEntry:
    """One entry that cannot be used: its indicator as far as it can be read, and ``file:line: why``."""

    indicator: str | None
    message: str


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """All entries of a file, in its order."""

    entries: tuple[Entry, ...] = ()
    wrong: tuple[WrongEntry, ...] = ()


def read_evidence(path: Path) -> EvidenceFile:
    """Read a file of sign-offs; an empty one has none.

    Raises ``CollectionError``: ``file_missing``, ``unreadable``, ``not_yaml``, ``wrong_shape``.
    """
    try:
        with _opened(path) as stream:
            located = load_stream(stream, str(path))
    except FileNotFoundError:
        raise CollectionError("file_missing", f"{path} does not exist; `slo-guard sign` creates it") from None
    except OSError as error:
        raise CollectionError("unreadable", f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise CollectionError("unreadable", f"{str(path)!r} cannot be read: {_NO_PATH}") from None
    return _entries(located)


def _opened(path: Path) -> BinaryIO:
    """Open a file for reading, never waiting: a pipe would be waited for until somebody writes into it.

    Raises ``OSError``, and ``CollectionError`` (``unreadable``) for what is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise CollectionError(
            "unreadable", f"{path} is not a regular file; name the YAML file that holds the sign-offs"
        )
    return os.fdopen(handle, "rb")


def _entries(located: LocatedYaml) -> EvidenceFile:
    of_the_file = [finding for finding in located.findings if _entry_of(finding.path) is None]
    if of_the_file or located.mended_lines:
        raise CollectionError("not_yaml", str((of_the_file or located.findings)[0]))
    items = [] if located.value is None else located.value
    if not isinstance(items, list):
        raise CollectionError("wrong_shape", f"{located.file}: not a list of sign-offs; begin each with '- indicator:'")
    problems = {_entry_of(finding.path): finding.message for finding in located.findings}
    entries: list[Entry] = []
    wrong: list[WrongEntry] = []
    for position, item in enumerate(items):
        try:
            entries.append(_entry(item, problems.get(position)))
        except ValueError as error:
            named = item.get("indicator") if isinstance(item, dict) else None
            line = located.position((position,)).line
            wrong.append(WrongEntry(named if isinstance(named, str) else None, f"{located.file}:{line}: {error}"))
    return EvidenceFile(tuple(entries), tuple(wrong))


def _entry_of(path: str) -> int | None:
    """Return the entry that a finding's path such as ``[3].by`` lies in, None for one of the file as a whole."""
    number = path[1:].partition("]")[0]
    # Not isdigit: it takes a field named x² for a number, which int does not.
    return int(number) if number.isascii() and number.isdecimal() else None


def _entry(item: Any, problem: str | None) -> Entry:
    if problem is not None:
        raise ValueError(problem)
    if not isinstance(item, dict):
        raise ValueError("not a sign-off; write {indicator, value, by, when}")  # noqa: TRY004 - one kind for all that is wrong with an entry
    for name in item:
        if name not in _FIELDS:
            raise ValueError(f"unknown field {name[:40]!r}; known are {', '.join(_FIELDS)}")
    labels = item.get("labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise ValueError("labels is a mapping of names to texts; put numbers in quotes")
    value = item.get("value")
    if not isinstance(value, bool):
        raise ValueError("value is true or false")  # noqa: TRY004 - as above
    link = item.get("link")
    if link is not None and not isinstance(link, str):
        raise ValueError("link is a text")
    entered_at = item.get("entered_at")
    return Entry(
        _text(item, "indicator"),
        SignOff(
            labels=label_set(labels),
            value=value,
            by=_text(item, "by"),
            when=parse_instant(item.get("when"), "when"),
            link=link,
            entered_at=None if entered_at is None else parse_instant(entered_at, "entered_at"),
        ),
    )


def _text(item: Mapping[str, Any], field: str) -> str:
    text = item.get(field)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{field} is missing; write {'who signs' if field == 'by' else 'a name'}")
    return text.strip()


def parse_instant(value: Any, field: str) -> float:
    """Return ISO 8601 date, time and zone as Unix seconds; raises ``ValueError`` that says what to write.

    Without a zone an instant would be a guess, and without a time of day a deadline that is met or not by a guess.
    """
    example = "write one such as 2026-07-16T10:00:00Z"
    if not isinstance(value, str):
        raise ValueError(f"{field} is missing or not a date with time and zone; {example}")  # noqa: TRY004 - as above
    try:
        instant = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f"{field} {value[:40]!r} is not a date with time and zone; {example}") from None
    if instant.tzinfo is None or ":" not in value:
        raise ValueError(
            f"{field} {value[:40]!r} lacks {'a time zone' if ':' in value else 'the time of day'}; {example}"
        )
    try:
        seconds = to_unix(instant)
        iso(seconds)
    except (OverflowError, ValueError):
        raise ValueError(f"{field} {value[:40]!r} is out of range; {example}") from None
    return seconds


def append_sign_off(path: Path, entry: Entry) -> None:
    """Add ``entry`` at the end of the file, creating it; what stands there, comments included, stays as it is.

    All or nothing, and two that sign at once are both kept: the folder is locked meanwhile, and the file is
    replaced whole. Raises ``EvidenceFileError``.
    """
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        with _folder_locked(target.parent):
            _replace(target, _with_entry(target, entry))
    except OSError as error:
        raise EvidenceFileError(f"{path} cannot be written: {error.strerror}") from None
    except UnicodeDecodeError:
        raise EvidenceFileError(f"{path} cannot be written: it is not UTF-8 text") from None
    except ValueError:
        raise EvidenceFileError(f"{str(path)!r} cannot be written: {_NO_PATH}") from None


def _with_entry(target: Path, entry: Entry) -> str:
    """Return the file's text with ``entry`` added, having read it back: only the new entry may be new."""
    try:
        text = _content(target)
        located = load_text(text, str(target))
        before = _entries(located)
    except CollectionError as error:
        raise EvidenceFileError(f"cannot add to it: {error}") from None
    if before.entries or before.wrong:
        first = located.position((0,))
        indent = " " * max(0, text.split("\n")[first.line - 1][: first.column - 1].find("-"))
    else:
        indent, stripped = "", text.rstrip()
        text = stripped[: -len("[]")] if stripped.endswith("[]") else text
    added = text + ("" if not text or text.endswith("\n") else "\n") + _entry_text(entry, indent)
    try:
        after = _entries(load_text(added, str(target)))
    except CollectionError:
        after = None
    if after is None or after.entries != (*before.entries, entry) or len(after.wrong) != len(before.wrong):
        raise EvidenceFileError(
            f"{target} is written in a way that cannot be added to; write it as a list, one '- indicator:' an entry"
        )
    return added


def _content(target: Path) -> str:
    """Return what stands in the file, or what a new one begins with."""
    try:
        with _opened(target) as stream:
            return stream.read().decode("utf-8")
    except FileNotFoundError:
        return _HEADER


def _entry_text(entry: Entry, indent: str) -> str:
    """Return an entry as YAML."""
    sign_off = entry.sign_off
    fields = {
        "indicator": _quoted(entry.indicator),
        "value": "true" if sign_off.value else "false",
        "by": _quoted(sign_off.by),
        "when": _quoted(iso(sign_off.when)),
    }
    if sign_off.link is not None:
        fields["link"] = _quoted(sign_off.link)
    if sign_off.labels:
        fields["labels"] = (
            "{" + ", ".join(f"{_quoted(name)}: {_quoted(value)}" for name, value in sign_off.labels) + "}"
        )
    if sign_off.entered_at is not None:
        fields["entered_at"] = _quoted(iso(sign_off.entered_at))
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return f"{indent}- " + f"\n{indent}  ".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return ``text`` in double quotes, with YAML's escapes for what is not printable."""
    escaped = "".join(
        f"\\{character}" if character in '"\\' else character if character.isprintable() else f"\\U{ord(character):08x}"
        for character in text
    )
    return f'"{escaped}"'


@contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Hold an advisory lock on the folder: one on the file itself would be on what is being replaced."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(target: Path, text: str) -> None:
    mode = target.stat().st_mode & 0o7777 if target.exists() else 0o644
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
