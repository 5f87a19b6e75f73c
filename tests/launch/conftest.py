from __future__ import annotations

from pathlib import Path

import pytest

from tests.launch.running import Hub


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)
