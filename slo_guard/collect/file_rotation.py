"""Which files are to be read, and from where: what was renamed, copied, cut short or replaced is found by its content.

A file is the same as long as it begins with what was read of it, whatever its name and inode: so log-rotate's rename
and its copytruncate, a file that is sent anew with more rows, and an editor's save all go on where reading stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from slo_guard.collect.file_cursor import FileEntry
from slo_guard.collect.file_lines import MARKED_BYTES
from slo_guard.collect.file_places import FoundFile, Listing, Neighbours, continues, opened, shown

_MOST_BESIDE: Final = 50
"""Rotated files and files that are gone that are remembered, beside those of the glob."""


@dataclass(frozen=True, slots=True)
class Work:
    """A file to read from where ``entry`` says."""

    file: FoundFile
    entry: FileEntry


@dataclass(slots=True)
class Survey:
    """What is to be read, oldest first; ``kept`` are entries that stay as they are; ``told`` is said to people."""

    works: list[Work] = field(default_factory=list)
    kept: list[FileEntry] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def survey(listing: Listing, entries: Sequence[FileEntry], *, same_pattern: bool) -> Survey:
    """Match the files there are with the entries of the last collection.

    ``same_pattern``: whether the entries are of the same glob; of another one, files that it no longer names are
    not read on. A file that cannot be opened now is left as it is.
    """
    return _Surveyor(listing, entries, same_pattern=same_pattern).run()


class _Surveyor:
    def __init__(self, listing: Listing, entries: Sequence[FileEntry], *, same_pattern: bool) -> None:
        self._survey = Survey()
        self._problems = listing.problems
        self._entries = entries
        self._same_pattern = same_pattern
        self._neighbours = Neighbours()
        self._fresh = {each.identity: each for each in listing.files}
        self._matched = set(self._fresh)
        self._taken: set[tuple[int, int]] = set()
        self._unreadable: set[tuple[int, int]] = set()
        self._left: list[FileEntry] = []

    def run(self) -> Survey:
        # What is gone comes last: an inode that was used again belongs to whom it is of now. And content tells more
        # than an inode: before a row was read, any file could be the entry's.
        ordered = sorted(self._entries, key=lambda entry: entry.gone)
        self._match([entry for entry in ordered if entry.rows])
        self._match([entry for entry in ordered if not entry.rows])
        for work in list(self._survey.works):
            self._adopt(work)
        for file in self._fresh.values():
            if file.identity not in self._taken | self._unreadable and not self._is_copy(file):
                self._add(file, self._new_entry(file, file.path))
        self._forget()
        self._survey.works.sort(key=lambda work: work.file.modified_at)
        return self._survey

    def _match(self, entries: Sequence[FileEntry]) -> None:
        """Find the files of entries; by inode first, as the first rows of two files may be alike."""
        left = [entry for entry in entries if not self._stays(entry)]
        left = [entry for entry in left if not self._was_renamed(entry)]
        # A file may be renamed again while the folder is listed.
        self._neighbours = Neighbours()
        left = [entry for entry in left if not self._was_renamed(entry)]
        self._left += [entry for entry in left if not self._was_copied(entry)]

    def _stays(self, entry: FileEntry) -> bool:
        """Whether the entry's inode is still among the glob's files, with what was read of it."""
        file = self._fresh.get((entry.device, entry.inode))
        if file is None or file.identity in self._taken:
            return False
        return self._takes(file, entry)

    def _takes(self, file: FoundFile, entry: FileEntry) -> bool:
        """Go on with the entry in ``file`` if that holds what was read; a file that cannot be opened is left alone."""
        try:
            with opened(file) as descriptor:
                if continues(descriptor, entry) is None:
                    return False
        except FileNotFoundError:
            return False
        except OSError as error:
            if file.identity not in self._unreadable:
                self._unreadable.add(file.identity)
                self._problems.append(f"{shown(file.path)} cannot be read: {error.strerror}")
            if file.identity != (entry.device, entry.inode):
                return False
            self._survey.kept.append(entry)
            self._taken.add(file.identity)
            return True
        self._add(file, entry)
        return True

    def _add(self, file: FoundFile, entry: FileEntry) -> None:
        device, inode = file.identity
        matched = file.identity in self._matched
        entry = replace(entry, path=file.path, device=device, inode=inode, matched=matched, gone=False, foreign=False)
        self._taken.add(file.identity)
        self._survey.works.append(Work(file, entry))

    def _was_renamed(self, entry: FileEntry) -> bool:
        if not self._same_pattern or entry.foreign:
            return False
        return any(
            file.identity == (entry.device, entry.inode)
            and file.identity not in self._taken
            and self._takes(file, entry)
            for file in self._neighbours.of(entry.path)
        )

    def _was_copied(self, entry: FileEntry) -> bool:
        """Whether what was read stands in another file now; before a row was read only one of the same name can be."""
        candidates: Iterable[FoundFile] = self._fresh.values()
        if not entry.rows:
            candidates = [file for file in candidates if file.path == entry.path]
        elif self._same_pattern and not entry.gone:
            candidates = [*candidates, *self._neighbours.of(entry.path)]
        return any(file.identity not in self._taken and self._takes(file, entry) for file in candidates)

    def _adopt(self, work: Work) -> None:
        """Take in what was rotated after a file that was: it was written and renamed between two collections."""
        if not self._same_pattern or work.file.path == work.entry.home:
            return
        for file in self._neighbours.rotated_after(work.file.path, work.entry.home):
            if file.identity in self._taken or file.identity in self._fresh or self._is_copy(file):
                continue
            known = next((each for each in self._left if self._could_be(file, each) and self._takes(file, each)), None)
            if known is not None:
                self._left.remove(known)
            elif file.identity not in self._taken:
                self._add(file, self._new_entry(file, work.entry.home))

    def _could_be(self, file: FoundFile, entry: FileEntry) -> bool:
        return (entry.device, entry.inode) == file.identity or (entry.rows and _is_named_after(file.path, entry.home))

    def _new_entry(self, file: FoundFile, home: str) -> FileEntry:
        """Return the entry of a file that is read from its start.

        It may go on without a header: that of what was cut out of it, or of what it was copied from, is then its own.
        """
        former = None
        for entry in self._entries:
            cut = file.path == entry.path and file.identity == (entry.device, entry.inode)
            if cut or _is_named_after(file.path, entry.home):
                former = entry.header or entry.former or former
        return FileEntry(file.path, *file.identity, former=former, home=home)

    def _is_copy(self, file: FoundFile) -> bool:
        """Whether a new file holds what the one that it is named after holds: log-rotate has copied, and not yet cut.

        It is not read, nor remembered: as soon as the other is cut, reading goes on in it. Nor is one that was renamed
        since it was found.
        """
        try:
            with opened(file) as copy:
                return self._holds_what_was_read(file, copy) or self._begins(file, copy)
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def _holds_what_was_read(self, file: FoundFile, descriptor: int) -> bool:
        named = (work.entry for work in self._survey.works if _is_named_after(file.path, work.file.path))
        return any(entry.rows and continues(descriptor, entry) is not None for entry in named)

    def _begins(self, file: FoundFile, descriptor: int) -> bool:
        """Whether a file that may still be being copied holds the beginning of the one that it is named after."""
        for other in (*self._fresh.values(), *(work.file for work in self._survey.works)):
            if _is_named_after(file.path, other.path):
                try:
                    with opened(other) as original:
                        if _is_beginning_of(descriptor, original):
                            return True
                except OSError:
                    continue
        return False

    def _forget(self) -> None:
        """Keep what is gone for a while, in case that it comes back; say what may have been lost, once."""
        paths = {each.path for each in self._fresh.values()}
        for entry in self._left:
            foreign = entry.foreign or not self._same_pattern
            self._survey.kept.append(replace(entry, gone=True, foreign=foreign))
            if entry.gone or foreign:
                continue
            name = shown(entry.path)
            if entry.unread:
                self._survey.told.append(f"{name}: it is gone with at least {entry.unread} bytes that were not read")
            elif entry.path in paths and entry.offset:
                self._survey.told.append(
                    f"{name}: it was cut short or replaced, and is read from its start; what was written to it "
                    "last before is lost if it was not read"
                )


def remembered(entries: Iterable[FileEntry]) -> tuple[FileEntry, ...]:
    """Return the entries to keep: all of the glob's files, and the last ones of the others."""
    every = [entry for entry in entries if entry.rows or not entry.gone]
    beside = [entry for entry in every if entry.gone or not entry.matched]
    dropped = set(map(id, beside[: max(0, len(beside) - _MOST_BESIDE)]))
    return tuple(entry for entry in every if id(entry) not in dropped)


def _is_named_after(path: str, other: str) -> bool:
    return path.startswith(tuple(other + mark for mark in ".-_~"))


def _is_beginning_of(one: int, other: int) -> bool:
    """Whether all that one file holds begins the other, judged by its first and its last bytes."""
    length = os.fstat(one).st_size
    part = min(length, MARKED_BYTES)
    return 0 < length <= os.fstat(other).st_size and all(
        os.pread(one, part, position) == os.pread(other, part, position) for position in (0, length - part)
    )
