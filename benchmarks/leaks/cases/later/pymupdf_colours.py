"""Grey pictures of scanned pages, changed to colours by PyMuPDF.

Reported as pymupdf/PyMuPDF#4125 of 1.25.0.

Holder: MuPDF's memory of the changed picture.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="pictures of MuPDF with another colour space",
    leaks="native",
    leaking_release="pymupdf==1.25.0",
    fixed_release="pymupdf==1.25.2",
    source="https://github.com/pymupdf/PyMuPDF/issues/4125",
)
_traffic = Traffic(205)
_mupdf: Any = None


def setup() -> None:
    global _mupdf
    import pymupdf

    _mupdf = pymupdf


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        scanned = _mupdf.Pixmap(_mupdf.csGRAY, _mupdf.IRect(0, 0, 180 + i // 100 % 30, 250))
        scanned.clear_with(128)
        assert _mupdf.Pixmap(_mupdf.csRGB, scanned).n == 3
