"""The manifests of docs/how-to/kubernetes.md: pods without rights, within limits, reached by whom they serve."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.docs.blocks import ROOT, blocks_of_page

MANIFESTS: list[dict[str, Any]] = [
    manifest
    for block in blocks_of_page(ROOT / "docs" / "how-to" / "kubernetes.md")
    if block.language == "yaml"
    for manifest in yaml.safe_load_all(block.text)
    if "kind" in manifest
]
WORKLOADS = {found["metadata"]["name"]: found for found in MANIFESTS if found["kind"] in ("Deployment", "Job")}


def of(kind: str) -> Iterator[dict[str, Any]]:
    return (found for found in MANIFESTS if found["kind"] == kind)


def app_of(name: str) -> str:
    return str(WORKLOADS[name]["spec"]["template"]["metadata"]["labels"]["app"])


def test_every_program_is_there() -> None:
    assert set(WORKLOADS) == {
        "memwatch-worker", "memwatch-beat", "memwatch-web", "memory-exporter", "memwatch-migrate",
    }  # fmt: skip


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_has_no_rights_and_limits(name: str) -> None:
    pod = WORKLOADS[name]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        own = container["securityContext"]
        assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_pods_are_reached_by_whom_they_serve_alone() -> None:
    policies = {found["metadata"]["name"]: found["spec"] for found in of("NetworkPolicy")}
    closed = policies["memwatch-no-ingress"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in closed
    (chosen,) = closed["podSelector"]["matchExpressions"]
    served = {app_of(name) for name in WORKLOADS if name != "memwatch-migrate"}
    assert set(chosen["values"]) == served
    for name in ("memwatch-web", "memory-exporter", "redis", "postgres"):
        for rule in policies[name]["ingress"]:
            assert rule["from"], name
            assert rule["ports"], name


def test_half_sent_requests_do_not_make_kubernetes_restart_the_web() -> None:
    """While every thread waits for a request, the web's own port answers nobody; that of the image's health does."""
    (web,) = WORKLOADS["memwatch-web"]["spec"]["template"]["spec"]["containers"]
    (port,) = re.findall(r"\bHEALTH_PORT=(\d+)", (ROOT / "Dockerfile").read_text())
    ports = {each["name"]: each["containerPort"] for each in web["ports"]}
    assert ports[web["livenessProbe"]["httpGet"]["port"]] == int(port)
    assert {"name": "HEALTH_BIND", "value": "0.0.0.0"} in web["env"], "the kubelet asks by the pod's address"
