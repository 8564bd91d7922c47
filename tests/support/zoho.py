"""The stand-in for Zoho, as tests talk to it, and connections to it."""

import asyncio
import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchlock.cli.commands import commands
from batchlock.cli.context import Context
from batchlock.cli.simulate import parse_behaviour, parse_inventory, parse_orgs
from batchlock.cli.simulate_options import InventoryOptions, StandInOptions
from batchlock.simulator import Behaviour, Identity, Inventory, Orgs, serving_orgs
from support.commands import TIMEOUT_SECONDS
from support.loops import entered

ORG_CALLS = 2
"""The calls with which the first run of a day asks about its org: `/org` and its modules."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in for Zoho that runs while commands talk to it: its only org, or one of many."""

    url: str
    number: int | None = None
    """The number of the org; None: the only org."""

    def org(self, number: int) -> "StandIn":
        """Return one org of a stand-in with several."""
        return StandIn(self.url, number)

    def orgs(self) -> dict[str, Any]:
        """Return the summary of all orgs."""
        return StandIn(self.url)._inspect("orgs")

    def config(self, path: Path = Path("config.yaml"), **sections: Any) -> Path:
        """Write a configuration for it; `sections` are further settings."""
        sign_in = ("me", "hush", "mine")
        if self.number is not None:
            identity = Identity(self.number, is_only=False)
            sign_in = (identity.client_id, identity.client_secret, identity.refresh_token)
        names = ("client_id", "client_secret", "refresh_token")
        zoho = {
            "api_url": self.url,
            "accounts_url": self.url,
            **dict(zip(names, sign_in, strict=True)),
        }
        content = {**sections, "zoho": {**zoho, **sections.get("zoho", {})}}
        path.write_text(json.dumps(content), "utf-8")  # JSON is YAML
        return path

    def use_in_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let commands without a configuration use it."""
        for name in ("API_URL", "ACCOUNTS_URL"):
            monkeypatch.setenv(f"BATCHLOCK_ZOHO__{name}", self.url)

    def state(self) -> dict[str, Any]:
        return self._inspect("state")

    def locks(self) -> dict[str, Any]:
        return self._inspect("locks")

    def calls(self, kind: str = "put") -> dict[str, Any]:
        return self._inspect(f"calls?kind={kind}")

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the calls after the one with this number, in the order of their arrival."""
        calls: list[dict[str, Any]] = self._inspect(f"log?after={after}&limit=10000")["calls"]
        return calls

    def inventory(self, module: str) -> list[dict[str, Any]]:
        """Return the records of a module, in the order of their ids."""
        records: list[dict[str, Any]] = self._inspect(f"inventory?module={module}")["records"][
            module
        ]
        return records

    def revoke(self, token: str) -> None:
        """Revoke a token, as its owner does at Zoho."""
        body = urllib.parse.urlencode({"token": token}).encode()
        request = urllib.request.Request(f"{self.url}/oauth/v2/token/revoke", body)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            assert json.load(response) == {"status": "success"}

    def change(self, path: str, content: object, *, method: str = "POST") -> dict[str, Any]:
        """Make a control call: `inventory` (POST, PATCH) or `behaviour`, with JSON as its body."""
        request = urllib.request.Request(
            self._address(path), json.dumps(content).encode(), method=method
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def _inspect(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self._address(path), timeout=TIMEOUT_SECONDS) as response:
            content = json.load(response)
        assert isinstance(content, dict)
        return content

    def _address(self, path: str) -> str:
        org = "" if self.number is None else f"orgs/{self.number}/"
        return f"{self.url}/simulator/{org}{path}"


Start = Callable[..., StandIn]


def parsed(*options: object) -> tuple[Behaviour, Inventory | None]:
    """Return what `batchlock simulate` makes of its options: behaviour and inventory."""
    behaviour, inventory, _ = _typed(options)
    return parse_behaviour(behaviour), parse_inventory(inventory)


def parsed_orgs(*options: object) -> Orgs:
    """Return the orgs that `batchlock simulate` makes of its options."""
    behaviour, inventory, count = _typed(options)
    return parse_orgs(count, parse_behaviour(behaviour), inventory)


def _typed(options: tuple[object, ...]) -> tuple[StandInOptions, InventoryOptions, int]:
    command = commands.commands["simulate"]
    arguments = [str(option) for option in options]
    with command.make_context("simulate", arguments, obj=Context()) as context:
        values = context.params
    behaviour = StandInOptions(**{name: values[name] for name in StandInOptions._fields})
    inventory = InventoryOptions(**{name: values[name] for name in InventoryOptions._fields})
    return behaviour, inventory, values["orgs"]


@contextmanager
def stand_in_on(loop: asyncio.AbstractEventLoop, *options: object) -> Iterator[StandIn]:
    """Run a stand-in with the options of `batchlock simulate` in the loop of another thread."""
    with entered(loop, serving_orgs(parsed_orgs(*options))) as orgs:
        yield StandIn(orgs.url)
