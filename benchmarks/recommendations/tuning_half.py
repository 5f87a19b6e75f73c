"""Six services that the rules may be tuned with."""

from benchmarks.recommendations.world import Truth

SERVICES = (
    Truth(name="web-leak-per-request", server="gunicorn", workers=4, limit_mb=2048, base_mb=180, leak_kib_per_job=20,
          jobs_per_hour=4000, history_jobs=5000),
    Truth(name="worker-leak-per-task", server="celery", workers=4, limit_mb=2048, base_mb=150, leak_kib_per_job=120,
          jobs_per_hour=600, history_jobs=400, peak_mb=8, parent_mb=140),
    Truth(name="worker-leak-per-hour", server="celery", workers=2, limit_mb=1024, base_mb=160, leak_mb_per_hour=6,
          jobs_per_hour=500, rate_spread=0.3, history_jobs=3000, peak_mb=4),
    Truth(name="web-warm-up-and-leak", server="gunicorn", workers=3, limit_mb=1536, base_mb=120, warm_mb=60,
          warm_jobs=400, leak_kib_per_job=30, jobs_per_hour=3000, history_jobs=4000),
    Truth(name="worker-big-peaks", server="celery", workers=2, limit_mb=2048, base_mb=140, leak_kib_per_job=200,
          jobs_per_hour=200, history_jobs=300, peak_mb=60, peak_sigma=0.6, busy=0.8),
    Truth(name="web-quiet", server="gunicorn", workers=4, limit_mb=1536, base_mb=200, warm_mb=30, warm_jobs=200,
          jobs_per_hour=3000, history_jobs=4000, leaks=False),
)  # fmt: skip
