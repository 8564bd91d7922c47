import sqlalchemy as sa

from batchlock.store.audit_log import LogEntry, LogFilter
from batchlock.store.schema import audit_log as table
from batchlock.store.store import Store

ACME = LogFilter(orgs=["acme"])


def subjects(store: Store, **conditions: object) -> list[str]:
    log_filter = LogFilter(**{"orgs": ["acme", "other"]} | conditions)  # type: ignore[arg-type]
    entries = store.audit_log.entries(log_filter, limit=99)
    assert store.audit_log.count(log_filter) == len(entries)
    return [entry.subject for entry in entries]


def age(store: Store, subject: str, seconds: float) -> None:
    with store._engine.begin() as connection:
        of_subject = table.update().where(table.c.subject == subject)
        connection.execute(of_subject.values(at=table.c.at - seconds))


def test_the_newest_entries_of_an_org_come_first(store: Store) -> None:
    for file in ("a.csv", "b.csv", "c.csv"):
        store.audit_log.add("acme", "Anna", "uploaded", file)
    store.audit_log.add("other", "Ben", "signed in")
    assert store.audit_log.count(ACME) == 3
    first, second = store.audit_log.entries(ACME, limit=2)
    assert (first.person, first.action, first.subject) == ("Anna", "uploaded", "c.csv")
    assert second.subject == "b.csv"
    [last] = store.audit_log.entries(ACME, offset=2, limit=2)
    assert last.subject == "a.csv"
    assert store.audit_log.entries(ACME, limit=9, older_than=second) == [last]


def test_an_entry_keeps_all_that_it_was_given(store: Store) -> None:
    store.audit_log.add("acme", "Anna", "started", "a.csv", address="::1", run="r", upload="u")
    [entry] = store.audit_log.entries(ACME, limit=9)
    assert entry == LogEntry(
        id=entry.id, at=entry.at, org="acme", person="Anna", action="started", subject="a.csv",
        address="::1", run="r", upload="u",
    )  # fmt: skip


def test_entries_are_found_by_words_person_org_and_time(store: Store) -> None:
    log = store.audit_log
    log.add("acme", "Anna Å", "uploaded", "100%.csv", address="10.0.0.1")
    log.add("acme", "Ben", "started", "b.csv", run="20260314-020304-1f3a")
    log.add("other", "Anna Å", "downloaded", "c.csv")
    assert subjects(store, words="UPLOADED anna") == ["100%.csv"]
    assert subjects(store, words="%") == ["100%.csv"]
    assert subjects(store, words="0.0.1") == ["100%.csv"]
    assert subjects(store, words="1f3a") == ["b.csv"]
    assert subjects(store, words="uploaded b.csv") == []
    assert subjects(store, person="anna Å") == ["c.csv", "100%.csv"]
    assert subjects(store, orgs=["other"]) == ["c.csv"]
    assert subjects(store, orgs=[]) == []
    age(store, "b.csv", 1_000)
    oldest = log.entries(ACME, limit=9)[-1].at
    assert subjects(store, since=oldest + 1) == ["c.csv", "100%.csv"]
    assert subjects(store, before=oldest + 1) == ["b.csv"]


def test_old_entries_of_an_org_are_removed(store: Store) -> None:
    for org, file in (("acme", "a.csv"), ("acme", "b.csv"), ("other", "c.csv")):
        store.audit_log.add(org, "Anna", "uploaded", file)
    newest = store.audit_log.entries(ACME, limit=1)[0].at
    age(store, "a.csv", 1_000)
    age(store, "c.csv", 1_000)
    assert store.audit_log.remove_before("acme", newest - 10) == 1
    assert store.audit_log.remove_before("acme", newest - 10) == 0
    assert subjects(store) == ["b.csv", "c.csv"]


def test_addresses_and_runs_of_older_versions_are_moved_to_their_columns(
    embedded_store: Store,
) -> None:
    from importlib import import_module

    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    script = import_module("batchlock.store.migrations.versions.0008_links_of_the_log")
    store = embedded_store
    for action, subject in (("signed in", "from 10.0.0.1"), ("stopped", "run 20260314-020304-1f3a"),
                            ("uploaded", "from 1.csv"), ("downloaded", "run 1.csv")):  # fmt: skip
        store.audit_log.add("acme", "Anna", action, subject)
    with store._engine.begin() as connection:
        for name in ("address", "run", "upload"):
            connection.execute(sa.text(f"ALTER TABLE audit_log DROP COLUMN {name}"))
        with Operations.context(MigrationContext.configure(connection)):
            script.upgrade()
    entries = store.audit_log.entries(ACME, limit=9)[::-1]
    assert [(entry.subject, entry.address, entry.run) for entry in entries] == [
        ("", "10.0.0.1", None),
        ("", None, "20260314-020304-1f3a"),
        ("from 1.csv", None, None),
        ("run 1.csv", None, None),
    ]
