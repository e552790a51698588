"""Debian's Chromium, driven by Playwright: no browser is downloaded, and nothing that it says goes unheard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
WIDE, PHONE = {"width": 1360, "height": 900}, {"width": 360, "height": 780}
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_GRAVE = ("serious", "critical")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium; skip (or fail, where peers are required) without it."""
    path = shutil.which("chromium")
    if path is None:
        reason = "chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("SLO_GUARD_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def a_page(browser: Browser, *, hushed: tuple[str, ...] = (), **options: Any) -> Iterator[Page]:
    """Give a page of its own; at the end nothing may be on its console but what ``hushed`` is part of.

    A violated Content-Security-Policy is on the console as well. ``options`` are those of a browser context.
    """
    said: list[str] = []
    context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **options})
    page = context.new_page()
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    try:
        yield page
    finally:
        context.close()
    unexpected = [each for each in said if not any(part in each for part in hushed)]
    assert not unexpected, f"the browser's console says: {unexpected}"


def grave_violations(page: Page, *, only: str | None = None) -> list[str]:
    """Return what axe finds serious or critical on ``page``: the rule, and where; ``only`` one rule is asked for."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only is not None:
        options["runOnly"] = {"type": "rule", "values": [only]}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        if each["impact"] in _GRAVE
        for node in each["nodes"]
    ]


def hidden_width(page: Page) -> int:
    """Return by how many pixels ``page`` is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def keep_picture(page: Page, name: str, *, whole: bool = False) -> Path:
    """Save a screenshot for whoever looks at what CI leaves behind; returns where."""
    folder = Path(os.environ.get("SLO_GUARD_SCREENSHOTS") or ROOT / ".screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    return path
