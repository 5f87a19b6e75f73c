"""A message as channels get it."""

from __future__ import annotations

from typing import Any


def message(**values: Any) -> dict[str, Any]:
    return {
        "id": "5f0c0a1e-0000-4000-8000-000000000001", "type": "leak", "severity": "high",
        "message": "web-1 on a: shop.Quote leaks, grown by 12,000. Open the leak.",
        "timestamp": "2026-01-31T12:00:00+00:00", "value": 300.0, "threshold": 50.0, "unit": "% growth",
        "event": "raised", "state": "raised", "began_at": "2026-01-31T12:00:00+00:00", "duration_s": None,
        "worst_value": None, "summary": None, "service": "web", "host": "a", "slot": "web-1",
        "object_type": "shop.Quote", "url": "https://ops.example.org/admin/memwatch/leak/7/change/", **values,
    }  # fmt: skip
