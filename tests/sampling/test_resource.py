"""The OpenTelemetry resource that a process reports."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from memwatch.sampling.resource import MOST_ATTRIBUTES, MOST_VALUE, attributes_of, surroundings_of

CONTAINER = "0123456789abcdef" * 4
POD = "11111111-2222-3333-4444-555555555555"


def said(attributes: str, **more: str) -> dict[str, str]:
    return attributes_of({"OTEL_RESOURCE_ATTRIBUTES": attributes, **more})


def test_the_standard_variables_are_read_as_the_sdk_reads_them() -> None:
    from opentelemetry.sdk.resources import OTELResourceDetector

    text = "service.namespace=acme, deployment.environment.name = staging ,team=a%20b%2Cc%3Dd"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", text)
        patch.setenv("OTEL_SERVICE_NAME", "shop")
        expected = dict(OTELResourceDetector().detect().attributes)
    assert said(text, OTEL_SERVICE_NAME="shop") == expected
    assert said("service.name=a", OTEL_SERVICE_NAME="b") == {"service.name": "b"}
    assert said("") == {}


@pytest.mark.parametrize("entry", ["", "novalue", "=x", "a=", "1a=x", "a b=x", "a=\x00", f"{'a' * 101}=x", "ä=x"])
def test_an_entry_of_another_form_is_left_out(entry: str) -> None:
    assert said(f"{entry},good=1") == {"good": "1"}


@pytest.mark.parametrize(
    "entry", ["api_key=4711", "db.password=x", "dsn=postgres://u:secret@h/db", "x=ghp_0123456789abcdefghij0123"]
)
def test_secrets_stay_in_the_process(entry: str) -> None:
    assert said(f"{entry},good=1") == {"good": "1"}


def test_what_a_hostile_environment_says_is_bounded() -> None:
    found = said(",".join(f"name{number}={'x' * 1000}" for number in range(1000)))
    assert len(found) <= MOST_ATTRIBUTES
    assert {len(value) for value in found.values()} <= {MOST_VALUE, *range(MOST_VALUE)}
    assert len(said(",".join(f"n{number}=1" for number in range(1000)))) == MOST_ATTRIBUTES


@pytest.mark.parametrize(
    ("cgroup", "mounts"),
    [
        (f"12:memory:/docker/{CONTAINER}\n", ""),
        (f"0::/system.slice/docker-{CONTAINER}.scope\n", ""),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{CONTAINER}.scope\n", ""),
        ("0::/\n", f"1 2 8:1 /var/lib/docker/containers/{CONTAINER}/hostname /etc/hostname rw - ext4 /dev/x rw\n"),
    ],
)
def test_the_container_is_known_where_the_kernel_shows_it(cgroup: str, mounts: str) -> None:
    assert surroundings_of(cgroup=cgroup, mounts=mounts, pod="", namespace="") == {"container.id": CONTAINER}


def test_the_pod_is_known_in_kubernetes() -> None:
    mounts = f"1 2 8:1 /var/lib/kubelet/pods/{POD}/etc-hosts /etc/hosts rw - ext4 /dev/x rw\n"
    assert surroundings_of(cgroup="0::/\n", mounts=mounts, pod="shop-1", namespace="acme\n") == {
        "k8s.pod.uid": POD,
        "k8s.pod.name": "shop-1",
        "k8s.namespace.name": "acme",
    }
    assert surroundings_of(cgroup="", mounts="", pod="", namespace="") == {}


@pytest.mark.parametrize("spoil", ["", "os.environ = {'OTEL_SERVICE_NAME': 'x'}", "os.environ = None"])
def test_a_process_reads_its_own_and_imports_nothing_of_opentelemetry(spoil: str) -> None:
    program = (
        "import json, os, sys\nos.environ['OTEL_SERVICE_NAME'] = 'set later'\n"
        f"from memwatch.sampling.resource import resource\n{spoil}\n"
        "print(json.dumps([resource().get('service.name'), 'opentelemetry' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [None if spoil else "set later", False]
