"""A rule's annotations: filled in, and harmless whatever stands in them."""

from __future__ import annotations

import pytest

from slo_guard.notify.annotations import MAX_RENDERED_CHARACTERS, AnnotationFacts, render_annotations
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
        "x" * 100_000,
        "{" * 100_000,
    ],
)
def test_no_template_reaches_out_or_blows_up(template: str) -> None:
    """Who may write a rule may not read the daemon's memory or use it up."""
    assert len(rendered(template)) <= MAX_RENDERED_CHARACTERS
