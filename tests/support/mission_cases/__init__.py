"""A case for every shipped KPI of which people are told, by id."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.mission_cases.case import Case
from tests.support.mission_cases.operations import METERING, ONBOARDING, REPORTING, SECURITY_GOVERNANCE
from tests.support.mission_cases.pilots import FS_V2, MP_D, XAI
from tests.support.mission_cases.services import GA_OPS, RELIABILITY

CASES: Mapping[str, Case] = {
    **RELIABILITY,
    **GA_OPS,
    **FS_V2,
    **XAI,
    **MP_D,
    **METERING,
    **ONBOARDING,
    **SECURITY_GOVERNANCE,
    **REPORTING,
}
