"""Recordings as stack profiles for other tools: allocation sites, flame graphs, heap summaries, heap dumps."""

from __future__ import annotations

from types import MappingProxyType

from memwatch.models import Recording, RecordingKind
from memwatch.profiles import sources
from memwatch.profiles.forms import FORMS
from memwatch.profiles.profile import Profile, Sample
from memwatch.services.recordings import flamegraphs, heap_analyses, storage

KINDS = (RecordingKind.ALLOCATIONS, RecordingKind.FLAMEGRAPH, RecordingKind.HEAP_SUMMARY, RecordingKind.HEAP_DUMP)
"""The kinds that have sizes by stack, type or object."""
_OF_RESULT = MappingProxyType(
    {
        RecordingKind.ALLOCATIONS: sources.of_allocations,
        RecordingKind.HEAP_SUMMARY: sources.of_heap_summary,
    }
)


def made(recording: Recording, form: str) -> bytes:
    """A recording that is done in one of the forms of :data:`memwatch.profiles.forms.FORMS`.

    Raises :class:`ActionRefused` where it cannot be made (now), and :class:`storage.OutcomeMissing`.
    """
    if recording.kind == RecordingKind.FLAMEGRAPH:
        return flamegraphs.render(recording, form)
    return FORMS[form].write(
        Profile(
            samples=_samples(recording),
            name=str(recording),
            time_s=recording.finished_at.timestamp() if recording.finished_at else 0.0,
            duration_s=sources.seconds(dict(recording.measured).get("duration_s")),
            comments=(f"memwatch recording {recording.pk}: {recording}",),
        )
    )


def _samples(recording: Recording) -> tuple[Sample, ...]:
    if recording.kind == RecordingKind.HEAP_DUMP:
        return sources.of_dominators(heap_analyses.analysis(recording))
    read, result = _OF_RESULT.get(RecordingKind(recording.kind)), storage.result_of(recording)
    if read is None or result is None:
        raise storage.OutcomeMissing(f"{recording} has no sizes by stack")
    return read(result)
