from batchlock.store.store import Store


def test_the_newest_entries_of_an_org_come_first(store: Store) -> None:
    for file in ("a.csv", "b.csv", "c.csv"):
        store.audit_log.add("acme", "Anna", "uploaded", file)
    store.audit_log.add("other", "Ben", "signed in")
    assert store.audit_log.count("acme") == 3
    first, second = store.audit_log.entries("acme", offset=0, limit=2)
    assert (first.user, first.action, first.subject) == ("Anna", "uploaded", "c.csv")
    assert second.subject == "b.csv"
    [last] = store.audit_log.entries("acme", offset=2, limit=2)
    assert last.subject == "a.csv"
