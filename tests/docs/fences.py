"""The fenced blocks of a Markdown file, each with the comment above it that says what a test does with it.

``<!-- in FOLDER: write PATH -->``           the block is that file
``<!-- in FOLDER: append to PATH -->``       the block is pasted at the file's end
``<!-- in FOLDER: paste into PATH before LINE -->``  the block is pasted before the line that begins so
``<!-- in FOLDER: run -->``                  the block's commands end well
``<!-- in FOLDER: run, exit 1 -->``          ... the last one with that exit code
``<!-- in FOLDER: run until TEXT -->``       the last command prints TEXT, and ends well when it is asked to
``<!-- in FOLDER: start until TEXT -->``     the same, but it goes on beside the blocks that follow
``<!-- in FOLDER: printed -->``              the block stands in what the last run printed; … stands for anything
``<!-- not run: REASON -->``                 it cannot be, and why
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOTE = re.compile(r"<!--\s*((?:(?!-->).)*?)\s*-->\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """One fenced block: its language, its text, where it begins, and the note above it (empty without one)."""

    file: Path
    line: int
    language: str
    text: str
    note: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.file.name}:{self.line}"

    @property
    def folder(self) -> str | None:
        """The folder that it belongs to; None for one that is not run."""
        match = re.match(r"in ([a-z0-9-]+): ", self.note)
        return match[1] if match else None

    @property
    def action(self) -> str:
        """What is done with it."""
        return self.note.partition(": ")[2]


def fences(file: Path) -> list[Fence]:
    """Return the blocks of ``file`` in their order."""
    content = file.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(content):
        note = _NOTE.search(content[: match.start()])
        line = content.count("\n", 0, match.start()) + 1
        found.append(Fence(file, line, match[1], match[2], note[1] if note else ""))
    return found
