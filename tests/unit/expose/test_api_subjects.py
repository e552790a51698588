"""What scripts read beside KPIs and alerts: sprints, rules, evidence, sources and deliveries."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests

from slo_guard.domain.notifications import DeliveryRecord, RowState
from slo_guard.errors import StoreError
from slo_guard.expose.answers import AlertsAnswer, KpisAnswer
from slo_guard.expose.deliveries_answers import DeliveriesAnswer
from slo_guard.expose.evidence_answers import EvidenceAnswer
from slo_guard.expose.rules_answers import RulesAnswer
from slo_guard.expose.sources_api import SourcesAnswer
from slo_guard.expose.sprint_answers import SprintsAnswer
from tests.support.pictures import NOW
from tests.support.serving import serving
from tests.support.store_examples import a_notification
from tests.support.whole_picture import whole_snapshot

MODELS = {
    "kpis": KpisAnswer,
    "alerts": AlertsAnswer,
    "sprint": SprintsAnswer,
    "rules": RulesAnswer,
    "evidence": EvidenceAnswer,
    "sources": SourcesAnswer,
    "deliveries": DeliveriesAnswer,
}
RECORDS = [
    DeliveryRecord(
        3, "slack", "k3", RowState.PENDING, NOW - 60, 2, NOW + 30, None, "http_500: no", a_notification("k3")
    ),
    DeliveryRecord(2, "slack", "k2", RowState.DELIVERED, NOW - 90, 1, None, NOW - 80, None, a_notification("k2")),
    DeliveryRecord(
        1, "hook", "k1", RowState.DEAD, NOW - 99, 9, None, NOW - 70, "gone: no", a_notification("k1", "hook")
    ),
]


def kept(*, receiver=None, state=None, sprint=None, kpi=None, limit=100, before_id=None):
    """Answer as the store does."""
    found = [
        each
        for each in RECORDS
        if receiver in (None, each.receiver)
        and state in (None, each.state)
        and sprint in (None, each.notification.sprint)
        and kpi in (None, each.notification.kpi)
        and (before_id is None or each.id < before_id)
    ]
    return tuple(found[:limit])


@pytest.fixture(scope="module")
def url():
    """Serve everything that can be shown."""
    with serving(whole_snapshot(), deliveries=kept) as base:
        yield f"{base}/api/v1"


def get(url, path):
    """Return a good answer, which must be as its model says, to the type."""
    answer = requests.get(f"{url}/{path}", timeout=5)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    MODELS[path.partition("?")[0]].model_validate(answer.json(), strict=True)
    return answer.json()


def refused(url, path, status):
    """Return the detail of a problem, and its headers."""
    answer = requests.get(f"{url}/{path}", timeout=5)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return answer.json()["detail"], answer.headers


@pytest.mark.parametrize("path", MODELS)
@pytest.mark.parametrize("query", ["", "?limit=1"])
def test_every_answer_is_as_its_model_says(url, path, query):
    """Answers are written without checks for speed, so here each is held to what is documented."""
    assert get(url, path + ("" if path == "sprint" else query))


@pytest.mark.parametrize("path", sorted(set(MODELS) - {"deliveries"}))
def test_before_the_first_evaluation_every_subject_says_so_and_when_to_ask_again(path):
    """An empty list would read as: nothing is guarded."""
    with serving(None) as base:
        detail, headers = refused(f"{base}/api/v1", path, 503)

    assert "no evaluation has finished" in detail
    assert headers["retry-after"] == "5"


class TestSprint:
    """The first question of every stand-up."""

    def test_what_is_left_what_stands_and_the_go_no_go_come_in_one_answer(self, url):
        """Wednesday of the first of two weeks: the weekend counts as days, not as work days."""
        sprint = get(url, "sprint?state=running")["sprints"][0]

        assert (sprint["sprint"], sprint["state"], sprint["timezone"]) == ("sprint-40", "running", "America/Denver")
        assert (sprint["start"], sprint["end"]) == ("2026-07-06", "2026-07-17")
        assert (sprint["days_left"], sprint["work_days_left"], sprint["seconds_left"]) == (10, 8, 813600.0)
        assert (sprint["counts"]["missed"], sprint["kpis"], sprint["not_judged"]) == (3, 10, 1)
        assert sprint["alerts"] == {"firing": 5, "pending": 1}
        assert (sprint["go_no_go"]["outcome"], sprint["go_no_go"]["final"]) == ("no-go", False)

    def test_the_running_one_comes_first_and_the_last_closed_one_last(self, url):
        """`.sprints[0]` in a script is the one that people talk about."""
        found = get(url, "sprint")["sprints"]

        assert [(each["sprint"], each["state"]) for each in found] == [
            ("sprint-40", "running"),
            ("sprint-41", "upcoming"),
            ("sprint-39", "closed"),
        ]
        assert (found[1]["go_no_go"], found[1]["days_left"]) == (None, 12)
        assert (found[2]["go_no_go"]["final"], found[2]["days_left"], found[2]["work_days_left"]) == (True, 0, 0)

    @pytest.mark.parametrize(("query", "count"), [("sprint=sprint-39", 1), ("sprint=sprint-39&state=running", 0)])
    def test_it_can_be_asked_for(self, url, query, count):
        """A retrospective asks for the sprint before."""
        assert len(get(url, f"sprint?{query}")["sprints"]) == count

    def test_one_that_is_not_loaded_is_not_found(self, url):
        """An empty list for a slip of the pen would read as a sprint without KPIs."""
        assert "GET /api/v1/sprint lists all" in refused(url, "sprint?sprint=sprint-4", 404)[0]


class TestRules:
    """Whoever doubts a verdict reads the rule first."""

    def test_a_rule_says_where_it_stands_and_all_that_it_says(self, url):
        """The file and line lead to its blame; the rest is what was understood of it."""
        rule = get(url, "rules?lane=ga-ops")["rules"][0]

        assert (rule["file"], rule["line"]) == ("rules/sprint-40/ga-ops.yaml", 8)
        assert rule["indicators"] == [{"role": "value", "indicator": "a", "where": {"arm": "!old", "pod": "~p.*"}}]
        assert (rule["objective"], rule["warn"], rule["resolve"]) == ("at_most 1.16", "at_most 1.05", "at_most 1.1")
        assert (rule["for_seconds"], rule["severity"], rule["gate"]) == (300.0, "page", True)
        assert rule["expect"][1] == {"label": "system", "values": [], "labels_of": "b"}

    def test_an_error_budget_comes_with_its_tiers(self, url):
        """At which burn rate somebody is woken."""
        budget = get(url, "rules")["rules"][1]["error_budget"]

        assert (budget["window"], budget["allowed_ratio"], budget["slice_seconds"]) == ("sprint", 0.05, None)
        assert [(each["tier"], each["factor"], each["severity"]) for each in budget["tiers"]] == [
            ("1h/5m", 14.4, "page"),
            ("3d/6h", 1.0, "ticket"),
        ]

    def test_a_cut_list_says_so_and_filters_narrow_it(self, url):
        """A list that looks whole and is not would hide rules."""
        assert (get(url, "rules?limit=2")["truncated"], get(url, "rules?limit=2")["total"]) == (True, 13)
        assert [each["sprint"] for each in get(url, "rules?sprint=sprint-41")["rules"]] == ["sprint-41"]


class TestEvidence:
    """Go or no-go hangs on signatures."""

    def test_it_says_who_signed_what_when_and_where_the_proof_is(self, url):
        """A withdrawal before it stays visible."""
        memo = get(url, "evidence")["evidence"][0]

        assert (memo["kpi"], memo["signed"], memo["by"]) == ("memo_signed", True, "Ada Example")
        assert (memo["link"], memo["when"]) == ("https://wiki.example/memo", "2026-07-08T18:00:00Z")
        assert [each["withdrawn"] for each in memo["sign_offs"]] == [False, True]

    def test_what_nobody_has_signed_can_be_asked_for(self, url):
        """The list to chase before a release."""
        found = get(url, "evidence?signed=false&sprint=sprint-40")["evidence"]
        assert [(each["kpi"], each["by"], each["verdict"]) for each in found] == [("drill_logged", None, "missed")]

    def test_before_its_first_collection_it_is_neither_signed_nor_unsigned(self):
        """Not knowing is not a missing signature."""
        with serving(replace(whole_snapshot(), sign_offs={})) as base:
            found = get(f"{base}/api/v1", "evidence?sprint=sprint-40")["evidence"]
        assert [(each["kpi"], each["signed"]) for each in found] == [("memo_signed", None), ("drill_logged", None)]


def test_a_source_says_how_it_is_and_why_it_last_failed(url):
    """Half of all alarms are sources that cannot be read."""
    found = {each["collector"]: each for each in get(url, "sources")["sources"]}

    assert {name: (each["state"], each["kind"]) for name, each in found.items()} == {
        "evidence": ("ok", "evidence"),
        "late": ("waiting", "sql"),
        "prom": ("failing", "prometheus"),
    }
    assert found["prom"]["last_error"] == {
        "reason": "timeout",
        "message": "no answer within 5s",
        "at": "2026-07-08T19:59:55Z",
    }
    assert found["prom"]["last_success"] == "2026-07-08T19:58:00Z"


class TestDeliveries:
    """After an incident people ask who was told what."""

    def test_a_message_says_what_became_of_it_and_what_it_tells(self, url):
        """Which receiver, how often tried, and why it is not there yet."""
        first = get(url, "deliveries")["deliveries"][0]

        assert (first["id"], first["state"], first["attempts"], first["last_error"]) == (
            3,
            "pending",
            2,
            "http_500: no",
        )
        assert first["next_attempt_at"] == "2026-07-08T20:00:30Z"
        assert first["message"]["kpi"] == "ga_e2e_p95"

    @pytest.mark.parametrize(
        ("query", "ids"),
        [("receiver=hook", [1]), ("state=delivered", [2]), ("kpi=nobody", []), ("state=dead&receiver=slack", [])],
    )
    def test_filters_narrow_the_list(self, url, query, ids):
        """`?state=dead` is what to look at on Monday."""
        assert [each["id"] for each in get(url, f"deliveries?{query}")["deliveries"]] == ids

    def test_pages_follow_each_other_without_a_gap_or_a_double(self, url):
        """A script that walks back through a week must see each message once."""
        seen, before = [], ""
        while before is not None:
            page = get(url, f"deliveries?limit=2{before and f'&before={before}'}")
            seen += [each["id"] for each in page["deliveries"]]
            assert page["truncated"] is (page["before"] is not None)
            before = page["before"]

        assert seen == [3, 2, 1]

    def test_a_store_that_does_not_answer_is_told_as_that(self):
        """It passes, and a script should ask again instead of calling it a fault."""

        def broken(**_):
            raise StoreError("the database is locked")

        with serving(whole_snapshot(), deliveries=broken) as base:
            detail, headers = refused(f"{base}/api/v1", "deliveries", 503)

        assert (detail, headers["retry-after"]) == ("the database is locked", "5")


class TestErrors:
    """A client that reads one shape of errors reads all of them."""

    @pytest.mark.parametrize("path", ["rules?limit=0", "rules?limit=x", "sprint?state=done", "deliveries?before=0"])
    def test_what_cannot_be_asked_is_a_problem_that_names_the_parameter(self, url, path):
        """Whoever wrote the query sees which part of it was wrong."""
        assert path.partition("?")[2].partition("=")[0] in refused(url, path, 422)[0]

    def test_an_unknown_path_is_a_problem(self, url):
        """A slip in a path is answered as everything else is."""
        assert "/docs lists" in refused(url, "nothing", 404)[0]

    @pytest.mark.parametrize(("path", "allowed"), [("/api/v1/rules", "GET"), ("/-/reload", "POST, PUT")])
    def test_a_wrong_method_is_answered_with_all_that_are_right(self, url, path, allowed):
        """RFC 9110 wants them in `Allow`."""
        answer = requests.delete(url.removesuffix("/api/v1") + path, timeout=5)

        assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
        assert answer.headers["allow"] == allowed
        assert answer.json()["detail"] == f"DELETE is not answered here; {allowed} is"
