"""What the code under test logs, as the entries that structlog makes of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

Entry = MutableMapping[str, Any]


@contextmanager
def said() -> Iterator[list[Entry]]:
    """Give the entries logged within the block, from whichever thread."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@contextmanager
def logging_put_back() -> Iterator[None]:
    """Leave logging as it was, whatever the block configures: a daemon sets it up for its whole process."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**config)


def events(entries: list[Entry], *names: str) -> list[str]:
    """Return the events logged, or those of ``names`` among them, in order."""
    return [entry["event"] for entry in entries if not names or entry["event"] in names]
