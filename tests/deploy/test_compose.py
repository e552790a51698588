"""The compose file: right by the specification, locked down, and about files and services that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyOptions

from slo_guard.cli.demo import demo

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def mounts(compose: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return each mount: service, source, target, mode."""
    volumes = [(name, volume) for name, each in compose["services"].items() for volume in each.get("volumes", ())]
    return [(name, *[*volume.split(":"), "rw"][:3]) for name, volume in volumes]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.demo.yaml"])
def test_it_is_what_the_specification_allows(name: str):
    """A misspelt option fails on somebody else's machine, on a Friday."""
    options = PyOptions()
    options.apply_merge = True

    options.from_yaml((DEPLOY / name).read_text(encoding="utf-8")).validate()


def test_what_is_mounted_exists_and_is_read_only(compose):
    """For a path that is missing Docker makes an empty folder, and the container starts without its config."""
    named = set(compose["volumes"])

    for service, source, _, mode in mounts(compose):
        if source.startswith("."):
            assert (DEPLOY / source).is_dir(), f"{service}: {source}"
            assert mode == "ro", f"{service}: {source}"
        else:
            assert source in named, f"{service}: {source}"


def test_every_container_is_locked_down(compose):
    """What is broken into can neither stay nor spread."""
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name


def test_every_container_says_whether_it_is_healthy(compose):
    """`up --wait` waits for it, and nobody looks at a page that is not there yet."""
    for name, service in compose["services"].items():
        image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8") if "build" in service else ""
        assert "healthcheck" in service or "\nHEALTHCHECK " in image, name


def test_every_image_has_its_version(compose):
    """What was tried is what starts next month."""
    for name, service in compose["services"].items():
        assert "build" in service or re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name


def test_secrets_come_as_files_that_the_repository_does_not_hold(compose):
    """A secret in an environment variable is in `docker inspect`, and one in the repository is everybody's."""
    ignored = (DEPLOY.parent / ".gitignore").read_text(encoding="utf-8").splitlines()

    assert "deploy/secrets/" in ignored
    assert all(secret["file"].startswith("./secrets/") for secret in compose["secrets"].values())
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or value.startswith("/run/secrets/"), name
    config = (DEPLOY / "config" / "slo-guard.yaml").read_text(encoding="utf-8")
    assert "/run/secrets/slack_webhook_url" in config
    assert "slack_webhook_url" in compose["services"]["slo-guard"]["secrets"]


def test_they_find_each_other(compose):
    """A name that no service has resolves to nothing: the stack is up, and every panel is empty."""
    texts = [
        (DEPLOY / "config" / "slo-guard.yaml").read_text(encoding="utf-8"),
        (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"),
        "\n".join(compose["services"]["grafana"]["environment"].values()),
    ]
    hosts = {
        host for text in texts for host in re.findall(r"^[^#\n]*?(?:http://|\[)([a-z][\w-]*):\d+", text, re.MULTILINE)
    }

    assert hosts == {"slo-guard", "prometheus", "alertmanager"}
    assert hosts <= set(compose["services"])


def test_grafana_finds_datasource_and_dashboards_where_they_are_mounted(compose):
    """Provisioning that points elsewhere leaves an empty Grafana without an error."""
    provisioning = DEPLOY / "grafana" / "provisioning"
    sources = [
        each
        for path in (provisioning / "datasources").glob("*.y*ml")
        for each in yaml.safe_load(path.read_text())["datasources"]
    ]
    providers = [
        each
        for path in (provisioning / "dashboards").glob("*.y*ml")
        for each in yaml.safe_load(path.read_text())["providers"]
    ]
    grafana = compose["services"]["grafana"]
    wanted = set(
        re.findall(
            r"^[^#\n]*url: \$(\w+)", "\n".join(p.read_text() for p in provisioning.rglob("*.yaml")), re.MULTILINE
        )
    )
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    (mounted,) = [source for _, source, target, _ in mounts(compose) if target == "/var/lib/grafana/dashboards"]

    assert wanted == {"PROMETHEUS_URL", "SLO_GUARD_URL"} <= set(grafana["environment"])
    assert "prometheus" in [source["uid"] for source in sources]
    assert [provider["options"]["path"] for provider in providers] == ["/var/lib/grafana/dashboards"]
    assert (DEPLOY / mounted / Path(home).name).is_file()


def test_the_demo_in_the_place_of_a_config_is_a_command_that_exists():
    """It is what a newcomer starts first."""
    command = yaml.safe_load((DEPLOY / "compose.demo.yaml").read_text())["services"]["slo-guard"]["command"]

    parsed = demo.make_context("demo", command[1:], resilient_parsing=False)

    assert command[0] == "demo"
    assert (parsed.params["host"], parsed.params["port"]) == ("0.0.0.0", 9469)
