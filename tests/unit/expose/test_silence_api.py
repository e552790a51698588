"""Silences and acknowledgements over HTTP: what is taken, what is refused and in which words, and what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.silences import Acknowledgement, Matcher, Silence
from slo_guard.domain.verdicts import AlertState, Verdict
from slo_guard.expose.answers import AlertsAnswer
from slo_guard.expose.silence_answers import (
    AcknowledgementAnswer,
    AcknowledgementsAnswer,
    AddedSilenceAnswer,
    SilenceAnswer,
    SilencesAnswer,
)
from tests.support.builders import a_kpi, an_objective, labels
from tests.support.fake_store import FakeStore
from tests.support.pictures import NOW, a_snapshot, an_alert, verdict_frame
from tests.support.serving import serving

FS, PREDICTIVE = labels("system=fs"), labels("system=predictive")
P95 = a_kpi(
    "ga_e2e_p95", by=("system",), lane="ga-ops", unit="seconds", objective=an_objective("at_most", 1.16)
)  # fmt: skip
SEV1 = a_kpi("sev1", "increase over sprint", lane="reliability", unit="", objective=an_objective("equals", 0))
GOOD = {"matchers": ["kpi=ga_e2e_p95", "system=~fs|xai2"], "by": "Ada", "why": "a new gateway", "for": "2h"}
ACK = {"kpi": "ga_e2e_p95", "by": "Ada", "why": "rolling back", "for": "4h"}


def picture(**said: Any):
    """Return a KPI that is breached in one of its two series and at risk in the other, and one that is met."""
    p95 = verdict_frame(P95, {FS: 1.31, PREDICTIVE: 0.9}, [Verdict.MISSED, Verdict.AT_RISK])
    alerts = [
        an_alert(P95, FS, AlertState.FIRING, value=1.31, fired_at=NOW - 120),
        an_alert(P95, PREDICTIVE, AlertState.FIRING, AlertKind.RISK, fired_at=NOW - 120),
    ]
    return replace(a_snapshot([p95, verdict_frame(SEV1, 0)], alerts), **said)


class Asking:
    """A server over a store, asked as a script asks."""

    def __init__(self, base: str, store: FakeStore) -> None:
        self.base, self.store = base, store

    def post(self, path: str, body: Any) -> requests.Response:
        return requests.post(f"{self.base}/api/v1/{path}", json=body, timeout=5)

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.base}/api/v1/{path}", timeout=5)
        assert answer.status_code == 200
        return answer.json()

    def delete(self, path: str) -> requests.Response:
        return requests.delete(f"{self.base}/api/v1/{path}", timeout=5)


@pytest.fixture
def api() -> Iterator[Asking]:
    store = FakeStore()
    with serving(picture(), silencing=lambda: store) as base:
        yield Asking(base, store)


@pytest.fixture(scope="module")
def refusing() -> Iterator[Asking]:
    """Serve what is refused: nothing is left in its store, so that tests may share it."""
    store = FakeStore()
    with serving(picture(), silencing=lambda: store) as base:
        yield Asking(base, store)


def problem(answer: requests.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail


class TestSilences:
    """What is posted here keeps messages back, so it must be what was meant."""

    def test_one_that_is_added_says_what_it_keeps_quiet_and_where_it_is(self, api: Asking) -> None:
        """Whoever posts it sees at once whether it meets the alert that rings."""
        answer = api.post("silences", GOOD)

        added = AddedSilenceAnswer.model_validate(answer.json(), strict=True)
        assert (answer.status_code, answer.headers["location"]) == (201, "/api/v1/silences/1")
        assert (added.id, added.state, added.matchers) == (1, "active", GOOD["matchers"])
        assert (added.starts_at, added.ends_at) == (iso(NOW), iso(NOW + 7200))
        assert [(each.kpi, each.labels) for each in added.firing] == [("ga_e2e_p95", dict(FS))]
        assert (added.firing_total, added.notices) == (1, [])
        assert api.get("silences/1") == SilenceAnswer.model_validate(answer.json()).model_dump()

    def test_those_that_have_ended_are_listed_on_demand(self, api: Asking) -> None:
        """The list is what holds now; what held then is still an answer to a question."""
        api.post("silences", GOOD)
        api.post("silences", GOOD | {"starts_at": iso(NOW + 60), "ends_at": iso(NOW + 120), "for": None})
        api.delete("silences/1")

        shown, everything = (SilencesAnswer.model_validate(api.get(path)) for path in ("silences", "silences?all=true"))

        assert [(each.id, each.state) for each in shown.silences] == [(2, "pending")]
        assert [(each.id, each.state) for each in everything.silences] == [(1, "expired"), (2, "pending")]

    def test_it_is_ended_once(self, api: Asking) -> None:
        """A second hand must learn that it was not the one that ended it."""
        api.post("silences", GOOD)

        ended = api.delete("silences/1")

        assert (ended.status_code, ended.json()["expired_at"]) == (200, iso(NOW))
        assert "has ended already" in problem(api.delete("silences/1"), 409)
        assert "there is no silence 9" in problem(api.delete("silences/9"), 404)
        assert problem(requests.get(f"{api.base}/api/v1/silences/9", timeout=5), 404)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"matchers": ["kpi=ga_e2e_p59"]}, "no kpi is called 'ga_e2e_p59'; did you mean 'ga_e2e_p95'?"),
            ({"matchers": ["kpi=~xai_.*"]}, "kpi=~xai_.* matches no kpi of the rules"),
            ({"matchers": ["sytem=fs"]}, "no alert has the label 'sytem'; did you mean 'system'?"),
            ({"matchers": ["kpi=~ga_("]}, "is not a regular expression"),
            ({"matchers": ["kpi=ga_e2e_p95", "system=!~fs"]}, "negated regex"),
            ({"matchers": ["ga_e2e_p95"]}, "write label=value, label=!value or label=~regex"),
            ({"matchers": ["system=!fs"]}, "nearly everything"),
            ({"matchers": ["severity=pages"]}, "it is one of page, ticket, none"),
            ({"matchers": []}, "matchers"),
            ({"matchers": ["kpi=sev1"] * 21}, "matchers"),
            ({"matchers": ["kpi=" + "x" * 2000]}, "matchers"),
            ({"for": None}, "write either ends_at or for"),
            ({"ends_at": iso(NOW + 60)}, "write either ends_at or for"),
            ({"for": "2"}, "for: "),
            ({"for": "400d"}, "longer than a year"),
            ({"for": None, "ends_at": iso(NOW - 60)}, "before it starts"),
            ({"for": None, "starts_at": iso(NOW - 90), "ends_at": iso(NOW - 60)}, "ended already"),
            ({"for": None, "ends_at": "2026-07-08T00:00:00"}, "ends_at"),
            ({"by": " \t"}, "write who silences it"),
            ({"by": "x" * 101}, "by"),
            ({"why": ""}, "why"),
            ({"wyh": "a slip"}, "wyh"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_with_what_to_write(
        self, refusing: Asking, changes: dict[str, Any], words: str
    ) -> None:
        """A silence that matches nothing, or never ends, is found out at night."""
        body = {name: value for name, value in (GOOD | changes).items() if value is not None}

        assert words in problem(refusing.post("silences", body), 422)
        assert refusing.store.silences() == ()

    def test_what_no_rule_has_yet_is_taken_when_it_is_forced(self, api: Asking) -> None:
        """A deploy may silence the KPI that it is about to bring."""
        answer = api.post("silences", GOOD | {"matchers": ["kpi=ga_new"], "force": True})

        assert answer.status_code == 201
        assert answer.json()["notices"] == ["no kpi is called 'ga_new'; known are ga_e2e_p95, sev1"]

    def test_a_value_that_no_series_has_is_taken_and_remarked_on(self, api: Asking) -> None:
        """A tenant may come tomorrow; a slip is still a slip."""
        answer = api.post("silences", GOOD | {"matchers": ["system=predictiv"]})

        assert answer.json()["notices"] == ["no series has system=predictiv now; did you mean 'predictive'?"]

    def test_before_the_first_evaluation_it_is_taken_as_it_is(self) -> None:
        """Maintenance begins with a restart."""
        store = FakeStore()
        with serving(None, silencing=lambda: store) as base:
            answer = requests.post(f"{base}/api/v1/silences", json=GOOD, timeout=5)

        assert (answer.status_code, answer.json()["firing_total"]) == (201, 0)

    def test_a_page_of_another_site_adds_none(self, refusing: Asking) -> None:
        """A web page that somebody happens to read must not be able to mute the alerts of this machine."""
        foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}

        for path, method in (("silences", "POST"), ("acknowledgements", "POST"), ("silences/1", "DELETE")):
            answer = requests.request(method, f"{refusing.base}/api/v1/{path}", json=GOOD, headers=foreign, timeout=5)
            problem(answer, 403)
        assert refusing.store.silences() == ()

    def test_without_a_store_nothing_is_said_and_nothing_is_taken(self) -> None:
        """A write that is lost must not look like one that was made."""
        with serving(picture()) as base:
            shown = requests.get(f"{base}/api/v1/silences", timeout=5)
            taken = requests.post(f"{base}/api/v1/silences", json=GOOD, timeout=5)

        assert shown.json() == {"silences": []}
        assert "keeps no silences" in problem(taken, 503)


class TestAcknowledgements:
    """Somebody says: I have it."""

    def test_of_all_that_fires_of_a_kpi(self, api: Asking) -> None:
        """The common case: one name, one word."""
        answer = api.post("acknowledgements", ACK)

        added = AcknowledgementAnswer.model_validate(answer.json(), strict=True)
        assert (answer.status_code, answer.headers["location"]) == (201, "/api/v1/acknowledgements/1")
        assert (added.sprint, added.kpi, added.labels) == ("sprint-40", "ga_e2e_p95", None)
        assert (added.until, added.by, added.why) == (iso(NOW + 4 * 3600), "Ada", "rolling back")
        assert api.get("acknowledgements/1") == answer.json()
        assert AcknowledgementsAnswer.model_validate(api.get("acknowledgements")).acknowledgements == [added]

    def test_of_one_series(self, api: Asking) -> None:
        """One of many is in hand, the others are not."""
        answer = api.post("acknowledgements", ACK | {"labels": {"system": "fs"}})

        assert answer.json()["labels"] == {"system": "fs"}

    def test_it_is_ended_once(self, api: Asking) -> None:
        """As with silences."""
        api.post("acknowledgements", ACK)

        assert api.delete("acknowledgements/1").json()["state"] == "ended"
        assert "has ended already" in problem(api.delete("acknowledgements/1"), 409)
        assert "there is no acknowledgement 9" in problem(api.delete("acknowledgements/9"), 404)
        assert problem(requests.get(f"{api.base}/api/v1/acknowledgements/9", timeout=5), 404)
        assert api.get("acknowledgements") == {"acknowledgements": []}

    @pytest.mark.parametrize(
        ("changes", "status", "words"),
        [
            ({"kpi": "nonsense"}, 404, "no KPI 'nonsense' is guarded"),
            ({"sprint": "sprint-39"}, 404, "no KPI 'ga_e2e_p95' is guarded in 'sprint-39'"),
            ({"kpi": "sev1"}, 409, "sev1 does not fire"),
            ({"labels": {"system": "xai2"}}, 409, "does not fire for system=xai2; it does for system=fs"),
            ({"for": "0s"}, 422, "ended already"),
            ({"until": iso(NOW + 60)}, 422, "write either until or for"),
            ({"by": "\u0000"}, 422, "write who acknowledges it"),
        ],
    )
    def test_what_cannot_be_acknowledged_is_refused(
        self, refusing: Asking, changes: dict[str, Any], status: int, words: str
    ) -> None:
        """An acknowledgement of nothing would let somebody believe that it is taken care of."""
        assert words in problem(refusing.post("acknowledgements", ACK | changes), status)
        assert refusing.store.acknowledgements() == ()

    def test_before_the_first_evaluation_nothing_is_known_to_fire(self) -> None:
        """Ask again in a moment."""
        store = FakeStore()
        with serving(None, silencing=lambda: store) as base:
            assert problem(requests.post(f"{base}/api/v1/acknowledgements", json=ACK, timeout=5), 503)


def test_alerts_show_who_silenced_and_who_acknowledged_them() -> None:
    """An alert that nobody was told of must still be seen, with the reason why nobody was."""
    silence = Silence(
        id=3, matchers=(Matcher("system", "fs"),), starts_at=NOW, ends_at=NOW + 60, by="Ada", why="x", created_at=NOW
    )
    later = replace(silence, id=4, starts_at=NOW + 1)
    known = Acknowledgement(
        id=1, sprint="sprint-40", kpi=P95.id, labels=PREDICTIVE, until=NOW + 60, by="Bo", why="y", created_at=NOW
    )

    with serving(picture(silences=(silence, later), acknowledgements=(known,))) as base:
        answer = requests.get(f"{base}/api/v1/alerts", timeout=5).json()

    shown = {each.labels["system"]: each for each in AlertsAnswer.model_validate(answer).alerts}
    assert (shown["fs"].silenced_by, shown["fs"].acknowledged) == (3, None)
    assert (shown["predictive"].silenced_by, shown["fs"].state) == (None, "firing")
    assert shown["predictive"].acknowledged is not None
    assert shown["predictive"].acknowledged.model_dump() == {"by": "Bo", "until": iso(NOW + 60), "why": "y"}
