"""How many jobs a worker may do, below which memory: the calculation, and its figures line by line."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from memwatch.detection.statistics.estimators import Slope
from memwatch.recommendations import fitting
from memwatch.recommendations.facts import PROCESS, Life, Peaks, Service
from memwatch.recommendations.fitting import Fit
from memwatch.recommendations.spread import CAREFUL, CONFIDENCE, EVEN, lower, upper, upper_mean, upper_sum

MIN_LIVES = 3
ENOUGH_POINTS = 60
"""A single worker is enough with so many figures."""
MIN_LIFE_JOBS, MIN_LIFE_S = 10, 600.0
"""A worker that is replaced sooner does little else than start."""
LONG_LIFE_H = 30 * 24.0
"""A worker that may live longer needs no recycling: a deploy comes before."""
SHORT_H = 24.0
"""Growth that cannot be distinguished from none is unknown where it could fill the memory in less."""
EXTRAPOLATION = 10
"""A life is not recommended to be longer than so many times the longest one seen."""
PEAK_MARGIN = 1.1
"""The highest peak of a week may be surpassed in the next."""

NO_LIMIT = "a limit of the container or of the process. Memory grows: give the container a limit, or set HEAP_LIMIT_MB"

RECYCLE, NOT_NEEDED, UNKNOWN, IMPOSSIBLE = "recycle", "not_needed", "unknown", "impossible"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What the lives of a service allow. Sizes in MB."""

    state: str
    missing: str = ""
    """With ``unknown``: what is not known."""
    fits: tuple[Fit, ...] = ()
    workers: int = 1
    by_time: bool = False
    target_mb: float | None = None
    """What all processes below the limit may take."""
    limit_mb: float | None = None
    fixed_mb: float = 0.0
    """What does not depend on the workers: other programs, the parent, shared pages."""
    others_mb: float = 0.0
    peak_mb: float = 0.0
    """Jobs of all workers at once: one with its highest peak, the others with a usual one."""
    highest_mb: float = 0.0
    """The highest peak of a job."""
    usual_mb: float = 0.0
    """The peak below which 95 % of the jobs stay."""
    per_process: bool = False
    """The limit is that of each process."""
    jobs: int | None = None
    """Of a life, jitter included; ``None``: no limit."""
    jobs_low: int | None = None
    jobs_high: int | None = None
    capped: bool = False
    """Longer lives are possible; none as long has been seen."""
    most_workers: int | None = None
    """So many fit."""

    @property
    def counted(self) -> int:
        """Workers that share the target."""
        return 1 if self.per_process else self.workers

    def bases_mb(self) -> list[float]:
        """What each life takes for itself when it is warm."""
        shared = self.per_process
        return [each.base(by_time=self.by_time) + (each.shared_mb if shared else 0.0) for each in self.fits]

    def growths_mb(self) -> list[float]:
        """Growth of each life by a job."""
        if not self.by_time:
            return [max(0.0, each.per_job.slope) for each in self.fits]
        rate = self.slow_rate
        return [max(0.0, each.per_hour.slope) / rate for each in self.fits] if rate else [0.0 for _ in self.fits]

    @property
    def slow_rate(self) -> float:
        """Jobs in an hour of a worker that has few."""
        rates = [each.jobs_per_hour for each in self.fits if each.jobs_per_hour > 0]
        return lower(rates) if rates else 0.0

    @property
    def usual_rate(self) -> float:
        """Jobs in an hour of the mean worker."""
        rates = [each.jobs_per_hour for each in self.fits]
        return sum(rates) / len(rates) if rates else 0.0

    def need_mb(self, workers: int, confidence: float = CONFIDENCE) -> float:
        """Of so many warm workers with their jobs, without any growth."""
        peak = self.highest_mb + (workers - 1) * self.usual_mb
        return self.fixed_mb + upper_sum(self.bases_mb(), workers, confidence) + peak

    def jobs_for(self, workers: int, confidence: float = CONFIDENCE) -> float:
        """Until so many workers, all equally old, reach the target; infinite without growth."""
        if self.target_mb is None:
            return math.inf
        growth = upper_sum(self.growths_mb(), workers, confidence)
        room = self.target_mb - self.need_mb(workers, confidence)
        return max(0.0, room) / growth if growth > 0 else (math.inf if room >= 0 else 0.0)

    def lives_long_enough(self, jobs: float) -> bool:
        """Whether a life of so many jobs is worth a start."""
        rate = self.usual_rate
        return jobs >= MIN_LIFE_JOBS and (not rate or jobs / rate * 3600 >= MIN_LIFE_S)


