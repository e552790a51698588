"""Takes the pictures of the README anew, from the demo's simulated sprint: ``python -m tests.pictures.pages``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from slo_guard import logs
from tests.support.browser import PHONE, ROOT, a_page, chromium
from tests.support.sprint_pages import sprint_pages

FOLDER = ROOT / "deploy" / "pictures"
STEP_SECONDS = 3600.0
MOST_BYTES = 250_000
_BOARD = {"width": 1440, "height": 1180}
_KPI = {"width": 1280, "height": 1060}
_TALL_PHONE = {**PHONE, "height": 980}

PICTURES = {
    "page-light.png": ("/", _BOARD, "light"),
    "page-dark.png": ("/?lane=ga-ops", _BOARD, "dark"),
    "kpi.png": ("/kpis/ga_e2e_p95", _KPI, "light"),
    "phone.png": ("/", _TALL_PHONE, "dark"),
}


def take(folder: Path) -> list[Path]:
    """Take all pictures into ``folder``; returns those that are larger than a README wants them to be."""
    folder.mkdir(parents=True, exist_ok=True)
    logs.configure("error")
    with (
        tempfile.TemporaryDirectory() as room,
        sprint_pages(Path(room) / "room", STEP_SECONDS) as sprint,
        chromium() as browser,
    ):
        for name, (path, size, scheme) in PICTURES.items():
            with a_page(browser, viewport=size, color_scheme=scheme) as page:
                page.goto(sprint.url + path)
                page.screenshot(path=folder / name)
    return [folder / name for name in PICTURES if (folder / name).stat().st_size > MOST_BYTES]


if __name__ == "__main__":
    too_large = take(FOLDER)
    sys.stdout.write("".join(f"{FOLDER / name}\n" for name in PICTURES))
    if too_large:
        sys.exit(f"larger than {MOST_BYTES:,} bytes: {', '.join(str(each) for each in too_large)}")
