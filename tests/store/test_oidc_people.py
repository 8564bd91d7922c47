import pytest

from batchlock.core.errors import UsageError
from batchlock.store.grants import EVERY_ORG, Grant, Role
from batchlock.store.store import Store

ISSUER = "https://login.acme.test"
DAY_SECONDS = 86400.0


def sign_in(store: Store, subject: str, name: str, *, issuer: str = ISSUER, **roles: str) -> str:
    return store.oidc_people.sign_in(issuer, subject, name, roles or {"acme": "viewer"})


def has_session(store: Store, key: str) -> bool:
    return store.sessions.name(key, max_idle_seconds=DAY_SECONDS) is not None


def test_a_person_is_the_issuer_and_the_subject(store: Store) -> None:
    store.people.put("Anna", "hash")
    assert sign_in(store, "1", "ANNA") == "ANNA (2)"
    assert sign_in(store, "2", "Anna") == "Anna (3)"
    assert sign_in(store, "1", "Anna of another issuer", issuer="https://b") != "ANNA (2)"
    assert sign_in(store, "1", "Annette") == "ANNA (2)"
    assert [person.subject for person in store.oidc_people.all()] == ["1", "2", "1"]


@pytest.mark.parametrize("name", ["Local User", "batchlock", "an unknown name"])
def test_nobody_has_the_name_of_a_link_or_of_the_server(store: Store, name: str) -> None:
    assert sign_in(store, "1", name) == f"{name} (2)"
    assert store.grants.access("local user").roles is None


def test_nobody_gets_a_password_for_the_name_of_such_a_person(store: Store) -> None:
    sign_in(store, "1", "Änne")
    with pytest.raises(UsageError, match="änne signs in with OpenID Connect"):
        store.people.put("änne", "hash")
    assert store.people.names() == []


def test_the_roles_are_those_of_the_last_sign_in(store: Store) -> None:
    name = sign_in(store, "1", "Anna", acme="sender", **{EVERY_ORG: "viewer"})
    access = store.grants.access(name)
    assert access.role("acme") is Role.SENDER
    assert access.role("globex") is Role.VIEWER
    # What others were granted changes nothing, nor that nobody was granted anything.
    sign_in(store, "1", "Anna", globex="preparer")
    assert store.grants.access(name).roles == {"globex": Role.PREPARER}
    store.grants.put(Grant(person="Ben", org=EVERY_ORG, role=Role.VIEWER))
    assert store.grants.access(name).roles == {"globex": Role.PREPARER}


def test_the_roles_of_groups_take_nothing_from_others(store: Store) -> None:
    store.people.put("Ben", "hash")
    sign_in(store, "1", "Anna")
    assert store.grants.access("Ben").roles is None


def test_whoever_is_signed_out_has_no_role_and_keeps_the_name(store: Store) -> None:
    sign_in(store, "1", "Anna")
    store.sessions.start("key", "Anna")
    store.oidc_people.sign_out("Anna")
    assert not has_session(store, "key")
    assert store.grants.access("Anna").roles == {}
    assert sign_in(store, "2", "Anna") == "Anna (2)"
    assert sign_in(store, "1", "Anna") == "Anna"


@pytest.mark.parametrize(
    ("passwords", "issuer", "remaining"),
    [
        (True, None, {"Ben", "local user"}),
        (True, ISSUER, {"Ben", "Anna"}),
        (False, ISSUER, {"Anna"}),
        (True, "https://b", {"Ben", "Berta"}),
    ],
)
def test_sessions_end_that_could_not_be_started_any_more(
    store: Store, passwords: bool, issuer: str | None, remaining: set[str]
) -> None:
    store.people.put("Ben", "hash")
    sign_in(store, "1", "Anna")
    sign_in(store, "2", "Berta", issuer="https://b")
    names = ("Ben", "Anna", "Berta", "local user")
    for name in names:
        store.sessions.start(name, name)
    store.sessions.end_without_sign_in(passwords=passwords, issuer=issuer)
    assert {name for name in names if has_session(store, name)} == remaining
