"""Regular expressions over labels: RE2's, in linear time, whatever a source sends."""

from __future__ import annotations

import pytest

from slo_guard.clock import monotonic
from slo_guard.patterns import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("([a-z0-9]+-?)+", "a" * 50_000 + "_1"), ("(a|aa)+", "a" * 50_000 + "!"), ("(x+x+)+y", "x" * 50_000)],
)
def test_no_pattern_holds_the_process(pattern, text):
    """Python's own engine would take longer than the machine lasts, and everything would wait for it."""
    started = monotonic()

    assert not compile_pattern(pattern)(text)

    assert monotonic() - started < 2


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("fs|xai.*", "xai2", True),
        ("fs|xai", "xai2", False),
        ("(?i)FS", "fs", True),
        ("[[:alpha:]]+", "abc", True),
        (r"\d+", "12", True),
        (r"\d+", "١٢", False),
        ("a.c", "aüc", True),
        ("", "", True),
        (".*", "\ud800", True),
    ],
)
def test_a_pattern_means_what_it_means_in_prometheus(pattern, text, matches):
    """Anchored at both ends; digits are ASCII; a broken character is one character."""
    assert compile_pattern(pattern)(text) is matches


@pytest.mark.parametrize("pattern", ["(", "(?=a)b", r"(a)\1", "a{1001}", "a*+", "[z-a]", "\\", "\ud800"])
def test_what_is_no_pattern_says_what_to_write(pattern, capfd):
    """Look-around and back-references have no linear time; nothing is printed behind the caller's back."""
    with pytest.raises(PatternError, match=r"write .*such as fs\|predictive"):
        compile_pattern(pattern)

    assert capfd.readouterr() == ("", "")
