"""The fixtures of the tests of many orgs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.schedules import Workers, open_workers


@pytest.fixture
def workers(database_url: str, tmp_path: Path) -> Iterator[Workers]:
    """Open a database for workers, with an empty folder for their files."""
    with open_workers(database_url, tmp_path) as workers:
        yield workers
