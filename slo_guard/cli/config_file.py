"""Which config a command is about, where none is named."""

from __future__ import annotations

from pathlib import Path

import click

CONFIG_VARIABLE = "SLO_GUARD_CONFIG"
USUAL_CONFIGS = (Path("slo-guard.yaml"), Path("config/slo-guard.yaml"))


def usual_config() -> Path:
    """Return the first of ``USUAL_CONFIGS`` that is there; the last one where none is, for the message that says so."""
    return next((path for path in USUAL_CONFIGS if path.is_file()), USUAL_CONFIGS[-1])


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=usual_config,
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    show_default="slo-guard.yaml here, or config/slo-guard.yaml",
    metavar="FILE",
    help="The daemon's config file.",
)
