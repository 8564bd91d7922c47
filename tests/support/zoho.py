"""The stand-in for Zoho, as tests talk to it."""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.commands import PATIENCE


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in for Zoho, beside the commands that talk to it."""

    url: str

    def config(self, path: Path = Path("config.yaml"), **sections: Any) -> Path:
        """Write a configuration that points to it; `sections` are settings beside that."""
        zoho = {
            "api_url": self.url,
            "accounts_url": self.url,
            "client_id": "me",
            "client_secret": "hush",
            "refresh_token": "mine",
        }
        told = {**sections, "zoho": {**zoho, **sections.get("zoho", {})}}
        path.write_text(yaml.safe_dump(told), "utf-8")
        return path

    def state(self) -> dict[str, Any]:
        return self._inspect("state")

    def locks(self) -> dict[str, Any]:
        return self._inspect("locks")

    def calls(self, kind: str = "put") -> dict[str, Any]:
        return self._inspect(f"calls?kind={kind}")

    def _inspect(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/simulator/{what}", timeout=PATIENCE) as answer:
            told = json.load(answer)
        assert isinstance(told, dict)
        return told


Start = Callable[..., StandIn]
