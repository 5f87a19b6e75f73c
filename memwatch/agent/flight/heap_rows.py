"""What a heap is made of, from one census: the types, and what the big containers hold."""

from __future__ import annotations

from memwatch.records import MB, BigContainer, MemorySnapshot
from memwatch.records.flight import MAX_SUMMARY, TypeSize


def heap_rows(snapshot: MemorySnapshot) -> list[TypeSize]:
    """The largest first; sizes are without what an object refers to, and not known of every type."""
    counts, sizes = snapshot.top_objects or {}, snapshot.type_sizes or {}
    rows = [TypeSize(name, count, _mb(count, sizes.get(name))) for name, count in counts.items()]
    rows += [_held(each) for each in snapshot.big_containers or () if each.holds]
    rows.sort(key=lambda row: (-(row.mb or 0.0), -row.objects))
    return rows[:MAX_SUMMARY]


def _held(container: BigContainer) -> TypeSize:
    where = f"{container.type} {container.name}" if container.name else container.type
    return TypeSize(f"{container.holds} in {where}", container.length, _mb(container.length, container.entry_bytes))


def _mb(objects: int, each: float | None) -> float | None:
    return None if each is None else round(objects * each / MB, 2)
