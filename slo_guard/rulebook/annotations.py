"""Checks the templates of annotations, and fills each in once with made-up facts."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from jinja2 import nodes

from slo_guard.annotation_templates import (
    ENVIRONMENT,
    FILTERS,
    VARIABLES,
    Labels,
    TemplateRefusedError,
    is_labels,
    parsed,
    rendered,
)
from slo_guard.validation import nearest


def template_faults(template: str, by: Collection[str]) -> Iterator[str]:
    """Yield what to write instead for each fault of a template; ``by``: the labels that it can name."""
    try:
        tree = parsed(template)
    except TemplateRefusedError as error:
        yield str(error)
        return
    faults = list(dict.fromkeys(fault for node in tree.find_all(nodes.Node) if (fault := _fault(node, by))))
    yield from faults or _failures(template, by)


def _failures(template: str, by: Collection[str]) -> Iterator[str]:
    """Yield why a template fails that names nothing wrong: whoever checked it must not learn of it at night."""
    facts = {name: name for name in VARIABLES} | {"labels": Labels(dict.fromkeys(by, "label"))}
    try:
        rendered(template, facts)
    except Exception as error:  # noqa: BLE001 - filters raise what they like
        why = " ".join(str(error).split())[:200] or type(error).__name__
        yield f"fails when it is filled in: {why}; mend what stands between {{{{ and }}}}"


def _fault(node: nodes.Node, by: Collection[str]) -> str | None:
    if isinstance(node, nodes.Name) and node.name not in VARIABLES:
        return f"a template knows no {node.name!r}{nearest(node.name, VARIABLES)}"
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"the filter {node.name!r} is not known{nearest(str(node.name), FILTERS)}"
    if isinstance(node, nodes.Test) and node.name not in ENVIRONMENT.tests:
        return f"the test {node.name!r} is not known"
    label = _label(node)
    if label is not None and label not in by:
        return f"the KPI has no label {label!r}{nearest(label, by) if by else '; write by: [' + label + ']'}"
    return None


def _label(node: nodes.Node) -> str | None:
    """Return NAME of ``labels.NAME`` and ``labels["NAME"]``."""
    if isinstance(node, nodes.Getattr) and is_labels(node.node):
        return str(node.attr)
    if isinstance(node, nodes.Getitem) and is_labels(node.node) and isinstance(node.arg, nodes.Const):
        return str(node.arg.value)
    return None
