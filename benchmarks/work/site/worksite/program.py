"""The program that this process is part of."""

import json
import os
from typing import Any

PROGRAM: dict[str, Any] = {
    "server": "sync", "names": [], "leaks": [], "ticking": "", "harmless": [], "every_job": "", "slow": {},
    "streaming": [], "nested": {},
    **json.loads(os.environ.get("WORK_PROGRAM", "{}")),
}  # fmt: skip
