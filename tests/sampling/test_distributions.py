"""Which distributions a process can import from, whatever lies in its folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from memwatch.records.distributions import MAX_DISTRIBUTIONS, MAX_PACKAGES, OTHERS, Distribution, Package
from memwatch.sampling.distributions import distributions, inventory


def install(site: Path, name: str, record: str = "", **files: str) -> None:
    """As an installer leaves it."""
    (site / name).mkdir(parents=True)
    if record:
        (site / name / "RECORD").write_text(record)
    for file, text in files.items():
        (site / name / file.replace("_info", "-INFO")).write_text(text)


def test_names_and_versions_are_those_of_importlib() -> None:
    known = {each.name: each.version for each in distributions()}
    for name in ("django", "celery", "psutil", "pytest", "python-dateutil"):
        assert known[name] == metadata.version(name)


def test_imported_is_what_a_loaded_module_belongs_to(tmp_path: Path) -> None:
    install(tmp_path, "PyYAML-6.0.2.dist-info", "_yaml/__init__.py,x,1\nyaml/__init__.py,sha256=a,12\n")
    install(tmp_path, "google_cloud_storage-2.1.dist-info", "google/cloud/storage/__init__.py,,\n")
    install(tmp_path, "google_api_core-1.9.dist-info", "google/api_core/__init__.py,,\n")
    install(tmp_path, "celery-5.3.6.dist-info")
    modules = dict.fromkeys(("yaml", "google", "google.api_core", "celery"))
    assert distributions([str(tmp_path)], modules) == [
        Distribution("celery", "5.3.6", True),
        Distribution("google-api-core", "1.9", True),
        Distribution("google-cloud-storage", "2.1", False),
        Distribution("pyyaml", "6.0.2", True),
    ]


def test_old_installations_and_checkouts_are_known(tmp_path: Path) -> None:
    install(tmp_path, "old_thing-1.4-py3.11.egg-info")
    install(tmp_path, "checkout.egg-info", PKG_info="Metadata-Version: 2.1\nName: checkout\nVersion: 0.3\n")
    (tmp_path / "checkout.egg-info/top_level.txt").write_text("inner\n")
    assert distributions([str(tmp_path)], {"inner": None}) == [
        Distribution("checkout", "0.3", True),
        Distribution("old-thing", "1.4", False),
    ]


def test_the_first_on_the_path_counts(tmp_path: Path) -> None:
    for site, version in (("a", "1.0"), ("b", "2.0")):
        install(tmp_path / site, f"thing-{version}.dist-info")
    assert distributions([str(tmp_path / "a"), str(tmp_path / "b")], {}) == [Distribution("thing", "1.0")]


def test_hostile_folders_do_no_harm(tmp_path: Path) -> None:
    for name in (
        "no-version-at-all.dist-info", "-1.0.dist-info", "a b-1.0.dist-info", "evil\n-1.0.dist-info",
        "thing-1;import os.dist-info", f"{'x' * 150}-1.0.dist-info", f"y-{'1' * 100}.dist-info", ".dist-info",
    ):  # fmt: skip
        install(tmp_path, name)
    install(tmp_path, "bytes-1.0.dist-info")
    (tmp_path / "bytes-1.0.dist-info/RECORD").write_bytes(os.urandom(100_000))
    install(tmp_path, "pipe-1.0.dist-info")
    os.mkfifo(tmp_path / "pipe-1.0.dist-info/RECORD")
    (tmp_path / "file-1.0.dist-info").write_text("a file where a folder should be")
    install(tmp_path, "loop-1.0.dist-info")
    (tmp_path / "loop-1.0.dist-info/RECORD").symlink_to("RECORD")
    found = distributions([str(tmp_path), "/nowhere", "a\0b", str(tmp_path / "pipe-1.0.dist-info/RECORD")], {})
    assert [each.name for each in found] == ["bytes", "file", "loop", "pipe"]


def test_no_code_of_the_host_runs() -> None:
    class Trap(str):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        __hash__ = __eq__ = None  # type: ignore[assignment]

    class Path_(list[str]):
        def __iter__(self) -> Any:
            raise AssertionError

    class Modules(dict[str, Any]):
        def __iter__(self) -> Any:
            raise AssertionError

        keys = __iter__

    assert distributions([Trap("/tmp"), 7, None], {}) == []  # type: ignore[list-item]
    assert distributions(Path_(["/tmp"]), {}) == []
    assert all(not each.imported for each in distributions(None, Modules(django=1)))


def test_the_imported_ones_are_kept_where_there_are_too_many(tmp_path: Path) -> None:
    for number in range(MAX_DISTRIBUTIONS + 100):
        (tmp_path / f"d{number:04}-1.0.dist-info").mkdir()
    found = distributions([str(tmp_path)], {"d0599": None})
    assert len(found) == MAX_DISTRIBUTIONS
    assert [each.name for each in found if each.imported] == ["d0599"]


def test_nothing_is_imported_for_it() -> None:
    code = """
import sys, json
from memwatch.sampling import distributions
before = set(sys.modules)
found = distributions.distributions()
print(json.dumps([sorted(set(sys.modules) - before), len(found)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported, many = json.loads(done.stdout)
    assert imported == []
    assert many > 50


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_it_leaves_no_memory_behind() -> None:
    distributions()
    before = sys.getallocatedblocks()
    for _ in range(3):
        distributions()
    assert sys.getallocatedblocks() - before < 200


def test_modules_are_counted_by_package(tmp_path: Path) -> None:
    install(tmp_path, "PyYAML-6.0.2.dist-info", "_yaml/__init__.py,x,1\nyaml/__init__.py,sha256=a,12\n")
    install(tmp_path, "google_cloud_storage-2.1.dist-info", "google/cloud/storage/__init__.py,,\n")
    install(tmp_path, "google_api_core-1.9.dist-info", "google/api_core/__init__.py,,\n")
    modules = dict.fromkeys(
        ("yaml", "yaml.nodes", "yaml.cyaml", "google", "google.api_core", "google.api_core.retry", "google.other",
         "google.cloud.storage", "google.cloud.storage.blob", "shop", "shop.models", "json", "json.decoder", "__main__")
    )  # fmt: skip
    assert inventory([str(tmp_path)], modules).packages == (
        Package("(standard library)", 2),
        Package("__main__", 1),
        Package("google", 2),
        Package("google.api_core", 2, "google-api-core"),
        Package("google.cloud.storage", 2, "google-cloud-storage"),
        Package("shop", 2),
        Package("yaml", 3, "pyyaml"),
    )


def test_packages_beyond_the_bound_are_one() -> None:
    modules = dict.fromkeys([f"p{number}" for number in range(MAX_PACKAGES + 50)] + ["p7.more"])
    found = inventory([], modules).packages
    assert len(found) == MAX_PACKAGES + 1
    assert Package("p7", 2) in found
    assert found[-1] == Package(OTHERS, 50)
    assert sum(each.modules for each in found) == len(modules)
    assert len(inventory([], {"x" * 5_000: None}).packages[0].name) == 100
