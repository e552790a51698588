"""Secrets that a peer sends back: gone from every message, however the peer wrote them."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_guard.scrubbing import without_secrets

SECRET = 's3cr3t+/&=%<"x'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        json.dumps(SECRET)[1:-1],
        html.escape(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_every_form_of_a_secret_is_taken_out(form):
    """A login page percent-encodes what it was sent, an error message quotes it."""
    assert without_secrets(f"who is {form}, then?", [SECRET]).replace("=", "") == "who is …, then?"


@pytest.mark.parametrize("before", ["", "a", "ab", "reader:"])
def test_base64_of_more_than_the_secret_hides_it_too(before):
    """What stands before it shifts all that follows."""
    encoded = base64.b64encode(f"{before}{SECRET}".encode()).decode()

    shown = without_secrets(encoded, [SECRET])

    assert len(shown.replace("=", "")) <= len(before) * 2 + 2


def test_a_secret_that_was_cut_off_is_taken_out_as_far_as_it_goes():
    """Peers cut their messages, and so do we."""
    assert without_secrets("token s3cr3t+/&", [SECRET]) == "token …"
    assert without_secrets("token s3cr", [SECRET]) == "token …"
    assert without_secrets("token s3c", [SECRET]) == "token s3c"


def test_two_forms_that_begin_alike_leave_no_tail():
    """The percent-encoded one goes on otherwise than the plain one."""
    text = f"{SECRET} {quote(SECRET, safe='')} {SECRET}"

    assert without_secrets(text, [SECRET]) == "… … …"


def test_other_text_is_left():
    """A message without a secret says what went wrong."""
    text = "answers 401: who is there?"

    assert without_secrets(text, [SECRET, ""]) == text


@given(st.text(min_size=1, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_no_secret_stands_in_what_is_left(secret, before, after):
    """Whatever stands around it."""
    shown = without_secrets(f"{before}{secret}{after}", [secret])

    assert secret not in shown or set(secret) <= {"…"}
