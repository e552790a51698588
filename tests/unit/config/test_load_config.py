"""The config: what it says, what is wrong with it, and that no secret is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from slo_guard.collect import COLLECTORS
from slo_guard.config import LoadedConfig, load_config
from slo_guard.domain.kpi import Severity
from slo_guard.notify import RECEIVERS

TYPES = (
    {name: kind.options for name, kind in COLLECTORS.items()},
    {name: kind.options for name, kind in RECEIVERS.items()},
)
COLLECTOR = "{name: signs, type: evidence, file: signs.yaml, indicators: [drill]}"
RECEIVER = "{name: hook, type: webhook, url: 'http://127.0.0.1:1/x'}"
SMALLEST = {"rules": "[rules]", "collectors": f"[{COLLECTOR}]", "receivers": f"[{RECEIVER}]"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    return tmp_path


def load(folder: Path, **changes: str | None) -> LoadedConfig:
    fields = {**SMALLEST, **changes}
    text = "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)
    (folder / "slo-guard.yaml").write_text(text, encoding="utf-8")
    return load_config(folder / "slo-guard.yaml", *TYPES)


def said(loaded: LoadedConfig) -> list[str]:
    return [str(finding).split("/")[-1] for finding in loaded.findings]


def test_what_is_left_out_has_the_documented_defaults(folder):
    """A first config is ten lines long."""
    config = load(folder).config

    assert (config.store.path, config.store.retention, config.store.max_size) == (
        folder / "slo-guard.db",
        35 * 86400.0,
        2 * 2**30,
    )
    assert (config.server.host, config.server.port) == ("127.0.0.1", 9469)
    assert (config.log.level, config.log.format) == ("info", "console")
    assert (config.collector_alert.for_seconds, config.collector_alert.severity) == (60.0, Severity.PAGE)


def test_every_option_reaches_the_config(folder):
    """Written in the units that people write."""
    config = load(
        folder,
        version="1",
        store="{path: data/s.db, retention: 14d, max_size: 512MiB}",
        server="{host: 0.0.0.0, port: 0, external_url: https://slo.example/guard}",
        log="{level: debug, format: json}",
        collector_alert="{for: 5m, severity: none}",
    ).config

    assert (config.store.path, config.store.retention, config.store.max_size) == (
        folder / "data/s.db",
        14 * 86400.0,
        512 * 2**20,
    )
    assert (config.server.host, config.server.port) == ("0.0.0.0", 0)
    assert config.server.external_url == "https://slo.example/guard"
    assert (config.log.level, config.log.format) == ("debug", "json")
    assert (config.collector_alert.for_seconds, config.collector_alert.severity) == (300.0, Severity.NONE)


def test_entries_are_validated_by_the_models_of_their_types(folder):
    """The daemon builds collectors and receivers from these objects."""
    config = load(folder).config

    assert [type(options) for options in config.collectors] == [TYPES[0]["evidence"]]
    assert [type(options) for options in config.receivers] == [TYPES[1]["webhook"]]
    assert config.collectors[0].file == folder / "signs.yaml", "relative to the config's folder"
    assert {name: spec.collector for name, spec in config.indicators.items()} == {"drill": "signs"}
    assert config.rules == (folder / "rules",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ruls": "[x]"}, "slo-guard.yaml:4:1: ruls: unknown field 'ruls'; did you mean 'rules'?"),
        ({"rules": None}, "rules: 'rules' is missing; write rules: rule files and folders"),
        ({"rules": "[]"}, "rules: is too short; give at least 1"),
        ({"rules": "rules"}, "rules: write a list, such as [a, b]"),
        ({"rules": "[gone]"}, "gone does not exist; name a rule file or folder"),
        ({"version": "2"}, "version: write 1"),
        ({"store": "{retention: 35}"}, "store.retention: 35 has no unit; write a duration such as 30s, 5m or 1h30m"),
        ({"store": "{retention: 1m}"}, "store.retention: keeps too little to judge windows by; write at least 1h"),
        ({"store": "{max_size: 5s}"}, "store.max_size: '5s' is not a size; write one such as 10MiB"),
        ({"store": "{max_size: }"}, "store.max_size: write a number such as"),
        ({"store": "sqlite"}, "store: write a mapping with path, retention, max_size"),
        ({"server": "{port: 99999}"}, "server.port: write a port from 1 to 65535, or 0 for any free one"),
        ({"server": "{external_url: slo.example}"}, "server.external_url: "),
        ({"server": "{prt: 1}"}, "server.prt: unknown field 'prt'; did you mean 'port'?"),
        ({"server": "{prt: [1, 2]}"}, "server.prt: unknown field 'prt'; did you mean 'port'?"),
        ({"log": "{level: warn}"}, "log.level: 'warn' is not known; did you mean 'warning'?"),
        ({"collector_alert": "{severity: pgae}"}, "collector_alert.severity: 'pgae' is not known; did you mean 'page'?"),
        ({"collectors": None}, "collectors: 'collectors' is missing; write a list, collectors: [] for none"),
        ({"collectors": "{}"}, "collectors: write a list of entries such as - name: NAME"),
        ({"collectors": "[5]"}, "collectors[0]: write a mapping with name and type; known types are evidence, "),
        ({"collectors": "[{name: a}]"}, "collectors[0].type: 'type' is missing; write one of evidence, "),
        ({"collectors": "[{name: a, type: prometeus}]"}, "collectors[0].type: 'prometeus' is not a type that is known; did you mean 'prometheus'?"),
        ({"collectors": "[{type: evidence, file: f, indicators: [a]}]"}, "collectors[0].name: 'name' is missing; write name: unique name of the collector"),
        ({"collectors": "[{name: a, type: evidence, file: f, indicators: [a], intervall: 5s}]"}, "collectors[0].intervall: unknown field 'intervall'; did you mean 'interval'?"),
        ({"collectors": "[{name: p, type: prometheus, url: 'http://x', indicators: [{name: a, type: gauge, query: up, quary: [1]}]}]"}, "collectors[0].indicators[0].quary: unknown field 'quary'; did you mean 'query'?"),
        ({"collectors": "[{name: a, type: evidence, file: f, indicators: [a], interval: 5}]"}, "collectors[0].interval: 5 has no unit; write a duration"),
        ({"collectors": "[{name: a, type: evidence, file: f, indicators: [a], cron: '* *'}]"}, "collectors[0].cron: '* *' has 2 fields; a cron has five"),
        ({"collectors": f"[{COLLECTOR}, {COLLECTOR.replace('drill', 'other')}]"}, "collectors[1].name: the name 'signs' is taken by line 2; choose another"),
        ({"collectors": f"[{COLLECTOR}, {COLLECTOR.replace('name: signs', 'name: b')}]"}, "collectors[1].indicators[0]: the indicator 'drill' is produced by the collector 'signs' and by 'b'; rename one of the two"),
        ({"collectors": "[{name: p, type: prometheus, url: 'http://x', indicators: [{name: a, type: gauge, query: 'sum(('}]}]"}, "collectors[0].indicators[0].query: "),
        ({"receivers": None}, "receivers: 'receivers' is missing"),
        ({"receivers": "[{name: a, type: slak}]"}, "receivers[0].type: 'slak' is not a type that is known; did you mean 'slack'?"),
        ({"receivers": f"[{RECEIVER}, {RECEIVER}]"}, "receivers[1].name: the name 'hook' is taken by line 3; choose another"),
        ({"receivers": "[{name: a, type: webhook, url: 'http://x', severities: [pge]}]"}, "receivers[0].severities[0]: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_sentence(folder, changes, message):
    """One mistake gives one finding, at its place, with what to write instead."""
    loaded = load(folder, **changes)

    [found] = [str(finding) for finding in loaded.findings]
    assert message in found
    assert loaded.config is None


def test_all_errors_are_told_at_once(folder):
    """Those of one section hide none of the others."""
    loaded = load(
        folder,
        rules="[gone]",
        server="{port: x}",
        log="{level: loud}",
        collectors="[{name: a, type: nope}, {name: b, type: evidence}]",
        receivers="[{name: c, type: webhook, url: 5}]",
        other="1",
    )

    assert [finding.path for finding in loaded.findings] == [
        "rules[0]",
        "collectors[0].type",
        "collectors[1].file",
        "collectors[1].indicators",
        "receivers[0].url",
        "server.port",
        "log.level",
        "other",
    ]


def test_a_missing_secret_is_a_warning(folder, monkeypatch):
    """The daemon starts, and everything but that receiver works; the place says where."""
    monkeypatch.delenv("SLACK_URL", raising=False)

    loaded = load(folder, receivers="[{name: s, type: slack, url: {env: SLACK_URL}}]")

    assert loaded.config is not None
    assert said(loaded) == [
        "slo-guard.yaml:3:41: receivers[0].url: warning: the environment variable SLACK_URL holds no secret; set it"
    ]


def test_the_heartbeat_reaches_the_config_and_its_missing_secret_is_a_warning(folder, monkeypatch):
    """Without its URL the daemon runs, but nobody would notice when it does not."""
    monkeypatch.delenv("BEAT_URL", raising=False)

    loaded = load(folder, heartbeat="{url: {env: BEAT_URL}, interval: 5m, stalled_after: 10m, undelivered_after: 0s}")

    assert [(found.path, found.severity) for found in loaded.findings] == [("heartbeat.url", "warning")]
    beat = loaded.config.heartbeat
    assert (beat.interval, beat.method, beat.stalled_after, beat.undelivered_after) == (300.0, "GET", 600.0, 0.0)
    assert load(folder).config.heartbeat is None


@pytest.mark.parametrize("url", ["https://hc-ping.com/hunter2", "[hunter2]", "ftp://127.0.0.1/hunter2"])
def test_a_heartbeat_url_that_stands_in_the_config_is_refused_and_never_repeated(folder, url):
    """Whoever reads it can keep the switch from going off."""
    loaded = load(folder, heartbeat=f"{{url: '{url}'}}" if not url.startswith("[") else f"{{url: {url}}}")

    assert loaded.config is None
    assert "hunter2" not in " ".join(said(loaded))


def test_a_missing_secret_deep_in_the_options_is_found(folder):
    """Authentication stands three levels down."""
    auth = "http: {auth: {basic: {username: u, password: {file: gone}}}}"

    loaded = load(folder, receivers=f"[{{name: h, type: webhook, url: 'http://127.0.0.1/x', {auth}}}]")

    [found] = loaded.findings
    assert (found.path, found.severity) == ("receivers[0].http.auth.basic.password", "warning")


def test_a_secret_that_is_set_gives_no_warning(folder, monkeypatch):
    """The counterpart."""
    monkeypatch.setenv("SLACK_URL", "https://hooks.slack.com/services/T0/B0/hunter2")

    assert load(folder, receivers="[{name: s, type: slack, url: {env: SLACK_URL}}]").findings == ()


@pytest.mark.parametrize(
    "receiver",
    [
        "{name: s, type: slack, url: 'https://hooks.slack.com/services/T0/B0/hunter2'}",
        "{name: s, type: slack, url: [hunter2]}",
        "{name: s, type: slack, url: {evn: hunter2}}",
        "{name: s, type: slack, url: !env hunter2}",
        "{name: w, type: webhook, url: 'http://user:hunter2@127.0.0.1/'}",
        "{name: w, type: webhook, url: 'http://x', http: {auth: {bearer: hunter2}}}",
        "{name: w, type: webhook, url: 'http://x', http: {auth: {basic: {username: u, password: hunter2}}}}",
        "{name: w, type: webhook, url: 'http://x', http: {auth: {bearer: {env: A, file: hunter2}}}}",
        "{name: w, type: webhook, url: 'http://x', http: {headers: {Authorization: hunter2}}}",
        "{name: w, type: webhook, url: 'http://x', token: hunter2}",
        "{name: w, type: webhook, url: 'http://x', http: {connect_timeout: {password: hunter2}}}",
    ],
)
def test_a_secret_that_stands_in_the_config_is_refused_and_never_repeated(folder, receiver):
    """The output of `check` ends up in CI logs."""
    loaded = load(folder, receivers=f"[{receiver}]")

    assert loaded.config is None
    assert "hunter2" not in "\n".join(map(str, loaded.findings))


def test_a_config_that_is_not_there_is_unreadable(folder):
    """`check` ends with another exit code for it."""
    loaded = load_config(folder / "gone.yaml", *TYPES)

    assert (loaded.config, loaded.unreadable) == (None, True)
    assert "cannot be read: No such file" in str(loaded.findings[0])
    assert "name a config that is there, as in --config" in str(loaded.findings[0])


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "\tb: 1\n"])
def test_a_config_of_the_wrong_shape_is_told(folder, text):
    """Something is said, whatever stands there."""
    (folder / "slo-guard.yaml").write_text(text)

    loaded = load_config(folder / "slo-guard.yaml", *TYPES)

    assert loaded.config is None
    assert loaded.findings


def test_with_a_wrong_collector_the_rules_paths_are_still_known(folder):
    """So that `check` can go on to the rules; the indicators are then unknown, not empty."""
    loaded = load(folder, collectors="[{name: a, type: nope}]")

    assert loaded.rules == (folder / "rules",)
    assert loaded.indicators is None


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"rules": '["a\\0b"]'}, "rules[0]"),
        ({"store": '{path: "a\\0b"}'}, "store.path"),
        ({"collectors": '[{name: s, type: evidence, file: "a\\0b", indicators: [drill]}]'}, "collectors[0].file"),
        ({"receivers": '[{name: hook, type: webhook, url: {file: "a\\0b"}}]'}, "receivers[0].url.file"),
        (
            {"receivers": "[{name: h, type: webhook, url: 'http://127.0.0.1:1', http: {tls: {ca_file: \"a\\0b\"}}}]"},
            "receivers[0].http.tls.ca_file",
        ),
    ],
)
def test_a_path_with_a_nul_byte_is_one_error(folder, changes, place):
    """Every call that opens a file fails on it in a way that no error of the file system stands for."""
    found = said(load(folder, **changes))

    assert [text for text in found if "does not exist" in text] == []
    assert [text.split(": ", 1)[1] for text in found if "NUL" in text] == [
        f"{place}: holds a NUL byte, which no path can; write it without \\0"
    ]


@pytest.mark.parametrize("host", ['"a\\0b"', '"a b"', "münchen"])
def test_a_host_that_no_socket_takes_is_an_error(folder, host):
    """Found by check, not by a traceback at the start."""
    found = said(load(folder, server=f"{{host: {host}}}"))

    assert any("server.host: write an address or host name of this machine" in text for text in found), found
