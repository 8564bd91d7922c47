import os
from pathlib import Path

import pytest
from support.zoho import StandIn, Start


@pytest.fixture
def zoho(stand_in: Start, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Start a stand-in that the environment names; there is no configuration."""
    zoho = stand_in()
    zoho.use_in_environment(monkeypatch)
    return zoho


@pytest.fixture
def own_folder() -> Path:
    """Return the folder of the user's configuration."""
    return Path(os.environ["HOME"], ".config", "batchlock")


@pytest.fixture
def own_config(own_folder: Path) -> Path:
    """Return the path of the user's configuration."""
    return own_folder / "config.yaml"
