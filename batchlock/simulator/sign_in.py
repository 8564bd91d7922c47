"""The token endpoint and its access tokens.

Zoho's page on token validity says: ten access tokens per refresh token in ten minutes, fifteen
valid at a time (the sixteenth ends the oldest). Errors have HTTP status 200. Its page on revoking
says: a refresh token ends with all its access tokens, and an invalid token is answered with 400.
"""

import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer, sign_in_refusal
from batchlock.simulator.device import DeviceCodes
from batchlock.simulator.identity import Identity
from batchlock.simulator.magic import MAGIC_SIGN_INS, MagicSignIn

# All three from Zoho's page on token validity.
TOKENS_PER_WINDOW = 10
WINDOW_SECONDS = 600.0
LIVE_TOKENS = 15

_INVALID_CODE = sign_in_refusal("invalid_code")
_MAGIC = {(magic.field, magic.value): magic for magic in MAGIC_SIGN_INS}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new access token is good for."""

    api_domain: str
    lifetime: float
    """Seconds."""
    scopes: frozenset[str]
    org_id: str = ""
    """The number of the org, which client credentials must name."""


@dataclass(slots=True)
class _Access:
    expires_at: float
    scopes: frozenset[str]
    to_calls: CannedResponse | None


class Credentials:
    """The sign-in and the tokens of one org. `clock` returns seconds and is monotonic.

    The only org of a stand-in takes every sign-in; one of many takes its own.
    """

    def __init__(self, identity: Identity, *, clock: Callable[[], float]) -> None:
        self.tokens_issued = 0
        self.device_codes = DeviceCodes(clock=clock)
        self._identity = identity
        self._clock = clock
        self._tokens: dict[str, _Access] = {}
        self._live_tokens: defaultdict[str, deque[str]] = defaultdict(deque)
        self._issue_times: defaultdict[str, deque[float]] = defaultdict(deque)
        self._used_codes: set[str] = set()
        self._revoked: set[str] = set()
        self._refresh_token = identity.refresh_token
        """That of one of many orgs; an only org has a new one for each sign-in."""

    def refusal_of(self, token: str) -> CannedResponse | None:
        """Return the refusal of a call with this access token; None if it is valid.

        An empty text is a call without an access token.
        """
        if not token:
            return answers.NO_TOKEN
        access = self._tokens.get(token)
        if access is None or access.expires_at <= self._clock():
            return answers.INVALID_TOKEN
        return access.to_calls

    def scopes_of(self, token: str) -> frozenset[str]:
        """Return what an access token may do; nothing if there is no such token."""
        access = self._tokens.get(token)
        return frozenset() if access is None else access.scopes

    def answer(self, form: Mapping[str, str], grant: Grant) -> CannedResponse:
        """Answer a token request."""
        if (refused := self._client_refusal(form, "client_id", "client_secret")) is not None:
            return refused
        match form.get("grant_type"):
            case "refresh_token":
                return self._refresh(form.get("refresh_token", ""), grant)
            case "authorization_code":
                return self._exchange(form.get("code", ""), grant)
            case "client_credentials":
                return self._client_credentials(form, grant)
            case _:
                return sign_in_refusal("unsupported_grant_type")

    def device_code_answer(self, form: Mapping[str, str], grant: Grant) -> CannedResponse:
        """Answer the request for a code that a person approves."""
        if (refused := self._client_refusal(form, "client_id")) is not None:
            return refused
        if form.get("grant_type") != "device_request" or not form.get("scope"):
            return sign_in_refusal("invalid_request")
        return self.device_codes.new_code(grant.api_domain)

    def device_token_answer(self, form: Mapping[str, str], grant: Grant) -> CannedResponse:
        """Answer the question whether a person has approved a code."""
        if (refused := self._client_refusal(form, "client_id", "client_secret")) is not None:
            return refused
        if form.get("grant_type") != "device_token":
            return sign_in_refusal("invalid_request")
        if (waiting := self.device_codes.poll(form.get("code", ""))) is not None:
            return waiting
        return self._refresh(self._next_refresh_token(), grant, with_refresh_token=True)

    def revocation_answer(self, form: Mapping[str, str]) -> CannedResponse:
        """Answer the request to revoke an access token, or a refresh token with those from it.

        An only org takes any refresh token, as it does everywhere.
        """
        token = form.get("token", "")
        magic = _MAGIC.get(("token", token))
        if magic and magic.answer and magic.answer != _INVALID_CODE:
            return magic.answer
        if token in self._tokens:
            del self._tokens[token]
            return json_answer({"status": "success"})
        is_known = self._identity.is_only or token == self._refresh_token
        if not token or not is_known or token in self._revoked or magic is not None:
            return answers.INVALID_REVOCATION
        self._revoked.add(token)
        for access_token in self._live_tokens.pop(token, ()):
            self._tokens.pop(access_token, None)
        return json_answer({"status": "success"})

    def _next_refresh_token(self) -> str:
        """Return the refresh token of a new sign-in."""
        if self._identity.is_only:
            return self._new_token()
        if self._refresh_token in self._revoked:
            self._refresh_token = self._new_token()
        return self._refresh_token

    def _client_credentials(self, form: Mapping[str, str], grant: Grant) -> CannedResponse:
        """Issue an access token to a client alone, which must name the org; see `_refresh`."""
        if not form.get("scope"):
            return sign_in_refusal("invalid_scope")
        # Zoho documents this answer for a request that names no org; that it is the one for a wrong
        # number too is an assumption.
        if form.get("soid") != f"ZohoCRM.{grant.org_id}":
            return sign_in_refusal("missing_org_info")
        return self._grant_access(f"client {form['client_id']}", grant)

    def _client_refusal(self, form: Mapping[str, str], *fields: str) -> CannedResponse | None:
        """Return the refusal of a wrong client id or secret; None if they are right."""
        identity = self._identity
        own = {"client_id": identity.client_id, "client_secret": identity.client_secret}
        errors = {"client_id": "invalid_client", "client_secret": "invalid_client_secret"}
        for field in fields:
            value = form.get(field, "")
            if (magic := _MAGIC.get((field, value))) and magic.answer:
                return magic.answer
            if not value or (not identity.is_only and value != own[field]):
                return sign_in_refusal(errors[field])
        return None

    def _exchange(self, code: str, grant: Grant) -> CannedResponse:
        # A grant code works once; Zoho answers a second use like a wrong code.
        if code in self._used_codes:
            return sign_in_refusal("invalid_code")
        magic = _MAGIC.get(("token", code))
        if magic is None and code:
            self._used_codes.add(code)
            return self._refresh(self._next_refresh_token(), grant, with_refresh_token=True)
        return self._refresh(code, grant, with_refresh_token=True)

    def _refresh(
        self, refresh_token: str, grant: Grant, *, with_refresh_token: bool = False
    ) -> CannedResponse:
        """Issue an access token; `with_refresh_token` adds the refresh token to the answer."""
        if not refresh_token or refresh_token in self._revoked:
            return _INVALID_CODE
        magic = _MAGIC.get(("token", refresh_token))
        if magic and magic.answer:
            return magic.answer
        if not (magic or self._identity.is_only or refresh_token == self._refresh_token):
            return _INVALID_CODE
        more = {"refresh_token": refresh_token} if with_refresh_token else {}
        return self._grant_access(refresh_token, grant, magic, more)

    def _grant_access(
        self,
        account: str,
        grant: Grant,
        magic: MagicSignIn | None = None,
        more: Mapping[str, str] | None = None,
    ) -> CannedResponse:
        """Issue an access token of an account; `more` is added to the answer."""
        times = self._issue_times[account]
        while times and times[0] <= self._clock() - WINDOW_SECONDS:
            times.popleft()
        if len(times) >= TOKENS_PER_WINDOW:
            return answers.TOO_MANY_SIGN_INS
        times.append(self._clock())
        content = {
            "access_token": self._issue(account, grant, magic.to_calls if magic else None),
            "scope": " ".join(sorted(grant.scopes)),
            "api_domain": (magic and magic.api_domain) or grant.api_domain,
            "token_type": "Bearer",
            "expires_in": int(grant.lifetime),
        }
        return json_answer({**content, **(more or {})})

    def _issue(self, account: str, grant: Grant, to_calls: CannedResponse | None) -> str:
        now = self._clock()
        live = self._live_tokens[account]
        while live and (len(live) >= LIVE_TOKENS or self._has_ended(live[0], now)):
            self._tokens.pop(live.popleft(), None)
        token = self._new_token()
        self._tokens[token] = _Access(now + grant.lifetime, grant.scopes, to_calls)
        live.append(token)
        self.tokens_issued += 1
        return token

    def _has_ended(self, token: str, now: float) -> bool:
        access = self._tokens.get(token)  # None: it was revoked
        return access is None or access.expires_at <= now

    def _new_token(self) -> str:
        # The shape of Zoho's own tokens, so that a client that checks it accepts them.
        return f"1000.{self._identity.token_digits}{secrets.token_hex(12)}.{secrets.token_hex(16)}"
