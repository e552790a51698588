"""Quantities: what rule files write, in base units and back in units that people read."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_guard.errors import UnitError
from slo_guard.units import (
    BYTES,
    PLAIN,
    RATIO,
    SECONDS,
    Quantity,
    fits,
    format_duration,
    format_value,
    parse_duration,
    parse_quantity,
    source_unit,
)

EXACTLY = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
    "w": Fraction(604800),
    "%": Fraction(1, 100),
    "kB": Fraction(1000),
    "MiB": Fraction(2**20),
}


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("0.83s", 0.83, SECONDS),
        ("830ms", 0.83, SECONDS),
        ("10m", 600.0, SECONDS),
        ("1h30m", 5400.0, SECONDS),
        ("24h", 86400.0, SECONDS),
        ("0.25%", 0.0025, RATIO),
        ("95%", 0.95, RATIO),
        ("0.07%", 7 / 10000, RATIO),
        ("1m0.1s", 60.1, SECONDS),
        ("1e-400ms", 0.0, SECONDS),
        ("10MiB", 10 * 2**20, BYTES),
        ("2", 2.0, None),
        ("-1.5", -1.5, None),
        ("1e3", 1000.0, None),
        (2, 2.0, None),
    ],
)
def test_a_quantity_is_held_in_its_base_unit_without_dust(text, value, unit):
    """0.83s and 830ms are the same limit to the last bit, or a value on it would be judged by the spelling."""
    assert parse_quantity(text) == Quantity(value, unit)


@pytest.mark.parametrize(
    "text", ["fast", "1.16x", "", "1,5s", "nan", "inf", "1e308w", "9" * 400 + "d", True, None, [], math.inf, "1s2"]
)
def test_what_is_no_quantity_is_refused(text):
    """A guess would become a limit."""
    with pytest.raises(UnitError):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("1h30m", 5400.0), ("2w", 1209600.0), ("0", 0.0), (0, 0.0)]
)
def test_a_duration_is_held_in_seconds(text, seconds):
    """Every `for` and window passes here."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", 5, "5 m", "-5m", "m", "5m30", None, True, []])
def test_a_duration_without_a_unit_is_refused(text):
    """Nobody can say what `for: 5` is five of."""
    with pytest.raises(UnitError, match=r"write a duration|write one such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("ms", SECONDS, 0.001),
        ("milliseconds", SECONDS, 0.001),
        ("percent", RATIO, 0.01),
        ("ratio", RATIO, 1.0),
        ("", PLAIN, 1.0),
        ("count", PLAIN, 1.0),
        ("KiB", BYTES, 1024.0),
    ],
)
def test_a_source_unit_gives_the_base_unit_and_the_factor(name, unit, factor):
    """Collectors convert by it."""
    assert source_unit(name) == (unit, factor)


def test_an_unknown_source_unit_names_the_known_ones():
    """Whoever misspells it sees the right name."""
    with pytest.raises(UnitError, match="milliseconds"):
        source_unit("millis")


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2", SECONDS, False),
        ("2", BYTES, False),
        ("2", PLAIN, True),
        ("0.9", RATIO, True),
        ("2s", SECONDS, True),
        ("2s", RATIO, False),
        ("2s", None, True),
    ],
)
def test_a_bare_number_never_stands_for_seconds_or_bytes(text, unit, expected):
    """1.16 against a value in milliseconds would be met for ever."""
    assert fits(parse_quantity(text), unit) is expected


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.31, SECONDS, "1.31s"),
        (0.83, SECONDS, "830ms"),
        (750, SECONDS, "12m 30s"),
        (1e300, SECONDS, "1.16e+295d"),
        (float("-inf"), SECONDS, "-infd"),
        (0.0092, RATIO, "0.92%"),
        (1204, PLAIN, "1,204"),
        (2.5 * 2**20, BYTES, "2.5MiB"),
        (None, SECONDS, "no value"),
        (math.nan, PLAIN, "no value"),
    ],
)
def test_values_are_shown_in_units_that_people_read(value, unit, text):
    """Messages are read on phones at night."""
    assert format_value(value, unit) == text


@given(st.integers(-(10**15), 10**15), st.integers(0, 9), st.sampled_from(sorted(EXACTLY)))
def test_a_quantity_is_the_float_nearest_to_what_is_written(number, places, unit):
    """7 of 10,000 would pass `below 0.07%` if that were held a bit too large."""
    text = f"{Decimal(number).scaleb(-places):f}{unit}"

    assert parse_quantity(text).value == float(Fraction(number, 10**places) * EXACTLY[unit])


def test_every_percentage_with_two_places_is_exact():
    """These are what people write."""
    wrong = [number for number in range(1, 10000) if parse_quantity(f"{number / 100:.2f}%").value != number / 10000]

    assert wrong == []


@given(st.integers(min_value=1, max_value=10**8))
def test_a_formatted_duration_never_says_more_than_two_units_and_is_close(seconds):
    """Short, and within one of its smaller units."""
    shown = format_duration(float(seconds))

    parts = shown.split(" ")
    assert len(parts) <= 2
    assert math.isclose(parse_duration("".join(parts)), seconds, rel_tol=0.05)
