"""The broker without a server, with messages that are whole as soon as they are seen.

kombu's ``filesystem`` transport opens a message in the folder that others read from and writes it then: a worker that
looks in between finds it empty and ends (kombu's issue 1551). Here it is written beside and renamed into place.
"""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """kombu's, but for how a message is put and a table is read."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]  # as in kombu
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}"
        folder = Path(self.data_folder_out)
        beside = folder / f".{name}.tmp"
        try:
            beside.write_text(dumps(payload))
            beside.rename(folder / f"{name}.{queue}.msg")
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise ChannelError(f"Cannot add a message to {folder}: {error}") from error

    def get_table(self, exchange: str) -> Any:
        """The queues bound to the exchange; none in the moment in which the first one is being bound."""
        try:
            return super().get_table(exchange)
        except json.JSONDecodeError:
            return []


class Transport(filesystem.Transport):
    """``filesystem://``."""

    Channel = Channel


def install() -> None:
    """Let ``filesystem://`` mean this transport, in this process."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
