"""What the standard variables say."""

from __future__ import annotations

import pytest

from memwatch.metrics.otlp.config import GRPC, HTTP, ConfigError, Signal, config

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}


def test_nothing_is_sent_unless_an_endpoint_is_set_or_it_is_asked_for() -> None:
    assert not config({}).anything
    assert config(COLLECTOR).anything
    assert config({}, wanted=True).anything
    assert not config(COLLECTOR, wanted=False).anything


@pytest.mark.parametrize(
    ("variables", "protocol"),
    [
        ({}, GRPC),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, HTTP),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"}, HTTP),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, HTTP),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, GRPC),
    ],
)
def test_the_protocol(variables: dict[str, str], protocol: str) -> None:
    found = config({**COLLECTOR, **variables}).metrics
    assert found is not None
    assert found.protocol == protocol


def test_an_endpoint_of_one_signal_switches_on_that_one_alone() -> None:
    found = config({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://metrics:4318/v1/metrics"})
    assert found.metrics == Signal(protocol=HTTP, endpoint="http://metrics:4318/v1/metrics")
    assert found.logs is None


@pytest.mark.parametrize("variable", ["OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"])
def test_a_signal_that_the_sdk_is_not_to_send_is_not_sent(variable: str) -> None:
    found = config({**COLLECTOR, variable: "none"})
    assert (found.metrics is None, found.logs is None) == ("METRICS" in variable, "LOGS" in variable)
    assert config({**COLLECTOR, variable: "console,otlp"}) == config(COLLECTOR)


def test_a_disabled_sdk_sends_nothing() -> None:
    assert not config({**COLLECTOR, "OTEL_SDK_DISABLED": "true"}, wanted=True).anything


def test_interval_and_temporality() -> None:
    assert config(COLLECTOR).interval_s == 60
    assert not config(COLLECTOR).delta
    given = {"OTEL_METRIC_EXPORT_INTERVAL": "15000", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Delta"}
    assert config({**COLLECTOR, **given}).interval_s == 15
    assert config({**COLLECTOR, **given}).delta
    assert not config({"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "lowmemory"}).delta


def test_a_password_in_the_address_is_not_shown() -> None:
    found = config({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:secret@otlp.example.org/otlp?key=secret"}).metrics
    assert found is not None
    assert found.endpoint == "https://otlp.example.org/otlp"


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "give grpc or http/protobuf"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "x", "give grpc or http/protobuf"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "60s", "give milliseconds from 1000 on, e.g. 60000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5", "give milliseconds from 1000 on, e.g. 60000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "nan", "give milliseconds from 1000 on, e.g. 60000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both", "give cumulative, delta or lowmemory"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:port", "give one such as http://collector:4317"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_the_remedy(variable: str, value: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy) as refused:
        config({**COLLECTOR, variable: value})
    assert variable in str(refused.value)
