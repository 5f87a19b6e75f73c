"""Programs that the tests of the documents need."""

import pytest

from tests.servers import find_program, require


@pytest.fixture(scope="session")
def promtool() -> str:
    return require("prometheus", find_program("promtool"), "apt-get install prometheus")


@pytest.fixture(scope="session")
def amtool() -> str:
    return require("alertmanager", find_program("amtool"), "apt-get install prometheus-alertmanager")
