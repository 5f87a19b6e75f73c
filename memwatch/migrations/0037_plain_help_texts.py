from django.db import migrations
from django.db.migrations.operations.base import Operation


HELP_TEXTS = {
    "alert": {
        "began_at": "Start of the episode. Earlier than the time raised if the alert got worse since.",
        "leak": "The leak that raised the alert. If several processes have it, the leak of one of them.",
        "processes": "Number of processes with the leak. After the alert is cleared: the last number.",
        "subject": "Identifies what it is about, so that it is raised only once.",
    },
    "anomaly": {
        "changes": "Releases, restarts, settings and load that changed when it began.",
        "figures": "The unusual figures by name: the value, the usual value, and how far the value is beyond it.",
        "process": "Empty if the whole service is unusual.",
        "score": "How unusual it is, 0 to 100. An anomaly begins at 25.",
        "sibling": "A process of the same service, release and age that behaves as usual.",
    },
    "baseline": {
        "counts": "Number of objects by ObjectType id; null if no census was taken.",
        "extras": "Big containers and sampled sizes, if the census looked at them.",
        "service": "The service of the process, or the service that the baseline is for.",
    },
    "counter": {
        "labels": "key=value,…, sorted by key.",
    },
    "eventcursor": {
        "at": "Events up to this time were sent.",
        "began_at": "Earlier events are not sent.",
        "sent": "Ids and times of the latest sent events, so that an event stored late is also sent, and only once.",
    },
    "expectedgrowth": {
        "expires_at": "Leave empty for no end.",
        "service": "Leave empty for every service.",
        "suppressed_verdicts": "How often this entry suppressed a leak: once for each leak and each time memwatch judged it.",
    },
    "forecast": {
        "latest": "Late end of the likely time. Empty if memory may never run out.",
        "process": "The process itself; for a container, the one that reports it; for a host, its largest.",
        "subject": "Identifies the process, container or host, so that each has one forecast.",
    },
    "installation": {
        "digest": "SHA-256 of the release, and of the names and versions of the distributions.",
        "imported": "Names of the distributions that at least one process has imported, sorted.",
        "packages": "By package: its distribution, and the number of modules over all processes that reported them.",
        "reports": "Number of processes that reported what they had imported.",
        "versions": "Versions of the installed distributions, by name.",
    },
    "leak": {
        "growth_per_hour": "In objects, blocks (untracked) or KB (native).",
        "probability": "Probability that it is a leak, 0 to 1. Empty if an older version of memwatch judged it last.",
        "process": "Empty if the whole service leaks (recycled workers).",
    },
    "leakevent": {
        "by_a_person": "Whether a user did it, even if deleted since.",
    },
    "notification": {
        "episode": "Messages of one episode are delivered in order.",
        "recording": "Set if it is the profile of this recording, for the server in PROFILES_URL.",
        "recycle": "Set if the message is about a recycled worker instead of an alert.",
    },
    "process": {
        "allocator_settings": "Environment variables that the allocators read. Null if the agent does not report them.",
        "census_method": "The native walk, or the fallback and the reason for it. Empty if the agent does not report it.",
        "cpu_budget_percent": "Share of one CPU for looking at the heap, in percent.",
        "end_evidence": "What the process was doing at its end, and its memory. Empty if that is not known.",
        "end_noted_at": "When memwatch last learned about its end, by the server's clock.",
        "frozen_objects": "Objects that gc.freeze() set apart before the fork.",
        "growing_since": "When its resident memory began to grow steadily.",
        "leaks_known": "Whether its objects were counted often enough to say if it leaks.",
        "oom_group_kills": "Kills of the whole container at once.",
        "oom_kills": "Processes in its container that the kernel had killed by its last report.",
        "server_settings": "How its server runs and recycles processes, as far as the server tells.",
        "start_method": "fork, forkserver or spawn. Empty for a program that was started on its own.",
        "surroundings": "What uses the memory of its container. Empty if this process does not report it.",
    },
    "recording": {
        "and_then": "Further kinds to record in the same process afterwards, separated by commas.",
        "artifact": "Name of the file in the storage. Empty if the result is in the database, or if there is none.",
        "look": "Made by leak detection before it opens a leak or raises its severity.",
        "parts": "Number of parts of the artifact. 0 if none is known.",
        "traces": "Spans of the jobs that ran when the recording began or ended.",
    },
    "recycle": {
        "drain_minutes": "The policy's time-out when the order was sent.",
        "grew_back": "Whether the successor was due again within the interval.",
        "notified_at": "When its notification was due, whether or not one was sent.",
    },
    "recyclingpolicy": {
        "checks": "How many checks in a row must find a worker due. A check is made every minute.",
        "drain_minutes": "How long a worker may take to end. After that memwatch leaves it alone.",
        "limit_mb": "Limit of the worker's private memory, which it shares with no other process.",
        "limit_percent": "The same in percent of the process's memory limit. Give this or MB.",
        "minutes": "Minimum time between two recycles of the service. Workers younger than this are left alone.",
        "mode": "Rehearse: memwatch only lists which workers it would recycle. Rehearse before you act.",
        "notify": "One message for each worker, through the channels in ALERT_CHANNELS.",
    },
    "rejectedreport": {
        "excerpt": "The beginning of the report, escaped.",
        "fingerprint": "Identifies the delivery, so that a repeated one is kept only once.",
    },
    "release": {
        "changed_at": "When memwatch first found that its processes take more memory than those before.",
        "changes": "The verdict on each figure, by the figure's name, and a sentence that sums them up.",
        "compared_with": "The previous release, if the processes of both were compared.",
    },
    "servicehour": {
        "age_s": "The median age of the service's workers.",
        "differences": "How the figures differ from those of the same hour in earlier weeks.",
        "fresh": "Whether the workers were younger than usual.",
        "jobs": "Jobs of one worker: the median.",
    },
    "snapshot": {
        "counts": "Number of objects by ObjectType id; null if no census was taken.",
        "extras": "Big containers and sampled sizes, if the census looked at them.",
        "received_at": "Time of arrival, by the server's clock.",
        "timestamp": "Time of the snapshot, by the process's clock.",
        "work": "Calls since the previous snapshot, by WorkName id; null if none ended.",
    },
    "snapshotrollup": {
        "figures": "[minimum, mean, maximum] of each figure, by the figure's column name.",
        "floors": "Lowest count of each reported type, by ObjectType id.",
    },
    "trigger": {
        "and_then": "Further kinds to record in the same process afterwards, in order.",
        "duration_s": "How long allocations and flame graphs record, at most 300. Other kinds ignore it.",
        "frames": "Depth of each allocation's traceback, at most 25. More frames cost more.",
        "level": "Resident memory in MB, heap in percent of its limit, or growth in percent an hour.",
        "native_traces": "Include frames of extension modules in flame graphs. This costs more.",
        "services": "Choose none for every service.",
        "severity": "Lowest severity of a leak that starts a recording.",
    },
    "workrollup": {
        "peak_counts": "Histogram of the peaks in KB.",
        "peak_kib_max": "How far resident memory rose above the start of the call, in KB.",
        "peak_process": "The process with the highest peak.",
        "peak_trace": "Trace of the call with the highest peak.",
        "seconds_counts": "Histogram of the duration in microseconds.",
        "shared": "Calls that ran at the same time as another job of their process.",
        "top_process": "The process whose resident memory was highest during a call.",
    },
    "worktotal": {
        "hour_kib": "Below 0 if calls freed more than they kept.",
        "kept_kib": "The highest net growth of each hour, added up over the hours.",
    },
}


class DescribeFields(Operation):
    """Help texts alone: no SQL, and no model is rendered again, which takes 20 ms a field."""

    def __init__(self, help_texts):
        self.help_texts = help_texts

    def state_forwards(self, app_label, state):
        for model, texts in self.help_texts.items():
            fields = state.models[app_label, model].fields
            for name, text in texts.items():
                fields[name] = fields[name].clone()
                fields[name].help_text = text

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        pass

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        pass

    def describe(self):
        return "Change the help texts of fields"


class Migration(migrations.Migration):
    dependencies = [
        ("memwatch", "0036_ends_noted_before_the_upgrade"),
    ]

    operations = [DescribeFields(HELP_TEXTS)]
