"""Settings of the sign-in with OpenID Connect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from annotated_types import Gt, MaxLen, MinLen
from pydantic import AfterValidator, BeforeValidator, SecretStr

from batchlock.core.paths import UserPath
from batchlock.zoho.network import is_this_machine

DEFAULT_LABEL = "Sign in with your company account"


class OrgRole(NamedTuple):
    """A role for an org."""

    org: str
    """`*` is every org."""
    role: str


def is_safe_url(text: str) -> bool:
    """Return whether nobody on the way can read what is sent to an address."""
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    host = url.hostname or ""
    is_plain = url.scheme == "http" and is_this_machine(host)
    return bool(host) and (url.scheme == "https" or is_plain) and not url.username


def _issuer(text: str) -> str:
    if is_safe_url(text) and not any(sign in text for sign in "?#"):
        return text
    raise ValueError("an issuer is like https://login.example.com/realms/acme, and begins with it")


def _words(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    if "openid" not in scopes:
        raise ValueError("the scopes contain openid, without which there is no sign-in")
    return scopes


def _roles(value: object) -> list[OrgRole]:
    # The roles belong to the store, which takes long to import; most commands need neither.
    from batchlock.store.grants import EVERY_ORG, Role

    texts = _words(value)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a group has a role or a list of roles, such as [acme:sender, viewer]")
    roles = []
    for text in texts:
        org, _, role = text.rpartition(":")
        if role not in set(Role):
            raise ValueError(f'"{text}" is no role; write ROLE or ORG:ROLE, with {", ".join(Role)}')
        roles.append(OrgRole(org or EVERY_ORG, role))
    return roles


Groups = Mapping[str, Annotated[tuple[OrgRole, ...], BeforeValidator(_roles)]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The provider, and what its groups may do. Without an issuer there is no such sign-in."""

    issuer: Annotated[str, AfterValidator(_issuer)] | None = None
    client_id: str | None = None
    # None: a public client, which PKCE alone protects.
    client_secret: SecretStr | None = None
    client_secret_file: UserPath | None = None
    client_secret_command: str | None = None
    scopes: Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_scopes)] = (
        "openid",
        "profile",
        "email",
    )
    name_claim: Annotated[str, MinLen(1)] = "name"
    groups_claim: Annotated[str, MinLen(1)] = "groups"
    groups: Groups = field(default_factory=dict)
    # Whoever is not in this group may not sign in.
    required_group: str | None = None
    # Of the button.
    label: Annotated[str, MinLen(1), MaxLen(80)] = DEFAULT_LABEL
    # Seconds for one answer of the provider. A person waits for it in a browser.
    timeout: Annotated[float, Gt(0)] = 10.0
