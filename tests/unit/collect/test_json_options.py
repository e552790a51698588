"""Options of the json collector and its expressions: what cannot work is refused before the first request."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from slo_guard.clock import monotonic
from slo_guard.collect import COLLECTORS
from slo_guard.collect.expressions import Evaluator, ExpressionError, Selector, checked_expression
from slo_guard.collect.json_options import JsonOptions
from slo_guard.config import load_config
from slo_guard.errors import CollectionError
from slo_guard.located_yaml import load_text

GAUGE = {"name": "open", "type": "gauge", "value": "count"}
EVENT = {"name": "solved", "type": "event", "time": {"path": "at"}}


def options(**changes: object) -> JsonOptions:
    base = {"name": "tickets", "type": "json", "url": "http://localhost/api", "indicators": [GAUGE, EVENT]}
    return JsonOptions.model_validate({**base, **changes})


def test_the_least_that_can_be_written():
    """One page, asked for by GET, whose rows are the answer."""
    given = options()

    assert (given.method, given.paging, given.max_rows) == ("GET", None, 100_000)
    assert given.indicators[1].look_back == 86400.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"body": {"a": 1}}, "a GET has no body"),
        ({"params": {"Access_Token": "x"}}, "would put a secret into the config and the URL"),
        ({"paging": {}}, "exactly one of next_url"),
        ({"paging": {"next_url": "a", "link_header": True}}, "exactly one of next_url"),
        ({"paging": {"cursor": {"path": "a"}}}, "exactly one of param"),
        ({"paging": {"cursor": {"path": "a", "param": "p", "field": "f"}}}, "exactly one of param"),
        ({"paging": {"cursor": {"path": "a", "field": "f"}}}, "has no place in body"),
        ({"paging": {"page": {"field": "a.b"}}, "method": "POST", "body": {"a": 1}}, "has no place in body"),
        ({"paging": {"page": {"param": "p", "size": 3}}}, "size and size_param stand together"),
        ({"paging": {"link_header": True, "max_pages": 0}}, "greater than or equal"),
        ({"indicators": [{**GAUGE, "value": None}]}, "'value' is missing"),
        ({"indicators": [{**GAUGE, "id": "key"}]}, "id is for events only"),
        ({"indicators": [{**GAUGE, "look_back": "1d"}]}, "look_back is for events only"),
        ({"indicators": [{"name": "e", "type": "event"}]}, "an event has a time of its own"),
        ({"indicators": [{**EVENT, "look_back": "0s"}]}, "greater than 0"),
        ({"indicators": [{**EVENT, "time": {"path": "at", "zone": "Denver"}}]}, "not an IANA time zone"),
        ({"indicators": [{**GAUGE, "type": "histogram"}]}, "gauge"),
        ({"indicators": [{**GAUGE, "labels": {"a-b": "c"}}]}, "pattern"),
        ({"indicators": [GAUGE, GAUGE]}, "declared twice"),
        ({"indicators": [{**GAUGE, "value": "a["}]}, "JMESPath syntax error in 'a\\[' at character 3, the end"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(changes, said):
    """Found by `check`, before the night."""
    with pytest.raises(ValidationError, match=said):
        options(**changes)


def test_the_shipped_examples_are_right():
    """What stands in the shipped config is copied from there."""
    config = load_text((Path(__file__).parents[3] / "config" / "slo-guard.yaml").read_text(), "example").value

    given = [JsonOptions.model_validate(entry) for entry in config["collectors"] if entry["type"] == "json"]

    names = {spec.name for options in given for spec in options.specs()}
    assert {"sprint_points_remaining", "scope_change_points", "mpd_packets_total", "xai_flag_users"} <= names


def test_a_wrong_expression_is_a_finding_with_its_place(tmp_path: Path):
    """The line of the config, and the character of the expression."""
    config = tmp_path / "config.yaml"
    config.write_text(
        "version: 1\nrules: [.]\nreceivers: []\ncollectors:\n  - name: tickets\n    type: json\n"
        "    url: http://localhost/api\n    indicators:\n      - name: open\n        type: gauge\n"
        "        value: a ?? b\n        labels: {tenant: lenght(a)}\n"
    )

    found = load_config(config, {"json": COLLECTORS["json"].options}, {}).findings

    assert [(each.line, each.path, each.message) for each in found] == [
        (11, "collectors[0].indicators[0].value", "JMESPath syntax error in 'a ?? b' at character 3, '?'"),
        (
            12,
            "collectors[0].indicators[0].labels.tenant",
            "'lenght(a)' calls the unknown function lenght(); did you mean 'length'?",
        ),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a.b.", "at character 5, the end"),
        ("a,b", "at character 2, ','"),
        ("'abc", "at character 1"),
        ("length(a, b)", r"gives length\(\) 2 arguments; it takes 1"),
        ("not_null()", "takes at least 1"),
        ("[?foo(@)]", "unknown function foo"),
        ("(" * 1999, "syntax error"),
        ("a" * 2001, "longer than 2,000"),
    ],
)
def test_an_expression_that_cannot_be_applied_says_where_it_is_wrong(text, said):
    """JMESPath is dense; a caret in the head is not enough."""
    with pytest.raises(ValueError, match=said):
        checked_expression(text)


@pytest.mark.parametrize(
    "text", ["a", "a.b.c", '"a b".c', "a[0].b", "a.[b]", "rows[?v > `1`].v", "sort_by(a, &b)[0]", "@"]
)
@pytest.mark.parametrize("document", [None, 1, [], {}, {"a": {"b": {"c": 1}}}, {"a b": {"c": 2}}, {"a": [{"b": 3}]}])
def test_plain_keys_are_found_as_the_library_finds_them(text, document):
    """The short way is there because it is short, and may be since it is the same."""
    selector, evaluator = Selector(text), Evaluator(monotonic() + 60)

    def by_library():
        try:
            return evaluator.visit(selector.tree, document)
        except ValueError:
            return "error"

    def by_us():
        try:
            return evaluator.find(selector, document)
        except ExpressionError:
            return "error"

    assert by_us() == by_library()


@pytest.mark.parametrize("text", ["a", "[?b]"])
def test_the_deadline_holds_within_an_answer(text):
    """Expressions are ours, but what they are applied to is not."""
    evaluator = Evaluator(monotonic() - 1)
    selector = Selector(text)

    def find_often():
        for _ in range(1000):
            evaluator.find(selector, [1, 2])

    with pytest.raises(CollectionError, match="in time"):
        find_often()


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("ceil(to_number(@))", "1e999"),
        ("sort(@)", [1, "a"]),
        ("join('', @)", [1]),
        ("max_by(@, &a)", [{"a": 1}, {"a": "x"}]),
        ("[::0]", [1]),
        ("keys(@)", 1),
    ],
)
def test_what_an_answer_makes_impossible_is_an_error_in_words(text, document):
    """Whatever the library raises, the collection goes on."""
    with pytest.raises(ExpressionError) as raised:
        Evaluator(monotonic() + 60).find(Selector(text), document)

    assert text in str(raised.value)
