"""The sign-in with OpenID Connect as the settings have it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from yarl import URL

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.core.secret_source import read_secret
from batchlock.web.auth.tokens import code_challenge, derived_token
from batchlock.web.oidc.claims import groups_of, name_of, roles_of
from batchlock.web.oidc.failure import Failure, SignInFailedError, unusable
from batchlock.web.oidc.provider import Provider
from batchlock.web.oidc.settings import OidcSettings

# Those of Entra ID have about a thousand characters.
_MAX_CODE = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who has signed in, as the provider says."""

    issuer: str
    subject: str
    name: str
    """For the page; somebody else may have the same."""
    roles: Mapping[str, str]
    """By org; none when no group of the person may use the page."""


class OidcClient:
    """The authorization code flow with PKCE, for one provider."""

    def __init__(self, settings: OidcSettings, provider: Provider) -> None:
        self.settings = settings
        self.provider = provider

    async def authorization_url(self, secret: str, redirect_uri: str) -> str:
        """Return the address at the provider where a person signs in.

        State, nonce and code verifier are derived from the secret, which only the browser of the
        person has. Raises SignInFailedError.
        """
        metadata = await self.provider.metadata()
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": derived_token(secret, "state"),
            "nonce": derived_token(secret, "nonce"),
            "code_challenge": code_challenge(derived_token(secret, "verifier")),
            "code_challenge_method": "S256",
        }
        return str(URL(metadata.authorization_endpoint).update_query(query))

    def logout_url(self, return_url: str) -> str:
        """Return where people sign out of the provider; empty if it offers nothing, or is unknown.

        It leads back to `return_url` if the provider knows that address. There is no ID token to
        name the person with: no token is kept after a sign-in.
        """
        metadata = self.provider.known_metadata()
        if metadata is None or metadata.end_session_endpoint is None:
            return ""
        query = {"client_id": self.provider.client_id, "post_logout_redirect_uri": return_url}
        return str(URL(metadata.end_session_endpoint).update_query(query))

    async def identity(self, answer: Mapping[str, str], secret: str, redirect_uri: str) -> Identity:
        """Return who has signed in, from the query of the answer to an authorization request.

        Raises SignInFailedError.
        """
        state = derived_token(secret, "state")
        returned_state = answer.get("state", "").encode("utf-8", "surrogatepass")
        if not secret or not secrets.compare_digest(returned_state, state.encode()):
            raise SignInFailedError(Failure.STALE, "the state is not that of the browser")
        # RFC 9207: another provider may have been made to send its answer here.
        if answer.get("iss", self.provider.issuer) != self.provider.issuer:
            raise unusable("the answer names another issuer")
        if error := answer.get("error"):
            is_denied = error in ("access_denied", "login_required", "consent_required")
            failure = Failure.DENIED if is_denied else Failure.UNUSABLE
            raise SignInFailedError(failure, f"the provider answered {error!r:.60}")
        code = answer.get("code", "")
        if not code.isascii() or not 0 < len(code) <= _MAX_CODE:
            raise unusable("the answer has no code")
        return await self._identity_by_code(code, secret, redirect_uri)

    async def _identity_by_code(self, code: str, secret: str, redirect_uri: str) -> Identity:
        # joserfc takes 80 ms to import, and only a sign-in needs it.
        from batchlock.web.oidc.id_token import verified_claims

        verifier = derived_token(secret, "verifier")
        tokens = await self.provider.exchange(code, verifier, redirect_uri)
        nonce = derived_token(secret, "nonce")
        claims = await verified_claims(self.provider, tokens.id_token, nonce)
        needed_claims = {self.settings.name_claim, self.settings.groups_claim}
        if not needed_claims <= claims.keys():  # some providers name the groups only at userinfo
            more = await self.provider.userinfo(tokens.access_token)
            if more and more.get("sub") != claims["sub"]:
                raise unusable("the userinfo endpoint speaks of another person")
            claims = {**more, **claims}
        return self._identity(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        return Identity(
            issuer=self.provider.issuer,
            subject=str(claims["sub"]),
            name=name_of(claims, self.settings),
            roles=roles_of(groups_of(claims, self.settings), self.settings),
        )


def oidc_client(settings: Settings) -> OidcClient | None:
    """Return the client of the provider in the settings; None without an issuer.

    Raises UsageError when something is missing.
    """
    oidc = settings.web.oidc
    if oidc.issuer is None:
        if oidc != OidcSettings():
            raise UsageError(
                "web.oidc: there are settings of a provider, and no issuer. Set web.oidc.issuer, "
                "or remove them."
            )
        return None
    if oidc.client_id is None:
        raise UsageError(
            "web.oidc.client_id is not set, so the provider would not know the page. Set it to "
            "the id that the page has there."
        )
    if not oidc.groups:
        raise UsageError(
            "web.oidc.groups is empty, so nobody could sign in. Set it to the groups that may use "
            "the page, each with its roles."
        )
    if find_spec("joserfc") is None:
        raise UsageError(
            "web.oidc needs the package joserfc, which is not installed. Install it beside "
            "batchlock: pip install joserfc"
        )
    secret = oidc.client_secret
    client_secret = read_secret(
        "web.oidc.client_secret",
        value=None if secret is None else secret.get_secret_value(),
        file=oidc.client_secret_file,
        command=oidc.client_secret_command,
    )
    settings.network.check(oidc.issuer)
    provider = Provider(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=client_secret,
        timeout_seconds=oidc.timeout,
        network=settings.network,
    )
    return OidcClient(oidc, provider)
