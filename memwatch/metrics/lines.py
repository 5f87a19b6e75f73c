"""The bytes that prometheus_client's encoders make, made faster where a family has thousands of samples. No Django.

The encoder checks and escapes every label of every sample; here each is done once. What it writes stays the encoder's:
the first sample of each family is given to both, and where they differ the encoder writes the whole family.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import Metric
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
    """The same as ``encoder`` of these families; ``content_type`` is the one chosen with it."""
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
