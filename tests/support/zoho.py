"""The stand-in for Zoho, as tests talk to it, and connections to it."""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchlock.cli.commands import commands
from batchlock.cli.context import Context
from batchlock.cli.options import StandInOptions
from batchlock.cli.simulate import parse_behaviour
from batchlock.simulator import Behaviour
from support.commands import TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in for Zoho that runs while commands talk to it."""

    url: str

    def config(self, path: Path = Path("config.yaml"), **sections: Any) -> Path:
        """Write a configuration for it; `sections` are further settings."""
        zoho = {
            "api_url": self.url,
            "accounts_url": self.url,
            "client_id": "me",
            "client_secret": "hush",
            "refresh_token": "mine",
        }
        content = {**sections, "zoho": {**zoho, **sections.get("zoho", {})}}
        path.write_text(json.dumps(content), "utf-8")  # JSON is YAML
        return path

    def state(self) -> dict[str, Any]:
        return self._inspect("state")

    def locks(self) -> dict[str, Any]:
        return self._inspect("locks")

    def calls(self, kind: str = "put") -> dict[str, Any]:
        return self._inspect(f"calls?kind={kind}")

    def _inspect(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(
            f"{self.url}/simulator/{path}", timeout=TIMEOUT_SECONDS
        ) as response:
            content = json.load(response)
        assert isinstance(content, dict)
        return content


Start = Callable[..., StandIn]


def behaviour_of(*options: object) -> Behaviour:
    """Return the behaviour of a stand-in that `batchlock simulate` starts with these options."""
    command = commands.commands["simulate"]
    arguments = [str(option) for option in options]
    with command.make_context("simulate", arguments, obj=Context()) as context:
        values = {name: context.params[name] for name in StandInOptions._fields}
    return parse_behaviour(StandInOptions(**values))
