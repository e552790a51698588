"""The HTTP layer: no peer can hold it longer than its time, fill its memory, or make it show a secret."""

from __future__ import annotations

import gzip
import logging
import shutil
import ssl
import subprocess
import warnings
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError

from slo_guard import logs
from slo_guard.clock import monotonic
from slo_guard.http_session import HttpError, HttpOptions, HttpSession, masked_url
from tests.support.http_sources import (
    Reply,
    always,
    cut_gzip,
    cut_short,
    disconnects,
    gzipped,
    hangs,
    http_source,
    never_ends,
    not_http,
    refusing_url,
    trickles_body,
    trickles_headers,
)

SECRET = "s3cr3t-t0ken-value"


def session_with(**options: object) -> HttpSession:
    return HttpSession(HttpOptions.model_validate({"retries": 0, "total_timeout": "500ms", **options}))


def test_an_answer_arrives_whole():
    """The plain case: status, lower-case headers and body."""
    with http_source(always(Reply(b"hello", 200, {"X-Kind": "greeting"}))) as source:
        answer = HttpSession().get(source.url + "/a", {"q": "up == 0"})

    assert (answer.status, answer.body, answer.headers["x-kind"]) == (200, b"hello", "greeting")
    assert source.requests[0].params == {"q": "up == 0"}


def test_any_status_is_returned():
    """What a 404 means is for the caller to say."""
    with http_source(always(Reply(b"gone", 404))) as source:
        assert HttpSession().get(source.url).status == 404


def test_json_is_posted_as_json():
    """Receivers look at the content type."""
    with http_source(always(Reply(b"", 204))) as source:
        session_with().post(source.url, json={"a": 1}, headers={"Idempotency-Key": "k"})

    request = source.requests[0]
    assert (request.method, request.body) == ("POST", b'{"a":1}')
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "k"


@pytest.mark.parametrize("behaviour", [hangs, trickles_headers, trickles_body], ids=lambda each: each.__name__)
def test_a_slow_peer_ends_at_the_total_time_out(behaviour):
    """A byte now and then, in headers or body, satisfies every single read; only a deadline ends it."""
    with http_source(always(behaviour)) as source:
        started = monotonic()
        with pytest.raises(HttpError) as caught:
            session_with(read_timeout="5s").get(source.url)

    assert caught.value.reason == "timeout"
    assert monotonic() - started < 5


def test_silence_ends_at_the_read_time_out():
    """A peer that stops talking need not use up the whole time."""
    with http_source(always(hangs)) as source, pytest.raises(HttpError) as caught:
        session_with(read_timeout="100ms", total_timeout="20s").get(source.url)

    assert caught.value.reason == "timeout"


def test_the_callers_deadline_ends_a_request_early():
    """A collector's time is shared by all of its requests."""
    with http_source(always(hangs)) as source, pytest.raises(HttpError) as caught:
        session_with(total_timeout="20s").get(source.url, deadline=monotonic() + 0.2)

    assert caught.value.reason == "timeout"


def test_an_endless_answer_ends_at_the_size_limit():
    """Memory is bounded whatever the peer sends."""
    with http_source(always(never_ends)) as source, pytest.raises(HttpError) as caught:
        session_with(max_response="1MiB", total_timeout="20s").get(source.url)

    assert caught.value.reason == "too_large"


def test_the_size_limit_is_on_what_a_gzip_bomb_becomes():
    """A few kilobytes can be a gigabyte."""
    with http_source(always(gzipped(b"\0" * 50_000_000))) as source, pytest.raises(HttpError) as caught:
        session_with(max_response="1MiB", total_timeout="20s").get(source.url)

    assert caught.value.reason == "too_large"


def test_gzip_of_several_members_is_one_answer():
    """Servers that compress as they write send such streams."""
    body = gzip.compress(b"one ") + gzip.compress(b"two")
    with http_source(always(Reply(body, 200, {"Content-Encoding": "gzip"}))) as source:
        assert HttpSession().get(source.url).body == b"one two"


@pytest.mark.parametrize(
    "behaviour",
    [cut_short, cut_gzip(b"up 1\n" * 5000), Reply(b"plain", 200, {"Content-Encoding": "gzip"}), not_http],
    ids=["cut short", "gzip cut short", "not gzip", "not HTTP"],
)
def test_half_an_answer_is_no_answer(behaviour):
    """Half a page would look as if half of the series had gone."""
    with http_source(always(behaviour)) as source, pytest.raises(HttpError) as caught:
        session_with().get(source.url)

    assert caught.value.reason == "bad_answer"


def test_nobody_listening_is_named_so():
    """The commonest fault needs the clearest words."""
    with refusing_url() as url, pytest.raises(HttpError, match="Connection refused") as caught:
        session_with().get(url)

    assert caught.value.reason == "connect_failed"