def plan(service: Service, target_share: float) -> Plan:
    """``target_share``: which part of its limit memory may reach."""
    fits = usable(service.lives)
    workers = max(1, service.workers)
    missing = _missing(service, fits)
    if missing:
        return Plan(state=UNKNOWN, missing=missing, fits=tuple(fits), workers=workers, limit_mb=service.limit_mb)
    per_process = service.limit_of == PROCESS
    shared = max((each.shared_mb for each in fits), default=0.0)
    highest, usual = peaks_of(service, fits)
    limit = service.limit_mb
    draft = Plan(
        state=RECYCLE,
        fits=tuple(fits),
        workers=workers,
        by_time=fitting.grows_with_time(fits),
        target_mb=None if limit is None else target_share * limit,
        limit_mb=limit,
        fixed_mb=0.0 if per_process else max(service.parent_mb, shared) + service.others_mb,
        others_mb=service.others_mb,
        highest_mb=highest,
        usual_mb=usual,
        per_process=per_process,
    )
    draft = dataclasses.replace(draft, peak_mb=highest + (draft.counted - 1) * usual, target_mb=_share(draft, service))
    return _judged(draft, grows=fitting.grows(fits))


def _share(draft: Plan, service: Service) -> float | None:
    """Every service below the limit may grow: each gets an even part of what is left."""
    need = draft.need_mb(draft.counted)
    if draft.target_mb is None or service.sharers < 2 or draft.per_process or need >= draft.target_mb:
        return draft.target_mb
    return need + (draft.target_mb - need) / service.sharers


def _judged(draft: Plan, *, grows: bool) -> Plan:
    n = draft.counted
    if draft.target_mb is not None and draft.need_mb(n) > draft.target_mb:
        return dataclasses.replace(draft, state=IMPOSSIBLE, most_workers=_most_workers(draft))
    if not grows:
        return _still(draft)
    if draft.target_mb is None or not draft.usual_rate:
        return _without_jobs(draft)
    jobs = draft.jobs_for(n)
    most = _most_workers(draft)
    if jobs / draft.usual_rate > LONG_LIFE_H:
        return dataclasses.replace(draft, state=NOT_NEEDED, most_workers=most)
    if not draft.lives_long_enough(jobs):
        return dataclasses.replace(draft, state=IMPOSSIBLE, most_workers=most)
    cap = EXTRAPOLATION * max(each.life.jobs for each in draft.fits)
    return dataclasses.replace(
        draft,
        jobs=rounded_down(min(jobs, cap)),
        jobs_low=rounded_down(min(draft.jobs_for(n, CAREFUL), cap, jobs)),
        jobs_high=rounded_down(max(jobs, draft.jobs_for(n, EVEN))),
        capped=jobs > cap,
        most_workers=most,
    )


def _without_jobs(draft: Plan) -> Plan:
    """No limit is known; or nothing counts its jobs, and its age alone can end a life."""
    if draft.target_mb is None:
        return dataclasses.replace(draft, state=UNKNOWN, missing=NO_LIMIT)
    long = _lasts_h(draft) > LONG_LIFE_H
    return dataclasses.replace(draft, state=NOT_NEEDED if long else RECYCLE, most_workers=_most_workers(draft))


def _still(draft: Plan) -> Plan:
    """No growth is proven; whether that is enough to say that there is none."""
    lasts_h = _lasts_h(draft)
    if lasts_h < SHORT_H:
        return dataclasses.replace(draft, state=UNKNOWN, missing=_noise(draft, lasts_h))
    still = dataclasses.replace(draft, fits=tuple(map(_without_growth, draft.fits)))
    return dataclasses.replace(still, state=NOT_NEEDED, most_workers=_most_workers(still))


def usable(lives: Sequence[Life]) -> list[Fit]:
    """Those that say something, of the newest release where it has enough of them."""
    fits = [found for life in lives if (found := fitting.fit(life)) is not None]
    releases = {each.life.release for each in fits}
    if len(releases) > 1:
        newest = max(fits, key=lambda each: each.life.started_s).life.release
        own = [each for each in fits if each.life.release == newest]
        if len(own) >= MIN_LIVES:
            return own
    return fits


