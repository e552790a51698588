"""Checks the templates of annotations without rendering them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from slo_guard.validation import nearest

VARIABLES = ("labels", "value", "objective", "kpi", "title", "lane", "owner", "sprint", "severity", "reason")
FILTERS = ("lower", "upper", "title", "capitalize", "trim", "replace", "default", "d", "truncate", "length")
MAX_CHARACTERS = 4000

# What messages are rendered with knows no more than this: no loops, calls or assignments, so that a template
# cannot hold up or blow up the messages of others.
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem),
    *(nodes.Filter, nodes.Test, nodes.If, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare),
    *(nodes.Operand, nodes.Concat, nodes.Pair, nodes.Keyword),
)
_IN_WORDS = {nodes.For: "a loop", nodes.Call: "a call", nodes.Assign: "an assignment", nodes.Macro: "a macro"}
_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def template_faults(template: str, by: Collection[str]) -> Iterator[str]:
    """Yield what to write instead for each fault of a template; ``by``: the labels that it can name."""
    if len(template) > MAX_CHARACTERS:
        yield f"is longer than {MAX_CHARACTERS:,} characters; shorten it"
        return
    try:
        tree = _ENVIRONMENT.parse(template)
    except TemplateSyntaxError as error:
        yield f"is not a template: {error.message}; write one such as '{{{{ labels.system }}}} is {{{{ value }}}}'"
        return
    except RecursionError:
        yield "is nested too deeply; flatten it"
        return
    refused = [node for node in tree.find_all(nodes.Node) if not isinstance(node, _ALLOWED)]
    if refused:
        what = _IN_WORDS.get(type(refused[0]), type(refused[0]).__name__.lower())
        yield f"{what} is not allowed in an annotation; write plain text, {{{{ … }}}} and {{% if … %}}"
        return
    yield from dict.fromkeys(fault for node in tree.find_all(nodes.Node) if (fault := _fault(node, by)))


def _fault(node: nodes.Node, by: Collection[str]) -> str | None:
    if isinstance(node, nodes.Name) and node.name not in VARIABLES:
        return f"a template knows no {node.name!r}{nearest(node.name, VARIABLES)}"
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"the filter {node.name!r} is not known{nearest(str(node.name), FILTERS)}"
    if isinstance(node, nodes.Test) and node.name not in _ENVIRONMENT.tests:
        return f"the test {node.name!r} is not known"
    label = _label(node)
    if label is not None and label not in by:
        return f"the KPI has no label {label!r}{nearest(label, by) if by else '; write by: [' + label + ']'}"
    return None


def _label(node: nodes.Node) -> str | None:
    """Return NAME of ``labels.NAME`` and ``labels["NAME"]``."""
    if isinstance(node, nodes.Getattr) and _is_labels(node.node):
        return str(node.attr)
    if isinstance(node, nodes.Getitem) and _is_labels(node.node) and isinstance(node.arg, nodes.Const):
        return str(node.arg.value)
    return None


def _is_labels(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "labels"