@pytest.mark.parametrize("first", [Reply(b"", 503), disconnects], ids=["503", "disconnect"])
def test_a_get_is_tried_again(first):
    """A proxy that restarts must not cost a sample."""
    answers = iter([first, Reply(b"ok")])
    with http_source(lambda _: next(answers)) as source:
        answer = session_with(retries=2, total_timeout="10s").get(source.url)

    assert (answer.body, len(source.requests)) == (b"ok", 2)


def test_a_post_is_not_tried_again_unless_it_is_idempotent():
    """A message that may have arrived must not be sent twice behind the back of who counts attempts."""
    with http_source(always(Reply(b"", 503))) as source:
        session = session_with(retries=2, total_timeout="10s")

        assert session.post(source.url, json={}).status == 503
        assert len(source.requests) == 1
        session.post(source.url, json={}, idempotent=True)
        assert len(source.requests) == 4


def test_redirects_are_followed_three_times():
    """Moved pages are found, circles end."""
    with http_source(lambda request: Reply(b"", 302, {"Location": request.path + "x"})) as source:
        with pytest.raises(HttpError) as caught:
            session_with().get(source.url + "/a")

        assert caught.value.reason == "redirect_refused"
        assert len(source.requests) == 4


def test_a_redirect_to_another_host_gets_no_secret(monkeypatch):
    """Otherwise whoever can redirect can read the token."""
    monkeypatch.setenv("SOURCE_TOKEN", SECRET)
    with http_source(always(Reply(b"elsewhere"))) as other:
        with http_source(always(Reply(b"", 302, {"Location": other.url + "/b"}))) as source:
            answer = session_with(auth={"bearer": {"env": "SOURCE_TOKEN"}}, headers={"X-Scope": "a"}).get(source.url)

        assert answer.body == b"elsewhere"
        assert source.requests[0].headers["Authorization"] == f"Bearer {SECRET}"
        assert not {"authorization", "x-scope"} & {name.lower() for name in other.requests[0].headers}


def test_a_redirect_there_and_back_gets_no_secret(monkeypatch):
    """Another host would otherwise choose which of the first one's pages is asked with the token."""
    monkeypatch.setenv("SOURCE_TOKEN", SECRET)
    with http_source(always(Reply(b"ok"))) as first, http_source(always(Reply(b"ok"))) as other:
        first.answer = lambda request: (
            Reply(b"", 302, {"Location": other.url}) if request.path == "/m" else Reply(b"end")
        )
        other.answer = always(Reply(b"", 302, {"Location": first.url + "/admin"}))

        answer = session_with(auth={"bearer": {"env": "SOURCE_TOKEN"}}, headers={"X-Scope": "a"}).get(first.url + "/m")

    assert answer.body == b"end"
    asked = {request.path: request.headers for request in first.requests}
    assert asked["/m"]["Authorization"] == f"Bearer {SECRET}"
    assert not {"authorization", "x-scope"} & {name.lower() for name in asked["/admin"]}


def test_a_redirect_away_from_http_is_refused():
    """A source must not make us read local files or other protocols."""
    with (
        http_source(always(Reply(b"", 302, {"Location": "file:///etc/passwd"}))) as source,
        pytest.raises(HttpError) as caught,
    ):
        session_with().get(source.url)

    assert caught.value.reason == "redirect_refused"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"basic": {"username": "ana", "password": {"env": "SOURCE_TOKEN"}}}, "Authorization", "Basic YW5hOnMzY3IzdC10MGtlbi12YWx1ZQ=="),
        ({"bearer": {"env": "SOURCE_TOKEN"}}, "Authorization", f"Bearer {SECRET}"),
        ({"header": {"name": "X-Api-Key", "value": {"env": "SOURCE_TOKEN"}}}, "X-Api-Key", SECRET),
    ],
    ids=["basic", "bearer", "header"],
)  # fmt: skip
def test_each_way_to_authenticate_sends_its_header(monkeypatch, auth, header, value):
    """The three ways that monitoring endpoints use."""
    monkeypatch.setenv("SOURCE_TOKEN", SECRET)
    with http_source(always(Reply(b"ok"))) as source:
        session_with(auth=auth).get(source.url)

    assert source.requests[0].headers[header] == value


def test_a_secret_is_read_again_for_each_request(tmp_path: Path):
    """A rotated token must not need a restart."""
    token = tmp_path / "token"
    with http_source(always(Reply(b"ok"))) as source:
        session = session_with(auth={"bearer": {"file": str(token)}})
        for value in ("first", "second"):
            token.write_text(value)
            session.get(source.url)

    assert [each.headers["Authorization"] for each in source.requests] == ["Bearer first", "Bearer second"]