def _missing(service: Service, fits: Sequence[Fit]) -> str:
    if not service.lives:
        return "no worker has reported in the last week"
    if len(fits) < MIN_LIVES and not any(len(each.life.points) >= ENOUGH_POINTS for each in fits):
        return (
            f"{len(fits)} of {MIN_LIVES} lives with at least {fitting.MIN_POINTS} figures each; or one worker with "
            f"{ENOUGH_POINTS} figures is enough"
        )
    oldest_s = max(each.life.points[-1].age_s for each in fits)
    if oldest_s < MIN_LIFE_S and sum(bool(each.life.end_reason) for each in fits) < MIN_LIVES:
        return (
            f"a worker that has run for {MIN_LIFE_S / 60:.0f} minutes, or {MIN_LIVES} that have ended; the oldest has "
            f"run for {oldest_s / 60:.0f} minutes"
        )
    return ""


def peaks_of(service: Service, fits: Sequence[Fit]) -> tuple[float, float]:
    """The highest and a usual peak of a worker. With threads several jobs have theirs at once."""
    peaks = service.peaks
    if peaks is None or not peaks.calls:
        seen = [max(0.0, each.highest_mb - each.base_mb - each.per_job.slope * each.life.jobs) for each in fits]
        peaks = Peaks(calls=0, typical_mb=max(seen), highest_mb=max(seen))
    threads = service.current.get("threads")
    more = threads - 1 if isinstance(threads, int) and threads > 1 else 0
    typical = min(peaks.typical_mb, peaks.highest_mb)
    return PEAK_MARGIN * peaks.highest_mb + more * typical, (1 + more) * typical


def _lasts_h(draft: Plan) -> float:
    """Hours until the target if the lives grow as fast as they may, although no growth is proven."""
    fastest = upper_mean([each.per_hour.slope for each in draft.fits])
    if draft.target_mb is None or fastest <= 0:
        return math.inf
    return (draft.target_mb - draft.need_mb(draft.counted)) / (fastest * draft.counted)


def _noise(draft: Plan, lasts_h: float) -> str:
    longest_h = max(each.life.points[-1].age_s for each in draft.fits) / fitting.HOUR_S
    return (
        f"longer lives: the longest one lasted {longest_h:.1f} h. Its growth cannot be distinguished from noise, and "
        f"the fastest that is possible would fill the memory in {lasts_h:.1f} h"
    )


def _without_growth(each: Fit) -> Fit:
    flat = Slope(0.0, 0.0, 0.0)
    base = max(each.base_mb, each.base_at_hour_0_mb)
    return dataclasses.replace(each, per_job=flat, per_hour=flat, base_mb=base, base_at_hour_0_mb=base)


def _most_workers(draft: Plan) -> int | None:
    """How many fit below the target and live long enough; ``None`` without a limit for all of them."""
    if draft.target_mb is None or draft.per_process:
        return None
    most = 0
    for workers in range(1, 8 * draft.workers + 1):
        if draft.need_mb(workers) > draft.target_mb or not draft.lives_long_enough(draft.jobs_for(workers)):
            break
        most = workers
    return most


def rounded_down(value: float) -> int:
    """To two significant digits."""
    whole = int(value)
    step = int(10 ** max(0, len(str(whole)) - 2))
    return whole // step * step


def room_mb(found: Plan) -> float:
    """What each worker may grow by; infinite without a target."""
    if found.target_mb is None:
        return math.inf
    return max(0.0, found.target_mb - found.need_mb(found.counted)) / found.counted


def grown_mb(found: Plan) -> float:
    """Resident memory that a worker may reach between two jobs; infinite without a target."""
    room = room_mb(found)
    if found.capped and found.jobs:
        room = min(room, upper(found.growths_mb()) * found.jobs)
    return rss_base_mb(found) + room


def rss_base_mb(found: Plan, confidence: float = CONFIDENCE) -> float:
    """Resident memory of a warm worker without its growth, as the kernel counts it: shared pages included."""
    return upper([each.base(by_time=found.by_time) + each.shared_mb for each in found.fits], confidence)
