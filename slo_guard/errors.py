"""Every error slo_guard raises on purpose; the class says what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class SloGuardError(Exception):
    """Root of all errors that are raised on purpose; its text is fit to be shown to a user."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong with a file: where it stands and what to write instead.

    ``line`` and ``column`` count from 1; 0 means that the finding concerns the file as a whole.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        label = "" if self.severity == "error" else f"{self.severity}: "
        return f"{place}: {self.path}: {label}{self.message}" if self.path else f"{place}: {label}{self.message}"


class ConfigError(SloGuardError):
    """A config or rule file cannot be used: mend the findings and load again."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings))
        super().__init__("\n".join(str(finding) for finding in self.findings))


class UnreadableError(SloGuardError):
    """A file that was named cannot be opened or decoded at all: name another one."""


class SamplesError(SloGuardError):
    """A samples file has rows that cannot be used: mend the rows that are named."""


class UnitError(SloGuardError, ValueError):
    """A quantity does not parse or does not fit the unit it is compared with."""


class SilenceError(SloGuardError):
    """A silence or an acknowledgement is not taken as it was asked for: write it as the text says."""


class SecretError(SloGuardError):
    """A secret's file or environment variable is missing or empty; its value is never in the text."""


class CollectionError(SloGuardError):
    """A source could not be collected this time; ``reason`` is a stable short code, retry on schedule."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class DeliveryError(SloGuardError):
    """A notification could not be delivered; ``reason`` is a stable short code such as ``http_429``."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class TransientDeliveryError(DeliveryError):
    """Worth sending again, not before ``retry_after_seconds`` where the receiver named it."""

    def __init__(self, reason: str, message: str, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(reason, message)


class PermanentDeliveryError(DeliveryError):
    """The receiver will never take this message: keep it as a dead letter and tell the operator."""


class StoreError(SloGuardError):
    """The store cannot read or write now (disk full, locked, corrupt): nothing of the hop was done."""


class StoreConflictError(StoreError):
    """What was to be stored does not follow on what is stored: go on from the store, it will never be taken."""


class StartError(SloGuardError):
    """The daemon cannot start (port in use, store not writable): mend what is named and start again."""
