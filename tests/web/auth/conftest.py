"""A page with people, for the tests of a module."""

from collections.abc import Iterator

import pytest
from support.page_server import PageServer, add_person, served_page
from support.visitor import write_config


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve a page with people, behind a trusted proxy: the tests choose their own addresses."""
    folder = tmp_path_factory.mktemp("guarded")
    write_config(folder, "web: {session: 1h, session_limit: 2h, trusted_proxy: [127.0.0.1]}")
    add_person(folder, "Anna")
    with served_page(folder, simulate=True) as page:
        yield page
