"""How gunicorn serves the deployment's web: two workers, loopback unless told otherwise."""

import os
from typing import Any

from memwatch.prefork import freeze

bind = f"{os.environ.get('BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS", "2"))
worker_class = "gthread"
preload_app = True
threads = int(os.environ.get("WEB_THREADS", "4"))
graceful_timeout = 3
timeout = 60
accesslog = None
loglevel = os.environ.get("LOG_LEVEL", "info").lower()
if os.environ.get("LOG_FORMAT") == "json":
    logconfig_dict = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "{levelname}{name}{message}{process}",
                "style": "{",
                "timestamp": "time",
                "rename_fields": {"levelname": "level", "name": "logger", "process": "pid"},
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {"gunicorn.error": {"handlers": ["console"], "level": loglevel.upper(), "propagate": False}},
    }
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Before the first fork: no worker inherits a connection, and what is loaded stays shared with all of them."""
    from django.db import connections  # noqa: PLC0415 - the application is loaded by now

    connections.close_all()
    freeze(server)


def post_worker_init(_worker: Any) -> None:
    """With HEALTH_PORT, answer health checks beside the requests: see ``project/health_listener.py``."""
    if os.environ.get("HEALTH_PORT"):
        from project import health_listener  # noqa: PLC0415 - only where it is wanted

        health_listener.start(os.environ.get("HEALTH_BIND", "127.0.0.1"), int(os.environ["HEALTH_PORT"]))


def child_exit(_server: Any, worker: Any) -> None:
    """Drop the live gauges of a worker that ended (django-prometheus in multi-process mode)."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess  # noqa: PLC0415 - reads the environment when imported

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
