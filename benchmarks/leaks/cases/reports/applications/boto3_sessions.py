"""No leak: a botocore session and client for each upload; they are in cycles with handlers and loaders.

Reported as boto/botocore#805 and boto/boto3#1670: clients seem never to be freed, until a full collection.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="botocore sessions and clients, made and dropped",
    requires=("botocore==1.35.90",),
    source="https://github.com/boto/botocore/issues/805",
)
_traffic = Traffic(24)
_session: Any = None


def setup() -> None:
    global _session
    import botocore.session

    _session = botocore.session


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 2000 == 0:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        _session.get_session().create_client("sqs", region_name="eu-west-1", **keys)
