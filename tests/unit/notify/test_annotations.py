"""A rule's annotations: filled in, and harmless whatever stands in them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard import annotation_templates
from slo_guard.annotation_templates import MAX_RENDERED_CHARACTERS
from slo_guard.notify.annotations import AnnotationFacts, render_annotations
from slo_guard.rulebook.annotations import template_faults
from tests.support.notices import labelled

FACTS = AnnotationFacts(
    labels=labelled(system="fs", items="a label named like a method"),
    value="1.31s",
    objective="at most 1.16s",
    kpi="ga_e2e_p95",
    title="GA end-to-end p95",
    lane="ga-ops",
    owner="SRE Lead",
    sprint="sprint-40",
    severity="page",
    reason="objective_missed",
)


def rendered(template: str) -> str:
    return render_annotations({"summary": template}, FACTS)["summary"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain text, 100 %", "plain text, 100 %"),
        ("{{ labels.system }} p95 is {{ value }}, limit {{ objective }}", "fs p95 is 1.31s, limit at most 1.16s"),
        ("{{ labels['system'] | upper }}", "FS"),
        ("{{ labels.items }}", "a label named like a method"),
        ("{{ labels }}", "items=a label named like a method, system=fs"),
        ("{{ labels.tenant | default('all tenants') }}", "all tenants"),
        ("{% if labels.system == 'fs' %}search{% else %}other{% endif %}", "search"),
        ("{{ kpi }} {{ title }} {{ lane }} {{ owner }}", "ga_e2e_p95 GA end-to-end p95 ga-ops SRE Lead"),
        ("{{ sprint }} {{ severity }} {{ reason }}", "sprint-40 page objective_missed"),
    ],
)
def test_a_template_is_filled_in(template: str, expected: str) -> None:
    """The names are those that the rule reference promises."""
    assert rendered(template) == expected


@pytest.mark.parametrize(
    ("template", "note"),
    [
        ("{{ labels.tenant }}", "there is no 'tenant' here"),
        ("{{ vale }}", "there is no 'vale' here"),
        ("{{ value", "unexpected end of template"),
        ("{{ value | shout }}", "No filter named 'shout'"),
        ("{% include '/etc/passwd' %}", "include is not allowed"),
    ],
)
def test_a_template_that_fails_is_shown_as_written_with_a_note(template: str, note: str) -> None:
    """A slip in a rule must not cost the message, and must be seen by whoever can mend it."""
    text = rendered(template)

    assert text.startswith(template)
    assert note in text


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ value.ljust(10000000000) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ labels.__init__.__globals__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ 'xxxxxxxxxx'" + "|replace('x','xxxxxxxxxx')" * 60 + " }}",
        "{{ value }}" * 1000,
        "{{ 'x'.center(1000000000) }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ labels | indent(1000000000) }}",
        "{{ [value] * 1000000000 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x = 'x' * 10 %}{% filter upper %}{{ x }}{% endfilter %}",
        "{{ range(1000000000) | list }}",
        "{{ 9 ** 999999999 }}",
        "{{ " + " ~ ".join(["title"] * 500) + " }}",
        "{{ " + "not " * 900 + "value }}",
        "{{ value" + "|d" * 1500 + " }}",
        "{{ title | replace('', '" + "y" * 3900 + "') }}",
        "x" * 100_000,
        "{" * 100_000,
    ],
)
def test_no_template_reaches_out_or_blows_up(template: str) -> None:
    """Who may write a rule may not read the daemon's memory or use it up."""
    assert len(rendered(template)) <= MAX_RENDERED_CHARACTERS


def test_facts_of_any_length_take_little_memory():
    """A label's value comes from a source that nobody here controls."""
    huge = replace(FACTS, title="y" * 1_000_000, labels=labelled(system="z" * 1_000_000))
    template = "{{ " + "~".join(["title"] * 300 + ["labels.system"] * 100) + " }}{{ labels }}"
    tracemalloc.start()

    text = render_annotations({"a": template, "b": "{{ labels }}" * 300}, huge)["a"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(text) == MAX_RENDERED_CHARACTERS
    assert peak < 10_000_000


def test_a_template_that_is_refused_is_looked_at_once(monkeypatch):
    """Ten thousand alerts of one rule are one look, or a cycle waits for minutes."""
    parse, looked = annotation_templates.parsed, []
    monkeypatch.setattr(annotation_templates, "parsed", lambda template: looked.append(1) or parse(template))

    notes = {rendered("{{ looked_at_once + 1 }}") for _ in range(3)}

    assert looked == [1]
    assert "add is not allowed" in notes.pop()


_PIECES = st.sampled_from(
    [
        *(
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            " if ",
            " else ",
            " endif ",
            " for ",
            " in ",
            " set ",
            " macro ",
            " ",
            "|",
        ),
        *(
            "labels",
            "value",
            "title",
            ".",
            "[",
            "]",
            "(",
            ")",
            "'",
            "~",
            "+",
            "*",
            "%",
            "**",
            ",",
            "not ",
            " is ",
            "defined",
        ),
        *(
            "replace",
            "truncate",
            "default",
            "trim",
            "upper",
            "center",
            "format",
            "range",
            "1000000000",
            "__class__",
            "x",
        ),
    ]
)


@settings(max_examples=200)
@given(st.lists(_PIECES, max_size=40).map("".join))
def test_whatever_stands_in_a_template_ends_in_a_short_text(template):
    """And what the check lets pass does not fail at night."""
    faults = list(template_faults(template, ["system", "items"]))

    text = rendered(template)

    assert len(text) <= MAX_RENDERED_CHARACTERS
    assert faults or "(not rendered: " not in text
