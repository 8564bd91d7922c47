"""The fixtures of the tests of the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchlock.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open an empty store."""
    with Store(tmp_path / "state") as store:
        yield store
