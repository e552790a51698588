"""Files as they lie in their folders: what a glob names, what lies beside it, and how they are opened."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from slo_guard.collect.file_cursor import FileEntry
from slo_guard.collect.file_lines import Trail, trail_at
from slo_guard.errors import CollectionError

MOST_FILES: Final = 1000


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file: where it lies, which it is, and how large it was when it was found."""

    path: str
    device: int
    inode: int
    size: int
    modified_at: float

    @property
    def identity(self) -> tuple[int, int]:
        """What stays the same when it is renamed."""
        return self.device, self.inode


@dataclass(slots=True)
class Listing:
    """The files that a glob names, each once, oldest first; what it names beside files, and what cannot be read."""

    files: list[FoundFile] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def shown(path: str) -> str:
    """Return a path fit for messages, whatever bytes its name is made of."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)


def shown_pattern(pattern: str) -> str:
    """Return a glob as it was written: without the marks that keep the folder's own name from being one."""
    return shown(re.sub(r"\[([*?[])\]", r"\1", pattern))


def list_files(pattern: str) -> Listing:
    """Return what ``pattern`` names; a file of exactly that name counts, also if the name looks like a glob.

    Raises ``CollectionError``: ``too_many_files``, and ``unreadable`` for a folder that cannot be listed.
    """
    literal = re.sub(r"\[([*?[])\]", r"\1", pattern)
    # Path.glob takes no pattern with a folder, and would match the hidden files in which others are prepared.
    paths = [literal] if os.path.lexists(literal) else sorted(glob.glob(pattern))  # noqa: PTH207
    if len(paths) > MOST_FILES:
        raise CollectionError(
            "too_many_files",
            f"{shown_pattern(pattern)} names {len(paths):,} files; at most {MOST_FILES:,} are read, so name fewer",
        )
    if not paths:
        _check_folder(literal)
    listing = Listing()
    seen: set[tuple[int, int]] = set()
    for path in paths:
        try:
            found = find(Path(path))
        except FileNotFoundError:
            continue
        except OSError as error:
            listing.problems.append(f"{shown(path)} cannot be read: {error.strerror}")
            continue
        if found is None:
            listing.others.append(f"{shown(path)} is not a file")
        elif found.identity not in seen:
            # A link and what it leads to are one file.
            seen.add(found.identity)
            listing.files.append(found)
    listing.files.sort(key=lambda each: each.modified_at)
    return listing


def _check_folder(path: str) -> None:
    folder = Path(path).parent
    while re.search(r"[*?[]", str(folder)):
        folder = folder.parent
    try:
        next(folder.iterdir(), None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CollectionError("unreadable", f"{shown(str(folder))} cannot be listed: {error.strerror}") from None


def find(path: Path) -> FoundFile | None:
    """Return the regular file at ``path``, None for anything else; raises OSError."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return None
    return FoundFile(str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime)


@contextmanager
def opened(found: FoundFile) -> Iterator[int]:
    """Give a descriptor of ``found``, never waiting for a pipe's other end.

    Raises OSError, and ``FileNotFoundError`` if another file took its place meanwhile.
    """
    descriptor = os.open(found.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != found.identity or not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(found.path)
        yield descriptor
    finally:
        os.close(descriptor)


def continues(descriptor: int, entry: FileEntry) -> Trail | None:
    """Return the trail up to ``entry.offset`` if the open file holds what was read of the entry's, else None."""
    if os.fstat(descriptor).st_size < entry.offset:
        return None
    trail = trail_at(descriptor, entry.offset)
    return trail if entry.offset == 0 or trail.mark == entry.mark else None


class Neighbours:
    """The files beside one that may be what it was rotated to; each folder is listed once."""

    def __init__(self) -> None:
        self._names: dict[Path, list[str]] = {}

    def of(self, path: str) -> Iterator[FoundFile]:
        """Yield the regular files whose names begin as that of ``path`` does, such as NAME.1 and NAME-20260706."""
        folder, name = Path(path).parent, Path(path).name
        stem = name[:1] + name[1:].partition(".")[0]
        for other in self._listed(folder):
            if other.startswith(stem) and (len(other) == len(stem) or other[len(stem)] in ".-_~"):
                try:
                    found = find(folder / other)
                except OSError:
                    continue
                if found is not None:
                    yield found

    def rotated_after(self, rotated: str, path: str) -> list[FoundFile]:
        """Return what ``path`` was renamed to after it was renamed to ``rotated``, the oldest first.

        That is NAME.1 after NAME.2, and NAME-20260707 after NAME-20260706.
        """
        own = re.fullmatch(re.escape(path) + r"([.-])(\d+)", rotated)
        if own is None:
            return []
        separator, digits = own.groups()
        later: list[tuple[int, FoundFile]] = []
        for each in self.of(path):
            match = re.fullmatch(re.escape(path + separator) + r"(\d+)", each.path)
            if match is None:
                continue
            if separator == "." and int(match[1]) < int(digits):
                later.append((-int(match[1]), each))
            elif separator == "-" and len(match[1]) == len(digits) and match[1] > digits:
                later.append((int(match[1]), each))
        return [each for _, each in sorted(later, key=lambda pair: pair[0])]

    def _listed(self, folder: Path) -> list[str]:
        if folder not in self._names:
            try:
                self._names[folder] = sorted(os.listdir(folder))  # noqa: PTH208 - names only
            except OSError:
                self._names[folder] = []
        return self._names[folder]
