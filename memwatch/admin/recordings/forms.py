"""What is asked before a recording begins: its kind, its options, and what it costs the process."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from memwatch.diagnosis.options import LONGEST_TEXT, OF_KIND, Option
from memwatch.models import FlameGraphMode, Leak, Process, RecordingKind
from memwatch.services.recordings import triggers

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Text

CAUSE = "cause"
"""Not one kind but those that together tell the cause of a leak."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offer:
    """A button: what it says, and what it costs."""

    kind: str
    label: Text
    cost: Text
    of_process: Text | None = None
    """What the button says on the page of a process, where no leak says what "it" is."""

    @property
    def process_label(self) -> Text:
        return self.of_process or self.label


OFFERS = {
    offer.kind: offer
    for offer in (
        Offer(
            kind=CAUSE,
            label=gettext_lazy("Find the cause"),
            cost=gettext_lazy(
                "First memwatch records what refers to the objects: it looks at two copies of the process, "
                "some seconds apart. The process pauses for milliseconds at each fork. A copy takes seconds "
                "of CPU at low priority, and up to half of the memory of the process. Then it records for "
                "half a minute which lines allocate the objects. Code that allocates runs up to a few "
                "times slower in that time, and the recording takes up to 64 MB. If a line of a library allocates "
                "them, six more seconds with whole call stacks follow, which cost more. Both stop by "
                "themselves; the second stops early if the process falls behind."
            ),
        ),
        Offer(
            kind=RecordingKind.REFERRERS,
            label=gettext_lazy("Record referrers"),
            of_process=gettext_lazy("Record referrers of a type"),
            cost=gettext_lazy(
                "memwatch looks at two copies of the process, some seconds or some tens of calls apart. The "
                "process pauses for milliseconds at each fork. A copy takes seconds of CPU at low priority "
                "and up to half of the memory of the process; without room for that, no copy is made. If no "
                "copy can be made, memwatch walks the heap in pieces, at a tenth of a core, as far as pauses "
                "of at most 50 ms allow."
            ),
        ),
        Offer(
            kind=RecordingKind.ALLOCATIONS,
            label=gettext_lazy("Record allocations"),
            cost=gettext_lazy(
                "Traces every allocation while it runs. Code that allocates much runs slower, up to a few "
                "times, and more so with more frames. The recording takes up to 64 MB. It stops by itself, "
                "and early if the process falls behind. Memory allocated before is not shown."
            ),
        ),
        Offer(
            kind=RecordingKind.FLAMEGRAPH,
            label=gettext_lazy("Record a flame graph"),
            cost=gettext_lazy(
                "memray traces every allocation while it runs, also those of extension modules. The process "
                "runs slower, more so with native frames, and writes up to 16 MB to its temporary folder. "
                "Memory allocated before is not shown."
            ),
        ),
        Offer(
            kind=RecordingKind.HEAP_SUMMARY,
            label=gettext_lazy("Record a heap summary"),
            cost=gettext_lazy(
                "memwatch looks at a copy of the process. The process pauses for milliseconds at the fork. "
                "The copy takes seconds of CPU at low priority and up to half of the memory of the process."
            ),
        ),
        Offer(
            kind=RecordingKind.HEAP_DUMP,
            label=gettext_lazy("Record a heap dump"),
            cost=gettext_lazy(
                "A copy of the process writes down every object: its type, its size and what it refers to, no "
                "contents. The process pauses for milliseconds at the fork. The copy takes seconds of CPU at low "
                "priority and about as much memory as the process; without room for that, no copy is made. The file "
                "is written to the temporary folder of the process, then sent."
            ),
        ),
        Offer(
            kind=RecordingKind.TRIM,
            label=gettext_lazy("Check the allocator"),
            cost=gettext_lazy(
                "The process returns the memory that malloc holds and does not use (malloc_trim), and memwatch "
                "measures how much that is and how fast it grows back. The call takes 0.2 to 0.7 ms for each "
                "megabyte, so up to 1.4 s for 2 GB. Threads that need memory wait for it. Afterwards the program "
                "takes memory from the system again when it needs it. No code of the program runs, and nothing that "
                "is in use is freed."
            ),
        ),
    )
}


def offered(*, leak: Leak | None, kind: str = "", forbidden: Collection[str] = ()) -> list[Offer]:
    """The buttons of a leak, or of a process; of one kind where that is named."""
    if kind in OFFERS:
        return [OFFERS[kind]] if kind not in forbidden else []
    with_type = leak is not None and "type" in triggers.asked_for(leak)
    return [
        offer
        for offer in OFFERS.values()
        if (leak is not None or offer.kind != CAUSE)
        and (with_type or leak is None or offer.kind != RecordingKind.REFERRERS)
        and (offer.kind != RecordingKind.TRIM or leak is None or leak.kind == Leak.Kind.NATIVE)
        and offer.kind not in forbidden
    ]


_LABELS = {
    "type": gettext_lazy("Type"),
    "values": gettext_lazy("Show values of some objects"),
    "duration_s": gettext_lazy("Seconds"),
    "frames": gettext_lazy("Frames of each traceback"),
    "mode": gettext_lazy("Shows"),
    "native_traces": gettext_lazy("Native frames"),
    "max_pause_ms": gettext_lazy("Longest call, in milliseconds"),
    "watch_minutes": gettext_lazy("Follow it for, in minutes"),
    "keys": gettext_lazy("Name keys of dicts"),
    "max_mb": gettext_lazy("Largest file, in megabytes"),
    "any_driver": gettext_lazy("Also with CUDA or gRPC"),
}
"""The options that the form offers."""


def _field(name: str, option: Option) -> forms.Field:
    words: dict[str, Any] = {"label": _LABELS[name], "help_text": gettext(option.help)}
    if option.kind == "flag":
        return forms.BooleanField(required=False, **words)
    if option.kind == "choice":
        return forms.ChoiceField(choices=FlameGraphMode.choices, **words)
    if option.kind == "text":
        shown = forms.TextInput(attrs={"class": "vTextField", "placeholder": "shop.leaks.PriceQuote"})
        return forms.CharField(max_length=LONGEST_TEXT, widget=shown, **words)
    return forms.IntegerField(min_value=1, max_value=option.most, initial=option.default, **words)


class RecordForm(forms.Form):
    """The options of one kind."""

    def __init__(
        self,
        *args: Any,
        kind: str,
        leak: Leak | None,
        process: Process | None,
        values: bool,
        keys: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        asked = triggers.asked_for(leak) if leak is not None else {}
        options = OF_KIND.get(kind, {})
        hidden = {name for name, may in (("values", values), ("keys", keys)) if not may}
        for name in _LABELS:
            if name in options and not (name == "type" and "type" in asked) and (name not in hidden):
                self.fields[name] = _field(name, options[name])
        if "type" in self.fields and kind == RecordingKind.ALLOCATIONS:
            self.fields["type"].required = False
        if "native_traces" in self.fields and leak is not None:
            self.fields["native_traces"].initial = leak.kind == Leak.Kind.NATIVE

    def options(self) -> dict[str, Any]:
        """What was filled in."""
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
