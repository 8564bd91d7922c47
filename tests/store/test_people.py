from functools import partial

import pytest
import sqlalchemy as sa

from batchlock.store.people import AmbiguousName
from batchlock.store.schema import people, sessions
from batchlock.store.store import Store

DAY_SECONDS = 86400.0


def hash_of(store: Store, name: str) -> str | None:
    person = store.people.find(name)
    return None if person is None else person.password_hash


def test_a_person_is_added_changed_and_removed(store: Store) -> None:
    store.people.put("Ben", "hash of Ben")
    store.people.put("Anna", "hash")
    store.people.put("Anna", "changed")
    assert store.people.names() == ["Anna", "Ben"]
    assert hash_of(store, "Anna") == "changed"
    assert store.people.remove("Anna")
    assert not store.people.remove("Anna")
    assert store.people.find("Anna") is None


def test_names_that_differ_only_in_case_are_one_person(store: Store) -> None:
    store.people.put("Änne", "hash")
    store.sessions.start("key", "Änne")
    store.people.put("äNNE", "changed")
    assert store.people.names() == ["Änne"]
    assert hash_of(store, "ÄNNE") == "changed"
    assert store.sessions.name("key", max_idle_seconds=DAY_SECONDS) is None
    assert store.people.remove("änne")
    assert store.people.names() == []


def test_two_people_of_an_older_version_keep_their_passwords(embedded_store: Store) -> None:
    store = embedded_store
    url = f"sqlite:///{store.state / 'store.sqlite'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for name in ("ANNA", "anna"):
            connection.execute(people.insert().values(name=name, password_hash=f"hash of {name}"))
    engine.dispose()
    store.people.put("Ben", "hash of Ben")
    assert [hash_of(store, name) for name in ("ANNA", "anna")] == ["hash of ANNA", "hash of anna"]
    assert store.people.same_but_for_case() == [["ANNA", "anna"]]
    for act in (store.people.find, store.people.remove, lambda name: store.people.put(name, "x")):
        with pytest.raises(AmbiguousName, match="Anna may be ANNA or anna, which differ only in"):
            act("Anna")
    assert store.people.remove("anna")
    assert store.people.names() == ["ANNA", "Ben"]
    assert hash_of(store, "Anna") == "hash of ANNA"


def test_a_new_hash_does_not_replace_a_password_that_was_changed(store: Store) -> None:
    store.people.put("Anna", "hash")
    store.people.rehash("Anna", "hash", "new")
    assert hash_of(store, "Anna") == "new"
    store.people.rehash("Anna", "hash", "other")
    assert hash_of(store, "Anna") == "new"


def test_the_first_person_ends_the_sessions_of_a_link(store: Store) -> None:
    store.sessions.start("link", "root")
    store.people.put("Anna", "hash")
    assert store.sessions.name("link", max_idle_seconds=DAY_SECONDS) is None


def test_a_changed_password_and_a_removal_end_the_sessions_of_that_name_only(store: Store) -> None:
    store.people.put("Anna", "hash")
    store.people.put("Ben", "hash")
    for name in ("Anna", "Ben"):
        store.sessions.start(f"key of {name}", name)
    store.people.put("Anna", "changed")
    assert store.sessions.name("key of Anna", max_idle_seconds=DAY_SECONDS) is None
    assert store.sessions.name("key of Ben", max_idle_seconds=DAY_SECONDS) == "Ben"
    store.people.remove("Ben")
    assert store.sessions.name("key of Ben", max_idle_seconds=DAY_SECONDS) is None


def test_an_idle_session_ends(store: Store) -> None:
    store.sessions.start("key", "Anna")
    assert store.sessions.name("key", max_idle_seconds=60) == "Anna"
    assert store.sessions.name("key", max_idle_seconds=-1) is None


def test_the_sessions_that_are_over_are_removed_once(store: Store) -> None:
    for key, column in (("idle", "last_seen"), ("old", "started_at"), ("new", "")):
        store.sessions.start(key, "Anna")
        if column:
            with store._engine.begin() as connection:
                of_key = sessions.update().where(sessions.c.key == key)
                connection.execute(of_key.values({column: sessions.c[column] - 100}))
    limits = {"max_idle_seconds": 60.0, "max_age_seconds": 60.0}
    assert {session.key for session in store.sessions.remove_expired(**limits)} == {"idle", "old"}
    assert store.sessions.remove_expired(**limits) == []
    assert [session.key for session in store.sessions.of("Anna", max_idle_seconds=999)] == ["new"]


def test_a_session_that_is_ended_is_gone(store: Store) -> None:
    store.sessions.start("key", "Anna")
    store.sessions.end("key")
    assert store.sessions.name("key", max_idle_seconds=60) is None


def age(store: Store, column: str, seconds: float) -> None:
    with store._engine.begin() as connection:
        connection.execute(sessions.update().values({column: sessions.c[column] - seconds}))


def test_a_session_has_a_limit_also_when_it_is_used(store: Store) -> None:
    store.sessions.start("key", "Anna")
    age(store, "started_at", 100)
    name_of = partial(store.sessions.name, max_idle_seconds=DAY_SECONDS, max_age_seconds=110)
    sessions_of = partial(store.sessions.of, max_idle_seconds=DAY_SECONDS, max_age_seconds=110)
    assert name_of("key") == "Anna"
    assert [session.key for session in sessions_of("Anna")] == ["key"]
    age(store, "started_at", 100)
    assert sessions_of("Anna") == []
    assert name_of("key") is None


def test_what_an_open_page_requests_does_not_prolong_a_session(store: Store) -> None:
    store.sessions.start("key", "Anna")
    age(store, "last_seen", 50)
    assert store.sessions.name("key", max_idle_seconds=60, is_use=False) == "Anna"
    age(store, "last_seen", 50)
    assert store.sessions.name("key", max_idle_seconds=60, is_use=False) is None
    store.sessions.start("used", "Anna")
    age(store, "last_seen", 50)
    assert store.sessions.name("used", max_idle_seconds=60) == "Anna"
    age(store, "last_seen", 50)
    assert store.sessions.name("used", max_idle_seconds=60) == "Anna"


def test_people_end_their_own_sessions_only(store: Store) -> None:
    for key, name in (("a1", "Anna"), ("a2", "Anna"), ("a3", "Anna"), ("b1", "Ben")):
        store.sessions.start(key, name, address="10.0.0.1", browser="Browser")
    assert not store.sessions.end_own("b1", "Anna")
    assert store.sessions.end_own("a3", "Anna")
    assert store.sessions.end_others("a1", "Anna")
    assert not store.sessions.end_others("a1", "Anna")
    [left] = store.sessions.of("Anna", max_idle_seconds=60)
    assert (left.key, left.address, left.browser) == ("a1", "10.0.0.1", "Browser")
    assert store.sessions.name("b1", max_idle_seconds=60) == "Ben"


def test_a_password_is_changed_once_from_what_it_was(store: Store) -> None:
    store.people.put("Anna", "hash")
    store.sessions.start("key", "Anna")
    assert not store.people.change_password("Anna", "other", "new")
    assert store.sessions.name("key", max_idle_seconds=60) == "Anna"
    assert store.people.change_password("Anna", "hash", "new")
    assert hash_of(store, "Anna") == "new"
    assert store.sessions.name("key", max_idle_seconds=60) is None
    store.people.remove("Anna")
    assert not store.people.change_password("Anna", "new", "newer")
