"""Check an ID token: who issued it, for whom, for how long, and for which sign-in."""

from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from joserfc.jws import JWSRegistry
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from batchlock.web.oidc.failure import unusable
from batchlock.web.oidc.provider import Provider

# Signatures that only the holder of a private key can make: not `none`, and not HS256, with which
# a public key would be taken for a shared secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
# How much the clocks of the provider and of this machine may differ.
_CLOCK_SKEW_SECONDS = 120


async def verified_claims(provider: Provider, id_token: str, nonce: str) -> Mapping[str, Any]:
    """Return the claims of an ID token of a provider that was made for the sign-in of a nonce.

    Raises SignInFailedError.
    """
    keys = await provider.keys()
    try:
        try:
            claims = _decoded(id_token, keys)
        except InvalidKeyIdError:  # the provider has new keys
            claims = _decoded(id_token, await provider.keys(newer_than=keys))
        _check(claims, provider.issuer, provider.client_id, nonce)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        # Some errors quote the token; the names of the checks are enough to find the cause.
        reason = getattr(error, "error", "") or type(error).__name__
        claim = getattr(error, "claim", "")
        raise unusable(f"the ID token is not valid: {reason} {claim}".strip()) from None
    return claims


def _decoded(id_token: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    key_set = KeySet.import_key_set(KeySetSerialization(keys=keys["keys"]))
    # Providers add header parameters of their own, which mean nothing here.
    registry = JWSRegistry(algorithms=list(_ALGORITHMS), strict_check_header=False)
    return jwt.decode(id_token, key_set, registry=registry).claims


def _check(claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str) -> None:
    """Check claims by OpenID Connect Core 1.0, 3.1.3.7. Raises JoseError."""
    required = ClaimsOption(essential=True)
    registry = JWTClaimsRegistry(
        leeway=_CLOCK_SKEW_SECONDS,
        iss=ClaimsOption(essential=True, value=issuer),
        sub=required,
        aud=ClaimsOption(essential=True, value=client_id),
        exp=required,
        iat=required,
        nonce=ClaimsOption(essential=True, value=nonce),
        # Who may use the token; it must be there when the token is for several.
        azp=ClaimsOption(essential=_has_other_audience(claims, client_id), value=client_id),
    )
    registry.validate(dict(claims))


def _has_other_audience(claims: Mapping[str, Any], client_id: str) -> bool:
    return claims.get("aud") not in (client_id, [client_id])
