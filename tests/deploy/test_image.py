"""The Dockerfile: clean to hadolint, and as locked down as compose file and manifests take it to be."""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage: name and value."""
    with DOCKERFILE.open("rb") as file:
        parsed = DockerfileParser(fileobj=file).structure
    found: list[list[tuple[str, str]]] = []
    for each in parsed:
        if each["instruction"] == "FROM":
            found.append([])
        if found:
            found[-1].append((each["instruction"], each["value"]))
    return found


def values(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for name, value in stage if name == instruction]


def test_hadolint_finds_nothing():
    """The image is built elsewhere than here: what its linter knows is not left to be found there."""
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"

    ran = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stdout) == (0, "")


def test_it_runs_as_a_number_that_is_not_root(stages):
    """Kubernetes refuses to tell from a name that a user is not root."""
    assert values(stages[-1], "USER") == ["10001:10001"]


def test_it_is_started_and_stopped_without_a_shell_in_between(stages):
    """A shell would keep SIGTERM to itself: the daemon would be killed in the middle of sending."""
    final = stages[-1]

    assert values(final, "STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(values(final, "ENTRYPOINT")[0]) == ["slo-guard"]
    assert json.loads(values(final, "CMD")[0])[0] == "run"
    assert json.loads(re.search(r"CMD (\[.+\])", values(final, "HEALTHCHECK")[0])[1])[0] == "python"


def test_all_that_is_installed_was_locked_with_its_hash(stages):
    """What is fetched at build time must be what was tested, or the build ends."""
    installs = [part for run in values(stages[0], "RUN") for part in run.split("&&") if "pip install" in part]

    assert len(installs) == 3
    assert all("--require-hashes" in part or "--no-index --no-deps" in part for part in installs)
    assert not any("pip install" in run for run in values(stages[-1], "RUN"))


def test_nothing_is_copied_that_the_build_context_leaves_out(stages):
    """The context lets in what is named only: a store or a secret of a working copy never gets into a layer."""
    ignore = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignore if line.startswith("!")}
    copied = {source.rstrip("*") for copy in values(stages[0], "COPY") for source in copy.split()[:-1]}

    assert "*" in ignore
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied - {"LICENSE"})


def test_the_lock_of_the_image_is_that_of_the_tests_and_can_read_postgresql():
    """An image with other versions than those that were tested is another program."""
    locks = ROOT / "deploy" / "requirements"

    def pinned(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (locks / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert pinned("run.lock") < pinned("image.lock") <= pinned("dev.lock")
    assert any(pin.startswith("psycopg-binary==") for pin in pinned("image.lock"))
