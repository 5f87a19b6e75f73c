"""From what was said to what it is worth: pure functions of a program and of its outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.work.program import HALVES, Leak, Program
from memwatch.records.work import EVERY

FIRST, AMONG = 0.90, 0.97
"""At least so many of the leaks name their culprit first, and among the first three."""
BLAMED = 0
"""At most so many names are blamed where none leaks."""
THREE = 3


def rank(program: Program, leak: Leak, named: Sequence[str]) -> int | None:
    """Place of the first name that is right, from 0; a name that is always called with the culprit is right too."""
    right = _right(program, leak.names)
    return next((place for place, name in enumerate(named) if name in right), None)


def is_first(program: Program, leak: Leak, named: Sequence[str]) -> bool:
    """Whether the answer begins with a culprit."""
    return rank(program, leak, named) == 0


def is_among(program: Program, leak: Leak, named: Sequence[str]) -> bool:
    """Whether each culprit is among the first three."""
    return all(set(named[:THREE]) & _right(program, [culprit]) for culprit in leak.names)


def beside(program: Program, leak: Leak, named: Sequence[str]) -> list[str]:
    """Names that a leak blames although their calls leave nothing of it behind."""
    right = _right(program, leak.names)
    return [name for name in named if name not in right]


def blamed_for_nothing(program: Program, outcome: Mapping[str, Any]) -> list[str]:
    """What open leaks blame in a program of which no name leaks, or for what no single name leaves behind.

    Every job, or all names together, are not blamed wrongly for what is kept at every job; some names are.
    """
    return [
        name
        for leak in outcome["leaks"]
        if (not program.leaks or leak["of_no_name"]) and not (program.every_job and _is_every(program, leak["named"]))
        for name in leak["named"]
    ]


def _is_every(program: Program, named: Sequence[str]) -> bool:
    return set(named) == {EVERY} or set(named) >= set(program.names)


def _right(program: Program, culprits: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(program.inseparable(culprit) for culprit in culprits))


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """Of one half."""

    leaks: int = 0
    first: int = 0
    among: int = 0
    opened: int = 0
    """Those that memwatch opened; of the others, the attribution was asked directly."""
    harmless: int = 0
    """Programs of which no name leaks."""
    blamed: int = 0

    @property
    def within(self) -> bool:
        """Whether it is as good as it has to be; a half without programs is."""
        few = self.blamed <= BLAMED
        return few and self.first >= FIRST * self.leaks and self.among >= AMONG * self.leaks

    def __str__(self) -> str:
        share = max(1, self.leaks)
        return (
            f"{self.leaks} leaks, {self.opened} opened; culprit first in {self.first / share:.0%} "
            f"(at least {FIRST:.0%}), among the first three in {self.among / share:.0%} (at least {AMONG:.0%}); "
            f"{self.blamed} names blamed in {self.harmless} programs of which none leaks (at most {BLAMED})"
        )


def score(programs: Mapping[str, Program], outcomes: Sequence[Mapping[str, Any]], half: str) -> Score:
    """The sum over the programs of the half."""
    judged = [
        (program, leak, answer)
        for outcome in outcomes
        if (program := programs[outcome["program"]]).half == half
        for leak, answer in zip(program.leaks, outcome["answers"], strict=True)
    ]
    mine = [(programs[outcome["program"]], outcome) for outcome in outcomes]
    mine = [(program, outcome) for program, outcome in mine if program.half == half]
    return Score(
        leaks=len(judged),
        first=sum(is_first(program, leak, answer["named"]) for program, leak, answer in judged),
        among=sum(is_among(program, leak, answer["named"]) for program, leak, answer in judged),
        opened=sum(answer["leak"] is not None for _program, _leak, answer in judged),
        harmless=sum(not program.leaks for program, _outcome in mine),
        blamed=sum(len(blamed_for_nothing(program, outcome)) for program, outcome in mine),
    )


def report(programs: Mapping[str, Program], outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Each half as a table, with its sum."""
    parts = []
    for half in HALVES:
        mine = [outcome for outcome in outcomes if programs[outcome["program"]].half == half]
        if mine:
            head = ("program", "leak", "reported as", "first", "place", "of the growth", "others blamed")
            rows = [row for outcome in mine for row in _rows(programs[outcome["program"]], outcome)]
            parts += [f"{half} half", _table([head, *rows]), str(score(programs, outcomes, half)), ""]
    return "\n".join(parts)


def _rows(program: Program, outcome: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    for leak, answer in zip(program.leaks, outcome["answers"], strict=True):
        named, place = answer["named"], rank(program, leak, answer["named"])
        yield (
            program.name, leak.how, answer["leak"] or "(asked)", _first(answer) if named else answer["remark"] or "-",
            "-" if place is None else str(place + 1), answer["share"], ", ".join(beside(program, leak, named)) or "-",
        )  # fmt: skip
    unnamed = " ".join(filter(None, (program.ticking, program.every_job)))
    if not program.leaks or unnamed:
        opened = ", ".join(leak["type"] for leak in outcome["leaks"] if not program.leaks or leak["of_no_name"])
        wrong = ", ".join(blamed_for_nothing(program, outcome))
        yield program.name, unnamed or "none", opened or "-", "-", "-", "-", wrong or "-"


def _first(answer: Mapping[str, Any]) -> str:
    return f"{answer['named'][0]} {answer['figures']}".strip()


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(f"   {line}" for line in lines)
