"""The daemon's settings: parsed with positions and checked with the models that collectors and receivers bring."""

from slo_guard.config.loader import LoadedConfig, load_config
from slo_guard.config.models import Config
from slo_guard.config.schema import config_schema

__all__ = ["Config", "LoadedConfig", "config_schema", "load_config"]
