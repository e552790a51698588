"""Reasons in blocks: by name, since a new version may number them differently."""

from __future__ import annotations

import json

import numpy as np

from slo_guard.domain.verdicts import REASON_CODE, REASONS, CodeArray, Reason


def named_reasons(reason: CodeArray) -> tuple[bytes, CodeArray]:
    """Return the names of the reasons that occur, and codes into them."""
    distinct, codes = np.unique(reason, return_inverse=True)
    return json.dumps([REASONS[code].value for code in distinct]).encode(), codes.astype(np.int8)


def reason_codes(names: bytes, codes: CodeArray) -> CodeArray:
    """Return this version's codes for what :func:`named_reasons` gave."""
    table = np.array([REASON_CODE[Reason(name)] for name in json.loads(names)], dtype=np.int8)
    return table[codes]
