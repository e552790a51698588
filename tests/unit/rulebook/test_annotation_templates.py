"""What `check` lets pass as a template is what messages can render, and the other way round."""

from __future__ import annotations

import pytest

from slo_guard.notify.annotations import AnnotationFacts, render_annotations
from slo_guard.rulebook.annotations import template_faults

FACTS = AnnotationFacts(
    labels=(("system", "fs"),),
    value="1.31s",
    objective="at_most 1.16s",
    kpi="ga_e2e_p95",
    title="GA p95",
    lane="ga-ops",
    owner="SRE Lead",
    sprint="sprint-40",
    severity="page",
    reason="objective_missed",
)


@pytest.mark.parametrize(
    "template",
    [
        "plain text",
        "{{ labels.system }} p95 is {{ value }}, limit {{ objective }}",
        "{{ labels['system'] | upper }}",
        "{% if severity == 'page' %}now{% else %}later{% endif %} {{ owner ~ ' ' ~ lane }}",
        "{{ kpi }} {{ title }} {{ sprint }} {{ reason | replace('_', ' ') }}",
        "{{ owner | default('nobody') }}",
        "{{ 'a' if value is defined else 'b' }}",
    ],
)
def test_a_template_that_passes_the_check_renders(template):
    """Whoever checked it must not read "not rendered" at night."""
    assert list(template_faults(template, ["system"])) == []
    assert "not rendered" not in render_annotations({"a": template}, FACTS)["a"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ vlaue }}",
        "{{ labels.sytem }}",
        "{{ value | upcase }}",
        "{{ value.upper() }}",
        "{% for x in labels %}{{ x }}{% endfor %}",
        "{{ value",
        "{% set x = 1 %}{{ x }}",
        "{{ [1, 2] }}",
        "{{ 1 + 1 }}",
        "{{ value is nosuchtest }}",
        "{" * 100 + "}" * 100,
        "{{ value | truncate('x') }}",
        "{{ value.format }}",
        "{{ value[0] }}",
        "{{ value | truncate(*labels) }}",
        "{{ labels" + ".system" * 500 + " }}",
        "{{ value" + "|d" * 1500 + " }}",
        "{{ " + "not " * 900 + "value }}",
        "{{ " + "(" * 500 + "value" + ")" * 500 + " }}",
        "{% if value %}" * 60 + "x" + "{% endif %}" * 60,
    ],
)
def test_a_template_that_would_not_render_does_not_pass(template):
    """The check is the place to learn of it."""
    assert list(template_faults(template, ["system"]))
    assert "not rendered" in render_annotations({"a": template}, FACTS)["a"]
