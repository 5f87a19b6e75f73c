"""What keeps the objects of a leak alive, and how much would be free without them: by a heap dump of its service."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.leaks.step import Step
from memwatch.admin.panels import Cell, Table, figure
from memwatch.heapdump.sizes import size_text
from memwatch.models import Leak, RecordingKind
from memwatch.services.recordings import heap_analyses
from memwatch.services.recordings.leak_heaps import LeakHeap

KEY = "heap-dump"
LONGEST_PATH = 400


def step(leak: Leak, heap: LeakHeap | None) -> Step:
    """The step with the holders, else the one that says what would show them."""
    title = _("What keeps these objects alive, and how much would be freed?")
    if heap is None:
        text = _("No heap dump with these objects is analysed. A heap dump names what holds them, and their size.")
        if reason := heap_analyses.unable():
            text = f"{text} {_('None can be analysed:')} {reason}."
        return Step(key=KEY, title=title, missing=text, by_recording=(RecordingKind.HEAP_DUMP,))
    return Step(
        key=KEY,
        title=title,
        answer=format_html("{} {}", _sentence(leak, heap), _source(leak, heap)),
        table=_table(heap),
        by_recording=(RecordingKind.HEAP_DUMP,),
    )


def _sentence(leak: Leak, heap: LeakHeap) -> str:
    words = {
        "count": formats.count(heap.count), "type": heap.type, "size": size_text(heap.size),
        "freed": size_text(heap.freed),
    }  # fmt: skip
    if leak.kind != Leak.Kind.OBJECTS:
        text = _("Most entries are %(count)s objects of %(type)s. Without the container %(freed)s would be free.")
        return text % words
    text = ngettext(
        "There is %(count)s object of %(size)s. Without it %(freed)s would be free.",
        "There are %(count)s objects of %(size)s. Without them %(freed)s would be free.",
        heap.count,
    )
    return text % words


def _source(leak: Leak, heap: LeakHeap) -> SafeString:
    """The dump, with the time that it shows."""
    dump = heap.recording
    pages = reverse("admin:memwatch_recording_heap", args=(dump.pk,))
    name = "type" if heap.holders else "q"
    link = formats.link(f"{pages}?{urlencode({name: heap.type})}", _("Open the heap dump at this type"))
    at = formats.when(dump.finished_at or dump.requested_at)
    if dump.process_id == leak.process_id:
        return format_html(_("Dumped {}. {}"), at, link)
    return format_html(_("Dumped {} from {}. {}"), at, dump.process, link)


def _table(heap: LeakHeap) -> Table:
    cells: list[list[Cell | str]] = []
    for group in heap.holders:
        retained = max(group["retained"], group["size"])
        place = f"{group['holder_file']}:{group['holder_line']}" if group["holder_line"] else group["holder_file"]
        holder = formats.type_name(group["holder"])
        if group["own"]:
            holder = format_html("<strong>{}</strong>", holder)
        way = formats.type_name(Truncator(group["shape"]).chars(LONGEST_PATH))
        cells.append(
            [
                Cell(text=format_html('{}<div class="mw-second">{}</div>', holder, way)),
                formats.type_name(place),
                figure(formats.count(group["count"]), group["count"]),
                figure(size_text(retained), retained),
            ]
        )
    return Table(
        title=_("Holders"),
        names=[_("Holder and path"), _("Code"), _("Objects"), _("Retained")],
        cells=cells,
        note=_("Holders in your own code are bold.") if any(group["own"] for group in heap.holders) else "",
    )
