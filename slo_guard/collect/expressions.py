"""JMESPath: checked when the config is loaded, applied to answers that may be hostile within a deadline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, TypeAlias

import jmespath
from jmespath.exceptions import EmptyExpressionError, JMESPathError, JMESPathTypeError, ParseError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter
from pydantic import AfterValidator, Field

from slo_guard.clock import monotonic
from slo_guard.errors import CollectionError
from slo_guard.validation import nearest

_LONGEST: Final = 2000
_STEPS_BETWEEN_LOOKS: Final = 512
_FUNCTIONS: Final[Mapping[str, Any]] = Functions().FUNCTION_TABLE


def checked_expression(text: str) -> str:
    """Return a JMESPath expression that can be applied; raises ``ValueError`` that says what is wrong, and where.

    Functions are looked up too: the library itself would miss them only in the first answer.
    """
    for name, given in _calls(_parsed(text)):
        if name not in _FUNCTIONS:
            raise ValueError(f"{text!r} calls the unknown function {name}(){nearest(name, _FUNCTIONS)}")
        signature = _FUNCTIONS[name]["signature"]
        variadic = bool(signature) and bool(signature[-1].get("variadic"))
        if given < len(signature) if variadic else given != len(signature):
            least = "at least " if variadic else ""
            raise ValueError(f"{text!r} gives {name}() {given} arguments; it takes {least}{len(signature)}")
    return text


Expression: TypeAlias = Annotated[
    str, AfterValidator(checked_expression), Field(min_length=1, examples=["data.items[?state=='closed']"])
]
"""A JMESPath expression."""


class ExpressionError(ValueError):
    """An expression cannot be applied to what came; the text does not repeat what came."""


class Selector:
    """A compiled expression; what it finds is got from :meth:`Evaluator.find`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = _parsed(text)
        self.keys = _plain_keys(self.tree)


class Evaluator(TreeInterpreter):
    """Applies selectors during one collection.

    An expression looks at each part of an answer a bounded number of times, but an answer may have millions of
    parts: at ``ends`` (on ``slo_guard.clock.monotonic``) a ``CollectionError`` with the reason ``timeout`` is raised.
    """

    def __init__(self, ends: float) -> None:
        super().__init__()
        self._ends = ends
        self._steps = 0

    def find(self, selector: Selector, document: Any) -> Any:
        """Return what ``selector`` finds, None for nothing; raises ``ExpressionError``."""
        if selector.keys is not None:
            return self._at(selector.keys, document)
        try:
            return self.visit(selector.tree, document)
        except JMESPathTypeError as error:
            expected = " or ".join(error.expected_types)
            problem = f"{error.function_name}() takes {expected}, not {error.actual_type}"
            raise ExpressionError(f"{selector.text[:80]}: {problem}") from None
        except RecursionError:
            raise ExpressionError(f"{selector.text[:80]}: what came is nested too deeply") from None
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            raise ExpressionError(f"{selector.text[:80]}: cannot be applied ({type(error).__name__})") from None

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """Apply one node of an expression, and look at the clock now and then."""
        self._steps += 1
        if self._steps >= _STEPS_BETWEEN_LOOKS:
            self.look_at_the_clock()
        return super().visit(node, *args, **kwargs)

    def look_at_the_clock(self) -> None:
        """Raise ``CollectionError`` if the time is over."""
        self._steps = 0
        if monotonic() >= self._ends:
            raise CollectionError("timeout", "the answer is too large to be taken apart in time")

    def _at(self, keys: tuple[str, ...], document: Any) -> Any:
        self._steps += 1
        if self._steps >= _STEPS_BETWEEN_LOOKS:
            self.look_at_the_clock()
        for key in keys:
            if not isinstance(document, dict):
                return None
            document = document.get(key)
        return document


def _parsed(text: str) -> Any:
    if len(text) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST:,} characters; shorten it")
    try:
        return jmespath.compile(text).parsed
    except EmptyExpressionError:
        raise ValueError("is empty; write a JMESPath expression such as data.items") from None
    except ParseError as error:
        place = min(int(error.lex_position), len(text)) + 1
        seen = "the end" if place > len(text) else repr(text[place - 1])
        raise ValueError(f"JMESPath syntax error in {text!r} at character {place}, {seen}") from None
    except (JMESPathError, RecursionError) as error:
        raise ValueError(f"JMESPath syntax error in {text[:80]!r}: {type(error).__name__}") from None


def _calls(tree: Any) -> Iterator[tuple[str, int]]:
    """Yield the functions that an expression calls, with the number of arguments that it gives them."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "function_expression":
                yield node["value"], len(node["children"])
            waiting += node.get("children", ())


def _plain_keys(tree: Any) -> tuple[str, ...] | None:
    """Return the keys of ``a`` and ``a.b.c``, which is what most expressions are and can be had without a visitor."""
    if tree["type"] == "field":
        return (tree["value"],)
    if tree["type"] != "subexpression":
        return None
    keys: list[str] = []
    for child in tree["children"]:
        inner = _plain_keys(child)
        if inner is None:
            return None
        keys += inner
    return tuple(keys)
