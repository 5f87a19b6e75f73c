"""From what was said to what it is worth: pure functions of a program and of its outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.deaths.program import HALVES, IDLE, OOM, End, Program

RIGHT = 0.95
"""At least so many of the programs get the right reason, and of those with a job the right job."""
WITHIN_S = 60.0
"""From the end to the reason in the row."""
BLAMED = 0
"""At most so many times a kill by a neighbour, or of a neighbour, is called a leak or a lack of memory of its own."""


def is_reason_right(program: Program, outcome: Mapping[str, Any]) -> bool:
    """Of each process that ended; and nothing is said of one that lives, or was not to end."""
    if outcome["surplus"] or outcome["said dead"]:
        return False
    return all(is_right(program.ends[each["end"]], each) for each in outcome["ends"])


def is_right(end: End, said: Mapping[str, Any]) -> bool:
    """Whether the reason of one process is right."""
    reason: str | None = said["reason"]
    return reason in end.right if reason is not None else end.may_lack


def has_job(program: Program) -> bool:
    """Whether a job was running that has to be named."""
    return any(end.job for end in program.ends)


def is_job_right(program: Program, outcome: Mapping[str, Any]) -> bool:
    """Of each process of which it is known what ran; where none ran, none may be named."""
    return all(_is_job_right(program, each) for each in outcome["ends"])


def _is_job_right(program: Program, said: Mapping[str, Any]) -> bool:
    end = program.ends[said["end"]]
    if end.job is None or (end.may_lack and said["reason"] is None):
        return True
    named: str = said.get("job", "")
    return named == (program.job(end.job) if end.job != IDLE else "")


def slowest_s(outcome: Mapping[str, Any]) -> float | None:
    """Of the processes with a reason."""
    return max((each["seconds"] for each in outcome["ends"] if each["reason"]), default=None)


def blamed(program: Program, outcome: Mapping[str, Any]) -> list[str]:
    """Leaks that were opened, and lack of memory that is said where the kernel killed nobody of the server."""
    wrong = [f"leak of {leak}" for leak in outcome["leaks"]]
    others = [each for each in outcome["ends"] if not set(program.ends[each["end"]].right) & set(OOM)]
    return wrong + [str(each["reason"]) for each in (*others, *outcome["said dead"]) if each["reason"] in OOM]


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """Of one half."""

    programs: int = 0
    reasons: int = 0
    with_job: int = 0
    jobs: int = 0
    named_for_nothing: int = 0
    """Programs in which a job was named that did not run."""
    blamed: int = 0
    late: int = 0
    slowest_s: float = 0.0

    @property
    def within(self) -> bool:
        """Whether it is as good as it has to be; a half without programs is."""
        right = self.reasons >= RIGHT * self.programs and self.jobs >= RIGHT * self.with_job
        rare = self.named_for_nothing + self.late <= (1 - RIGHT) * self.programs
        return right and rare and self.blamed <= BLAMED

    def __str__(self) -> str:
        return (
            f"{self.programs} programs; reason right in {_share(self.reasons, self.programs)} (at least {RIGHT:.0%}), "
            f"running job right in {_share(self.jobs, self.with_job)} of {self.with_job} with one (at least "
            f"{RIGHT:.0%}), a job named in {self.named_for_nothing} where none ran; called a leak or a lack of memory "
            f"of its own without being one: {self.blamed} (at most {BLAMED}); {self.late} later than {WITHIN_S:.0f} s, "
            f"the slowest after {self.slowest_s:.0f} s"
        )


def _share(count: int, of: int) -> str:
    return f"{count / of:.0%}" if of else "all"


def score(programs: Mapping[str, Program], outcomes: Sequence[Mapping[str, Any]], half: str) -> Score:
    """The sum over the programs of the half."""
    judged = [(programs[outcome["program"]], outcome) for outcome in outcomes]
    judged = [(program, outcome) for program, outcome in judged if program.half == half]
    with_job = [(program, outcome) for program, outcome in judged if has_job(program)]
    without = [(program, outcome) for program, outcome in judged if not has_job(program)]
    seconds = [slowest_s(outcome) or 0.0 for _program, outcome in judged]
    return Score(
        programs=len(judged),
        reasons=sum(is_reason_right(program, outcome) for program, outcome in judged),
        with_job=len(with_job),
        jobs=sum(is_job_right(program, outcome) for program, outcome in with_job),
        named_for_nothing=sum(not is_job_right(program, outcome) for program, outcome in without),
        blamed=sum(len(blamed(program, outcome)) for program, outcome in judged),
        late=sum(each > WITHIN_S for each in seconds),
        slowest_s=max(seconds, default=0.0),
    )


def report(programs: Mapping[str, Program], outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Each half as a table, with its sum."""
    parts = []
    for half in HALVES:
        mine = [outcome for outcome in outcomes if programs[outcome["program"]].half == half]
        if mine:
            head = ("program", "right", "said", "job", "within", "wrong")
            rows = [_row(programs[outcome["program"]], outcome) for outcome in mine]
            parts += [f"{half} half", _table([head, *rows]), str(score(programs, outcomes, half)), ""]
    return "\n".join(parts)


def _row(program: Program, outcome: Mapping[str, Any]) -> tuple[str, ...]:
    right = _in_order(" or ".join(program.ends[each["end"]].right) for each in outcome["ends"]) or "none ends"
    said = _in_order(str(each["reason"] or "nothing") for each in outcome["ends"])
    jobs = _in_order(each.get("job", "") for each in outcome["ends"])
    seconds = slowest_s(outcome)
    return (
        program.name, right, said or "-", jobs or "-", "-" if seconds is None else f"{seconds:.0f} s",
        "; ".join(faults(program, outcome)) or "-",
    )  # fmt: skip


def faults(program: Program, outcome: Mapping[str, Any]) -> list[str]:
    """What is wrong with it, in words."""
    wrong = [
        f"pid {each['pid']} ended as {each['truly'] or 'not known'}: {each['reason'] or 'nothing'}"
        for each in outcome["ends"]
        if not is_right(program.ends[each["end"]], each)
    ]
    wrong += [f"pid {each['pid']} ended as {each['truly']}, not asked for" for each in outcome["surplus"]]
    wrong += [f"pid {each['pid']} lives: {each['reason']}" for each in outcome["said dead"]]
    if not is_job_right(program, outcome):
        wrong.append("job")
    wrong += blamed(program, outcome)
    if (slowest_s(outcome) or 0.0) > WITHIN_S:
        wrong.append("late")
    return wrong


def _in_order(texts: Any) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(f"   {line}" for line in lines)
