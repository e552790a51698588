"""Options of the ``file`` collector: which files, what their rows are, and what to take from them."""

from __future__ import annotations

import codecs
import glob
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from slo_guard.collect.matching import parse_where
from slo_guard.collect.options import CollectorOptions, RowIndicatorOptions, unique_names
from slo_guard.collect.row_times import TimeOptions
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.fields import ByteCount, Seconds

_SUFFIX: Final = re.compile(r"\.(csv|jsonl|ndjson|json)(?![a-z0-9])", re.IGNORECASE)
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ASCII: Final = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_WORDS_OF_LABELS: Final = "write the columns, [tenant, system], or label: column, {tenant: Tenant ID}"


def _pattern_of_files(text: str, info: ValidationInfo) -> str:
    """Return a pattern that is taken from the config's folder; the folder's own name is never a pattern."""
    if not text.strip() or "\0" in text:
        raise ValueError("write a file or a glob, such as exports/sessions-*.csv")
    if "**" in text:
        raise ValueError(f"{text!r} would search whole trees; write * for a part of a name, and name the folders")
    folder = (info.context or {}).get("folder")
    return text if folder is None or Path(text).is_absolute() else str(Path(glob.escape(str(folder))) / text)


def _checked_encoding(name: str) -> str:
    try:
        known = codecs.lookup(name)
        keeps_ascii = _ASCII.decode(known.name) == _ASCII.decode("ascii")
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(f"{name[:40]!r} is not an encoding that is known; write one such as utf-8 or cp1252") from None
    if not keeps_ascii:
        raise ValueError(f"rows of {name} cannot be told apart while the file grows; have it written in utf-8")
    return "utf-8" if known.name == "utf-8-sig" else known.name


def _as_mapping(given: Any) -> Any:
    if isinstance(given, list) and all(isinstance(each, str) for each in given):
        return {each: each for each in given}
    if not isinstance(given, dict):
        raise ValueError(_WORDS_OF_LABELS)  # noqa: TRY004 - pydantic turns only that into a finding
    return given


def _checked_labels(labels: dict[str, str]) -> dict[str, str]:
    for label, column in labels.items():
        if not _LABEL_NAME.fullmatch(label):
            example = re.sub(r"\W+", "_", label).strip("_").lower() or "name"
            raise ValueError(f"{label[:60]!r} cannot be a label's name; write {{{example}: {column!r}}}")
    return labels


def _checked_where(where: dict[str, str]) -> dict[str, str]:
    parse_where(where)
    return where


Column: TypeAlias = Annotated[str, Field(min_length=1)]

Labels: TypeAlias = Annotated[
    dict[str, Column],
    BeforeValidator(_as_mapping),
    AfterValidator(_checked_labels),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"type": "string"}},
            ]
        }
    ),
]
"""Labels as a list of columns, or as a mapping of labels to columns."""


class FileTime(TimeOptions):
    """Where a row's own time stands, and how it is written."""

    column: Column = Field(description="The column, or the field of a JSON line, that holds the row's time.")


class FileIndicator(RowIndicatorOptions):
    """What to take from each row; several indicators may read the same rows in one pass."""

    value: Column | None = Field(
        None, description="The column with the value; left out, each row of an event counts as 1."
    )
    time: FileTime | None = Field(
        None,
        description="Where the row's time stands; without it a row is of the time of the collection, and the last one "
        "of a series counts. Events need it.",
    )
    labels: Labels = Field(
        default_factory=dict, description="Columns that become labels: [tenant], or {label: column}."
    )
    where: Annotated[dict[str, str], AfterValidator(_checked_where)] = Field(
        default_factory=dict, description="Which rows: column: value, !value or ~regex; without it all of them."
    )
    id: Column | None = Field(
        None, description="The column that names an event; one that comes again is counted and left out."
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that a row must have, each once."""
        time = None if self.time is None else self.time.column
        named = (self.value, time, *self.labels.values(), *self.where, self.id)
        return tuple(dict.fromkeys(column for column in named if column is not None))

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> FileIndicator:
        if self.type == "event" and self.time is None:
            raise ValueError("an event has its own time; write time: {column: NAME}")
        if self.type != "event" and self.value is None:
            raise ValueError(f"a {self.type} needs its value's column; write value: NAME")
        if self.type != "event" and self.id is not None:
            raise ValueError(f"only events have an id; leave it out of a {self.type}")
        return self


class FileOptions(CollectorOptions):
    """Options of a ``file`` collector."""

    type: Literal["file"] = Field("file", description="What kind of collector this is: file.")
    path: Annotated[str, AfterValidator(_pattern_of_files)] = Field(
        description="A file or a glob, such as exports/sessions-*.csv; relative to the config's folder."
    )
    format: Literal["csv", "jsonl"] | None = Field(
        None, description="csv or jsonl (one JSON object a line); left out, the suffix says it."
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = Field(
        ",", description="What parts the cells of a CSV row."
    )
    encoding: Annotated[str, AfterValidator(_checked_encoding)] = Field(
        "utf-8", description="How the file's text is encoded; a byte order mark is dropped."
    )
    columns: list[Column] | None = Field(
        None, min_length=1, description="The columns of a CSV file that has no header."
    )
    read: Literal["appended", "whole"] = Field(
        "appended",
        description="appended: each row once, as the file grows and is rotated; whole: the file is the present state, "
        "read from its start each time.",
    )
    max_rows: int = Field(
        100_000, ge=1, description="Most rows of one collection; the next goes on there, a whole file fails."
    )
    max_bytes: ByteCount = Field(64 * 2**20, description="Most bytes of one collection, as max_rows.")
    max_age: Seconds | None = Field(
        None, gt=0, description="A file that was not written to for longer has failed; left out, it may be of any age."
    )
    timeout: Seconds = Field(
        20.0, gt=0, description="Longest time for a whole collection; the next goes on there, a whole file fails."
    )
    indicators: list[FileIndicator] = Field(min_length=1, description="What to take from the rows.")

    @property
    def is_csv(self) -> bool:
        """Whether rows are CSV, not JSON lines."""
        return (self.format or _format_of(self.path)) == "csv"

    @model_validator(mode="after")
    def _fits_together(self) -> FileOptions:
        unique_names([each.name for each in self.indicators])
        if self.format is None and _format_of(self.path) is None:
            raise ValueError("the suffix of path does not say what its rows are; write format: csv or format: jsonl")
        if not self.is_csv:
            for name in ("columns", "delimiter"):
                if name in self.model_fields_set:
                    raise ValueError(f"JSON lines have no {name}; leave it out, or write format: csv")
        if self.delimiter in '"\r\n' or not self.delimiter.isascii():
            raise ValueError(f"{self.delimiter!r} cannot part cells; write one such as ',' or ';' or \"\\t\"")
        for column in self.columns or ():
            if self.columns is not None and self.columns.count(column) > 1:
                raise ValueError(f"the column {column} is named twice in columns")
        for each in self.indicators:
            lacking = [column for column in each.columns if self.columns is not None and column not in self.columns]
            if lacking:
                raise ValueError(
                    f"the indicator {each.name} needs the column {lacking[0]}, which columns does not name"
                )
        return self

    def specs(self) -> tuple[IndicatorSpec, ...]:
        """Return the declared indicators."""
        return tuple(each.spec(self.name) for each in self.indicators)


def _format_of(path: str) -> str | None:
    """Return the format that a path's suffix names, the last one of ``sessions.csv.1`` that is known."""
    found = _SUFFIX.findall(Path(path).name)
    if not found:
        return None
    return "csv" if found[-1].lower() == "csv" else "jsonl"
