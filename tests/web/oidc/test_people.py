"""What an administrator sees and changes at a terminal of people who sign in at a provider."""

from pathlib import Path

import pytest
from support.commands import RunCommand
from support.visitor import write_config

from batchlock.store.store import Store

ISSUER = "https://login.acme.test"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a page on which Anna has signed in at a provider."""
    write_config(tmp_path)
    with Store(tmp_path / "state") as store:
        store.people.put("Paula", "hash")
        store.oidc_people.sign_in(ISSUER, "u-1", "Anna", {"acme": "sender", "*": "viewer"})
        store.sessions.start("key", "Anna")
    return tmp_path


def test_the_list_says_who_signs_in_at_a_provider(folder: Path, run_in_process: RunCommand) -> None:
    result = run_in_process("serve", "--config", folder / "config.yaml", "--users")
    assert result.out.splitlines() == ["Paula", f"Anna ({ISSUER}, 'u-1'): * viewer, acme sender"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--add-user", "anna"), "anna signs in with OpenID Connect, and cannot have a password."),
        (("--grant", "Anna=*"), "has the roles of the groups there. Change web.oidc.groups"),
    ],
)
def test_neither_a_password_nor_a_grant_is_for_such_a_person(
    folder: Path, run_in_process: RunCommand, options: tuple[str, str], message: str
) -> None:
    result = run_in_process("serve", "--config", folder / "config.yaml", *options)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_such_a_person_is_signed_out_and_stays_known(
    folder: Path, run_in_process: RunCommand
) -> None:
    config = folder / "config.yaml"
    result = run_in_process("serve", "--config", config, "--remove-user", "anna")
    assert f"Anna is signed out. {ISSUER} decides who may sign in again" in result.out
    with Store(folder / "state") as store:
        assert store.sessions.name("key", max_idle_seconds=60) is None
    assert (
        f"Anna ({ISSUER}, 'u-1'): no org"
        in run_in_process("serve", "--config", config, "--users").out
    )
