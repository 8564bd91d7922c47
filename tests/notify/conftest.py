import pytest


@pytest.fixture(autouse=True)
def _without_proxy(without_proxy: None) -> None:
    """Let every test of this folder be without a proxy."""
