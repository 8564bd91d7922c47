"""Visitors of the page who sign in at an OpenID provider."""

from support.oidc_server import CLIENT, SECRET, OidcServer
from support.page_server import PageServer
from support.visitor import PageResponse, Visitor

GROUPS = "{crm: simulator:sender, everybody: viewer, elsewhere: acme:viewer}"


def config_of(provider: OidcServer, more: str = "") -> str:
    return f"""
web:
  trusted_proxy: [127.0.0.1]
  oidc:
    issuer: {provider.url}
    client_id: {CLIENT}
    client_secret: "{SECRET}"
    groups: {GROUPS}
    label: Sign in with Acme
{more}
"""


def way_back(
    page: PageServer, provider: OidcServer, subject: str, *, deny: bool = False
) -> tuple[Visitor, str]:
    """Begin a sign-in and consent at the provider; return the visitor and the address to open."""
    visitor = Visitor(page.url)
    begin = visitor.get("/login/oidc")
    assert begin.status == 303, begin.words
    return visitor, provider.consent(begin.location, subject, deny=deny)


def attempt(page: PageServer, provider: OidcServer, subject: str) -> tuple[Visitor, PageResponse]:
    """Sign in; return the visitor and the last answer."""
    visitor, path = way_back(page, provider, subject)
    return visitor, visitor.get(path)


def person(page: PageServer, provider: OidcServer, subject: str) -> Visitor:
    """Return a visitor who has signed in at the provider."""
    visitor, answer = attempt(page, provider, subject)
    assert answer.status == 303, answer.words
    visitor.enter()
    return visitor


def assert_refused(visitor: Visitor, answer: PageResponse, status: int, words: str) -> None:
    assert answer.status == status, answer.words
    assert words in answer.words
    assert "Sign in with Acme" in answer.words
    assert visitor.get("/account").location.startswith("/login")
