"""The settings: one dict, ``MEMWATCH``, typed and checked; the environment variable ``MEMWATCH_<KEY>`` beats it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from memwatch.agent.config import AgentConfig, environment
from memwatch.conf.parsing import parsed, problems
from memwatch.conf.values import HUB_BY_WORKER

__all__ = ["HUB_BY_WORKER", "SettingError", "Settings", "default_folder", "get_settings", "problems", "read_settings"]

REPORT_GRACE_S = 30.0
"""What a report may take from the process to the database before its sender counts as silent."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Every key of ``MEMWATCH`` in lower case, with its default."""

    agent: bool = True
    """``off`` starts no agent in this process."""
    service: str | None = None
    """The service that the process belongs to: ``web``, ``worker``, ``beat``, …. Set it in the environment of each
    program; otherwise memwatch guesses it from the program."""
    host: str = dataclasses.field(default_factory=socket.gethostname)
    """The name of the host. If the names of your pods change, give the name of the node or the deployment. Default: the
    name that the system gives."""
    release: str = ""
    """The version of your code. memwatch shows since which release something grows."""
    snapshot_interval: float = 60.0
    """Seconds between two snapshots of a process."""
    top_objects_count: int = 20
    """How many of the largest types a snapshot reports. It also reports those that grow most."""
    enable_tracemalloc: bool = False
    """Trace allocations while ``get_memory_profiler()`` of a watched process runs. For debugging only: tracing makes
    Python several times slower. The agent itself never traces."""
    pause_budget_ms: float = 50.0
    """The longest pause in milliseconds that counting objects (a census) may cause. After a longer pause the next
    census is later. Only the fallback takes that long."""
    cpu_budget_percent: float = 0.5
    """Percent of one CPU that the agent may use for looking at a process's heap, on average. When it is used up, the
    agent counts objects less often."""
    heap_limit_mb: float | None = None
    """The memory limit of a process. Default: the smallest of the container's limit, the rlimits and the host's
    memory."""
    heap_warning_percent: float = 80.0
    """Percent of the limit from which a process's heap, its container, or the peak of a job raises a warning."""
    heap_critical_percent: float = 90.0
    """Percent of the limit from which the alert of ``heap_warning_percent`` is critical."""
    growth_rate_warning: float = 10.0
    """Growth of the memory floor (the lowest memory over some minutes), in percent an hour, from which a warning is
    raised."""
    gc_spike_threshold: float = 2.0
    """How many times as often as usual a process collects garbage before a warning is raised."""
    leak_min_growth_percent: float = 50.0
    """Percent by which a type must grow before memwatch judges whether it leaks. It must also grow by more than
    ``leak_min_growth_count``."""
    leak_min_growth_count: int = 100
    """Number of objects by which a type must grow before memwatch judges whether it leaks."""
    look_before_leak: bool = True
    """Look into a process's heap before a leak opens, and before it becomes high or critical, at most once an hour for
    each process. Garbage, and caches with an upper limit, are then no leaks. ``off``: the curve alone decides."""
    drift_warning_percent: float = 50.0
    """A warning is raised if the used heap is this many percent above the baseline for half an hour."""
    drift_critical_percent: float = 100.0
    """Percent from which the alert of ``drift_warning_percent`` is critical."""
    drift_min_mb: float = 50.0
    """A drift of fewer MB raises no alert, whatever its percentage."""
    release_change_percent: float = 10.0
    """An alert is raised if the workers of a new release take this many percent more memory than those of the previous
    release."""
    release_change_min_mb: float = 16.0
    """A change of fewer MB between two releases raises no alert, whatever its percentage."""
    work: bool = True
    """Measure memory by view, task and command. It takes at most 1 % of their time."""
    traces: str = "off"
    """``links``: the peaks of jobs and recordings name the trace and span of OpenTelemetry that they belong to.
    ``attributes``: spans also get ``memwatch.kept_bytes`` and ``memwatch.peak_bytes`` of their job. This asks your
    program's own ``opentelemetry`` in each job."""
    flight_recorder: bool = True
    """Keep what a process is doing in a file of 16 KB that outlives it, so that its end can be explained."""
    transport: str = "local:"
    """Carries reports and commands: ``local:`` on one host, ``redis://`` (``rediss://``, ``unix://``) between hosts."""
    hub_transport: str = ""
    """The transport that sends commands and reads reports, with more rights than ``transport``. ``worker``: this
    process has no such rights, and a Celery worker sends its commands. Empty: ``transport``."""
    command_key: str = ""
    """Signs commands to agents. It is the same in all processes of the site; other programs may have the key of their
    service (``memwatch_env``). Default: derived from Django's ``SECRET_KEY``."""
    command_key_previous: tuple[str, ...] = ()
    """The key before the last change. Agents that still have it obey commands until you remove it. Default: derived
    from Django's ``SECRET_KEY_FALLBACKS`` if ``command_key`` is derived."""
    command_key_file: str = ""
    """The file that contains ``command_key``, e.g. a secret that the container mounts. Further lines are
    earlier keys."""
    task_queue: str = "memwatch"
    """The Celery queue of memwatch's tasks."""
    retention_snapshots_hours: float = 48.0
    """How long snapshots are kept."""
    retention_hourly_days: float = 30.0
    """How long hourly roll-ups are kept."""
    retention_daily_days: float = 400.0
    """How long daily roll-ups are kept."""
    retention_findings_days: float = 400.0
    """How long closed leaks, cleared alerts, ended processes, old baselines, answered commands, recycled workers and
    rejected reports are kept."""
    retention_recordings_days: float = 30.0
    """How long recordings and their results are kept."""
    recordings_per_service_hour: int = 20
    """The highest number of recordings of one service within an hour, from all callers together."""
    recycling: bool = True
    """``off``: memwatch recycles no worker, whatever the policies say."""
    record_values: bool = False
    """Whether recordings of this process may show values of its objects to users with the permission for it.
    Types that hold sessions, passwords, keys or connections never show values; nor do memwatch's own worker and
    exporter."""
    recordings_database_kb: int = 512
    """Results of recordings up to this compressed size in KB are stored in the database. Larger ones go to a storage
    that web and worker share (``recordings_storage``)."""
    recordings_storage: str = ""
    """Storage for large results of recordings: an alias in Django's ``STORAGES``. No URL may serve its files. Default:
    files in ``recordings_folder``."""
    recordings_folder: str = ""
    """Folder for large results of recordings; only its user can read it (0700). Default: a folder beside the one of a
    bare ``local:``."""
    profiles_url: str = ""
    """The address of a Pyroscope server, e.g. ``https://user:token@profiles.example.org``. memwatch pushes every new
    flame graph, recording of allocation sites and heap summary to it, as a profile. Empty: nowhere."""
    profiles_tenant: str = ""
    """The tenant on the server of ``profiles_url`` (``X-Scope-OrgID``), if the server has several."""
    alert_channels: tuple[Any, ...] = ("memwatch.alerts.channels.log",)
    """Where alerts are sent: ``mailto:``, ``https://`` (or ``http://``), dotted paths of callables, or callables.
    Default: the log."""
    channel_timeout: float = 10.0
    """Seconds that a channel may take to deliver one message."""
    webhook_secret: str = ""
    """Signs messages to webhooks; required if there is one."""
    site_url: str = ""
    """The address of the site, for links to the admin in messages."""
    runbook_url: str = ""
    """The address where you publish ``docs/runbooks``, for links from the admin. Empty: no links."""
    api_token_days: float = 30.0
    """Days until a token of the API expires."""
    drf_tokens: bool = True
    """Whether the API also accepts tokens of ``rest_framework.authtoken``, until your clients have new ones. These
    tokens never expire, stay valid after a change of the password, and are stored in plain text. memwatch issues
    none."""
    metrics_token: str = ""
    """The bearer token of ``/metrics``. Without it and without ``metrics_allow_loopback``, every request is refused."""
    metrics_allow_loopback: bool = False
    """Answer ``/metrics`` on loopback without a token, unless the request has forwarding headers."""
    metrics_enabled: bool = True
    """``off``: ``/metrics`` answers 404."""
    metrics_namespace: str = "fogcompute"
    """Prefix of the metrics that begin with ``fogcompute_memory_`` by default."""
    metrics_type_limit: int = 100
    """The highest number of values of the label ``object_type``. Other types are added up as ``other``."""
    metrics_work_limit: int = 50
    """The highest number of views, tasks and commands of one service that have series of their own. Others are added up
    as ``(other)``."""

    @property
    def transport_url(self) -> str:
        """The transport with the folder of a bare ``local:`` filled in."""
        if self.transport.rstrip("/") in ("local", "local:"):
            return f"local://{default_folder()}?flights=memory"
        return self.transport

    @property
    def command_keys(self) -> tuple[str, ...]:
        """The key of commands, and those before the last change."""
        return (self.command_key, *self.command_key_previous)

    @property
    def recordings_folder_path(self) -> Path:
        """The folder for outcomes of recordings, with the default filled in."""
        return Path(self.recordings_folder) if self.recordings_folder else Path(f"{default_folder()}-recordings")

    @property
    def silent_after_s(self) -> float:
        """Seconds without a report after which a process counts as silent: two intervals, and time to store them."""
        return 2 * self.snapshot_interval + REPORT_GRACE_S

    @property
    def hub_url(self) -> str:
        """The transport as the server uses it."""
        return self.hub_transport if self.hub_transport not in ("", HUB_BY_WORKER) else self.transport_url

    def agent_config(self) -> AgentConfig:
        """What the agent needs of this."""
        return AgentConfig(
            service=self.service,
            host=self.host,
            release=self.release,
            snapshot_interval=self.snapshot_interval,
            top_objects_count=self.top_objects_count,
            pause_budget_ms=self.pause_budget_ms,
            cpu_budget_percent=self.cpu_budget_percent,
            heap_limit_mb=self.heap_limit_mb,
            record_values=self.record_values and self.hub_transport in ("", HUB_BY_WORKER),
            enable_tracemalloc=self.enable_tracemalloc,
            work=self.work,
            traces=self.traces,
            flight_recorder=self.flight_recorder,
            transport=self.transport_url,
            command_key=self.command_key,
            command_key_previous=self.command_key_previous,
        )


