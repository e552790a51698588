"""A secret in every place that takes one, peers that send them all back, and then a search of all that anybody sees."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from slo_guard.cli import group
from slo_guard.passwords import PasswordHash, new_token, token_digest
from tests.support.certificates import authority, signed
from tests.support.daemon import Daemon, eventually
from tests.support.echoing import STEPS, Echo, echoing_postgres, forms
from tests.support.http_sources import http_source
from tests.support.small_mission import gauge_kpi, write_config, write_rules
from tests.support.webhook_stand_in import WebhookStandIn

INDICATORS = ("by_bearer", "by_basic", "by_header", "by_sql", "by_certificate")


class Planted:
    """Secrets by the place where they stand; each has characters that every encoding changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values: dict[str, str] = {}
        self.env: dict[str, str] = {}

    def new(self, place: str, *, plain: bool = False) -> str:
        self.values[place] = f"pl4nt{len(self.values)}{secrets.token_hex(8)}" + ("" if plain else '+/&=%<"x')
        return self.values[place]

    def in_env(self, place: str, text: str = "{}", **how: bool) -> dict[str, str]:
        name = place.upper()
        self.env[name] = text.format(self.new(place, **how))
        return {"env": name}

    def in_file(self, place: str, text: str = "{}", **how: bool) -> dict[str, str]:
        file = self.folder / "kept" / place
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.format(self.new(place, **how)))
        return {"file": str(file)}

    def found_in(self, where: str, text: str | bytes) -> list[str]:
        """Return which secrets stand in a text, in which form."""
        lower = (text.encode() if isinstance(text, str) else text).lower()
        hits = []
        for place, secret in self.values.items():
            whole = {*forms(secret), *forms(f"reader:{secret}"), *forms(f"Bearer {secret}")}
            begun = {form[:14] for form in forms(secret)} | {form[:24] for form in forms(f"Bearer {secret}")}
            hits += [f"{where}: {place} as {form}" for form in whole | begun if form.lower().encode() in lower]
        return hits


@pytest.fixture
def planted(tmp_path):
    return Planted(tmp_path)


def collectors(planted: Planted, url: str, sql_port: int, client) -> list[dict]:
    """Return one collector for each way to authenticate."""

    def entry(name, kind, auth, **fields):
        indicator = {"name": name, "type": "gauge", **fields.pop("indicator")}
        http = {"http": {"auth": auth, "retries": 0}} if auth else {}
        return {
            "name": name.replace("_", "-"),
            "type": kind,
            "interval": "0.3s",
            "indicators": [indicator],
            **http,
            **fields,
        }

    tls = {"cert_file": str(client.cert), "key_file": str(client.key)}
    return [
        entry("by_bearer", "prometheus", {"bearer": planted.in_env("bearer")}, url=url, indicator={"query": "up"}),
        entry(
            "by_basic",
            "scrape",
            {"basic": {"username": "reader", "password": planted.in_file("basic")}},
            url=f"{url}/metrics",
            indicator={"metric": "up"},
        ),
        entry(
            "by_header",
            "json",
            {"header": {"name": "X-Api-Key", "value": planted.in_env("header")}},
            url=f"{url}/rows",
            indicator={"rows": "rows", "value": "value"},
        ),
        entry(
            "by_sql",
            "sql",
            None,
            url=planted.in_env("sql", f"postgresql+psycopg://reader:{{}}@127.0.0.1:{sql_port}/db", plain=True),
            indicator={"query": "SELECT 1 AS value"},
        ),
        {
            **entry("by_certificate", "scrape", None, url=url.replace("http:", "https:"), indicator={"metric": "up"}),
            "http": {"tls": {**tls, "verify": False}, "retries": 0},
        },
    ]


def receivers(planted: Planted, url: str, good: str) -> list[dict]:
    """Return receivers that refuse, and one that takes what there is to tell."""
    hook = planted.in_env("webhook_url", f"{url}/hook/{{}}", plain=True)
    slack = planted.in_file("slack_url", f"{url}/services/{{}}", plain=True)
    fast = {"min_interval": "0s", "repeat_interval": "0s"}
    return [
        {"name": "hook", "type": "webhook", "url": hook, "http": {"auth": {"bearer": planted.in_env("hook_bearer")}}},
        {"name": "slack", "type": "slack", "url": slack, **fast},
        {"name": "good", "type": "webhook", "url": good, **fast},
    ]


def everything_served(url: str, headers) -> dict[str, bytes]:
    """Return what every page and route answers, errors included."""
    paths = ["/", "/metrics", "/api/v1/openapi.json", "/-/ready", "/alerts", "/sources", "/deliveries"]
    paths += [f"/kpis/{name}" for name in (*INDICATORS, "slo_guard_collector_up")]
    known = requests.get(f"{url}/api/v1/openapi.json", headers=headers, timeout=10).json()["paths"]
    for path, methods in known.items():
        if "get" in methods:
            paths += [path.replace("{kpi}", name) for name in (*INDICATORS, "slo_guard_collector_up")]
    return {path: requests.get(url + path, headers=headers, timeout=20).content for path in dict.fromkeys(paths)}


