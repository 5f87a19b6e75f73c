"""An exposition as bytes: the format and the compression that the scraper asks for, each made once. No Django."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

_PLAIN_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
"""In every escaping but that of dots it stays as it is."""

Encoder = Callable[[Collector], bytes]


class _Collected(Collector):
    """What prometheus_client's encoders want: something to collect from."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def encode(metrics: Sequence[Metric], encoder: Encoder, content_type: str) -> bytes:
    """The bytes that ``encoder`` makes of these families; ``content_type`` was chosen with it."""
    if "escaping=dots" in content_type:
        return encoder(_Collected(metrics))
    end = encoder(_Collected(()))
    labels = _Labels()
    parts = []
    for metric in metrics:
        part = _quickly(metric, encoder, end, labels)
        parts.append(encoder(_Collected((metric,))).removesuffix(end) if part is None else part)
    return b"".join([*parts, end])


class _Labels(dict[int, str]):
    """The text of each label set by its id: those of a process are the same object in family after family."""

    def __init__(self) -> None:
        super().__init__()
        self._pairs: dict[tuple[str, str], str] = {}

    def text(self, labels: Mapping[str, str]) -> str:
        """With its braces. Raises :class:`ValueError` for a name that is none of the plain ones."""
        pairs, texts = self._pairs, []
        for pair in sorted(labels.items()):
            text = pairs.get(pair)
            if text is None:
                text = pairs[pair] = _pair(*pair)
            texts.append(text)
        made = self[id(labels)] = f"{{{','.join(texts)}}}" if texts else ""
        return made


def _pair(name: str, value: str) -> str:
    if not _PLAIN_NAME.fullmatch(name):
        raise ValueError(name)
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{name}="{escaped}"'


def _quickly(metric: Metric, encoder: Encoder, end: bytes, labels: _Labels) -> bytes | None:
    """A family of many samples without times and exemplars; ``None`` for any other."""
    if len(metric.samples) < 2 or metric.type not in ("gauge", "counter"):
        return None
    try:
        lines = _lines(metric.samples, labels)
    except (AttributeError, TypeError, ValueError):
        return None
    first = Metric(metric.name, metric.documentation, metric.type, metric.unit)
    first.samples = metric.samples[:1]
    alone = encoder(_Collected((first,))).removesuffix(end)
    header = alone.removesuffix(lines[0].encode())
    return header + "".join(lines).encode() if header != alone and header.endswith(b"\n") else None


def _lines(samples: Sequence[Sample], labels: _Labels) -> list[str]:
    """Raises what odd values raise, and :class:`ValueError` where the samples are not all of the plain kind."""
    kinds = {(sample[0], *sample[3:]) for sample in samples}
    name, *rest = kinds.pop()
    if kinds or any(item is not None for item in rest) or not _PLAIN_NAME.fullmatch(name):
        raise ValueError(name)
    known, text = labels.get, labels.text
    return [f"{name}{known(id(sample[1])) or text(sample[1])} {_number(sample[2])}\n" for sample in samples]


def _number(value: float) -> str:
    text = repr(float(value))
    return text if "." in text[:7] else str(floatToGoString(value))  # type: ignore[no-untyped-call]


MAX_FORMATS = 8
"""Formats kept of one page; a scraper that invents more gets them made each time."""


Form = tuple[str, bool]
"""The content type, and whether the bytes are gzipped."""


class Page:
    """Metric families, rendered when first asked for. Safe to read from many threads."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._bodies: dict[Form, bytes] = {}
        self._accepts: dict[Form, str] = {}
        self._lock = threading.Lock()

    def body(self, accept: str = "", *, compressed: bool = False) -> tuple[bytes, str]:
        """The bytes and their content type: Prometheus' text format, or OpenMetrics where ``accept`` asks for it."""
        try:
            encoder, content_type = choose_encoder(accept)
        except Exception:  # noqa: BLE001 - a client's odd version number fails in the parser: it gets plain text
            accept = ""
            encoder, content_type = choose_encoder(accept)
        form = (content_type, compressed)
        with self._lock:
            if (body := self._bodies.get(form)) is not None:
                return body, content_type
            body = encode(self._metrics, encoder, content_type)
            if compressed:
                body = gzip.compress(body, compresslevel=1)
            if len(self._bodies) < MAX_FORMATS:
                self._bodies[form] = body
                self._accepts[form] = accept
        return body, content_type

    def asked_for(self) -> Collection[tuple[str, bool]]:
        """The ``accept`` and compression of each format given out, to make them ahead for the next page."""
        with self._lock:
            return [(accept, compressed) for (_type, compressed), accept in self._accepts.items()]


def accepts_gzip(header: str) -> bool:
    """Whether an ``Accept-Encoding`` takes gzip."""
    for item in header.lower().split(","):
        name, _, parameters = item.partition(";")
        if name.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