def default_folder() -> Path:
    """The folder of ``local:``: the same for every process of the project and user, whatever the working directory."""
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    base = str(getattr(django_settings, "BASE_DIR", ""))
    digest = hashlib.sha256(f"{module}\0{base}".encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()).resolve() / f"memwatch-{os.getuid()}-{digest}"


class SettingError(ImproperlyConfigured):
    """A key of ``MEMWATCH`` that cannot be taken; the text names the key, the value and what would be right."""


@functools.lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The checked settings. Raises :class:`SettingError` that names every wrong key."""
    settings = read_settings(getattr(django_settings, "MEMWATCH", {}))
    if settings.command_key:
        return settings
    if settings.command_key_file:
        try:
            key, *previous = environment.read_keys(settings.command_key_file)
        except ValueError as error:
            raise SettingError(f'MEMWATCH["COMMAND_KEY_FILE"]: {error}') from None
    else:
        key, *previous = map(_derived, (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS))
    previous += settings.command_key_previous
    return dataclasses.replace(settings, command_key=key, command_key_previous=tuple(previous))


def _derived(secret: object) -> str:
    return hashlib.sha256(f"memwatch.commands:{secret}".encode()).hexdigest()


def read_settings(given: object) -> Settings:
    """A ``MEMWATCH`` dict with the environment over it, checked as by :func:`get_settings`."""
    if not isinstance(given, Mapping):
        raise SettingError(f"MEMWATCH is a {type(given).__name__}: give a dict")
    values, wrong = parsed(given, os.environ)
    if wrong:
        raise SettingError("; ".join(sentence for _key, sentence in wrong))
    return Settings(**values)


def _forget(*, setting: str, **_kwargs: Any) -> None:
    if setting in ("MEMWATCH", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "BASE_DIR"):
        get_settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="memwatch.conf")