def test_a_missing_secret_is_named_by_its_place(tmp_path: Path):
    """Whoever mends it must know where to look."""
    with pytest.raises(HttpError, match="nowhere") as caught:
        session_with(auth={"bearer": {"file": str(tmp_path / "nowhere")}}).get("http://127.0.0.1:9")

    assert caught.value.reason == "secret_missing"


def test_a_secret_that_cannot_be_sent_is_not_shown(monkeypatch):
    """The library below quotes the header in its error."""
    monkeypatch.setenv("SOURCE_TOKEN", f"{SECRET}\nX-Injected: 1")
    with http_source(always(Reply(b"ok"))) as source, pytest.raises(HttpError) as caught:
        session_with(auth={"bearer": {"env": "SOURCE_TOKEN"}}).get(source.url)

    assert caught.value.reason == "bad_header"
    assert SECRET not in str(caught.value)


AUTH = {
    "basic": {"basic": {"username": "ana", "password": {"env": "SOURCE_TOKEN"}}},
    "bearer": {"bearer": {"env": "SOURCE_TOKEN"}},
    "header": {"header": {"name": "X-Api-Key", "value": {"env": "SOURCE_TOKEN"}}},
    "header with a scheme": {"header": {"name": "Authorization", "value": {"env": "SCHEMED_TOKEN"}}},
}
SHAPES = {
    "the secret": "no access for {secret} here",
    "user and password": "ana:{secret}",
    "encoded": "Basic YW5hOnMzY3IzdC10MGtlbi12YWx1ZQ==",
    "cut off": "x" * 40 + " {cut}",
    "cut off and in quotes": "the line '{cut}' cannot be parsed",
}


@pytest.mark.parametrize("said", SHAPES)
@pytest.mark.parametrize("auth", AUTH)
def test_what_a_peer_sends_back_shows_no_secret(monkeypatch, auth, said):
    """Sources quote what they do not like, and their words go to logs, pages and chats."""
    monkeypatch.setenv("SOURCE_TOKEN", SECRET)
    monkeypatch.setenv("SCHEMED_TOKEN", f"Token {SECRET}")
    text = SHAPES[said].format(secret=SECRET, cut=SECRET[:14])

    shown = session_with(auth=AUTH[auth]).scrubbed(text)

    assert SECRET[:4] not in shown
    assert auth != "basic" or "YW5hOnMz" not in shown


def test_words_that_are_no_secret_stay(monkeypatch):
    """A message without its words helps nobody."""
    monkeypatch.setenv("SOURCE_TOKEN", SECRET)
    text = "Bearer authentication failed: s3 is not known"

    assert session_with(auth=AUTH["bearer"]).scrubbed(text) == text
    assert HttpSession().scrubbed(text) == text


def test_a_secret_that_is_gone_leaves_the_text_alone(monkeypatch):
    """There is nothing to look for, and a message must come out all the same."""
    monkeypatch.delenv("SOURCE_TOKEN", raising=False)

    assert session_with(auth=AUTH["bearer"]).scrubbed("no") == "no"


