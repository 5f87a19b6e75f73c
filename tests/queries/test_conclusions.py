"""One truth of who holds it, for the leak's page, the recording's and the API."""

from __future__ import annotations

from typing import Any

from memwatch.models import Recording, RecordingKind
from memwatch.queries.diagnosis.recordings import conclude

TRAIL: dict[str, Any] = {
    "name": "shopaudit.AUDIT (shopaudit.AuditTrail) → attribute 'trail' (list, 300 entries)", "type": "list",
    "length": 300, "retained_kb": 90.0, "retained_is_lower_bound": False, "holds": 97, "of": 100, "grew": 61,
    "grows_per_call": 1.02, "call": "request", "sure": True, "attribute": "AuditTrail.trail",
    "code": "shopaudit/middleware.py:13", "code_line": "self.trail.append(request)",
    "own_code": True,
}  # fmt: skip
CONSTANT = {**TRAIL, "name": "library.ROUTES (tuple, 400 entries)", "type": "tuple", "grew": 0, "grows_per_call": 0.0,
            "holds": 30, "sure": False, "attribute": "", "code": "", "code_line": ""}  # fmt: skip


def found(*candidates: dict[str, Any]) -> dict[str, Any]:
    return {"type": "shop.Request", "instances": 700, "candidates": list(candidates), "holder": candidates[0],
            "chains": [{"path": ["library.ROUTES (tuple, 400 entries)", "shop.Request"], "count": 700, "root": ""}],
            "referrers": [], "samples": [], "notes": []}  # fmt: skip


def told(*candidates: dict[str, Any]) -> Any:
    return conclude([Recording(kind=RecordingKind.REFERRERS, result=found(*candidates))])


def test_a_sure_holder_is_named_with_the_programs_own_line_and_its_figures() -> None:
    one = told(TRAIL, CONSTANT)
    assert one.sure is True
    assert one.held_by.endswith("attribute 'trail' (list, 300 entries) → shop.Request")
    assert one.certainty == "holds 97 of 100 new ones; gains 1.0 entries with each request"
    assert (one.your_code, one.attribute) == ("shopaudit/middleware.py:13", "AuditTrail.trail")
    assert one.your_code_line == "self.trail.append(request)"
    assert one.others == (), "what is sure needs no others"


def test_what_has_not_grown_is_no_fact_and_others_are_named() -> None:
    one = told(CONSTANT, {**TRAIL, "sure": False})
    assert one.sure is False
    assert one.certainty == "holds 30 of 100 new ones; has not grown between two looks"
    assert len(one.others) == 1
    assert "trail" in one.others[0]


def test_a_librarys_line_is_not_called_the_programs_own() -> None:
    one = told({**TRAIL, "own_code": False, "code": "django/dispatch/dispatcher.py:120"})
    assert (one.your_code, one.your_code_line) == ("", "")
    assert "added to by a library at django/dispatch/dispatcher.py:120" in one.certainty


def test_a_result_of_an_older_agent_is_told_by_its_chain() -> None:
    old = {"chains": [{"path": ["shop.QUOTES (dict)", "shop.Quote"], "count": 5}], "holder": None}
    one = conclude([Recording(kind=RecordingKind.REFERRERS, result=old)])
    assert (one.held_by, one.sure) == ("shop.QUOTES (dict) → shop.Quote", None)


def test_how_much_would_be_free_is_told_where_it_was_measured() -> None:
    result = found(TRAIL)
    assert conclude([Recording(kind=RecordingKind.REFERRERS, result=result)]).freed == ""
    result |= {"retained_kb": 80.0, "retained_is_lower_bound": True}
    one = conclude([Recording(kind=RecordingKind.REFERRERS, result=result)])
    assert one.freed == "Without these objects at least 80.0 KB would be free, without the holder 90.0 KB."
    of_container = found({**TRAIL, "of": None}) | {"retained_kb": 90.0}
    one = conclude([Recording(kind=RecordingKind.REFERRERS, result=of_container)])
    assert one.freed == "Without it 90.0 KB would be free."
