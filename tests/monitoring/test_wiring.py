"""The files of ``monitoring/`` fit one another, the reference, and docker-compose.yml."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memwatch.detection.deaths.reasons import HARMLESS
from memwatch.exposition import families
from tests.monitoring.files import DASHBOARDS, MONITORING, ROOT, alerts, load, whole_observation

COMPOSE = load(ROOT / "docker-compose.yml")["services"]


def mounts(service: str) -> dict[str, Path]:
    """The container's path -> ours."""
    pairs = [volume.split(":") for volume in COMPOSE[service]["volumes"]]
    return {inside: (ROOT / outside).resolve() for outside, inside, *_mode in pairs if outside.startswith(".")}


def test_the_references_scrape_job_is_there_word_for_word_with_the_token_besides() -> None:
    first = load(MONITORING / "prometheus.yml")["scrape_configs"][0]
    assert first.pop("authorization") == {"credentials_file": "secrets/metrics_token"}
    assert first == {
        "job_name": "memory-profiler",
        "static_configs": [{"targets": ["memory-exporter:9202"]}],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "instance", "replacement": "fog-compute-backend"}
        ],
    }


def job(name: str) -> dict[str, Any]:
    (found,) = (item for item in load(MONITORING / "prometheus.yml")["scrape_configs"] if item["job_name"] == name)
    return dict(found)


