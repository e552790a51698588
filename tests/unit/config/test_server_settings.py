"""What a config says of the server's doors: checked before the daemon listens, and never shown."""

from __future__ import annotations

import pytest

from slo_guard.admission import access_rules
from slo_guard.collect import COLLECTORS
from slo_guard.config import load_config
from slo_guard.errors import SecretError
from slo_guard.notify import RECEIVERS
from slo_guard.passwords import token_digest
from tests.support.certificates import authority, signed

HASH = "$scrypt$ln=15,r=8,p=3$6HZbCFMk9pY/+KNJF08MoQ$ze5itfUWH0+1HT0O+emSCwgfJDf3ZRhueGUdIIxEvfk"
TOKEN = "slog_C1K3LXPKPXHdg8rx5nOVpteTe1zP9EvmxKj6Vw8gr0I"
DIGEST = token_digest(TOKEN)


def loaded(tmp_path, server):
    """Return what a config with ``server:`` and nothing else gives."""
    path = tmp_path / "slo-guard.yaml"
    (tmp_path / "rules").mkdir(exist_ok=True)
    path.write_text(f"rules: [rules]\ncollectors: []\nreceivers: []\nserver: {server}\n")
    return load_config(
        path,
        {name: kind.options for name, kind in COLLECTORS.items()},
        {name: kind.options for name, kind in RECEIVERS.items()},
    )


def test_hashes_may_stand_in_the_config_in_the_environment_or_in_a_file(tmp_path, monkeypatch):
    """A Kubernetes ConfigMap is read by many; a Secret by few."""
    monkeypatch.setenv("CI_DIGEST", DIGEST)
    (tmp_path / "bo.hash").write_text(HASH + "\n")
    config = loaded(
        tmp_path,
        f'{{auth: {{reads: required, users: [{{name: ada, password_hash: "{HASH}"}}, '
        "{name: bo, password_hash: {file: bo.hash}}], tokens: [{name: ci, sha256: {env: CI_DIGEST}}]}}",
    ).config

    rules = access_rules(config.server)

    assert rules.credentials.users["bo"].matches("correct horse")
    assert str(rules.credentials.users["ada"]) == HASH
    assert rules.credentials.tokens == {"ci": DIGEST}
    assert not rules.reads_open


def test_a_kept_hash_that_is_none_stops_the_start_by_name(tmp_path, monkeypatch):
    """Nobody could log in, and the password that somebody put there is not shown."""
    monkeypatch.setenv("ADA", "correct horse")
    config = loaded(tmp_path, "{auth: {users: [{name: ada, password_hash: {env: ADA}}]}}").config

    with pytest.raises(SecretError, match=r"server\.auth: what is kept for 'ada' is not a password hash") as caught:
        access_rules(config.server)

    assert "horse" not in str(caught.value)


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("{auth: {users: [{name: ada, password_hash: hunter2}]}}", "not a password hash such as $scrypt$"),
        (f"{{auth: {{tokens: [{{name: ci, sha256: {TOKEN}}}]}}}}", "not a SHA-256 in 64 hexadecimal digits"),
        ("{auth: {}}", "auth names nobody"),
        ("{auth: {users: [], reads: required}}", "auth names nobody"),
        (
            f"{{auth: {{tokens: [{{name: ci, sha256: {DIGEST}}}, {{name: ci, sha256: {DIGEST}}}]}}}}",
            "stands here twice",
        ),
        (f'{{auth: {{users: [{{name: "a:b", password_hash: "{HASH}"}}]}}}}', "write a text of the form"),
        ("{tls: {cert_file: a.pem}}", "'key_file' is missing"),
        ("{tls: {cert_file: a.pem, key_file: b.pem}}", "a.pem cannot be read: No such file or directory"),
        ("{limits: {max_connections: 2}}", "at least 8"),
        ("{limits: {head_timeout: 0s}}", "above 0"),
    ],
)
def test_what_is_wrong_is_one_finding_without_the_value(tmp_path, server, why):
    """A secret that was written in the wrong place goes no further."""
    findings = [str(finding) for finding in loaded(tmp_path, server).findings if "rules:" not in str(finding)]

    assert len(findings) == 1
    assert why in findings[0]
    assert not any(secret in findings[0] for secret in ("hunter2", TOKEN, DIGEST, HASH))


def test_a_missing_hash_is_a_warning_of_check(tmp_path, monkeypatch):
    """As with every other secret: the machine that checks need not be the one that runs."""
    monkeypatch.delenv("NO_SUCH", raising=False)

    findings = loaded(tmp_path, "{auth: {tokens: [{name: ci, sha256: {env: NO_SUCH}}]}}").findings

    assert [(each.severity, each.path) for each in findings] == [("warning", "server.auth.tokens[0].sha256")]


def test_an_expired_certificate_is_a_warning_of_check(tmp_path):
    """It says so before the browsers do."""
    old = signed(tmp_path, authority(tmp_path), "old", days=-1)

    found = loaded(tmp_path, f"{{tls: {{cert_file: {old.cert.name}, key_file: {old.key.name}, min_version: 1.3}}}}")

    assert found.config is not None
    assert [(each.severity, each.path) for each in found.findings] == [("warning", "server.tls.cert_file")]
    assert "expired" in found.findings[0].message
