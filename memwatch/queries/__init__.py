"""The only cross-table readers: what the admin, the API and the metrics show, and what the services judge."""

from memwatch.queries.baselines import (
    baseline_of,
    baseline_with_user,
    baselines_of,
    drift_between,
    drift_of,
    last_snapshot_of,
)
from memwatch.queries.deployment.events import Event, events, events_of_service
from memwatch.queries.deployment.stats import stats, transport_state
from memwatch.queries.judging.detection_input import judged_histories, judged_history
from memwatch.queries.processes.fleet import (
    Glance,
    LeakGlance,
    ProcessFigures,
    figures_of_processes,
    fleet,
    glance,
    heap_drifts,
    leaks_at_a_glance,
    memory_limit_mb,
    metrics_of,
    open_leaks,
)
from memwatch.queries.series.pagination import Cursor, SnapshotPage, newest_snapshots
from memwatch.queries.series.snapshot_mapping import figures_of, figures_of_many
from memwatch.queries.series.snapshots import (
    Comparison,
    Row,
    baselines_known,
    compare,
    history,
    last_census,
    notable_snapshots,
    snapshot_at,
)
from memwatch.queries.series.timeseries import DAILY, HOURLY, Point, charted
from memwatch.queries.series.trends import Candidate, Recent, recent, recent_of

__all__ = [
    "DAILY",
    "HOURLY",
    "Candidate",
    "Comparison",
    "Cursor",
    "Event",
    "Glance",
    "LeakGlance",
    "Point",
    "ProcessFigures",
    "Recent",
    "Row",
    "SnapshotPage",
    "baseline_of",
    "baseline_with_user",
    "baselines_known",
    "baselines_of",
    "charted",
    "compare",
    "drift_between",
    "drift_of",
    "events",
    "events_of_service",
    "figures_of",
    "figures_of_many",
    "figures_of_processes",
    "fleet",
    "glance",
    "heap_drifts",
    "history",
    "judged_histories",
    "judged_history",
    "last_census",
    "last_snapshot_of",
    "leaks_at_a_glance",
    "memory_limit_mb",
    "metrics_of",
    "newest_snapshots",
    "notable_snapshots",
    "open_leaks",
    "recent",
    "recent_of",
    "snapshot_at",
    "stats",
    "transport_state",
]
