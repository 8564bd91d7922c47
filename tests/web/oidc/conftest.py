"""A provider, and a page that trusts it, for the tests of a module."""

from collections.abc import Iterator

import pytest
from support.oidc_server import OidcServer, oidc_server, signed
from support.oidc_visitor import config_of
from support.page_server import PageServer, add_person, served_page
from support.visitor import write_config


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcServer]:
    with oidc_server() as provider:
        yield provider


@pytest.fixture(autouse=True)
def honest(provider: OidcServer) -> Iterator[None]:
    yield
    provider.forge, provider.userinfo, provider.token_status = signed, None, 200


@pytest.fixture(scope="module")
def acme(provider: OidcServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page with a provider and one person with a password."""
    folder = tmp_path_factory.mktemp("oidc")
    write_config(folder, config_of(provider))
    add_person(folder, "Paula")
    with served_page(folder, simulate=True) as page:
        yield page
