"""The examples of the pages that come with slo_guard: what a reader copies works."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.examples import Reader
from tests.docs.fences import Fence, fences

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
PAGES += [path for path in sorted(ROOT.glob("*/*.md")) if path.parent.name in ("config", "rules", "deploy")]
BLOCKS = [fence for page in PAGES for fence in fences(page)]
FOLDERS = list(dict.fromkeys((fence.file, fence.folder) for fence in BLOCKS if fence.folder))


@pytest.mark.parametrize("fence", BLOCKS, ids=[fence.place for fence in BLOCKS])
def test_every_example_is_run_or_says_why_not(fence: Fence) -> None:
    """What nobody runs is wrong before long."""
    reason = fence.note.removeprefix("not run: ") if fence.note.startswith("not run: ") else ""

    assert fence.folder is not None or len(reason) > 10, f"{fence.place} has no note, see tests/docs/fences.py"


@pytest.mark.peer  # curl, which a bare machine lacks
@pytest.mark.parametrize(
    ("page", "folder"), FOLDERS, ids=[f"{page.parent.name}-{page.stem}-{folder}" for page, folder in FOLDERS]
)
def test_the_examples_work_in_their_order(page: Path, folder: str, tmp_path: Path) -> None:
    """A reader follows them from the top, each with what the ones before have left."""
    reader = Reader(tmp_path, {"REPOSITORY": str(ROOT)})
    followed = [fence for fence in fences(page) if fence.folder == folder]
    if shutil.which("curl") is None and any("curl " in fence.text for fence in followed):
        pytest.skip("curl is not installed")

    try:
        for fence in followed:
            reader.follow(fence)
    finally:
        reader.stop()
