"""A scrape gets bytes that are ready: whole, current and in the coding that was asked for."""

from __future__ import annotations

import gzip
import http.client
from urllib.parse import urlsplit

import pytest
import requests

from slo_guard.domain.notifications import DeliveryOutcome
from slo_guard.domain.verdicts import Verdict
from slo_guard.expose.own_metrics import OwnMetrics
from tests.support.builders import a_kpi, an_objective, labels
from tests.support.pictures import NOW, a_snapshot, holding, verdict_frame
from tests.support.serving import serving

P95 = a_kpi("p95", by=("system",), objective=an_objective("at_most", 1))


def picture(value, at=NOW, series=1):
    """Return a snapshot in which every series has ``value``."""
    rows = {labels(f"system=s{number}"): value for number in range(series)}
    return a_snapshot([verdict_frame(P95, rows, Verdict.MET, at=at)], at=at)


def raw(base, method="GET", **headers):
    """Return status, headers and the body as it came over the wire."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=5)
    connection.request(method, "/metrics", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_kpi_series_and_own_metrics_are_one_page_of_the_text_format():
    """Prometheus refuses a page whose type it does not know."""
    with serving(picture(0.9)) as base:
        answer, body = raw(base)

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(answer.headers["content-length"]) == len(body)
    assert b'kpi="p95",system="s0"} 0.9\n' in body
    assert b"slo_guard_build_info{" in body


def test_a_new_snapshot_is_what_the_next_scrape_sees():
    """Nothing between the evaluation and Prometheus keeps old values."""
    holder = holding(picture(0.5))
    with serving(holder) as base:
        before = requests.get(f"{base}/metrics", timeout=5).text
        holder.publish(picture(0.75))
        after = requests.get(f"{base}/metrics", timeout=5).text

    assert 'system="s0"} 0.5' in before
    assert 'system="s0"} 0.75' in after
    assert 'system="s0"} 0.5' not in after


def test_a_page_of_many_parts_arrives_whole():
    """Large pages are sent in pieces, from parts that are never joined."""
    shown = picture(0.123456789, series=20_000)
    with serving(shown) as base:
        _, body = raw(base)

    assert body.startswith(bytes(shown.metrics))
    assert len(shown.metrics.parts) > 1


def test_gzip_is_served_from_the_cycle_after_it_was_asked_for():
    """The first scrape stays plain, so that no scrape ever waits for compression; a scraper asks every time."""
    holder = holding(picture(0.5, series=3000))
    with serving(holder, own=OwnMetrics("9.9.9")) as base:
        first, _ = raw(base, **{"Accept-Encoding": "gzip"})
        holder.publish(picture(0.75, NOW + 30, series=3000))
        second, packed = raw(base, **{"Accept-Encoding": "deflate, gzip;q=0.5"})
        third, plain = raw(base)

    assert first.headers["content-encoding"] is None
    assert second.headers["content-encoding"] == "gzip"
    assert second.headers["vary"] == "accept-encoding"
    assert third.headers["content-encoding"] is None
    unpacked = gzip.decompress(packed)
    assert unpacked.startswith(bytes(holder.current.metrics))
    assert b'version="9.9.9"' in unpacked
    assert len(packed) < len(plain) / 5


def test_gzip_stops_when_nobody_has_asked_for_a_while():
    """A person's one look with curl --compressed does not cost every cycle from then on."""
    holder = holding(picture(0.5))
    holder.gzip_page()
    holder.publish(picture(0.5, NOW + 299))
    remembered = holder.gzip_page()
    holder.publish(picture(0.5, NOW + 900))

    assert remembered is not None
    assert holder.gzip_page() is None


@pytest.mark.parametrize("coding", ["identity", "gzip;q=0", "gzip; q=0.0", "br", ""])
def test_gzip_is_never_forced_on_anybody(coding):
    """Who refuses it gets plain text."""
    holder = holding(picture(0.5))
    holder.gzip_page()
    holder.publish(picture(0.5, NOW + 30))
    with serving(holder) as base:
        answer, _ = raw(base, **{"Accept-Encoding": coding})

    assert answer.headers["content-encoding"] is None


def test_head_tells_the_size_without_the_body():
    """Probes that use HEAD are answered."""
    with serving(picture(0.5)) as base:
        answer, body = raw(base, "HEAD")

    assert (answer.status, body) == (200, b"")


