"""A rule's annotations: Jinja2 templates, rendered where nothing can be reached, looped or blown up.

A rule file is written by people who may see less than the daemon does, and a slip in one must not stop
everybody's messages: a template knows only the alert's own facts, has no loops, calls or arithmetic, a few
filters with bounded results, and one that fails is shown as written with a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.filters import FILTERS
from jinja2.sandbox import SandboxedEnvironment

from slo_guard.domain.series import LabelSet

MAX_TEMPLATE_CHARACTERS = 4000
MAX_RENDERED_CHARACTERS = 2000

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Test,
    nodes.If,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Compare,
    nodes.Operand,
    nodes.Concat,
)
_FILTERS = ("lower", "upper", "title", "capitalize", "trim", "replace", "default", "d", "truncate", "length")


class _Labels:
    """Labels for templates: ``labels.system`` is the label's value whatever its name, ``items`` included."""

    __slots__ = ("_values",)

    def __init__(self, labels: LabelSet) -> None:
        self._values = dict(labels)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._values.items())


class _Missing(StrictUndefined):
    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"there is no {self._undefined_name!r} here"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationFacts:
    """What a template may name, each by its field's name; ``value`` is formatted with its unit."""

    labels: LabelSet
    value: str
    objective: str
    kpi: str
    title: str
    lane: str
    owner: str
    sprint: str
    severity: str
    reason: str


def render_annotations(templates: Mapping[str, str], facts: AnnotationFacts) -> dict[str, str]:
    """Return the annotations with their templates filled in, each at most 2,000 characters long.

    Never raises: a template that fails gives its own text and a short note why.
    """
    variables: dict[str, Any] = {name: getattr(facts, name) for name in AnnotationFacts.__dataclass_fields__}
    variables["labels"] = _Labels(facts.labels)
    return {name: _rendered(template, variables) for name, template in templates.items()}


def _rendered(template: str, variables: Mapping[str, Any]) -> str:
    if "{" not in template:
        return _cut(template)
    try:
        pieces: list[str] = []
        size = 0
        for piece in _compiled(template).generate(variables):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_RENDERED_CHARACTERS:
                break
        return _cut("".join(pieces))
    except Exception as error:  # noqa: BLE001 - filters raise what they like, and a message must go out all the same
        note = f" (not rendered: {_one_line(error)})"
        return _cut(template, MAX_RENDERED_CHARACTERS - len(note)) + note


@lru_cache(maxsize=512)
def _compiled(template: str) -> Template:
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise TemplateError(f"longer than {MAX_TEMPLATE_CHARACTERS} characters")
    for node in _ENVIRONMENT.parse(template).find_all(nodes.Node):
        if not isinstance(node, (*_ALLOWED, nodes.Pair, nodes.Keyword)):
            raise TemplateError(f"{type(node).__name__.lower()} is not allowed in an annotation")
    return _ENVIRONMENT.from_string(template)


def _bounded(apply: Callable[..., Any]) -> Callable[..., Any]:
    def bounded(*args: Any, **options: Any) -> Any:
        # Chained filters could otherwise grow a text a thousandfold at each step.
        kept = [_cut(value) if isinstance(value, str) else value for value in args]
        result = apply(*kept, **options)
        return _cut(result) if isinstance(result, str) else result

    # Jinja2 marks filters that want the environment by an attribute of the function.
    bounded.__dict__.update(getattr(apply, "__dict__", {}))
    return bounded


def _environment() -> SandboxedEnvironment:
    # Receivers escape, each for its own markup.
    environment = SandboxedEnvironment(undefined=_Missing, autoescape=False, keep_trailing_newline=False)
    environment.filters = {name: _bounded(FILTERS[name]) for name in _FILTERS}
    environment.globals.clear()
    return environment


def _cut(text: str, limit: int = MAX_RENDERED_CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _one_line(error: Exception) -> str:
    return _cut(" ".join(str(error).split()), 160) or type(error).__name__


_ENVIRONMENT = _environment()
