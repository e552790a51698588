"""Regular expressions over labels: RE2's, as in Prometheus, so that a pattern means the same here and there.

RE2 takes time linear in the text. Python's own ``re`` can take longer than the machine lasts over a harmless looking
``([a-z0-9]+-?)+``, and holds the interpreter meanwhile: the whole daemon would stand still.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import re2

_REMEMBERED = 1 << 17


class PatternError(ValueError):
    """A text is no regular expression in RE2's syntax; says why and what to write instead."""


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a whole text matches ``pattern``. Raises ``PatternError``."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        # Bytes: with texts the library counts characters for positions that nobody asks for.
        expression = re2.compile(pattern.encode(), options)
    except UnicodeEncodeError:
        raise PatternError("it holds half a character; write one such as fs|predictive") from None
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise PatternError(f"{why}; write RE2 syntax, as in Prometheus, such as fs|predictive") from None

    @lru_cache(maxsize=_REMEMBERED)
    def matches(text: str) -> bool:
        return expression.fullmatch(text.encode("utf-8", "replace")) is not None

    return matches
