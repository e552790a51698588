"""slo_guard: the daemon that watches a sprint's KPIs and never takes silence for green."""

__version__ = "0.1.0"
