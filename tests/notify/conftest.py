from pathlib import Path

import pytest
from support.http_server import SELF_SIGNED


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "self-signed.pem"
    path.write_text(SELF_SIGNED, encoding="ascii")
    return path
