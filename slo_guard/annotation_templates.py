"""The small language of annotations: Jinja2 without loops, calls, arithmetic or anything else that can blow up.

What `check` lets pass and what messages are rendered with is this one environment. A rule file is written by people
who may see less than the daemon does, and a slip in one must not stop everybody's messages: a template knows only the
alert's own facts and a few filters with bounded results, and its length and depth are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.sandbox import SandboxedEnvironment

from slo_guard.errors import SloGuardError

VARIABLES: Final = ("labels", "value", "objective", "kpi", "title", "lane", "owner", "sprint", "severity", "reason")
FILTERS: Final = ("lower", "upper", "title", "capitalize", "trim", "replace", "default", "d", "truncate", "length")
MAX_TEMPLATE_CHARACTERS: Final = 4000
MAX_RENDERED_CHARACTERS: Final = 2000
_MAX_DEPTH = 30
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem),
    *(nodes.Filter, nodes.Test, nodes.If, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare),
    *(nodes.Operand, nodes.Concat, nodes.Pair, nodes.Keyword),
)
_IN_WORDS = {nodes.For: "a loop", nodes.Call: "a call", nodes.Assign: "an assignment", nodes.Macro: "a macro"}


class TemplateRefusedError(SloGuardError):
    """A template is none, or asks for more than an annotation may: its text says what to write instead."""


class _Missing(StrictUndefined):
    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"there is no {self._undefined_name!r} here"


class Labels:
    """Labels for templates: ``labels.system`` is the label's value whatever its name, ``items`` included."""

    __slots__ = ("_values",)

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._values = {name: cut(value) for name, value in labels.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return cut(", ".join(f"{name}={value}" for name, value in self._values.items()))


def parsed(template: str) -> nodes.Template:
    """Return the tree of a template that annotations may be; raises ``TemplateRefusedError``."""
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise TemplateRefusedError(f"is longer than {MAX_TEMPLATE_CHARACTERS:,} characters; shorten it")
    try:
        tree = ENVIRONMENT.parse(template)
    except TemplateSyntaxError as error:
        example = "'{{ labels.system }} is {{ value }}'"
        raise TemplateRefusedError(f"is not a template: {error.message}; write one such as {example}") from None
    except RecursionError:
        raise TemplateRefusedError("is nested too deeply; flatten it") from None
    _see_that_it_is_harmless(tree)
    return tree


@lru_cache(maxsize=1024)
def _compiled(template: str) -> Template | TemplateRefusedError:
    # What is refused is kept as well: finding that out anew for each of ten thousand alerts would take minutes.
    try:
        parsed(template)
        return ENVIRONMENT.from_string(template)
    except TemplateRefusedError as error:
        return error
    except (TemplateError, SyntaxError, RecursionError, MemoryError) as error:
        return TemplateRefusedError(f"cannot be rendered: {type(error).__name__}: {error}")


def rendered(template: str, variables: Mapping[str, Any]) -> str:
    """Return ``template`` filled in, at most ``MAX_RENDERED_CHARACTERS`` long.

    Raises ``TemplateRefusedError`` for one that may not be, and what its filters raise for one that fails.
    """
    if "{" not in template:
        return cut(template)
    compiled = _compiled(template)
    if isinstance(compiled, TemplateRefusedError):
        raise compiled.with_traceback(None)
    # Put together once from pieces that are each bounded; as many as 4,000 characters can name of them.
    bounded = {name: cut(value) if isinstance(value, str) else value for name, value in variables.items()}
    pieces: list[str] = []
    size = 0
    for piece in compiled.generate(bounded):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_RENDERED_CHARACTERS:
            break
    return cut("".join(pieces))


def cut(text: str, limit: int = MAX_RENDERED_CHARACTERS) -> str:
    """Return ``text`` with an ellipsis where it is longer than ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _see_that_it_is_harmless(tree: nodes.Template) -> None:
    waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise TemplateRefusedError("is nested too deeply; flatten it")
        if not isinstance(node, _ALLOWED):
            what = _IN_WORDS.get(type(node), type(node).__name__.lower())
            usual = "write plain text, {{ … }} and {% if … %}"
            raise TemplateRefusedError(f"{what} is not allowed in an annotation; {usual}")
        if isinstance(node, nodes.Getattr | nodes.Getitem) and not is_labels(node.node):
            raise TemplateRefusedError("only labels have parts; write {{ value }}, or {{ labels.NAME }}")
        if isinstance(node, nodes.Filter | nodes.Test) and (node.dyn_args or node.dyn_kwargs):
            raise TemplateRefusedError("write the arguments of a filter one by one")
        waiting += [(child, depth + 1) for child in node.iter_child_nodes()]


def is_labels(node: nodes.Node) -> bool:
    """Whether a node is the variable ``labels``."""
    return isinstance(node, nodes.Name) and node.name == "labels"


def _bounded(apply: Callable[..., Any]) -> Callable[..., Any]:
    def bounded(*args: Any, **options: Any) -> Any:
        # Chained filters could otherwise grow a text a thousandfold at each step.
        kept = [cut(value) if isinstance(value, str) else value for value in args]
        result = apply(*kept, **options)
        return cut(result) if isinstance(result, str) else result

    # Jinja2 marks filters that want the environment by an attribute of the function.
    bounded.__dict__.update(getattr(apply, "__dict__", {}))
    return bounded


def _environment() -> SandboxedEnvironment:
    # Receivers escape, each for its own markup.
    environment = SandboxedEnvironment(undefined=_Missing, autoescape=False, keep_trailing_newline=False)
    environment.filters = {name: _bounded(JINJA_FILTERS[name]) for name in FILTERS}
    environment.globals.clear()
    return environment


ENVIRONMENT: Final = _environment()
"""What templates are checked and rendered with; nothing is added to it."""
