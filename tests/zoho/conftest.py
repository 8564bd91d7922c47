from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _without_proxy(without_proxy: None) -> None:
    """Let every test of this folder be without a proxy."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a token file, whose folder does not exist yet."""
    return tmp_path / "state" / "token.json"