def test_no_planted_secret_is_seen_anywhere(tmp_path, planted, monkeypatch):
    """Logs go to a vendor, pages to a whiteboard, messages to a channel, the store into a backup."""
    pair = signed(tmp_path, authority(tmp_path))
    for name, key in (("server_key", pair.key), ("ca_key", tmp_path / "ca.key")):
        planted.values[name] = key.read_text().splitlines()[2]
    token = planted.values["token"] = new_token()
    password = planted.new("password")
    hashed = str(PasswordHash.of(password))
    planted.values["password_hash"] = hashed.rpartition("$")[2]
    digest = planted.values["token_digest"] = token_digest(token)
    planted.env["CI_DIGEST"] = digest
    headers = {"Authorization": f"Bearer {token}"}
    write_rules(tmp_path, [gauge_kpi(name) for name in INDICATORS])
    with ExitStack() as stack:
        echo = Echo()
        source = stack.enter_context(http_source(echo))
        good = stack.enter_context(WebhookStandIn())
        sql_port = stack.enter_context(echoing_postgres())
        config = write_config(
            tmp_path,
            collectors(planted, source.url, sql_port, pair),
            receivers(planted, source.url, good.url),
            server={
                "port": 0,
                "auth": {
                    "reads": "required",
                    "users": [{"name": "ada", "password_hash": hashed}],
                    "tokens": [{"name": "ci", "sha256": {"env": "CI_DIGEST"}}],
                },
            },
            log={"level": "debug", "format": "console"},
            heartbeat={"url": planted.in_env("heartbeat", f"{source.url}/ping/{{}}", plain=True), "interval": "1s"},
        )
        for name, value in planted.env.items():
            monkeypatch.setenv(name, value)
        seen = {"check": checked(config)}
        daemon = stack.enter_context(Daemon(config, env=planted.env)).start().wait_ready()
        eventually(lambda: echo.asked > 6 * STEPS and len(good.received) >= 3, 30, what="all has been sent back")
        for wrong in (f"Bearer {token}x", f"Bearer {password}", "Basic " + forms(f"ada:{password}!")[4]):
            requests.post(f"{daemon.url}/-/reload", headers={"Authorization": wrong}, timeout=10)
        seen |= everything_served(daemon.url, headers)
        for number, broken in enumerate(broken_configs(config.read_text(), planted)):
            before = config.read_text()
            config.write_text(broken)
            answer = requests.post(f"{daemon.url}/-/reload", headers=headers, timeout=20)
            assert answer.status_code == 400
            seen |= {f"reload {number}": answer.content, f"check {number}": checked(config)}
            config.write_text(before)
        daemon.stop()
        config.write_text(config.read_text().replace("format: console", "format: json"))
        asked = echo.asked
        daemon.start()
        eventually(lambda: echo.asked > asked + 3 * STEPS, 30, what="all has been sent back again")
        daemon.stop()
    seen |= {"log": daemon.all_stderr.encode()}
    seen |= {f"message {number}": each.body for number, each in enumerate(good.received)}
    seen |= {f"store {file.name}": file.read_bytes() for file in tmp_path.glob("slo-guard.db*")}

    leaks = [hit for where, text in seen.items() for hit in planted.found_in(where, text)]

    assert all(name.replace("_", "-").encode() in seen["log"] for name in INDICATORS)
    assert {"message 0", "store slo-guard.db", "/metrics", "/kpis/by_sql", "/api/v1/deliveries"} <= set(seen)
    assert leaks == []


def checked(config: Path) -> bytes:
    """Return what `check` prints, in both formats."""
    runs = [
        CliRunner().invoke(group, ["check", "--config", str(config), "--format", each]) for each in ("text", "json")
    ]
    assert not any(isinstance(run.exception, Exception) and not isinstance(run.exception, SystemExit) for run in runs)
    return "".join(run.output for run in runs).encode()


def broken_configs(good: str, planted: Planted) -> list[str]:
    """Return configs with a secret where none belongs: each is refused, and none is repeated."""
    secret = planted.new("in_the_config")
    quoted = "'" + secret + "'"
    return [
        good + f"\nwebhook_token: {quoted}\n",
        good.replace("bearer:\n        env: BEARER", f"bearer: {quoted}"),
        good.replace("env: BEARER", f"value: {quoted}"),
        good.replace("url: http://", f"url: http://reader:{planted.values['in_the_config'][:22]}@", 1),
        good.replace("env: SQL", f"env: {quoted}"),
        good.replace("server:\n", f"server:\n  {planted.values['in_the_config'][:22]}\n", 1),
        good.replace("server:\n", f'server:\n  auth: "{planted.values["in_the_config"][:22]}\n', 1),
        good.replace("password_hash: ", f"password_hash: {quoted} # ", 1),
        good.replace("type: sql\n", f"type: sql\n  url_: {quoted}\n").replace(
            "url:\n    env: SQL\n", f"url: postgresql://r:{secret[:22]}@h/d\n"
        ),
    ]
