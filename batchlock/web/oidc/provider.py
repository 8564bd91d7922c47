"""The calls to an OpenID provider: its metadata and keys, tokens, and what it says of a person."""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote_plus, urlsplit

import aiohttp
import orjson

from batchlock.core.errors import UsageError
from batchlock.web.oidc.failure import Failure, SignInFailedError, unusable
from batchlock.web.oidc.settings import is_safe_url
from batchlock.zoho.client import session
from batchlock.zoho.failures import call_limits, describe, read_at_most
from batchlock.zoho.network import NetworkSettings

_T = TypeVar("_T")
_Json = Mapping[str, Any]

# Bytes. Metadata and keys have some thousands, the token of somebody in many groups a few more.
_MAX_ANSWER = 1024 * 1024
# Providers announce new keys for days. For a key that is not in the set, it is fetched at once.
_LIFETIME_SECONDS = 3600.0
# Error codes of OAuth 2.0 are such words; anything else does not belong into a log.
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """What a provider says about itself (OpenID Connect Discovery 1.0)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    takes_secret_in_form: bool
    """Whether the token endpoint takes the client secret in the form, and not in a header."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gives for a code; nothing of it is stored."""

    id_token: str
    access_token: str


class Provider:
    """The client of one provider."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        timeout_seconds: float,
        network: NetworkSettings,
    ) -> None:
        """Call the provider through the proxy and with the certificates of `network`."""
        self.issuer = issuer
        self.client_id = client_id
        self._secret = client_secret
        self._timeout_seconds = timeout_seconds
        self._network = network
        self._metadata = _Cached(self._fetch_metadata)
        self._keys = _Cached(self._fetch_keys)

    async def metadata(self) -> ProviderMetadata:
        """Return the metadata, at most an hour old. Raises SignInFailedError."""
        return await self._metadata.get()

    def known_metadata(self) -> ProviderMetadata | None:
        """Return the metadata without a call; None before the first one."""
        return self._metadata.value

    async def keys(self, *, newer_than: _Json | None = None) -> _Json:
        """Return the JSON Web Key Set; with `newer_than`, not that one but a new one.

        Raises SignInFailedError.
        """
        return await self._keys.get(newer_than)

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Exchange a code for tokens. Raises SignInFailedError."""
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.client_id,
        }
        headers = {}
        if self._secret is not None and metadata.takes_secret_in_form:
            form["client_secret"] = self._secret
        elif self._secret is not None:
            # RFC 6749, 2.3.1: both are encoded as in a form before they become a header.
            client = f"{quote_plus(self.client_id)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(client.encode()).decode()}"
        status, answer = await self._call(
            "POST", metadata.token_endpoint, data=form, headers=headers
        )
        error = answer.get("error")
        if error == "invalid_grant":
            raise SignInFailedError(Failure.STALE, "the token endpoint refused the code")
        if status != 200 or error is not None:
            raise unusable(f"the token endpoint answered {_code(error)} (HTTP {status})")
        id_token, access_token = answer.get("id_token"), answer.get("access_token", "")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise unusable("the token endpoint gave no ID token")
        return Tokens(id_token, access_token)

    async def userinfo(self, access_token: str) -> _Json:
        """Return further claims of a person; none if the provider has no such endpoint.

        Raises SignInFailedError.
        """
        url = (await self.metadata()).userinfo_endpoint
        if url is None or not access_token:
            return {}
        status, claims = await self._call(
            "GET", url, headers={"Authorization": f"Bearer {access_token}"}
        )
        if status != 200:
            raise unusable(f"the userinfo endpoint answered HTTP {status}")
        return claims

    async def _fetch_metadata(self) -> ProviderMetadata:
        status, document = await self._call("GET", self.issuer.rstrip("/") + _WELL_KNOWN)
        if status != 200:
            raise unusable(f"there is no metadata of the provider (HTTP {status})")
        issuer = document.get("issuer")
        if issuer != self.issuer:
            raise unusable(
                f"the provider names itself {issuer!r:.200}, and web.oidc.issuer is {self.issuer!r}"
            )
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return ProviderMetadata(
            authorization_endpoint=_endpoint(document, "authorization_endpoint"),
            token_endpoint=_endpoint(document, "token_endpoint"),
            jwks_uri=_endpoint(document, "jwks_uri"),
            userinfo_endpoint=_optional_endpoint(document, "userinfo_endpoint"),
            end_session_endpoint=_optional_endpoint(document, "end_session_endpoint"),
            takes_secret_in_form=isinstance(methods, list) and "client_secret_post" in methods,
        )

    async def _fetch_keys(self) -> _Json:
        status, keys = await self._call("GET", (await self.metadata()).jwks_uri)
        if status != 200 or not isinstance(keys.get("keys"), list):
            raise unusable(f"the provider gave no keys (HTTP {status})")
        return keys

    async def _call(self, method: str, url: str, **options: Any) -> tuple[int, _Json]:
        """Return the status and the JSON object of an answer. Raises SignInFailedError."""
        host = urlsplit(url).hostname or ""
        try:
            proxy, ssl_context = self._network.proxy_to(url), self._network.ssl_context()
            # A redirect would send secrets to an address that the provider has not named.
            async with (
                session(limit=1, proxy=proxy, ssl_context=ssl_context) as client,
                client.request(
                    method,
                    url,
                    allow_redirects=False,
                    timeout=call_limits(self._timeout_seconds),
                    **options,
                ) as response,
            ):
                content = await read_at_most(response, _MAX_ANSWER)
        except UsageError as error:
            raise SignInFailedError(Failure.UNREACHABLE, str(error)) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # Without the cause, which holds the request with its secrets.
            failure = describe(error, host=host, timeout=self._timeout_seconds)
            raise SignInFailedError(Failure.UNREACHABLE, failure.message) from None
        if response.status >= 500:
            raise SignInFailedError(Failure.UNREACHABLE, f"{host} answered HTTP {response.status}")
        try:
            answer = orjson.loads(content or b"")
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise unusable(f"{host} answered HTTP {response.status} and no JSON object")
        return response.status, answer


class _Cached(Generic[_T]):
    """A value that is fetched once for all callers that wait for it at the same time."""

    def __init__(self, fetch: Callable[[], Awaitable[_T]]) -> None:
        self._fetch = fetch
        self._task: asyncio.Task[_T] | None = None
        self._fetched_at_monotonic = float("-inf")
        self.value: _T | None = None
        """The last value, whatever its age; None before the first one."""

    async def get(self, newer_than: _T | None = None) -> _T:
        """Return the value; it is fetched again when it is old, or is `newer_than` itself."""
        is_old = time.monotonic() - self._fetched_at_monotonic > _LIFETIME_SECONDS
        if self.value is not None and not is_old and self.value is not newer_than:
            return self.value
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._load())
        # The browser of one person may leave, and the others still wait.
        return await asyncio.shield(self._task)

    async def _load(self) -> _T:
        self.value = await self._fetch()
        self._fetched_at_monotonic = time.monotonic()
        return self.value


def _code(error: object) -> str:
    """Return the code of an error as it may stand in a log."""
    is_code = isinstance(error, str) and _ERROR_CODE.fullmatch(error)
    return str(error) if is_code else "an error"


def _endpoint(document: _Json, name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not is_safe_url(url):
        raise unusable(f"the metadata of the provider has no {name} with https")
    return url


def _optional_endpoint(document: _Json, name: str) -> str | None:
    return None if document.get(name) is None else _endpoint(document, name)
