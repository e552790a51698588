"""A daemon behind TLS and logins, from `new-token` to a reload that takes a token away."""

from __future__ import annotations

import ssl

import pytest
import requests
import yaml

from slo_guard.passwords import new_token, token_digest
from tests.support.certificates import authority, signed
from tests.support.daemon import Daemon, eventually
from tests.support.http_sources import Reply, always, http_source
from tests.support.small_mission import gauge_kpi, scrape, write_config, write_rules

OLD, NEW = new_token(), new_token()


@pytest.fixture(scope="module")
def mission(tmp_path_factory):
    """Run a daemon that needs a login for everything; gives it, its authority and its folder."""
    folder = tmp_path_factory.mktemp("guarded")
    ca = authority(folder)
    pair = signed(folder, ca)
    write_rules(folder, [gauge_kpi("load")])
    with http_source(always(Reply(b"load 1\n"))) as source:
        config = write_config(folder, [scrape("tenants", source.url, "load")], server=server(pair, OLD))
        with Daemon(config) as daemon:
            daemon.start()
            eventually(lambda: daemon.url, 30)
            eventually(lambda: status(daemon, ca, "/-/ready") == 200, 30)
            yield daemon, ca, folder


def server(pair, token, **changed):
    """Return the section of a config."""
    auth = {"reads": "required", "tokens": [{"name": "ci", "sha256": token_digest(token)}]}
    return {"port": 0, "auth": auth, "tls": {"cert_file": pair.cert.name, "key_file": pair.key.name}, **changed}


def asked(daemon, ca, path, token=None, method="GET"):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return requests.request(method, daemon.url + path, headers=headers, verify=str(ca.cert), timeout=20)


def status(daemon, ca, path, token=None, method="GET"):
    return asked(daemon, ca, path, token, method).status_code


def test_everything_but_the_probes_needs_the_token(mission):
    """Over HTTPS, as the daemon says where it is."""
    daemon, ca, _ = mission

    assert daemon.url.startswith("https://")
    for path in ("/", "/metrics", "/api/v1/kpis"):
        assert (status(daemon, ca, path), status(daemon, ca, path, OLD)) == (401, 200)
    assert status(daemon, ca, "/-/healthy") == 200


def test_a_reload_takes_up_tokens_and_certificates(mission):
    """A token that leaked is out within seconds, and nothing has to be restarted for it."""
    daemon, ca, folder = mission
    document = yaml.safe_load(daemon.config.read_text())
    renewed = signed(folder, ca, "renewed", serial=77)
    document["server"] = server(renewed, NEW)
    daemon.config.write_text(yaml.safe_dump(document))

    reloaded = asked(daemon, ca, "/-/reload", OLD, "POST")

    assert (reloaded.status_code, reloaded.text) == (200, "reloaded: 1 KPI\n")
    assert (status(daemon, ca, "/metrics", OLD), status(daemon, ca, "/metrics", NEW)) == (401, 200)
    host, port = daemon.url.removeprefix("https://").split(":")
    shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
    assert shown == ssl.PEM_cert_to_DER_cert(renewed.cert.read_text())
    assert "method=POST path=/-/reload status=200" in daemon.stderr.replace("by=ci ", "").replace(
        "client=127.0.0.1 ", ""
    )


def test_what_is_read_at_the_start_only_is_said(mission):
    """From HTTPS to HTTP and other limits need a restart."""
    daemon, ca, _ = mission
    document = yaml.safe_load(daemon.config.read_text())
    document["server"]["limits"] = {"max_body": "2MiB"}
    daemon.config.write_text(yaml.safe_dump(document))

    assert asked(daemon, ca, "/-/reload", NEW, "POST").text == "reloaded: 1 KPI; restart to apply server\n"


def test_a_bad_certificate_or_hash_is_refused_and_what_runs_goes_on(mission):
    """The reload says which file, and nobody is locked out."""
    daemon, ca, folder = mission
    document = yaml.safe_load(daemon.config.read_text())
    document["server"]["tls"]["key_file"] = "ca.key"
    daemon.config.write_text(yaml.safe_dump(document))

    answer = asked(daemon, ca, "/-/reload", NEW, "POST")

    assert answer.status_code == 400
    assert f"the key in {folder}/ca.key is not that of the certificate in" in answer.text
    assert status(daemon, ca, "/metrics", NEW) == 200
