"""The fixtures of the tests of the store, which run with both homes of the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchlock.store.store import Store


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Open an empty store: in a state folder, and in a PostgreSQL database."""
    is_server = request.param == "server"
    url = request.getfixturevalue("database_url") if is_server else None
    with Store(tmp_path / "state", url) as store:
        yield store


@pytest.fixture
def embedded_store(tmp_path: Path) -> Iterator[Store]:
    """Open an empty store in a state folder."""
    with Store(tmp_path / "state") as store:
        yield store


@pytest.fixture
def server_store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """Open an empty store in a PostgreSQL database."""
    with Store(tmp_path / "state", database_url) as store:
        yield store
