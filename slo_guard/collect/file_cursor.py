"""How far the files of a collector were read: kept as JSON in its cursor, and so stored with the rows themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class FileEntry:
    """How far one file was read, and how it is known again.

    ``offset``: bytes that were read, always up to a row's end; ``mark``: made of the file's first bytes and of those
    before ``offset``, so that other content is noticed under the same name and inode. ``line``: lines that were
    read; ``rows``: whether any of them was a row. ``header``: the columns, None before they are known; ``former``:
    those before the file was cut short, after which its writer may go on without a header. ``unread``: bytes that
    stood behind ``offset``, such as the beginning of a row; ``skips``: ``offset`` lies within a line that is too
    long. ``home``: the name under which the glob found it. ``matched``: it still does, so that the file is not only
    a rotated one beside. ``gone``: it was not to be found, and that was told; ``foreign``: it is of another glob
    that the config had, and is not to be looked for.
    """

    path: str
    device: int
    inode: int
    offset: int = 0
    mark: str = ""
    line: int = 0
    rows: bool = False
    header: tuple[str, ...] | None = None
    former: tuple[str, ...] | None = None
    unread: int = 0
    skips: bool = False
    home: str = ""
    matched: bool = True
    gone: bool = False
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class FileCursor:
    """What a file collector remembers: ``pattern``, the entries of files, and each event indicator's memory."""

    pattern: str = ""
    files: Sequence[FileEntry] = ()
    events: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def encode(self) -> str:
        """Return the cursor's text; file names that are not UTF-8 survive it."""
        files = [asdict(each) for each in self.files]
        content = {"version": _VERSION, "pattern": self.pattern, "files": files, "events": self.events}
        return json.dumps(content, separators=(",", ":"))


def decode_cursor(text: str | None) -> FileCursor:
    """Return the cursor in a text; an empty one for None and for a text that is not one of ours."""
    try:
        content = json.loads(text or "")
        if content["version"] != _VERSION:
            return FileCursor()
        return FileCursor(
            str(content["pattern"]),
            tuple(_entry(each) for each in content["files"]),
            {str(name): _memory(each) for name, each in content["events"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return FileCursor()


def _entry(content: Mapping[str, Any]) -> FileEntry:
    return FileEntry(
        path=str(content["path"]),
        device=int(content["device"]),
        inode=int(content["inode"]),
        offset=max(0, int(content["offset"])),
        mark=str(content["mark"]),
        line=int(content["line"]),
        rows=bool(content["rows"]),
        header=_names(content["header"]),
        former=_names(content["former"]),
        unread=int(content["unread"]),
        skips=bool(content["skips"]),
        matched=bool(content["matched"]),
        home=str(content["home"]),
        gone=bool(content["gone"]),
        foreign=bool(content["foreign"]),
    )


def _names(content: Sequence[Any] | None) -> tuple[str, ...] | None:
    return None if content is None else tuple(str(name) for name in content)


def _memory(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event memory's content, checked: what is wrong with it must not stop the collector."""
    return {
        "newest_at": float(content["newest_at"]),
        "horizon": float(content["horizon"]),
        "marks": {str(mark): float(at) for mark, at in content["marks"].items()},
    }
