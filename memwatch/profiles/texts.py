"""Profiles as text: collapsed stacks, and the file format of speedscope."""

from __future__ import annotations

import json
from typing import Any

from memwatch.profiles.profile import Frame, Profile

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def collapsed(profile: Profile) -> bytes:
    """One line a stack with its bytes, the outermost frame first: flamegraph.pl, inferno and speedscope read it."""
    lines: dict[str, int] = {}
    for sample in profile.samples:
        stack = ";".join(frame.text for frame in sample.stack) or "(unknown)"
        lines[stack] = lines.get(stack, 0) + sample.size
    return "".join(f"{stack} {size}\n" for stack, size in sorted(lines.items())).encode("utf-8", "backslashreplace")


def speedscope(profile: Profile) -> bytes:
    """Two profiles over the same frames: bytes, which is shown first, and objects."""
    frames: dict[Frame, int] = {}
    stacks = [[frames.setdefault(frame, len(frames)) for frame in sample.stack] for sample in profile.samples]
    by_size, by_count = ([getattr(sample, field) for sample in profile.samples] for field in ("size", "objects"))
    content = {
        "$schema": SCHEMA,
        "name": profile.name,
        "exporter": "memwatch",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in frames]},
        "profiles": [
            _sampled(f"{profile.name}: bytes", "bytes", stacks, by_size),
            _sampled(f"{profile.name}: objects", "none", stacks, by_count),
        ],
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _frame(frame: Frame) -> dict[str, Any]:
    place = {"file": frame.file, "line": frame.line} if frame.line else {"file": frame.file}
    return {"name": frame.function, **(place if frame.file else {})}


def _sampled(name: str, unit: str, stacks: list[list[int]], weights: list[int]) -> dict[str, Any]:
    return {
        "type": "sampled", "name": name, "unit": unit, "startValue": 0, "endValue": sum(weights),
        "samples": stacks, "weights": weights,
    }  # fmt: skip
