"""Options of the ``json`` collector: what is asked, how it goes on from page to page, what is taken from the rows."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from slo_guard.collect.expressions import Expression
from slo_guard.collect.options import HttpSourceOptions, RowIndicatorOptions, unique_names
from slo_guard.collect.row_times import TimeOptions
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.fields import Options, Seconds
from slo_guard.http_session import HttpUrl

_SECRET_PARAMS: Final = frozenset({"access_token", "api_key", "apikey", "client_secret", "password", "secret", "token"})

LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
BodyField = Annotated[str, StringConstraints(pattern=r"^[^.]+(\.[^.]+)*$")]
"""A place in the body, its keys joined by dots."""


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _no_secrets(params: dict[str, str]) -> dict[str, str]:
    for name in params:
        if name.lower() in _SECRET_PARAMS:
            raise ValueError(f"{name} would put a secret into the config and the URL; use http: {{auth: …}}")
    return params


QueryText = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""A query parameter's value; numbers and true may stand without quotes."""


class _Placed(Options):
    """Something that each request carries anew: in a query parameter or in the body."""

    param: str | None = Field(None, min_length=1, description="Query parameter that it is sent in.")
    field: BodyField | None = Field(
        None, description="Instead of param: where it stands in the body of a POST, such as variables.after."
    )

    @model_validator(mode="after")
    def _one_place(self) -> _Placed:
        if (self.param is None) == (self.field is None):
            raise ValueError("write exactly one of param: NAME (of the query) and field: PLACE (in the body)")
        return self


class CursorPaging(_Placed):
    """Each answer gives the cursor of the next page; none, null, false or an empty one ends."""

    path: Expression = Field(
        description="JMESPath of the next cursor in an answer, such as meta.next or info.more && info.end."
    )


class NumberPaging(_Placed):
    """Pages are asked for by number until one has no rows."""

    start: int = Field(1, ge=0, description="Number of the first page.")
    size_param: str | None = Field(None, min_length=1, description="Query parameter that says how large a page is.")
    size: int | None = Field(None, ge=1, description="What is sent in size_param.")

    @model_validator(mode="after")
    def _size_is_whole(self) -> NumberPaging:
        if (self.size is None) != (self.size_param is None):
            raise ValueError("size and size_param stand together")
        return self


class JsonPaging(Options):
    """Exactly one way to go on from page to page."""

    next_url: Expression | None = Field(None, description="JMESPath of the link to the next page in an answer.")
    link_header: bool = Field(default=False, description="Follow the Link header with rel=next (RFC 8288).")
    cursor: CursorPaging | None = Field(None, description="Each answer gives the cursor of the next page.")
    page: NumberPaging | None = Field(None, description="Pages are asked for by number until one has no rows.")
    max_pages: int = Field(
        100, ge=1, le=100_000, description="Most pages of a collection; one that has more has failed, and is not cut."
    )

    @model_validator(mode="after")
    def _one_way(self) -> JsonPaging:
        ways = (self.next_url is not None, self.link_header, self.cursor is not None, self.page is not None)
        if sum(ways) != 1:
            raise ValueError(
                "paging is exactly one of next_url: JMESPATH, link_header: true, cursor: {path, param}, page: {param}"
            )
        return self

    @property
    def placed(self) -> _Placed | None:
        """What each request carries anew, if anything."""
        return self.cursor or self.page


class RowTime(TimeOptions):
    """Where a row's time stands, and how it is written."""

    path: Expression = Field(description="JMESPath of the time within a row, such as resolved_at.")


class JsonIndicator(RowIndicatorOptions):
    """What is taken from the rows of an answer."""

    rows: Expression | None = Field(
        None,
        description="JMESPath of a page's list of rows; left out: the answer itself, as one row if it is no list.",
    )
    value: Expression | None = Field(
        None, description="JMESPath of the value within a row; an event without it counts 1."
    )
    time: RowTime | None = Field(
        None, description="Where a row's time stands; an event needs it, others are of now without it."
    )
    labels: dict[LabelName, Expression] = Field(
        default_factory=dict, description="Labels of a row's series, each by a JMESPath within the row."
    )
    id: Expression | None = Field(
        None, description="JMESPath of what tells an event from all others; left out: its labels, value and time."
    )
    look_back: Seconds = Field(
        86400.0,
        gt=0,
        description="For events: as long as the source gives an event again and again; it is taken once all the same.",
    )

    @model_validator(mode="after")
    def _fits_its_type(self) -> JsonIndicator:
        if self.type == "event":
            if self.time is None:
                raise ValueError("an event has a time of its own; write time: {path: JMESPATH}")
            return self
        for name in ("id", "look_back"):
            if name in self.model_fields_set:
                raise ValueError(f"{name} is for events only; leave it out")
        if self.value is None:
            raise ValueError(f"'value' is missing; write value: JMESPATH of the {self.type}'s value within a row")
        return self


class JsonOptions(HttpSourceOptions):
    """Options of a ``json`` collector."""

    type: Literal["json"] = Field("json", description="What kind of collector this is: json.")
    url: HttpUrl = Field(description="URL that answers JSON, such as https://tickets/api/search.")
    method: Literal["GET", "POST"] = Field(
        "GET", description="How it is asked; a POST may be sent again after a failure, so it should change nothing."
    )
    params: Annotated[dict[str, QueryText], AfterValidator(_no_secrets)] = Field(
        default_factory=dict, description="Query parameters; not for secrets."
    )
    body: JsonValue = Field(None, description="JSON body of a POST, such as a GraphQL query with its variables.")
    paging: JsonPaging | None = Field(None, description="How the next page is asked for; left out: one page is all.")
    max_rows: int = Field(
        100_000, ge=1, description="Most rows of an indicator; a collection that has more has failed, and is not cut."
    )
    indicators: list[JsonIndicator] = Field(min_length=1, description="What to take from the answer.")

    @model_validator(mode="after")
    def _whole(self) -> JsonOptions:
        unique_names([each.name for each in self.indicators])
        if self.body is not None and self.method == "GET":
            raise ValueError("a GET has no body; write method: POST")
        placed = self.paging.placed if self.paging is not None else None
        if placed is not None and placed.field is not None:
            inner: Any = self.body
            for key in placed.field.split("."):
                if not isinstance(inner, dict):
                    # ValueError, not TypeError: pydantic turns only that into a finding.
                    raise ValueError(  # noqa: TRY004
                        f"paging's field {placed.field} has no place in body; write a mapping there"
                    )
                inner = inner.get(key, {})
        return self

    def specs(self) -> tuple[IndicatorSpec, ...]:
        """Return the declared indicators."""
        return tuple(each.spec(self.name) for each in self.indicators)
