"""pydantic's validation errors as findings: where in the file, and what to write instead.

Values are not repeated in the text, except where a name was mistyped: what stands in a config may be a secret.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeVar, Union

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from slo_guard.located_yaml import KeyPath

ModelT = TypeVar("ModelT", bound=BaseModel)

_SECRET_WORDS = re.compile(r"pass|secret|token|auth|key|credential|url", re.IGNORECASE)
_SCALAR_ERRORS = re.compile(r"(string|int|float|bool|decimal|number|literal|enum|none|path|url|finite|date|time)")
_LIST_ERRORS = re.compile(r"(list|tuple|set|frozen_set|sequence|iterable)_type")
_MAPPING_ERRORS = re.compile(r"(model|dict|mapping|model_attributes|dataclass)_type")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the name that comes closest, or the short list of known ones."""
    names = sorted({f"{name}" for name in known})
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(names)}" if 0 < len(names) <= 40 else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a model refuses: where, what to write instead; ``unknown``: the field itself is not known."""

    path: KeyPath
    message: str
    unknown: bool


def problems(error: ValidationError, model: type[BaseModel], document: Any) -> tuple[Problem, ...]:
    """Return what ``model`` refuses in ``document``, one problem a place."""
    grouped: dict[KeyPath, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        if _follows_from_its_parts(details):
            continue
        path = _standing(document, details["loc"])
        if details["type"] == "missing":
            path = (*path, details["loc"][-1])
        grouped.setdefault(path, []).append(details)
    found = []
    for path, group in grouped.items():
        meant = _of_the_branch_that_was_meant(path, group, grouped)
        if meant:
            messages = dict.fromkeys(_message(details, path, model) for details in meant)
            unknown = {details["type"] for details in meant} == {"extra_forbidden"}
            found.append(Problem(path, "; or ".join(messages), unknown))
    return tuple(found)


def _follows_from_its_parts(details: ErrorDetails) -> bool:
    """Whether a list counts as too short only since pydantic left out the parts that are wrong."""
    given = details["input"]
    return (
        details["type"] == "too_short" and isinstance(given, list) and len(given) >= details["ctx"].get("min_length", 0)
    )


def checked_parts(
    model: type[ModelT],
    document: Mapping[str, Any],
    named_after: type[BaseModel] | None = None,
    context: Mapping[str, Any] | None = None,
) -> tuple[ModelT | None, list[Problem]]:
    """Return what is right in ``document`` as a model, and what is wrong.

    Wrong fields are left out and the rest is tried again, so that one error hides no other; None where what
    is left will not do. ``named_after``: the model whose field names and sentences the messages use;
    ``context`` is pydantic's.
    """
    left = dict(document)
    found: list[Problem] = []
    for _ in range(len(document) + 2):
        try:
            return model.model_validate(left, context=context), found
        except ValidationError as error:
            faults = problems(error, named_after or model, left)
        # What was left out for being wrong is not missing as well.
        new = [fault for fault in faults if not fault.path or fault.path[0] in left or fault.path[0] not in document]
        found += new
        # Of two faults in one field the first takes it out for both.
        before = set(left)
        if not new or not all(leave_out(left, fault) or (fault.path[:1] and fault.path[0] in before) for fault in new):
            break
    return None, found


def leave_out(document: dict[str, Any], fault: Problem) -> bool:
    """Take what is wrong out of ``document``: an unknown field alone, else the whole top-level field.

    Returns whether anything was left out.
    """
    if not fault.path:
        return False
    if not fault.unknown or len(fault.path) == 1:
        return document.pop(str(fault.path[0]), None) is not None
    top = str(fault.path[0])
    if top in document:
        document[top] = _without(document[top], fault.path[1:])
    return True


def _without(value: Any, path: KeyPath) -> Any:
    key, rest = path[0], path[1:]
    if isinstance(value, dict):
        if rest:
            return {k: _without(v, rest) if k == key else v for k, v in value.items()}
        return {k: v for k, v in value.items() if k != key}
    if isinstance(value, list) and rest:
        return [_without(inner, rest) if at == key else inner for at, inner in enumerate(value)]
    return value


def _of_the_branch_that_was_meant(
    path: KeyPath, group: list[ErrorDetails], grouped: Mapping[KeyPath, Any]
) -> list[ErrorDetails]:
    """Return the errors of a place without those of a union's branches that are of another shape than what is given.

    They are kept where no other error says what is wrong with it.
    """
    given = group[0]["input"]
    if not isinstance(given, dict | list):
        return group
    shape = _LIST_ERRORS if isinstance(given, dict) else _MAPPING_ERRORS
    meant = [item for item in group if not _SCALAR_ERRORS.match(item["type"]) and not shape.match(item["type"])]
    deeper = any(len(other) > len(path) and other[: len(path)] == path for other in grouped)
    return meant if meant or deeper else group


def _message(details: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    kind, given, context = details["type"], details["input"], details.get("ctx", {})
    name = str(path[-1]) if path else ""
    parents = list(_models_at(model, path[:-1]))
    if kind == "extra_forbidden":
        return f"unknown field {name!r}{nearest(name, _field_names(parents))}"
    if kind == "missing":
        return f"{name!r} is missing; {_description(parents, name) or 'write it'}"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", details["msg"]))
    if kind in ("literal_error", "enum"):
        return _choice(details, given, secret=bool(_SECRET_WORDS.search(name)))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"write one of {context.get('expected_tags', 'the known types')} as {context.get('discriminator', '')}"
    if _MAPPING_ERRORS.match(kind):
        names = _field_names(_models_at(model, path))
        return "write a mapping" + (f" with {', '.join(names[:12])}" if names else ", such as {name: value}")
    for pattern, text in _PLAIN_TEXTS:
        if pattern.match(kind):
            bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
            return text.format_map({"gt": "", "ge": "", "lt": "", "le": "", "min_length": "", **bounds})
    return re.sub(r"^Input should", "the value should", details["msg"])


_PLAIN_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("string_type"), "write a text; put it in quotes if it looks like a number or true/false"),
    (re.compile("string_too_short"), "is empty; write a text"),
    (re.compile("string_too_long"), "is too long; shorten it"),
    (re.compile("string_pattern_mismatch"), "write a text of the form {pattern}"),
    (re.compile("(int|float|decimal).*greater_than_equal|^greater_than_equal"), "write a number of at least {ge}"),
    (re.compile("^greater_than$"), "write a number above {gt}"),
    (re.compile("^less_than_equal"), "write a number of at most {le}"),
    (re.compile("^less_than$"), "write a number below {lt}"),
    (re.compile("^int"), "write a whole number"),
    (re.compile("^(float|decimal|finite_number)"), "write a number"),
    (re.compile("^bool"), "write true or false"),
    (re.compile("^(list|tuple|set|frozen_set|sequence|iterable)_type"), "write a list, such as [a, b]"),
    (re.compile("^too_short"), "is too short; give at least {min_length}"),
    (re.compile("^too_long"), "is too long; give at most {max_length}"),
    (re.compile("^path"), "write a path"),
    (re.compile("^url"), "is not a URL; write one such as https://host.example/path"),
    (re.compile("^none_required"), "leave it out"),
)


