"""The names under which the page answers."""

import socket

import pytest

from batchlock.web.addresses import known_hosts, url_of


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765", "LOCKS.example.com"])
def test_a_page_of_this_machine_answers_under_its_names(host: str) -> None:
    assert known_hosts("127.0.0.1", ("locks.example.com",)).knows(host)


@pytest.mark.parametrize(
    "host", ["", "evil.example.com", "192.0.2.7", "[::1", "a b", "localhost.x"]
)
def test_a_page_of_this_machine_answers_under_no_other_name(host: str) -> None:
    assert not known_hosts("127.0.0.1").knows(host)


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_a_page_on_all_addresses_answers_under_each_and_under_the_name_of_the_machine(
    wildcard: str,
) -> None:
    hosts = known_hosts(wildcard)
    own = socket.gethostname()
    for host in ("192.0.2.7:8765", "[2001:db8::7]:8765", f"{own}:8765", own.upper()):
        assert hosts.knows(host), host
    assert not hosts.knows("evil.example.com")
    assert not hosts.knows("")
    assert url_of(wildcard, 8765) == f"http://{own}:8765"


def test_an_address_of_version_6_is_written_in_brackets() -> None:
    assert url_of("::1", 8765) == "http://[::1]:8765"
    assert url_of("127.0.0.1", 1) == "http://127.0.0.1:1"
