"""Options of the ``sql`` collector; its queries are checked without a database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    PrivateAttr,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from slo_guard.collect.options import CollectorOptions, RowIndicatorOptions, unique_names
from slo_guard.collect.row_times import TimeOptions
from slo_guard.collect.sql_text import checked_query, parse_query
from slo_guard.collect.sql_url import checked_plain_url
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.fields import Options, Seconds, Secret
from slo_guard.units import parse_duration

VALUE = "value"

Column: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]


def _overlap(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    return timedelta(seconds=parse_duration(value))


Overlap: TypeAlias = Annotated[
    timedelta | int | float,
    PlainValidator(_overlap),
    WithJsonSchema({"type": ["string", "number"], "examples": ["10m", 1000]}),
]
"""A duration as written (``10m``), held as a timedelta, or a plain number."""


class SqlTime(TimeOptions):
    """Where a row's own time stands, and how it is written."""

    column: Column = Field("at", description="Column of a row's own time.")


class Incremental(Options):
    """Read only what is new: rows above the highest mark that was read, which the query gets as ``:since``."""

    column: Column = Field(
        description="Column that grows: a number, a time or a text; a row in which it moves on is read anew."
    )
    start: StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictStr | None = Field(
        None, description="What :since is at first; left out, all rows are read."
    )
    overlap: Overlap | None = Field(
        None,
        description=(
            "How far back to look again for rows that were committed late: a duration for times, a number for ids; "
            "at most the newest 50,000 rows are."
        ),
    )
    id: Column | None = Field(
        None, description="Column that tells rows of one mark apart; left out, the whole row does."
    )

    @field_validator("start")
    @classmethod
    def _fits_the_database(cls, start: Any) -> Any:
        if isinstance(start, int) and not -(2**63) <= start < 2**63:
            raise ValueError("no database has a whole number as large; write a smaller start")
        if isinstance(start, str) and not start.isprintable():
            raise ValueError("start holds control characters; leave them out")
        return start


class SqlIndicator(RowIndicatorOptions):
    """One query, and what its rows are."""

    query: Annotated[str, AfterValidator(checked_query)] = Field(
        description="One SELECT; its column value is the value, at its time, each other column a label."
    )
    labels: list[Column] | None = Field(None, description="The columns that are labels; left out, all others are.")
    time: SqlTime = Field(SqlTime(), description="Where a row's own time stands, and how it is written.")
    incremental: Incremental | None = Field(
        None, description="Read only new rows; left out, each answer is the whole present state."
    )

    @model_validator(mode="after")
    def _since_where_it_is_known(self) -> SqlIndicator:
        has_since = parse_query(self.query).has_since
        if self.incremental is None:
            if self.type == "event":
                raise ValueError(
                    "an event is read once; write incremental: {column: COLUMN}, and WHERE COLUMN > :since in the query"
                )
            if has_since:
                raise ValueError("the query has :since; write incremental: {column: COLUMN} beside it")
        elif not has_since:
            column = self.incremental.column
            raise ValueError(f"the query does not use :since; write WHERE {column} > :since in it")
        return self

    @model_validator(mode="after")
    def _labels_are_no_values(self) -> SqlIndicator:
        if VALUE in (self.labels or ()):
            raise ValueError("labels names value, which is the value; leave it out")
        return self


def _plain_or_secret(value: str | Secret) -> str | Secret:
    return checked_plain_url(value) if isinstance(value, str) else value


class SqlOptions(CollectorOptions):
    """Options of an ``sql`` collector."""

    type: Literal["sql"] = Field("sql", description="What kind of collector this is: sql.")
    url: Annotated[str | Secret, AfterValidator(_plain_or_secret)] = Field(
        description=(
            "SQLAlchemy URL, such as sqlite:///file.db or postgresql+psycopg://user@host/database; "
            "one with a password is a secret: {env: NAME} or {file: PATH}."
        )
    )
    timeout: Seconds = Field(
        20.0, gt=0, description="Longest time for a whole collection; what is not there by then has failed."
    )
    max_rows: int = Field(
        100_000,
        ge=1,
        le=10_000_000,
        description="Most rows of a query in a collection; an incremental one goes on in the next.",
    )
    indicators: list[SqlIndicator] = Field(min_length=1, description="What to ask for.")
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _remember_folder(self, info: ValidationInfo) -> SqlOptions:
        self._folder = Path((info.context or {}).get("folder", ""))
        return self

    @model_validator(mode="after")
    def _indicators_differ(self) -> SqlOptions:
        unique_names([each.name for each in self.indicators])
        return self

    @property
    def folder(self) -> Path:
        """The folder that a relative path of an sqlite URL is taken from."""
        return self._folder

    def url_text(self) -> str:
        """Return the URL, reading it now where it is a secret. Raises ``SecretError``."""
        return self.url if isinstance(self.url, str) else self.url.reveal()

    def specs(self) -> tuple[IndicatorSpec, ...]:
        """Return the declared indicators."""
        return tuple(each.spec(self.name) for each in self.indicators)
