"""Six services that decide. They were written before the rules were tuned: no rule may be changed for one of them."""

from benchmarks.recommendations.world import Truth

SERVICES = (
    Truth(name="web-preloaded", server="gunicorn", workers=8, limit_mb=2048, base_mb=420, shared_mb=360, parent_mb=370,
          leak_kib_per_job=12, jobs_per_hour=6000, history_jobs=8000, peak_mb=3),
    Truth(name="worker-rare-big-jobs", server="celery", workers=3, limit_mb=3072, base_mb=170, leak_kib_per_job=90,
          jobs_per_hour=900, history_jobs=800, peak_mb=5, big_mb=600, big_share=0.002),
    Truth(name="web-leak-per-hour", server="gunicorn", workers=3, limit_mb=1536, base_mb=190, leak_mb_per_hour=9,
          jobs_per_hour=2500, rate_spread=0.25, history_jobs=12000),
    Truth(name="worker-slow-jobs", server="celery", workers=2, limit_mb=4096, base_mb=260, leak_kib_per_job=3000,
          leak_spread=0.2, jobs_per_hour=30, history_jobs=60, peak_mb=150, peak_sigma=0.4, busy=0.9, parent_mb=240),
    Truth(name="web-wide-spread", server="gunicorn", workers=6, limit_mb=3072, base_mb=210, base_spread=0.06,
          leak_kib_per_job=25, leak_spread=0.35, jobs_per_hour=5000, rate_spread=0.5, history_jobs=6000, peak_mb=6,
          peak_sigma=0.9, others_mb=150),
    Truth(name="worker-warm-up-and-leak", server="celery", workers=4, limit_mb=3072, base_mb=130, warm_mb=120,
          warm_jobs=150, leak_kib_per_job=60, jobs_per_hour=1200, history_jobs=1500, peak_mb=10, peak_sigma=0.7),
)  # fmt: skip