def test_the_web_is_scraped_with_the_token_that_compose_puts_into_a_file() -> None:
    web = job("web")
    file = web["authorization"]["credentials_file"]
    (secret,) = COMPOSE["prometheus"]["secrets"]
    assert secret["target"] == f"/etc/prometheus/{file}"
    assert load(ROOT / "docker-compose.yml")["secrets"][secret["source"]] == {"environment": "MEMWATCH_METRICS_TOKEN"}
    assert (MONITORING / file).read_text().startswith("placeholder:")
    (target,) = web["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert COMPOSE[host]["ports"][0].endswith(f":{port}")
    assert host in COMPOSE[host]["environment"]["ALLOWED_HOSTS"]


def test_what_the_exporter_shows_already_is_not_taken_from_the_web_again() -> None:
    (dropped,) = job("web")["metric_relabel_configs"]
    shown = {sample.name for family in families(whole_observation()) for sample in family.samples}
    assert dropped["action"] == "drop"
    assert [name for name in shown if not re.fullmatch(dropped["regex"], name)] == []
    assert not re.fullmatch(dropped["regex"], "django_http_requests_total")


def test_programs_that_serve_themselves_are_named_in_a_file_of_their_own() -> None:
    (found,) = job("memory-standalone")["file_sd_configs"]
    (pattern,) = found["files"]
    folder = pattern.partition("/")[0]
    assert mounts("prometheus")[f"/etc/prometheus/{folder}"] == MONITORING / folder
    (file,) = MONITORING.glob(pattern)
    assert load(file) == []


def test_compose_serves_what_prometheus_scrapes_and_mounts_what_it_reads() -> None:
    settings, mounted = load(MONITORING / "prometheus.yml"), mounts("prometheus")
    assert mounted["/etc/prometheus/prometheus.yml"] == MONITORING / "prometheus.yml"
    for name in settings["rule_files"]:
        folder, _, file = name.rpartition("/")
        assert (mounted[f"/etc/prometheus/{folder}"] / file).is_file()
    assert {"--address", "0.0.0.0"} <= set(COMPOSE["memory-exporter"]["command"])
    (managers,) = settings["alerting"]["alertmanagers"]
    assert managers["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert "alertmanager" in COMPOSE
    assert mounts("alertmanager")["/etc/alertmanager/alertmanager.yml"] == MONITORING / "alertmanager.yml"


def test_grafana_finds_its_data_source_and_dashboards() -> None:
    inside, folder = "/etc/grafana/provisioning", mounts("grafana")["/etc/grafana/provisioning"]
    (provider,) = load(folder / "dashboards" / "dashboards.yml")["providers"]
    assert provider["options"]["path"] == f"{inside}/dashboards"
    assert folder / "dashboards" == DASHBOARDS
    (source,) = load(folder / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in COMPOSE


def test_the_dashboards_are_those_the_script_makes(tmp_path: Path) -> None:
    shutil.copytree(MONITORING / "grafana", tmp_path / "grafana")
    (tmp_path / "grafana" / "dashboards" / "fleet.json").unlink()
    subprocess.run([sys.executable, tmp_path / "grafana" / "make_dashboards.py"], check=True, timeout=60)
    for path in DASHBOARDS.glob("*.json"):
        assert (tmp_path / "grafana" / "dashboards" / path.name).read_text() == path.read_text()


def test_ends_that_were_meant_are_no_deaths_in_the_dashboard() -> None:
    (panel,) = (
        each for each in json.loads((DASHBOARDS / "fleet.json").read_text())["panels"] if "Deaths" in each["title"]
    )
    left_out = re.search(r'reason!~"([^"]+)"', panel["targets"][0]["expr"])
    assert left_out is not None
    assert set(left_out[1].split("|")) == set(HARMLESS)


@pytest.mark.parametrize("path", sorted(DASHBOARDS.glob("*.json")), ids=lambda path: path.stem)
def test_a_dashboard_uses_only_variables_it_has_and_fills_its_rows(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    texts = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    texts += [variable.get("definition", "") for variable in dashboard["templating"]["list"]]
    assert {name for text in texts for name in re.findall(r"\$(\w+)", text)} <= variables
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _y in cells) < 24
        taken |= cells


def receivers(route: dict[str, Any]) -> Iterator[str]:
    yield route["receiver"]
    for below in route.get("routes", ()):
        yield from receivers(below)


def test_alertmanager_sends_nothing_until_it_is_told_where() -> None:
    settings = load(MONITORING / "alertmanager.yml")
    assert all(set(receiver) == {"name"} for receiver in settings["receivers"])
    assert set(receivers(settings["route"])) == {receiver["name"] for receiver in settings["receivers"]}


@pytest.mark.prometheus
def test_alertmanager_takes_its_configuration_and_routes_by_severity(amtool: str) -> None:
    path = str(MONITORING / "alertmanager.yml")
    subprocess.run([amtool, "check-config", path], check=True, capture_output=True, timeout=60)
    for severity in ("critical", "warning"):
        routed = [amtool, "config", "routes", "test", f"--config.file={path}", f"severity={severity}", "alertname=x"]
        done = subprocess.run(routed, check=True, capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == severity


def test_inhibition_speaks_of_alerts_there_are() -> None:
    names = {alert.name for alert in alerts()}
    for rule in load(MONITORING / "alertmanager.yml")["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            label, operator, value = re.fullmatch(r"(\w+) (=~|=) \"?([^\"]+)\"?", matcher).groups()  # type: ignore[union-attr]
            known = names if label == "alertname" else {"warning", "critical"}
            if operator == "=":
                assert value in known
            else:
                assert [name for name in known if re.fullmatch(value, name)]


def test_the_collector_of_compose_takes_what_the_exporter_is_told_to_send() -> None:
    collector, exporter = COMPOSE["otel-collector"], COMPOSE["memory-exporter"]
    assert collector["profiles"] == ["otel"], "it is not started without being asked for"
    (argument,) = collector["command"]
    settings = load(mounts("otel-collector")[argument.removeprefix("--config=")])
    for pipeline in settings["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert set(names) <= set(settings[kind])
    assert set(settings["service"]["pipelines"]) == {"metrics", "logs"}
    assert settings["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(":4317")
    assert exporter["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "${OTEL_EXPORTER_OTLP_ENDPOINT:-}", (
        "off by default"
    )
    assert "http://otel-collector:4317" in (ROOT / "docs" / "how-to" / "opentelemetry.md").read_text()
