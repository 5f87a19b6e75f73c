"""No leak: reports as workbooks of XlsxWriter in memory, of very different sizes, made and dropped.

Reported as jmcnamara/XlsxWriter#1031.

Holder: none; a workbook knows its sheets and formats, and memory that was needed once stays with the allocators.
"""

import io
import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="workbooks of many sizes",
    requires=("xlsxwriter==3.2.0",),
    source="https://github.com/jmcnamara/XlsxWriter/issues/1031",
)
_traffic = Traffic(429)
_random = random.Random(429)
_Workbook: Any = None


def setup() -> None:
    global _Workbook
    from xlsxwriter import Workbook

    _Workbook = Workbook


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 500 == 0:
        output = io.BytesIO()
        workbook = _Workbook(output, {"in_memory": True})
        sheet = workbook.add_worksheet("orders")
        bold = workbook.add_format({"bold": True})
        for row in range(_random.choice([5, 20, 60, 200, 400])):
            sheet.write(row, 0, f"order {i} {row}", bold)
            sheet.write(row, 1, row)
        workbook.close()
        assert output.getvalue().startswith(b"PK")
