"""Which ID tokens are refused."""

import asyncio
import base64
import hmac
import time
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from support.oidc_server import CLIENT, Forge, OidcServer, signed
from support.oidc_visitor import assert_refused, attempt, person
from support.page_server import PageServer

from batchlock.web.oidc.failure import Failure, SignInFailedError
from batchlock.web.oidc.id_token import verified_claims
from batchlock.web.oidc.provider import Provider
from batchlock.zoho.network import NetworkSettings

NONCE = "n-0S6_WzA2Mj"


def claims_of(server: OidcServer, forge: Forge) -> Mapping[str, Any]:
    """Return the claims of an ID token of a provider, which has issued it a moment ago."""
    now = int(time.time())
    claims = {"iss": server.url, "sub": "u-8", "aud": CLIENT, "nonce": NONCE}
    token = forge(claims | {"iat": now, "exp": now + 3600}, server.key)
    provider = Provider(
        issuer=server.url,
        client_id=CLIENT,
        client_secret=None,
        timeout_seconds=60,
        network=NetworkSettings(),
    )
    return asyncio.run(verified_claims(provider, token, NONCE))


def changed(**values: object) -> Forge:
    """Return what makes ID tokens with other claims; None leaves one out."""

    def forge(claims: dict[str, Any], key: RSAKey) -> str:
        merged = claims | values
        return signed({name: value for name, value in merged.items() if value is not None}, key)

    return forge


def moved(claim: str, seconds: int) -> Forge:
    return lambda claims, key: signed(claims | {claim: claims[claim] + seconds}, key)


def with_header(header: str, secret: bytes | None, claims: dict[str, Any], key: RSAKey) -> str:
    """Return an ID token without a signature, or with one that a shared secret has made."""
    _, payload, _ = signed(claims, key).split(".")
    text = f"{base64.urlsafe_b64encode(header.encode()).decode().rstrip('=')}.{payload}"
    if secret is None:
        return f"{text}."
    signature = hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def unsigned(claims: dict[str, Any], key: RSAKey) -> str:
    return with_header('{"alg":"none"}', None, claims, key)


def with_public_key_as_secret(claims: dict[str, Any], key: RSAKey) -> str:
    header = f'{{"alg":"HS256","kid":"{key.kid}"}}'
    return with_header(header, key.as_pem(private=False), claims, key)


def with_other_key(claims: dict[str, Any], key: RSAKey) -> str:
    return signed(claims, RSAKey.generate_key(2048), kid=key.kid)


def with_unknown_key(claims: dict[str, Any], key: RSAKey) -> str:
    return signed(claims, RSAKey.generate_key(2048), kid="unknown")


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (changed(iss="https://login.evil.test"), "invalid_claim iss"),
        (changed(aud="another"), "azp"),
        (changed(aud=["another"], azp=CLIENT), "invalid_claim aud"),
        (changed(aud=[CLIENT, "another"]), "missing_claim azp"),
        (changed(aud=[CLIENT, "another"], azp="another"), "invalid_claim azp"),
        (changed(nonce="another"), "invalid_claim nonce"),
        (changed(nonce=None), "missing_claim nonce"),
        (changed(sub=None), "missing_claim sub"),
        (changed(sub=""), "invalid_claim sub"),
        (changed(exp=None), "missing_claim exp"),
        (changed(iat=None), "missing_claim iat"),
        (moved("exp", -3600 - 130), "expired_token exp"),
        (moved("iat", 130), "invalid_claim iat"),
        (unsigned, "unsupported_algorithm"),
        (with_public_key_as_secret, "unsupported_algorithm"),
        (with_other_key, "bad_signature"),
        (with_unknown_key, "invalid_key_id"),
        (lambda *_: "no.token", "decode_error"),
        (lambda *_: "", "decode_error"),
    ],
)
def test_a_wrong_id_token_is_refused(provider: OidcServer, forge: Forge, reason: str) -> None:
    with pytest.raises(SignInFailedError) as error:
        claims_of(provider, forge)
    assert str(error.value).startswith("the ID token is not valid: ")
    assert reason in str(error.value)
    assert error.value.failure is Failure.UNUSABLE


@pytest.mark.parametrize("forge", [changed(nonce="another"), with_other_key, unsigned])
def test_nobody_signs_in_with_a_wrong_id_token(
    acme: PageServer, provider: OidcServer, forge: Forge
) -> None:
    provider.put("u-8", "Eva", "crm")
    provider.forge = forge
    visitor, answer = attempt(acme, provider, "u-8")
    assert_refused(visitor, answer, 502, "Tell whoever runs batchlock; the reason is in its log.")


@pytest.mark.parametrize(
    "forge",
    [
        moved("exp", -3600 - 60),
        moved("iat", 60),
        changed(aud=[CLIENT]),
        changed(aud=[CLIENT, "another"], azp=CLIENT),
    ],
)
def test_an_id_token_within_the_rules_is_accepted(provider: OidcServer, forge: Forge) -> None:
    assert claims_of(provider, forge)["sub"] == "u-8"


def test_new_keys_of_the_provider_are_fetched(acme: PageServer, provider: OidcServer) -> None:
    provider.put("u-8", "Eva", "crm")
    person(acme, provider, "u-8")
    provider.key = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
    person(acme, provider, "u-8")
