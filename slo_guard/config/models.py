"""The config file as people write it, but for the entries of collectors and receivers, which bring their own models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from slo_guard.config.heartbeat import HeartbeatSettings
from slo_guard.config.server import ServerSettings
from slo_guard.domain.kpi import Severity
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.fields import ByteCount, LocalPath, Options, Seconds

MIN_RETENTION_SECONDS = 3600.0


def _retention(seconds: float) -> float:
    if seconds < MIN_RETENTION_SECONDS:
        raise ValueError("keeps too little to judge windows by; write at least 1h, such as 35d")
    return seconds


class StoreSettings(Options):
    """Where readings, alerts and messages are kept."""

    path: LocalPath = Field(
        default=Path("slo-guard.db"),
        validate_default=True,
        description="The SQLite file; a relative path is taken from the config's folder.",
    )
    retention: Annotated[Seconds, AfterValidator(_retention)] = Field(
        default=35 * 86400.0, description="How long readings and history are kept, such as 35d."
    )
    max_size: ByteCount = Field(
        default=2 * 2**30, ge=2**20, description="How large the store may grow, such as 2GiB; the oldest readings go."
    )


class LogSettings(Options):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    format: Literal["console", "json"] = Field(default="console", description="Lines for people, or JSON.")


class CollectorAlertSettings(Options):
    """The built-in alert about a collector that fails."""

    for_seconds: Seconds = Field(
        default=60.0, alias="for", description="How long a collector must fail before its alert fires."
    )
    severity: Severity = Field(default=Severity.PAGE, description="How loud that alert is; none raises no alert.")


class Settings(Options):
    """Everything but the collectors and receivers."""

    version: Literal[1] = Field(default=1, description="Version of the format: 1.")
    rules: Annotated[list[LocalPath], Field(min_length=1)] = Field(
        description="Rule files and folders; relative paths are taken from the config's folder."
    )
    store: StoreSettings = Field(default=StoreSettings(), description="Where readings, alerts and messages are kept.")
    server: ServerSettings = Field(default=ServerSettings(), description="Where /metrics, API and page are served.")
    log: LogSettings = Field(default=LogSettings(), description="What is logged.")
    collector_alert: CollectorAlertSettings = Field(
        default=CollectorAlertSettings(), description="The built-in alert about a collector that fails."
    )
    heartbeat: HeartbeatSettings | None = Field(
        None, description="A dead man's switch: whom to tell, again and again, that all is alive."
    )


class ConfigFile(Settings):
    """The whole file; each entry of the lists is checked by the model of its type."""

    collectors: list[dict[str, Any]] = Field(description="Where indicators come from.")
    receivers: list[dict[str, Any]] = Field(description="Who is told about alerts.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A config that can be used.

    ``collectors`` and ``receivers`` hold the validated option objects of their types, in the file's order;
    ``indicators`` what the collectors produce, by name. All paths are taken from the config's folder.
    """

    file: Path
    rules: tuple[Path, ...]
    store: StoreSettings
    server: ServerSettings
    log: LogSettings
    collector_alert: CollectorAlertSettings
    heartbeat: HeartbeatSettings | None = None
    collectors: tuple[Any, ...]
    receivers: tuple[Any, ...]
    indicators: Mapping[str, IndicatorSpec]
