"""The manifests: right by Kubernetes' own schemas, restricted by its standard, and equal to what they are made from."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from slo_guard.loaded import load_files

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
BASE = KUBERNETES / "base"
OVERLAY = KUBERNETES / "overlays" / "example"
OPERATOR = KUBERNETES / "components" / "prometheus-operator"
_OLDEST = "1.30"
"""The oldest Kubernetes whose schemas the manifests are held against; the newest is the package's own."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    return read(BASE / "statefulset.yaml")["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod) -> dict[str, Any]:
    (only,) = pod["containers"]
    return only


@pytest.fixture(scope="module")
def built() -> dict[str, dict[str, Any]]:
    """Return what the example comes to, by kind (of ConfigMaps by kind and name)."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    ran = subprocess.run(["kubectl", "kustomize", OVERLAY], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    found = list(yaml.safe_load_all(ran.stdout))
    return {each["kind"] + (each["metadata"]["name"] if each["kind"] == "ConfigMap" else ""): each for each in found}


@pytest.mark.parametrize("version", [_OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize(
    "path", [*sorted(BASE.glob("[!k]*.yaml")), OVERLAY / "namespace.yaml"], ids=lambda path: path.stem
)
def test_kubernetes_knows_every_field(path: Path, version: str):
    """A field that is misspelt is dropped without a word: a probe, or a limit, that is not there."""
    kubernetes_validate.validate(read(path), version, strict=True)


def test_what_kustomize_names_exists():
    """Not every machine that tests has kubectl: what it would miss first are files."""
    for path in [*KUBERNETES.rglob("kustomization.yaml"), DEPLOY / "config" / "kustomization.yaml"]:
        wanted = read(path)
        files = [file for each in wanted.get("configMapGenerator", ()) for file in each["files"]]
        for name in (*wanted.get("resources", ()), *wanted.get("components", ()), *files):
            assert (path.parent / name).exists(), f"{path}: {name}"
        rules = {f"rules/{each.name}" for each in (path.parent / "rules").glob("*.yaml")}
        assert rules == {file for file in files if file.startswith("rules/")}, path


def test_the_example_is_built_and_every_name_in_it_leads_somewhere(built):
    """A generated name that a pod does not get to know keeps the pod waiting for ever."""
    pod = built["StatefulSet"]["spec"]["template"]["spec"]
    config_maps = {name.removeprefix("ConfigMap") for name in built if name.startswith("ConfigMap")}
    labels = built["StatefulSet"]["spec"]["template"]["metadata"]["labels"]

    assert {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume} == config_maps
    assert len(config_maps) == 2
    assert pod["containers"][0]["image"] == "registry.example/mission-control/slo-guard:0.1.0"
    assert {each["metadata"].get("namespace") for kind, each in built.items() if kind != "Namespace"} == {"slo-guard"}
    for chosen in (
        built["Service"]["spec"]["selector"],
        built["StatefulSet"]["spec"]["selector"]["matchLabels"],
        built["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert chosen
        assert chosen.items() <= labels.items()
    assert (
        built["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items()
        <= built["Service"]["metadata"]["labels"].items()
    )


def test_it_is_restricted_as_the_pod_security_standard_wants_it(pod, container):
    """A cluster that enforces the standard refuses anything less (profile "restricted")."""
    of_pod, own = pod["securityContext"], container["securityContext"]

    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] > 0
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not own.get("privileged", False)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert {next(iter(set(volume) - {"name"})) for volume in pod["volumes"]} <= {"configMap", "secret"}
    assert not any("hostPort" in port for port in container["ports"])


def test_nothing_can_be_written_but_the_data(pod, container):
    """The image is made for a root file system that is read-only."""
    writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]

    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert writable == ["/data"]
    assert pod["automountServiceAccountToken"] is False


def test_pod_and_image_speak_of_the_same_user_port_and_command(pod, container):
    """What the image gives to user 10001 another user cannot write."""
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    user = pod["securityContext"]

    assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in image
    assert user["fsGroup"] == user["runAsGroup"]
    assert f"EXPOSE {container['ports'][0]['containerPort']}\n" in image
    assert str(container["args"]).replace("'", '"') in image


def test_probes_ask_for_paths_that_answer_without_a_login(container):
    """A probe that gets 401 restarts a daemon that is well."""
    access = (DEPLOY.parent / "slo_guard" / "expose" / "access.py").read_text(encoding="utf-8")
    (always_open,) = re.findall(r"^_ALWAYS_OPEN = (.+)$", access, re.MULTILINE)

    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in always_open
        assert container[probe]["httpGet"]["port"] == container["ports"][0]["name"]


def test_there_is_one_pod_at_a_time_with_room_for_its_store(container):
    """Two daemons on one SQLite file would both tell everything."""
    stateful = read(BASE / "statefulset.yaml")["spec"]
    config = read(DEPLOY / "config" / "slo-guard.yaml")
    asked = stateful["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]

    assert stateful["replicas"] == 1
    assert config["store"]["path"].startswith("/data/")
    assert int(asked.removesuffix("Gi")) >= 2 * int(config["store"]["max_size"].removesuffix("GiB"))
    assert container["resources"]["limits"]["memory"]
    assert container["resources"]["requests"]["cpu"]


def test_the_prometheus_rule_is_that_of_prometheus(tmp_path: Path):
    """Alerts that differ between the two ways of deploying would be tested in one of them only."""
    folder = tmp_path / "deploy"
    (folder / "kubernetes" / "components" / "prometheus-operator").mkdir(parents=True)
    shutil.copytree(DEPLOY / "prometheus", folder / "prometheus")
    script = shutil.copy(KUBERNETES / "make-rules", folder / "kubernetes")

    subprocess.run([script], check=True, timeout=60)

    committed = (OPERATOR / "prometheusrule.yaml").read_text(encoding="utf-8")
    written = folder / "kubernetes" / "components" / "prometheus-operator" / "prometheusrule.yaml"
    assert committed == written.read_text(encoding="utf-8"), "run deploy/kubernetes/make-rules"
    groups = [
        group for name in ("alerts", "kpi-alerts") for group in read(DEPLOY / "prometheus" / f"{name}.yml")["groups"]
    ]
    assert yaml.safe_load(committed)["spec"]["groups"] == groups


def test_the_operator_names_the_job_that_alerts_and_dashboards_look_for():
    """Without it the job is the Service's name, and every alert about slo_guard is blind."""
    (endpoint,) = read(OPERATOR / "servicemonitor.yaml")["spec"]["endpoints"]
    (job,) = [
        each["job_name"]
        for each in read(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]
        if "guard" in each["job_name"]
    ]

    assert {"targetLabel": "job", "replacement": job} in endpoint["relabelings"]
    assert endpoint["port"] == read(BASE / "service.yaml")["spec"]["ports"][0]["name"]


def test_the_config_of_the_example_is_right():
    """It is what people copy first."""
    loaded = load_files(OVERLAY / "slo-guard.yaml")

    assert [str(warning).partition("cannot be read")[1] for warning in loaded.warnings] == ["cannot be read"], (
        "the secret"
    )
    assert {kpi.id for kpi in loaded.plan.kpis} >= {"checkout_p95"}