@pytest.fixture
def configured_logs(capsys):
    """Let logs be written as the daemon writes them, for the length of a test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("debug")
    yield capsys
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_no_library_logs_the_address(configured_logs):
    """For a Slack webhook the path is the secret, and urllib3 warns of a broken header with the whole URL."""

    def broken_header(connection, _released):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n proxy says hi\r\nbroken line\r\n\r\nok")

    with http_source(always(broken_header)) as source:
        HttpSession(HttpOptions(retries=0), show_path=False).post(f"{source.url}/services/T0/B0/{SECRET}", json={})

    assert SECRET not in configured_logs.readouterr().err


@pytest.mark.parametrize("behaviour", [cut_short, trickles_body], ids=lambda each: each.__name__)
def test_an_answer_that_breaks_off_still_has_its_status(behaviour):
    """Whoever sent a message needs to know whether it was taken."""
    with http_source(always(behaviour)) as source, pytest.raises(HttpError) as caught:
        session_with().post(source.url, json={})

    assert caught.value.status == 200


@pytest.mark.parametrize("behaviour", [disconnects, trickles_headers, not_http], ids=lambda each: each.__name__)
def test_an_answer_without_headers_has_no_status(behaviour):
    """Nothing may be taken for accepted that was not."""
    with http_source(always(behaviour)) as source, pytest.raises(HttpError) as caught:
        session_with().post(source.url, json={})

    assert caught.value.status is None


def test_no_error_shows_user_password_query_or_hidden_path():
    """Messages go to logs, pages and chats."""
    with refusing_url() as url:
        spiked = url.replace("http://", "http://ana:hunter2@") + f"/hooks/{SECRET}?token={SECRET}"
        with pytest.raises(HttpError) as caught:
            HttpSession(HttpOptions(retries=0), show_path=False).get(spiked, {"key": SECRET})

    assert "127.0.0.1" in str(caught.value)
    assert not [word for word in (SECRET, "hunter2", "ana") if word in str(caught.value)]


def test_a_masked_url_keeps_what_identifies_the_peer():
    """Enough to find it, nothing to enter it with."""
    assert masked_url("https://u:p@host:8443/a/b?c=d#e") == "https://host:8443/a/b"
    assert masked_url("https://hooks.example.com/T0/B0/x", show_path=False) == "https://hooks.example.com/…"
    assert masked_url("http://[::1]:9090/x") == "http://[::1]:9090/x"


def test_the_environments_proxy_is_not_used(monkeypatch):
    """A proxy variable for people's browsers must not take the monitoring with it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with http_source(always(Reply(b"ok"))) as source:
        assert session_with().get(source.url).body == b"ok"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"auth": {"bearer": "plain-text"}}, "may not stand in the config"),
        ({"auth": {}}, "exactly one"),
        ({"headers": {"Authorization": "Bearer x"}}, "use auth"),
        ({"tls": {"key_file": "k.pem"}}, "needs cert_file"),
        ({"total_timeout": "0s"}, "greater than 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options, said):
    """Found by `check`, not in the night."""
    with pytest.raises(ValidationError, match=said):
        HttpOptions.model_validate(options)


def test_an_unreadable_authority_file_is_a_tls_fault(tmp_path: Path):
    """A wrong path must not look like a server that is down."""
    with pytest.raises(HttpError) as caught:
        session_with(tls={"ca_file": str(tmp_path / "no.pem")}).get("https://127.0.0.1:9")

    assert caught.value.reason == "tls_failed"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a self-signed certificate for 127.0.0.1 and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def tls_server(certificate: tuple[Path, Path], *, asks_for_certificate: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate[0])
    return context


def test_an_unknown_authority_is_refused(certificate):
    """Whoever sits in between must not be believed."""
    with http_source(always(Reply(b"ok")), tls_server(certificate)) as source, pytest.raises(HttpError) as caught:
        session_with(total_timeout="5s").get(source.url)

    assert caught.value.reason == "tls_failed"
    assert "certificate" in str(caught.value)


@pytest.mark.parametrize("trust", ["ca_file", "verify"])
def test_a_peer_is_trusted_as_the_options_say(certificate, trust):
    """Private authorities are common; not verifying is for tests."""
    tls = {"ca_file": str(certificate[0])} if trust == "ca_file" else {"verify": False}
    with http_source(always(Reply(b"ok")), tls_server(certificate)) as source, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert session_with(total_timeout="5s", tls=tls).get(source.url).body == b"ok"


def test_the_client_certificate_is_shown(certificate):
    """Some peers let in only whom they know."""
    cert, key = map(str, certificate)
    with http_source(always(Reply(b"ok")), tls_server(certificate, asks_for_certificate=True)) as source:
        tls = {"ca_file": cert, "cert_file": cert, "key_file": key}
        assert session_with(total_timeout="5s", tls=tls).get(source.url).body == b"ok"
        with pytest.raises(HttpError):
            session_with(total_timeout="5s", tls={"ca_file": cert}).get(source.url)


def test_the_client_certificate_is_not_shown_to_whom_a_redirect_names(certificate):
    """It is a proof of identity, made out for the first host alone."""
    cert, key = map(str, certificate)
    shown: list[bool] = []

    def asks(connection, _released):
        shown.append(bool(connection.getpeercert(binary_form=True)))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    context = tls_server(certificate, asks_for_certificate=True)
    context.verify_mode = ssl.CERT_OPTIONAL
    with http_source(always(asks), context) as other, http_source(always(None), tls_server(certificate)) as source:
        source.answer = always(Reply(b"", 302, {"Location": other.url}))
        tls = {"ca_file": cert, "cert_file": cert, "key_file": key}
        session_with(total_timeout="5s", tls=tls).get(source.url)
        session_with(total_timeout="5s", tls=tls).get(other.url)

    assert shown == [False, True]


def test_a_slow_tls_peer_ends_at_the_total_time_out(certificate):
    """The deadline stands below TLS as well."""
    with http_source(always(trickles_headers), tls_server(certificate)) as source, pytest.raises(HttpError) as caught:
        session_with(tls={"ca_file": str(certificate[0])}).get(source.url)

    assert caught.value.reason == "timeout"


def test_close_can_be_repeated():
    """Shutdown paths meet."""
    session = HttpSession()

    session.close()
    session.close()
