"""A real daemon that is silenced from a terminal beside it: quiet, seen all the same, and loud again by itself."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from slo_guard.cli.ack import ack
from slo_guard.cli.silence import silence
from tests.support.daemon import Daemon, eventually
from tests.support.mission_sources import MissionSources
from tests.support.small_mission import gauge_kpi, scrape, webhook, write_config, write_rules
from tests.support.webhook_stand_in import WebhookStandIn

FINE, BAD = 0.5, 7.0
WHO = ("--by", "Ada", "--why", "a new gateway")


def type_(config: Path, command: Any, *arguments: str) -> str:
    result = CliRunner().invoke(command, [*arguments, "--config", str(config)])
    assert result.exit_code == 0, result.output
    return result.stdout


def alert(daemon: Daemon) -> dict[str, Any]:
    """Return the one alert; ``eventually`` takes none for "not yet"."""
    found: dict[str, Any] = daemon.json("/api/v1/alerts")["alerts"][0]
    return found


def metric(daemon: Daemon, name: str, *labels: str) -> float:
    """Return the sum of a metric's series that have all of ``labels``."""
    lines = [each for each in daemon.get("/metrics").text.splitlines() if each.startswith(f"{name}{{")]
    return sum(float(each.rpartition(" ")[2]) for each in lines if all(label in each for label in labels))


def test_what_is_silenced_is_told_when_the_silence_ends_and_who_has_it_in_hand_is_named(tmp_path: Path) -> None:
    """From the first word typed to the last message sent, as the one on call lives it."""
    with ExitStack() as stack:
        sources = stack.enter_context(MissionSources(page={"load": "load"}))
        hook = stack.enter_context(WebhookStandIn())
        sources.past("load", FINE)
        write_rules(tmp_path, [gauge_kpi("load")])
        config = write_config(tmp_path, [scrape("page", sources.url("page"), "load")], [webhook(hook.url)])
        daemon = stack.enter_context(Daemon(config)).start().wait_ready()

        said = type_(config, silence, "add", "kpi=load", "--for", "9s", *WHO)
        sources.set("load", BAD)
        eventually(lambda: alert(daemon)["state"] == "firing")
        within, told = alert(daemon), len(hook.accepted)
        counted = metric(daemon, "slo_guard_silences", 'state="active"')
        firing = metric(daemon, "slo_guard_alerts", 'kpi="load"', 'alertstate="firing"')
        [after] = eventually(lambda: hook.accepted)
        ended = daemon.json("/api/v1/silences?all=true")["silences"][0]

        assert "silence 1 from " in said
        assert "the daemon honours it at its next evaluation" in said
        assert (within["silenced_by"], told, counted, firing) == (1, 0, 1.0, 1.0)
        assert after.document["notification_reason"] == "silence_ended"
        assert (ended["state"], ended["expired_at"]) == ("expired", None)
        assert alert(daemon)["silenced_by"] is None

        type_(config, ack, "load", "--for", "1h", *WHO)
        eventually(lambda: alert(daemon)["acknowledged"])
        sources.set("load", FINE)
        [_, recovered] = eventually(lambda: hook.accepted[1:] and hook.accepted)
        [told_of] = recovered.document["alerts"]
        eventually(lambda: daemon.json("/api/v1/acknowledgements")["acknowledgements"] == [])

        assert recovered.document["status"] == "resolved"
        assert told_of["annotations"]["acknowledged"].startswith("Acknowledged by Ada until ")
        assert daemon.stop() == 0
    assert "acknowledgement_ended" in daemon.all_stderr
