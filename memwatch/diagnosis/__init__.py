"""On demand, in a chosen process: what refers to a type, where memory is allocated, a flame graph, a heap summary,
memory that the allocator keeps.

Nothing of it is imported before it is asked for, and only :data:`KINDS` is needed to ask.
"""

KINDS = ("referrers", "allocations", "flamegraph", "heap_summary", "trim", "heap_dump")
