"""Takes secrets out of what a peer wrote, in whatever form the peer sent them back."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import takewhile
from urllib.parse import quote, quote_plus

_TELLING = 4
"""From how many characters on the beginning of a secret is taken for it."""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` without ``secrets``: as they are, percent-encoded, in base64, or escaped for JSON or HTML.

    A secret that was cut off goes as well, but for at most three characters.
    """
    for secret in sorted(set(secrets) - {""}, key=len, reverse=True):
        text = _without(text, _forms(secret))
    return text


@lru_cache(maxsize=64)
def _forms(secret: str) -> tuple[str, ...]:
    raw = secret.encode()
    forms = {secret, html.escape(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret), quote_plus(secret, safe="/")):
        forms |= {encoded, _lower_case_escapes(encoded)}
    for before in range(3):
        # Within a longer text base64 writes a secret in one of three ways, by what stands before it.
        encoded = base64.b64encode(b"\0" * before + raw).decode("ascii").rstrip("=")[-(-before * 8 // 6) :]
        forms |= {encoded, encoded.replace("+", "-").replace("/", "_")}
    return tuple(form for form in forms if len(form) >= min(_TELLING, len(secret)))


def _without(text: str, forms: tuple[str, ...]) -> str:
    """Return ``text`` with all that begins as one of ``forms`` replaced as far as one of them goes on like it."""
    heads = re.compile("|".join(re.escape(head) for head in {form[:_TELLING] for form in forms}))
    kept: list[str] = []
    at = 0
    while found := heads.search(text, at):
        begins = found.start()
        kept += [text[at:begins], "…"]
        at = begins + max(_alike(text, begins, form) for form in forms)
    return "".join([*kept, text[at:]])


def _alike(text: str, begins: int, form: str) -> int:
    """Return how many characters of ``text`` from ``begins`` on are those of ``form``."""
    pairs = zip(text[begins : begins + len(form)], form, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _lower_case_escapes(encoded: str) -> str:
    parts = encoded.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
