"""One org of the stand-in for Zoho: its sign-in, its record of changes, its control calls."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from batchlock.simulator import Identity
from benchmarks.fleet.stand_in import stand_in

_TIMEOUT_SECONDS = 60.0
_CHANGES = frozenset({"put", "post", "delete"})
_GOOD = frozenset({200, 201})


class Changes(NamedTuple):
    """How often records were changed, by module and record."""

    made: dict[str, int]
    answered: Counter[str]
    """Those whose answer was sent; the others were lost, so that they may be repeated."""


@dataclass(slots=True)
class ZohoOrg:
    """One org of a stand-in."""

    url: str
    number: int
    refresh_token: str = ""

    def __post_init__(self) -> None:
        """Begin with the refresh token of the org."""
        self.refresh_token = self.refresh_token or self._identity.refresh_token

    @property
    def sign_in(self) -> dict[str, str]:
        """The settings `zoho` of the org."""
        return {
            "api_url": self.url,
            "accounts_url": self.url,
            "client_id": self._identity.client_id,
            "client_secret": self._identity.client_secret,
            "refresh_token": self.refresh_token,
        }

    def locks(self) -> dict[str, Any]:
        """Return the changed locks by module and record."""
        return self._call("locks")

    def changes_of_records(self) -> Changes:
        """Return how often each record was changed, and how often with an answer that arrived."""
        made = {
            key: lock["updates"] + lock["locks"] + lock["unlocks"]
            for key, lock in self.locks().items()
        }
        answered: Counter[str] = Counter()
        after: int | None = 0
        while after is not None:
            part = self._call(f"log?after={after}&limit=10000")
            after = part["next"]
            answered.update(
                f"{call['module']}/{call['record_id']}"
                for call in part["calls"]
                if call["kind"] in _CHANGES and call["answer"] in _GOOD
            )
        return Changes(made, answered)

    def state(self) -> dict[str, Any]:
        """Return what the calls so far did."""
        return self._call("state")

    @property
    def changes(self) -> int:
        """How many calls have changed a lock."""
        state = self.state()
        return int(state["updates"] + state["locked"] + state["unlocked"])

    @property
    def behaviour(self) -> dict[str, Any]:
        """How the org behaves."""
        return self._call("behaviour")

    def behave(self, **changes: object) -> None:
        """Change how the org behaves from now on."""
        self._call("behaviour", changes)

    def add_unlocked(
        self, module: str, record_ids: list[str], *, lock_refusal: str | None = None
    ) -> None:
        """Add or change records that are not locked."""
        records = [
            {"id": record_id, "name": "A", "lock": None, "lock_refusal": lock_refusal}
            for record_id in record_ids
        ]
        self._call("inventory", {"records": {module: records}}, method="PATCH")

    def revoke(self) -> None:
        """Revoke the sign-in, as a person does at Zoho."""
        self._token_call("revoke", {"token": self.refresh_token})

    def sign_in_again(self) -> None:
        """Get a new refresh token for a grant code, as a person does."""
        sign_in = self.sign_in
        answer = self._token_call(
            "",
            {
                "grant_type": "authorization_code",
                "code": f"code-{time.monotonic_ns()}",
                "client_id": sign_in["client_id"],
                "client_secret": sign_in["client_secret"],
            },
        )
        self.refresh_token = answer["refresh_token"]

    @property
    def _identity(self) -> Identity:
        return Identity(self.number, is_only=False)

    def _token_call(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        body = urllib.parse.urlencode(form).encode()
        url = f"{self.url}/oauth/v2/token/{path}".rstrip("/")
        return _answer(urllib.request.Request(url, body))  # noqa: S310  ours

    def _call(
        self, path: str, content: object = None, *, method: str | None = None
    ) -> dict[str, Any]:
        body = None if content is None else json.dumps(content).encode()
        url = f"{self.url}/simulator/orgs/{self.number}/{path}"
        return _answer(urllib.request.Request(url, body, method=method))  # noqa: S310  ours


def _answer(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  ours
        content: dict[str, Any] = json.load(answer)
    return content


@contextmanager
def zoho_orgs(count: int) -> Iterator[list[ZohoOrg]]:
    """Start a stand-in with so many orgs, and end it after the block."""
    # One org alone would have other control calls and other sign-ins.
    with stand_in(orgs=max(2, count), latency="0ms") as zoho:
        yield [ZohoOrg(zoho.url, number) for number in range(1, count + 1)]
