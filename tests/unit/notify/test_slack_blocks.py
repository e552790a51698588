"""What people read in Slack, and that it stays within what Slack takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.notifications import Notification, NotificationReason
from slo_guard.domain.verdicts import Reason
from slo_guard.notify.slack_blocks import MAX_LINES, mrkdwn, plain_message, slack_message
from slo_guard.notify.text import cut, width
from tests.support.notices import NOON, a_line, a_notification, labelled
from tests.support.slack_stand_in import all_texts, message_problems


def read(**changes: Any) -> str:
    message = slack_message(a_notification(**changes))
    assert message_problems(message) == []
    return all_texts(message)


def header(**changes: Any) -> str:
    return str(slack_message(a_notification(**changes))["blocks"][0]["text"]["text"])


def test_a_breach_says_all_that_whoever_is_woken_needs() -> None:
    """KPI, value against objective, since when, why, lane, owner and runbook, in one message."""
    text = read()

    for needed in (
        "Breached: GA end-to-end p95",
        "ga_e2e_p95",
        "is *1.31s*, objective at most 1.16s",
        f"<!date^{int(NOON)}^{{date_short_pretty}} {{time_secs}}|2026-07-07T11:00:00Z>",
        "the value does not meet the objective",
        "fs p95 is 1.31s",
        "ga-ops",
        "SRE Lead",
        "page",
        "sprint-40",
        "<https://runbooks.example/ga?a=1&amp;b=2|open the runbook>",
        "first message about it",
    ):
        assert needed in text


GONE = a_line(firing=False, reason="series_gone", verdict="no_data", value=None, ended_at=NOON + 750)
BACK = a_line(firing=False, reason="recovered", verdict="met", value=0.9, ended_at=NOON + 750)
SILENT = a_line(verdict="no_data", reason="stale", value=None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "🔴 Breached: GA"),
        ({"series": (SILENT,)}, "🔴 No data: GA"),
        ({"kind": AlertKind.RISK, "series": (a_line(verdict="at_risk"),)}, "🟠 At risk: GA"),
        ({"reason": NotificationReason.REPEAT_INTERVAL_ELAPSED}, "🔴 Still breached: GA"),
        ({"reason": NotificationReason.RECOVERED, "series": (BACK,)}, "🟢 Recovered: GA"),
        ({"reason": NotificationReason.RECOVERED, "series": (BACK, a_line())}, "🔴 Partly recovered: GA"),
        ({"reason": NotificationReason.ENDED, "series": (GONE,)}, "⚪ Alert ended: GA"),
        ({"reason": NotificationReason.TEST}, "🧪 Test message: GA"),
        ({"title": ""}, "🔴 Breached: ga_e2e_p95"),
    ],
)
def test_the_headline_says_in_words_what_happened(changes: dict[str, Any], expected: str) -> None:
    """Who cannot tell red from green, or reads on a watch, must know as much."""
    assert header(**changes).startswith(expected)


@pytest.mark.parametrize(
    "reason",
    [
        Reason.SERIES_GONE,
        Reason.SERIES_APPEARED,
        Reason.NO_LONGER_JUDGED,
        Reason.NO_DATA_IS_OK,
        Reason.RULE_REMOVED,
    ],
)
def test_an_end_without_recovery_never_speaks_of_recovery(reason: Reason) -> None:
    """Somebody would close the incident."""
    line = a_line(firing=False, reason=reason.value, verdict="no_data", value=None, ended_at=NOON + 750, annotations={})

    text = read(reason=NotificationReason.ENDED, series=(line,))

    assert "recover" not in text.lower()
    assert reason.sentence in text
    assert "12m 30s" in text


def test_the_end_of_a_risk_does_not_speak_of_an_objective_that_was_met_all_along() -> None:
    """A blocker has no objective; who reads that one is met again looks for it."""
    back = a_line(firing=False, reason="recovered", verdict="tracked", value=0.0, ended_at=NOON + 750, annotations={})

    text = read(kind=AlertKind.RISK, reason=NotificationReason.RECOVERED, series=(back,), objective="warn at_most 3d")

    assert "the objective is met again" not in text
    assert text.count("it is not at risk any more") == 2
    assert "objective warn at most 3d" in text


def test_a_series_that_only_waits_to_clear_is_not_called_breached() -> None:
    """With `keep_firing_for` or hysteresis the value beside it is fine again."""
    text = read(series=(a_line(verdict="met", reason="objective_met", value=1.12),))

    assert "🟠 Not yet cleared" in text


def test_what_a_rule_says_of_a_breach_is_not_said_of_a_recovery() -> None:
    """A recovery beside words of a breach contradicts itself."""
    text = read(reason=NotificationReason.RECOVERED, series=(BACK,))

    assert "fs p95 is 1.31s" not in text


def test_many_series_are_listed_in_part_and_counted_in_full() -> None:
    """Nobody reads three hundred lines, and everybody must know that they are there."""
    lines = tuple(a_line(labels=labelled(tenant=f"tenant-{number:03}")) for number in range(200))

    text = read(series=lines, unlisted_firing=112)

    assert text.count("> the value does not meet") == MAX_LINES
    assert "and 302 more" in text
    assert "312 firing" in text


def test_what_others_wrote_cannot_mention_or_link() -> None:
    """A tenant named `<!channel>` must not wake the channel."""
    evil = "<!channel> & <https://evil.example|click>"

    text = read(title=evil, owner=evil, lane=evil, series=(a_line(labels=labelled(system=evil), note=evil),))

    assert "<!channel>" not in text
    assert "<https://evil" not in text
    assert "&lt;!channel&gt; &amp; " in text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x.example/a b", "https://" + "x" * 5000, "[", ""])
def test_a_runbook_that_is_no_link_is_left_out(url: str) -> None:
    """A broken link would have Slack refuse the whole message."""
    assert "open the runbook" not in read(runbook_url=url)


def test_the_key_is_in_the_message_where_nobody_sees_it() -> None:
    """Two copies of one message can be told from two messages."""
    message = slack_message(a_notification(key="abc"))

    assert message["blocks"][0]["block_id"] == "slo_guard:abc"


def test_the_plain_message_says_the_same_without_markup() -> None:
    """It is what is sent when Slack refuses the blocks."""
    message = plain_message(a_notification(series=(a_line(), GONE)))

    assert message_problems(message) == []
    for needed in ("Breached", "system=fs", "1.31s", "at most 1.16s", "the series is gone", "runbooks.example"):
        assert needed in message["text"]


texts = st.text(st.characters(codec=None), max_size=4000) | st.sampled_from(["&" * 3000, "😀" * 3000, "<" * 200])
lines = st.builds(
    a_line,
    labels=st.dictionaries(texts, texts, max_size=3).map(lambda labels: tuple(sorted(labels.items()))),
    firing=st.booleans(),
    value=st.none() | st.floats(allow_nan=True, allow_infinity=True),
    reason=st.sampled_from([reason.value for reason in Reason]) | texts,
    note=st.none() | texts,
    ended_at=st.none() | st.just(NOON + 5),
    annotations=st.dictionaries(st.sampled_from(["summary", "description", "x"]), texts),
)
messages = st.builds(
    a_notification,
    reason=st.sampled_from(NotificationReason),
    kind=st.sampled_from(AlertKind),
    sprint=texts,
    title=texts,
    owner=texts,
    objective=texts,
    unit=st.sampled_from([None, "", "seconds", "ratio", "bytes"]),
    runbook_url=st.none() | texts,
    series=st.lists(lines, max_size=12).map(tuple),
    unlisted_firing=st.integers(0, 10**6),
)


@settings(max_examples=100, deadline=None, print_blob=True)
@given(messages)
def test_no_message_goes_beyond_slacks_limits(notification: Notification) -> None:
    """Slack refuses a message as a whole for one text that is too long."""
    for message in (slack_message(notification), plain_message(notification)):
        assert message_problems(message) == []


@settings(max_examples=200, deadline=None, print_blob=True)
@given(texts, st.integers(2, 50))
def test_text_is_cut_within_its_limit(text: str, limit: int) -> None:
    """Both for texts as they are and for escaped ones, where one character takes five places."""
    assert width(cut(text, limit)) <= limit
    assert width(mrkdwn(text, limit)) <= limit


def test_a_cut_splits_no_character() -> None:
    """Half a flag or a bare accent is a different character."""
    assert cut("abcdef", 4) == "abc…"
    assert cut("ab👩\u200d💻xyz", 7) == "ab…"
    assert cut("abe\u0301xyz", 4) == "ab…"


@pytest.mark.parametrize("external_url", ["https://slo.example", "https://slo.example/"])
def test_it_links_to_the_page_that_explains_the_kpi(external_url: str) -> None:
    """Whoever is woken asks why; the answer is one tap away, also where only text is shown."""
    message = slack_message(a_notification(), external_url)
    page = "https://slo.example/kpis/ga_e2e_p95?sprint=sprint-40"

    assert message_problems(message) == []
    assert f"<{page}|see how it came to that>" in all_texts(message)
    assert page in plain_message(a_notification(), external_url)["text"]


def test_without_an_address_it_links_nowhere() -> None:
    """A link to a guessed address is worse than none."""
    assert "/kpis/" not in str(slack_message(a_notification()))


@pytest.mark.parametrize("kpi", ["slo_guard_collector_up", "slo_guard_sprint_close"])
def test_what_is_built_in_links_to_the_page_of_all(kpi: str) -> None:
    """It has no rule that could be explained."""
    changes = {"kpi": kpi, "reason": NotificationReason.SPRINT_CLOSED} if "close" in kpi else {"kpi": kpi}

    assert "<https://slo.example/|see" in str(slack_message(a_notification(**changes), "https://slo.example"))
