"""Numbers with units as rule files write them, kept with the text that people recognise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from slo_guard.units import BYTES, RATIO, SECONDS, Quantity, fits, parse_quantity

_SPACED = re.compile(r"\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s+([A-Za-zµ%]+)\s*")
_THOUSANDS = re.compile(r"(?<=\d)_(?=\d)")
_COMPARISON = re.compile(r"\s*(>=|=>|<=|=<|==|=|>|<|≥|≤)\s*(.*)")
_OPERATORS = {
    **dict.fromkeys((">=", "=>", "≥"), "at_least"),
    **dict.fromkeys(("<=", "=<", "≤"), "at_most"),
    **dict.fromkeys(("==", "="), "equals"),
    ">": "above",
    "<": "below",
}
_IN_WORDS = {SECONDS: "in seconds", RATIO: "a ratio", BYTES: "in bytes"}


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity in its base unit (None where no unit is written) with its ``text`` as written."""

    text: str
    quantity: Quantity


def parse_amount(given: Any) -> Amount:
    """Parse ``1.16s``, ``95%``, ``2`` or the number 2; raises ``ValueError`` with what to write instead."""
    if isinstance(given, Amount):
        return given
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError("write a number such as 2, 0.83s or 95%")  # noqa: TRY004 - pydantic turns only ValueError into a finding
    text = str(given).strip()
    spaced = _SPACED.fullmatch(text)
    if spaced is not None:
        raise ValueError(f"{text!r} has a space before its unit; write {spaced[1]}{spaced[2]}")
    if _COMPARISON.match(text):
        raise ValueError(f"{text!r} holds a comparison; the field's name is the comparison, write the number alone")
    if text in ("", "true", "false"):
        raise ValueError("write a number such as 2, 0.83s or 95%")
    return Amount(text, parse_quantity(_THOUSANDS.sub("", text)))


WrittenAmount = Annotated[
    Amount,
    PlainValidator(parse_amount),
    WithJsonSchema({"type": ["string", "number"], "examples": ["0.83s", "95%", 2]}),
]
"""A number as written, with or without a unit."""


def comparison_hint(text: str) -> str:
    """Return what to write instead of an objective given as a text such as ``">= 2"``."""
    found = _COMPARISON.fullmatch(text)
    if found is None:
        return "write a mapping such as {at_most: 1.16s}, {at_least: 95%} or {is: true}"
    bound = found[2] or "2"
    return f"{text!r} is a text, not an objective; write {{{_OPERATORS[found[1]]}: {bound}}}"


def unit_in_words(unit: str | None) -> str:
    """Return a unit as it reads after "is": ``in seconds``, ``a ratio``, ``a plain number``."""
    return "of unknown unit" if unit is None else _IN_WORDS.get(unit, "a plain number")


def misfit(amount: Amount, unit: str | None, subject: str) -> str | None:
    """Return what to write instead when ``amount`` cannot be compared with ``subject``, else None."""
    if fits(amount.quantity, unit):
        return None
    if amount.quantity.unit is None:
        symbol, examples = ("s", f"{amount.text}s") if unit == SECONDS else ("B", f"{amount.text}MiB")
        hint = f"write {examples}" if not amount.text.endswith(symbol) else "write its unit"
        return f"{amount.text} has no unit, but {subject} is {unit_in_words(unit)}; {hint}"
    example = {SECONDS: "1.16s", RATIO: "95%", BYTES: "10MiB"}.get(unit or "", "2")
    return (
        f"{amount.text} is {unit_in_words(amount.quantity.unit)}, but {subject} is {unit_in_words(unit)}; "
        f"write one such as {example}"
    )
