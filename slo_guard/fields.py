"""Field types that option models share: durations, sizes and secrets, each with its JSON Schema.

Validate with ``context={"folder": Path}`` to have relative paths taken from the file's own folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from slo_guard.errors import SecretError
from slo_guard.units import BYTES, parse_duration, parse_quantity

Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": ["string", "number"], "examples": ["30s", "5m", "1h30m"]}),
]
"""A duration as written (``30s``), held in seconds; may be 0."""


def _byte_count(value: Any) -> int:
    quantity = parse_quantity(value)
    if quantity.unit not in (None, BYTES) or quantity.value < 1:
        raise ValueError(f"{value!r} is not a size; write one such as 10MiB")
    return int(quantity.value)


ByteCount = Annotated[
    int,
    BeforeValidator(_byte_count),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["10MiB", "512KiB"]}),
]
"""A size as written (``10MiB``), held in bytes."""


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    if "\0" in str(path):
        raise ValueError("holds a NUL byte, which no path can; write it without \\0")
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder) / path


LocalPath = Annotated[Path, AfterValidator(_from_folder)]
"""A path; a relative one is taken from the folder of the file that names it."""


class Options(BaseModel):
    """Base of all option models: unknown fields are errors, values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Secret(Options):
    """Where a secret is kept: ``{env: NAME}`` or ``{file: PATH}``; read at each use, so that it can be rotated."""

    env: str | None = Field(None, description="The environment variable that holds it.")
    file: LocalPath | None = Field(None, description="The file that holds it.")

    @model_validator(mode="before")
    @classmethod
    def _refuse_plain_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            # ValueError, not TypeError: pydantic turns only that into a finding.
            raise ValueError("a secret may not stand in the config; write {env: NAME} or {file: PATH}")  # noqa: TRY004
        return value

    @field_validator("env")
    @classmethod
    def _a_name(cls, env: str | None) -> str | None:
        # Whoever took the place for the secret itself must not find it in every warning that names the place.
        if env is not None and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", env) is None:
            raise ValueError("not the name of an environment variable; write one such as SLACK_WEBHOOK_URL")
        return env

    @model_validator(mode="after")
    def _one_place(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret has exactly one place; write {env: NAME} or {file: PATH}")
        return self

    def reveal(self) -> str:
        """Return the secret, stripped of surrounding white space.

        Raises ``SecretError`` naming the place, never the value, when it is missing or empty.
        """
        if self.env is not None:
            value = os.environ.get(self.env, "").strip()
            place = f"the environment variable {self.env}"
        else:
            assert self.file is not None
            place = f"the file {self.file}"
            try:
                value = self.file.read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:  # ValueError: not UTF-8, or not a path at all
                raise SecretError(f"{place} cannot be read: {type(error).__name__}") from None
        if not value:
            raise SecretError(f"{place} holds no secret; set it")
        return value
