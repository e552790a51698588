"""The examples of the pages that come with slo_guard: what a reader copies works."""

from __future__ import annotations

import socket
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


@pytest.mark.peer  # no peer, but in CI a busy port is not to pass for examples that work
@pytest.mark.parametrize(
    ("page", "folder"), FOLDERS, ids=[f"{page.parent.name}-{page.stem}-{folder}" for page, folder in FOLDERS]
)
def test_the_examples_work_in_their_order(page: Path, folder: str, tmp_path: Path) -> None:
    """A reader follows them from the top, each with what the ones before have left."""
    reader = Reader(tmp_path, {"REPOSITORY": str(ROOT)})
    followed = [fence for fence in fences(page) if fence.folder == folder]
    if any("until" in fence.action for fence in followed) and not _usual_port_is_free():
        pytest.skip("something listens on 127.0.0.1:9469, a slo_guard perhaps, where the examples start theirs")

    try:
        for fence in followed:
            reader.follow(fence)
    finally:
        reader.stop()


def _usual_port_is_free() -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 9469))
        except OSError:
            return False
    return True
