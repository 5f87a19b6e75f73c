"""What the deployment keeps on disk is private and survives."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from project.state import state_folder, stored_secret


def test_the_folder_is_for_its_user_alone(tmp_path: Path):
    assert state_folder(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_look_into_is_closed(tmp_path: Path):
    (tmp_path / "var").mkdir(mode=0o755)
    assert state_folder(tmp_path / "var").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_shared_on_purpose_stays_so(tmp_path: Path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    assert state_folder(tmp_path / "shared").stat().st_mode & 0o7777 == 0o1777


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ImproperlyConfigured, match="MEMWATCH_VAR"):
        state_folder(tmp_path / "file" / "var")


def test_the_secret_stays_the_same_and_private(tmp_path: Path):
    path = tmp_path / "secret"
    first = stored_secret(path)
    assert stored_secret(path) == first
    assert len(first) >= 50
    assert path.stat().st_mode & 0o777 == 0o600


def test_many_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path):
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(stored_secret, [tmp_path / "secret"] * 64))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_an_empty_secret_is_refused(tmp_path: Path):
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(ImproperlyConfigured, match="remove it"):
        stored_secret(tmp_path / "secret")
