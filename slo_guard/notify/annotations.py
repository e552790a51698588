"""A rule's annotations, filled in with an alert's facts; one that fails is shown as written, with a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slo_guard.annotation_templates import MAX_RENDERED_CHARACTERS, Labels, cut, rendered
from slo_guard.domain.series import LabelSet


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
    variables["labels"] = Labels(dict(facts.labels))
    return {name: _rendered(template, variables) for name, template in templates.items()}


def _rendered(template: str, variables: Mapping[str, Any]) -> str:
    try:
        return rendered(template, variables)
    except Exception as error:  # noqa: BLE001 - filters raise what they like, and a message must go out all the same
        note = f" (not rendered: {_one_line(error)})"
        return cut(template, MAX_RENDERED_CHARACTERS - len(note)) + note


def _one_line(error: Exception) -> str:
    return cut(" ".join(str(error).split()), 160) or type(error).__name__
