"""The bytes of an exposition: the encoder's, whoever writes them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from memwatch.exposition import families
from memwatch.metrics.rendered_page import encode
from tests.monitoring.files import whole_observation

FORMATS = (
    "",
    "text/plain;version=1.0.0;escaping=allow-utf-8",
    "text/plain;version=1.0.0;escaping=values",
    "application/openmetrics-text;version=1.0.0",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
    "application/openmetrics-text;version=1.0.0;escaping=dots",
    "application/openmetrics-text;version=0.0.1",
)
VALUES = (
    0, -0.0, 1, True, 5, -5, 0.1, 12345.678, 123456.5, 1234567, 1234567.5, -1234567.5, 1e6, 123456789012345678, 1e16,
    1e-7, 2**60, math.inf, -math.inf, math.nan,
)  # fmt: skip


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _family(kind: Callable[[str, str], Metric], name: str, *samples: Sample, text: str = "Of a kind.") -> Metric:
    family = kind(name, text)
    family.samples = list(samples)
    return family


def _odd_families() -> list[Metric]:
    shared, other = {"slot": "web-1", "host": "a"}, {"slot": 'w"e\\b\n', "host": "ü"}
    exemplar = Exemplar({"trace": "1"}, 1.0)
    return [
        _family(GaugeMetricFamily, "empty"),
        _family(GaugeMetricFamily, "plain_figure", *(Sample("plain_figure", shared, value) for value in VALUES)),
        _family(GaugeMetricFamily, "figure", *(Sample("figure", labels, 1) for labels in (shared, other, {}, {}))),
        _family(CounterMetricFamily, "done", *(Sample("done_total", labels, 2.5) for labels in (shared, other))),
        _family(CounterMetricFamily, "made", Sample("made_total", {}, 1), Sample("made_created", {}, 1.7e9)),
        _family(CounterMetricFamily, "shown", *(Sample("shown_total", {"n": n}, 1, None, exemplar) for n in "ab")),
        _family(GaugeMetricFamily, "timed", *(Sample("timed", {"n": n}, 1, 1.7e9) for n in "ab")),
        _family(GaugeMetricFamily, "dotted.name", *(Sample("dotted.name", {"n": n}, 1) for n in "ab")),
        _family(GaugeMetricFamily, "labels", *(Sample("labels", {name: "1"}, 1) for name in ("a", "b.c"))),
        _family(GaugeMetricFamily, "up", *(Sample("up", labels, 1) for labels in ({}, shared)), text="Is\nup 1\n\\"),
        HistogramMetricFamily("took", "Of a kind.", buckets=[("1.0", 1), ("+Inf", 2)], sum_value=3.5),
    ]


@pytest.mark.parametrize("accept", FORMATS)
def test_encoded_lines_equal_those_of_the_client_library(accept: str) -> None:
    encoder, content_type = choose_encoder(accept)
    for metrics in (families(whole_observation()), [], _odd_families(), *([each] for each in _odd_families())):
        assert encode(metrics, encoder, content_type) == encoder(_Collected(metrics))


def test_a_value_that_is_no_text_fails_as_with_the_encoder() -> None:
    encoder, content_type = choose_encoder("")
    wrong = _family(GaugeMetricFamily, "wrong", *(Sample("wrong", {"n": n}, 1) for n in (1, 2)))  # type: ignore[dict-item]
    with pytest.raises(AttributeError):
        encode([wrong], encoder, content_type)
