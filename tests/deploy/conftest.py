"""What the tests of dashboards and alerting rules share: one demo that a Prometheus scrapes."""

from __future__ import annotations

from tests.support.scraped_demo import scraped_demo

__all__ = ["scraped_demo"]
