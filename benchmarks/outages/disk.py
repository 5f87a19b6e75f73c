"""A folder on a disk of its own, so small that it can be filled. Needs the right to mount, as root has it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 64 * 1024


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    return subprocess.run([unshare, "--mount", "true"], capture_output=True, check=False).returncode == 0


class SmallDisk:
    """Mounts a tmpfs over the folder while the ``with`` block lasts; does nothing where that is not allowed."""

    def __init__(self, folder: Path, size_mb: int, owner: tuple[int, int]) -> None:
        self.folder = folder
        self._options = f"size={size_mb}m,uid={owner[0]},gid={owner[1]},mode=700"
        self._mounted = False

    def __enter__(self) -> SmallDisk:
        self.folder.mkdir(exist_ok=True)
        if can_mount():
            subprocess.run(["mount", "-t", "tmpfs", "-o", self._options, "tmpfs", self.folder], check=True)
            self._mounted = True
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte more goes into it."""
        if not self._mounted:
            raise RuntimeError(f"{self.folder} is no disk of its own: it takes root to mount one")
        ballast = self.folder / "ballast"
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            while True:
                os.posix_fallocate(file.fileno(), file.tell(), _CHUNK)
                file.seek(_CHUNK, os.SEEK_CUR)
        with ballast.open("ab") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), b"\0" * 512)
        try:
            yield
        finally:
            ballast.unlink()
