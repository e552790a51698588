"""Loads the config: all errors at once, or settings and validated options of every collector and receiver."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from slo_guard.config.models import Config, ConfigFile, Settings
from slo_guard.config.server import ServerTlsOptions
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.errors import Finding, SecretError
from slo_guard.fields import Options, Secret
from slo_guard.located_yaml import KeyPath, LocatedYaml, load_file
from slo_guard.validation import checked_parts, nearest


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """What loading gave: ``config`` is None when any finding is an error.

    ``rules`` and ``indicators`` are what of these could be read all the same, so that the rules can be checked
    in one go; ``indicators`` is None where a collector's entry is wrong, since its indicators are then not known.
    """

    config: Config | None
    findings: tuple[Finding, ...]
    rules: tuple[Path, ...] = ()
    indicators: Mapping[str, IndicatorSpec] | None = None
    unreadable: bool = False


@dataclass(slots=True)
class _Reading:
    """A config on its way: what is right and what is wrong so far."""

    located: LocatedYaml
    context: Mapping[str, Any]
    findings: list[Finding] = field(default_factory=list)

    def say(self, path: KeyPath, message: str, *, key: bool = False, severity: str = "error") -> None:
        self.findings.append(self.located.finding(path, message, key=key, severity=severity))


def load_config(
    path: Path, collectors: Mapping[str, type[Options]], receivers: Mapping[str, type[Options]]
) -> LoadedConfig:
    """Load the config at ``path``.

    ``collectors`` and ``receivers`` map each ``type`` to the model of its options; a collector's model offers
    ``specs()``. Never raises for anything that stands in the file; secrets are looked for, never shown, and one
    that is missing is a warning.
    """
    try:
        located = load_file(path)
    except OSError as error:
        missing = "; name a config that is there, as in --config slo-guard.yaml"
        hint = missing if isinstance(error, FileNotFoundError) else ""
        finding = Finding(str(path), 0, 0, "", f"cannot be read: {error.strerror or error}{hint}")
        return LoadedConfig(None, (finding,), unreadable=True)
    reading = _Reading(located, {"folder": path.parent})
    raw = located.value
    if not isinstance(raw, dict):
        if not located.findings:
            reading.say((), "write a mapping that begins with version: 1")
        return LoadedConfig(None, located.with_findings(reading.findings), unreadable=located.undecodable)
    document = dict(raw)
    lists = {name: document.pop(name, None) for name in ("collectors", "receivers")}
    # A default that holds a path is taken from the config's folder only if it is validated with the rest.
    document.setdefault("store", {})
    settings, faults = checked_parts(Settings, document, ConfigFile, reading.context)
    for fault in faults:
        reading.say(fault.path, fault.message, key=fault.unknown)
    rules = _existing_rules(reading, settings, raw)
    collecting = _entries(reading, "collectors", lists["collectors"], collectors)
    telling = _entries(reading, "receivers", lists["receivers"], receivers)
    indicators = _indicators(reading, collecting)
    for path_of, options in [*_with_paths("collectors", collecting), *_with_paths("receivers", telling)]:
        _warn_of_missing_secrets(reading, path_of, options)
    if settings is not None:
        _warn_of_missing_secrets(reading, ("server", "auth"), settings.server.auth)
        _warn_of_certificate(reading, settings.server.tls)
        _warn_of_missing_secrets(reading, ("heartbeat",), settings.heartbeat)
    findings = located.with_findings(reading.findings)
    known = None if indicators is None else MappingProxyType(indicators)
    if any(finding.severity == "error" for finding in findings) or settings is None or known is None:
        return LoadedConfig(None, findings, rules, known)
    config = Config(
        file=path,
        rules=rules,
        store=settings.store,
        server=settings.server,
        log=settings.log,
        collector_alert=settings.collector_alert,
        heartbeat=settings.heartbeat,
        collectors=tuple(collecting),
        receivers=tuple(telling),
        indicators=known,
    )
    return LoadedConfig(config, findings, rules, known)


def _existing_rules(reading: _Reading, settings: Settings | None, raw: Mapping[str, Any]) -> tuple[Path, ...]:
    named = settings.rules if settings is not None else []
    if settings is None and isinstance(raw.get("rules"), list):
        named = [
            reading.context["folder"] / given for given in raw["rules"] if isinstance(given, str) and "\0" not in given
        ]
    found = []
    for at, path in enumerate(named):
        try:
            exists = path.exists()
        except (OSError, ValueError):
            exists = False
        if exists:
            found.append(_shortest(path))
        else:
            reading.say(("rules", at), f"{str(path)[:200]} does not exist; name a rule file or folder")
    return tuple(found)


def _shortest(path: Path) -> Path:
    """Return ``path`` without its ``..`` where that is the same place: findings are shown with it."""
    short = Path(os.path.normpath(path))
    return short if os.path.realpath(short) == os.path.realpath(path) else path


def _entries(reading: _Reading, section: str, given: Any, types: Mapping[str, type[Options]]) -> list[Any]:
    """Return the options of one list, None for each entry that is wrong."""
    if given is None and section not in (reading.located.value or {}):
        reading.say((section,), f"{section!r} is missing; write a list, {section}: [] for none")
        return [None]
    if not isinstance(given, list):
        reading.say((section,), f"write a list of entries such as - name: NAME; {section}: [] for none")
        return [None]
    found: list[Any] = []
    first_at: dict[str, int] = {}
    for at, entry in enumerate(given):
        found.append(_entry(reading, (section, at), entry, types))
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str):
            earlier = first_at.setdefault(name, at)
            if earlier != at:
                line = reading.located.position((section, earlier, "name")).line
                reading.say((section, at, "name"), f"the name {name!r} is taken by line {line}; choose another")
    return found


def _entry(reading: _Reading, path: KeyPath, entry: Any, types: Mapping[str, type[Options]]) -> Any:
    known = ", ".join(sorted(types))
    if not isinstance(entry, dict):
        reading.say(path, f"write a mapping with name and type; known types are {known}")
        return None
    kind = entry.get("type")
    if not isinstance(kind, str):
        reading.say((*path, "type"), f"'type' is missing; write one of {known}")
        return None
    if kind not in types:
        reading.say((*path, "type"), f"{kind[:60]!r} is not a type that is known{nearest(kind, types)}")
        return None
    options, faults = checked_parts(types[kind], entry, context=reading.context)
    for fault in faults:
        reading.say((*path, *fault.path), fault.message, key=fault.unknown)
    return None if faults else options


def _indicators(reading: _Reading, collecting: list[Any]) -> dict[str, IndicatorSpec] | None:
    """Return what the collectors produce, by name; None when one of them is wrong."""
    found: dict[str, IndicatorSpec] = {}
    for at, options in enumerate(collecting):
        for spec in options.specs() if options is not None else ():
            first = found.setdefault(spec.name, spec)
            if first is not spec:
                message = (
                    f"the indicator {spec.name!r} is produced by the collector {first.collector!r} and by "
                    f"{spec.collector!r}; rename one of the two"
                )
                reading.say(_indicator_path(reading, at, spec.name), message)
    return None if any(options is None for options in collecting) else found


def _indicator_path(reading: _Reading, at: int, name: str) -> KeyPath:
    """Return where the collector's entry names an indicator, as far as that can be told."""
    base: KeyPath = ("collectors", at, "indicators")
    given = reading.located.value["collectors"][at].get("indicators")
    for position, entry in enumerate(given if isinstance(given, list) else ()):
        if entry == name:
            return (*base, position)
        if isinstance(entry, dict) and entry.get("name") == name:
            return (*base, position, "name")
    return base


def _with_paths(section: str, entries: list[Any]) -> Iterator[tuple[KeyPath, Any]]:
    yield from (((section, at), options) for at, options in enumerate(entries) if options is not None)


def _warn_of_certificate(reading: _Reading, tls: ServerTlsOptions | None) -> None:
    for warning in tls.certificates().warnings() if tls is not None else ():
        reading.say(("server", "tls", "cert_file"), warning, severity="warning")


def _warn_of_missing_secrets(reading: _Reading, path: KeyPath, value: Any) -> None:
    if isinstance(value, Secret):
        try:
            value.reveal()
        except SecretError as error:
            reading.say(path, str(error), severity="warning")
    elif isinstance(value, BaseModel):
        for attribute, info in type(value).model_fields.items():
            _warn_of_missing_secrets(reading, (*path, info.alias or attribute), getattr(value, attribute))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _warn_of_missing_secrets(reading, (*path, str(name)), inner)
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            _warn_of_missing_secrets(reading, (*path, at), inner)
