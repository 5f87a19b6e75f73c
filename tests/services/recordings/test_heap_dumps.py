"""A heap dump arrives in parts, is stored as one file, and is for those who may have it."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied
from django.core.files.base import File
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from memwatch.heapdump import reader
from memwatch.heapdump.format import MAGIC
from memwatch.models import Process, Recording, RecordingPart
from memwatch.queries.diagnosis.recordings import parts_received
from memwatch.services import ActionRefused
from memwatch.services.recordings import heap_dumps, progress, requests, results, storage
from memwatch.transport.recordings import HEAP_DUMP, MAX_PART_BYTES, split_dump
from memwatch.transport.wire import RecordingPart as Part
from tests.heapdump.test_format import small_dump
from tests.services.recordings.dumps import files_of_at_most
from tests.services.stored import store_process

pytestmark = pytest.mark.django_db


def take(process: Process, parts: Iterable[Part]) -> None:
    """As the ingest does."""
    results.take([(process, part) for part in parts], timezone.now())


@pytest.fixture
def process(transport_url: str, settings: Any, tmp_path: Path) -> Process:
    assert transport_url
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    return store_process()


@pytest.fixture
def asked(process: Process) -> Recording:
    """A recording under way."""
    return requests.request(process, "heap_dump")


def stored(folder: Path) -> list[str]:
    """The files of the storage."""
    return sorted(file.name for file in (folder / "recordings").glob("*"))


def parts_of(recording: Recording, content: bytes) -> list[Part]:
    """As the agent sends them."""
    return list(split_dump(recording.wire_id, io.BytesIO(content), measured={"objects": 4.0}))


def test_parts_in_any_order_become_one_file(process: Process, asked: Recording) -> None:
    content = small_dump(200_000)
    while len(content) < 3 * MAX_PART_BYTES:
        content += content  # only its beginning is looked at here
    take(process, reversed(parts_of(asked, content)[1:]))
    asked.refresh_from_db()
    received, parts = parts_received(asked)
    assert received == parts - 1 > 1
    assert progress.keep_up().finished == 0
    take(process, parts_of(asked, content)[:1])
    take(process, parts_of(asked, content)[:1])
    assert progress.keep_up().finished == 1
    asked.refresh_from_db()
    assert (asked.state, asked.size, asked.content_type) == ("done", len(content), HEAP_DUMP)
    with heap_dumps.opened(asked) as file:
        assert file.read() == content
    assert not RecordingPart.objects.exists()


def test_what_is_no_heap_dump_fails(process: Process, asked: Recording, tmp_path: Path) -> None:
    take(process, parts_of(asked, b"x" * 1_000))
    progress.keep_up()
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert "is no heap dump" in asked.error
    assert not asked.artifact
    assert stored(tmp_path) == []


def test_a_dump_that_cannot_be_stored_whole_leaves_no_file(
    process: Process, asked: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = small_dump(200_000)
    monkeypatch.setattr(heap_dumps, "MAX_DUMP_BYTES", MAX_PART_BYTES)
    while len(content) < 2 * MAX_PART_BYTES:
        content += content
    take(process, parts_of(asked, content))
    progress.keep_up()
    asked.refresh_from_db()
    assert (asked.state, asked.artifact) == ("failed", "")
    assert stored(tmp_path) == []


def test_a_disk_that_is_full_in_the_middle_is_a_sentence(process: Process, asked: Recording, tmp_path: Path) -> None:
    take(process, parts_of(asked, small_dump(200_000)))
    with files_of_at_most(2_000):
        progress.keep_up()
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert "cannot be stored" in asked.error
    assert stored(tmp_path) == []
    assert not RecordingPart.objects.exists()


def test_a_file_has_its_name_when_it_is_whole(process: Process, asked: Recording, tmp_path: Path) -> None:
    take(process, parts_of(asked, small_dump()))
    progress.keep_up()
    asked.refresh_from_db()

    class Killing(File):  # type: ignore[type-arg]
        def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
            yield b"x" * 1_000
            os.kill(os.getpid(), signal.SIGKILL)

    worker = os.fork()
    if worker == 0:
        storage.replace(asked.artifact, Killing(io.BytesIO()))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == -signal.SIGKILL
    with heap_dumps.opened(asked) as file:
        assert file.read() == small_dump()
    assert len(stored(tmp_path)) == 2
    storage.remove_files(Recording.objects.all())
    assert stored(tmp_path) == []


def test_news_of_its_progress_are_kept(process: Process, asked: Recording) -> None:
    take(process, [Part(recording=asked.wire_id, state="running", measured={"objects": 5.0, "bytes": 70.0})])
    asked.refresh_from_db()
    assert (asked.state, asked.measured) == ("running", {"objects": 5.0, "bytes": 70.0})


def test_it_wants_permissions_of_its_own(process: Process) -> None:
    user = User.objects.create_user("watcher", is_staff=True)
    with pytest.raises(PermissionDenied, match=r"memwatch\.dump_heap"):
        requests.request(process, "heap_dump", by=user)
    user.user_permissions.add(Permission.objects.get(codename="dump_heap"))
    user = User.objects.get(pk=user.pk)
    with pytest.raises(PermissionDenied, match=r"memwatch\.dump_keys"):
        requests.request(process, "heap_dump", by=user, options={"keys": True})
    with pytest.raises(ActionRefused, match="never for a trigger"):
        requests.request(process, "heap_dump", options={"keys": True})
    assert requests.request(process, "heap_dump", by=user).pk


def test_the_file_is_for_those_who_may_have_it(process: Process, asked: Recording, client: Client) -> None:
    content = small_dump()
    take(process, parts_of(asked, content))
    progress.keep_up()
    user = User.objects.create_user("operator", is_staff=True)
    wanted = ("view_recording", "record_process")
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client.force_login(user)
    address = reverse("admin:memwatch_recording_download", args=(asked.pk, "heap"))
    page = reverse("admin:memwatch_recording_change", args=(asked.pk,))
    assert client.get(address).status_code == 403
    assert address not in client.get(page).content.decode()
    user.user_permissions.add(Permission.objects.get(codename="dump_heap"))
    answer = client.get(address)
    assert b"".join(answer) == content  # type: ignore[arg-type]
    assert answer["Content-Type"] == HEAP_DUMP
    assert address in client.get(page).content.decode()
    assert content.startswith(MAGIC)
    assert list(reader.read(io.BytesIO(content)))