def _choice(details: ErrorDetails, given: Any, *, secret: bool) -> str:
    expected = str(details.get("ctx", {}).get("expected", ""))
    choices = re.findall(r"'([^']*)'", expected)
    if not choices:
        return f"write {expected}"
    listed = ", ".join(choices)
    if not isinstance(given, str) or secret:
        return f"write one of {listed}"
    close = difflib.get_close_matches(given, choices, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}? Known are {listed}" if close else f"write one of {listed}"
    return f"{given[:60]!r} is not known; {hint}"


def _description(parents: Iterable[type[BaseModel]], name: str) -> str | None:
    for parent in parents:
        for attribute, info in parent.model_fields.items():
            if name == (info.alias or attribute) and info.description:
                return f"write {name}: {info.description[:1].lower()}{info.description[1:].rstrip('.')}"
    return None


def _field_names(models: Iterable[type[BaseModel]]) -> list[str]:
    return [info.alias or attribute for model in models for attribute, info in model.model_fields.items()]


def _standing(document: Any, loc: KeyPath) -> KeyPath:
    """Drop from a ``loc`` what does not stand in the document: the names of union branches, keys that are missing."""
    path: KeyPath = ()
    for step in loc:
        inside = isinstance(document, Mapping) and step in document
        if inside or (isinstance(document, list) and isinstance(step, int) and 0 <= step < len(document)):
            document = document[step]
            path = (*path, step)
    return path


def _models_at(model: type[BaseModel], path: KeyPath) -> Iterator[type[BaseModel]]:
    annotations: list[Any] = [model]
    for step in path:
        annotations = [inner for annotation in annotations for inner in _step(annotation, step)]
    yield from (option for option in annotations if _is_model(option))


def _step(annotation: Any, step: str | int) -> Iterator[Any]:
    """Yield the types that stand below ``annotation`` at a field's name or a position."""
    if _is_model(annotation):
        for attribute, info in annotation.model_fields.items():
            if step == (info.alias or attribute):
                yield from _flat(info.annotation)
        return
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(step, int) and origin in (list, tuple, set, frozenset):
        for argument in arguments:
            yield from _flat(argument)
    elif isinstance(step, str) and isinstance(origin, type) and issubclass(origin, Mapping) and len(arguments) == 2:
        yield from _flat(arguments[1])


def _flat(annotation: Any) -> Iterator[Any]:
    """Yield the plain types that a union or an annotated type is made of."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _flat(typing.get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for argument in typing.get_args(annotation):
            yield from _flat(argument)
    elif origin is Literal or annotation in (type(None), Ellipsis):
        return
    elif not (isinstance(annotation, type) and issubclass(annotation, Enum)):
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