class TestOwnMetrics:
    """The daemon's own health, on which the guard's guard alerts."""

    def scrape(self, own):
        """Return the page as lines."""
        return own.render().decode().splitlines()

    def test_a_collection_is_counted_and_its_success_dated(self):
        """`time() - last_success > 5m` is the alert for a source that went quiet."""
        own = OwnMetrics()
        own.collected("prometheus", 0.2, True, 1000.0)
        own.collected("prometheus", 0.2, False, 1060.0)
        lines = self.scrape(own)

        assert 'slo_guard_collector_up{collector="prometheus"} 0.0' in lines
        assert 'slo_guard_collection_last_success_timestamp_seconds{collector="prometheus"} 1000.0' in lines
        assert 'slo_guard_collection_duration_seconds_count{collector="prometheus"} 2.0' in lines

    def test_every_event_has_its_counter(self):
        """What is counted can be alerted on."""
        own = OwnMetrics("1.2.3")
        own.overrun("a")
        own.rejected("a", 3)
        own.evaluated(0.01)
        own.evaluations_missed(2)
        own.evaluation_skipped()
        own.notified("slack", DeliveryOutcome.RETRY)
        own.outbox("slack", 4, 61.5)
        own.reloaded(False)
        own.job_error("deliver")
        lines = self.scrape(own)

        for line in (
            'slo_guard_collections_overrun_total{collector="a"} 1.0',
            'slo_guard_samples_rejected_total{collector="a"} 3.0',
            "slo_guard_evaluation_duration_seconds_count 1.0",
            "slo_guard_evaluations_missed_total 2.0",
            "slo_guard_evaluations_skipped_total 1.0",
            'slo_guard_notifications_total{outcome="retry",receiver="slack"} 1.0',
            'slo_guard_outbox_pending{receiver="slack"} 4.0',
            'slo_guard_outbox_oldest_seconds{receiver="slack"} 61.5',
            "slo_guard_config_last_reload_successful 0.0",
            'slo_guard_job_errors_total{job="deliver"} 1.0',
        ):
            assert line in lines
        assert any(line.startswith("slo_guard_build_info{") and 'version="1.2.3"' in line for line in lines)
        assert any(line.startswith("process_resident_memory_bytes") for line in lines)

    def test_dead_letters_are_counted_for_each_receiver_also_for_one_that_is_gone(self):
        """An alert watches them; one that vanished with its receiver, or stayed for ever, would be none."""
        own = OwnMetrics()
        own.expect([], ["slack"])
        started = self.scrape(own)
        own.dead_letters({"slack": 2, "gone": 1})
        some = self.scrape(own)
        own.dead_letters({})
        none = self.scrape(own)

        assert 'slo_guard_dead_letters{receiver="slack"} 0.0' in started
        assert 'slo_guard_dead_letters{receiver="slack"} 2.0' in some
        assert 'slo_guard_dead_letters{receiver="gone"} 1.0' in some
        assert 'slo_guard_dead_letters{receiver="slack"} 0.0' in none
        assert not any('"gone"' in line for line in none)

    def test_counters_start_at_zero_and_leave_with_their_collector_or_receiver(self):
        """The first failure is an increase that rate() sees, and a removed receiver does not stay for ever."""
        own = OwnMetrics()
        own.expect(["a"], ["slack"])
        started = self.scrape(own)
        own.collected("a", 0.1, True, 1.0)
        own.expect(["b"], ["webhook"])
        later = self.scrape(own)

        assert 'slo_guard_notifications_total{outcome="dead",receiver="slack"} 0.0' in started
        assert 'slo_guard_collections_overrun_total{collector="a"} 0.0' in started
        assert not any('"a"' in line or '"slack"' in line for line in later)
        assert 'slo_guard_outbox_pending{receiver="webhook"} 0.0' in later

    def test_two_daemons_in_one_process_do_not_share_numbers(self):
        """The registry is their own, which tests and the demo rely on."""
        one, other = OwnMetrics(), OwnMetrics()
        one.evaluation_skipped()

        assert "slo_guard_evaluations_skipped_total 0.0" in self.scrape(other)

    def test_there_are_no_created_series(self):
        """They would double the counters with gauges that nobody reads."""
        own = OwnMetrics()
        own.evaluated(0.1)

        assert not any("_created" in line for line in self.scrape(own))
