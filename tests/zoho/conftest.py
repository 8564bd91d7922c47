from pathlib import Path

import pytest
from support.http_server import SELF_SIGNED

VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """Write a key and its certificate, which no system trusts."""
    path = tmp_path / "self-signed.pem"
    path.write_text(SELF_SIGNED, encoding="ascii")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a token file, whose folder does not exist yet."""
    return tmp_path / "state" / "token.json"
