"""Nights of files that are well, and of files that a guard or their content keeps back."""

import threading
from collections.abc import Callable

from benchmarks.nights.files import Action, append_row, set_age
from benchmarks.nights.installation import Installation
from benchmarks.nights.process import InboxProcess


def ordinary(one: Installation) -> None:
    """Send one to three files with updates, and at times one that locks."""
    files = [one.put() for _ in range(one.random.randint(1, 3))]
    if one.random.random() < 0.3:
        rows = one.new_rows(action=Action.LOCK, module="Leads")
        one.zoho.add_unlocked("Leads", [row.record_id for row in rows])
        files.append(one.put(rows))
    one.night("ordinary", {0}, dict.fromkeys(files, "done"), needs_person=False, says="done")


def empty(one: Installation) -> None:
    """Send nothing."""
    one.night("no file", {0}, {}, needs_person=False, says="there were no files")


def rows_refused(one: Installation) -> None:
    """Let Zoho refuse some rows of one file, and take those of the other."""
    refused = one.put(one.new_rows(refused=one.random.randint(1, 5)))
    good = one.put()
    places = {refused: "attention", good: "done"}
    one.night("rows refused", {3}, places, needs_person=True, says="rejected")


def same_content(one: Installation) -> None:
    """Put the file of the evening before into the folder once more."""
    rows = one.new_rows()
    first = one.put(rows)
    one.night("ordinary", {0}, {first: "done"}, needs_person=False)
    copy = one.put(rows, "again.csv")
    one.night(
        "same content",
        {2},
        {copy: "attention"},
        guard="same_content",
        needs_person=True,
        says="the same content was finished before",
    )


def too_old(one: Installation) -> None:
    """Put a file there that was forgotten for two to nine days."""
    old = one.put(age=86400.0 * one.random.uniform(2, 9))
    good = one.put()
    one.night(
        "too old",
        {2},
        {old: "attention", good: "done"},
        guard="too_old",
        needs_person=True,
        says="inbox.max_age",
    )


def no_rows(one: Installation) -> None:
    """Put an export there that has failed: a header, and nothing below it."""
    file = one.put([])
    places = {file: "attention"}
    one.night("no rows", {2}, places, guard="no_rows", needs_person=True, says="no rows")


def unusual_rows(one: Installation) -> None:
    """Put a file there that was cut off, or appended to itself."""
    low, high = one.rows
    count = one.random.choice((max(1, low // 8), high * 5))
    file = one.put(one.new_rows(count))
    good = one.put()
    one.night(
        "unusual number of rows",
        {2},
        {file: "attention", good: "done"},
        guard="unusual_rows",
        needs_person=True,
        says="are usual",
        settings={"inbox": {"usual_rows": f"{(low + 1) // 2}-{high * 2}"}},
    )


def wrong_org(one: Installation) -> None:
    """Sign in to another org; then mend that, and put the file back."""
    _wrong_sign_in(one, "wrong_org", {"organization_id": "12"}, "zoho.organization_id")


def sandbox(one: Installation) -> None:
    """Sign in to production where the settings say sandbox; then mend that."""
    _wrong_sign_in(one, "wrong_environment", {"environment": "sandbox"}, "sandbox")


def _wrong_sign_in(one: Installation, guard: str, zoho: dict[str, object], says: str) -> None:
    first, second = one.put(), one.put()
    kind = "another org" if guard == "wrong_org" else "sandbox against production"
    one.night(
        kind,
        {2},
        {first: "attention", second: "left"},
        guard=guard,
        needs_person=True,
        says=says,
        settings={"zoho": zoho},
    )
    one.put_back(first)
    one.night(f"{kind}: mended", {0}, {first: "done", second: "done"}, needs_person=False)


def unlock(one: Installation) -> None:
    """Send a file that unlocks; then the same one with --yes."""
    file = one.put(one.new_rows(action=Action.UNLOCK))
    one.night(
        "unlocks without --yes",
        {2},
        {file: "attention"},
        guard="unlocks",
        needs_person=True,
        says="--yes",
    )
    one.put_back(file)
    one.night("unlocks with --yes", {0}, {file: "done"}, "--yes", needs_person=False)


def unreadable(one: Installation) -> None:
    """Put files there that are no tables; those of two nights have the same name and time."""
    content, name = one.random.choice(
        (
            (b"%PDF-1.7\n%....", "orders.xlsx"),
            (b"", "orders.csv"),
            (b"PK\x03\x04 cut off", "orders.xlsx"),
            (b"Title\nno columns that fit\n", "orders.csv"),
        )
    )
    for suffix in (b"1", b"2"):
        file = one.put_bytes(content + suffix if content else b"\n" * int(suffix), name, age=3600)
        good = one.put(name="good.csv")
        places = {file: "attention", good: "done"}
        # 2: a column is missing, which the configuration can say.
        one.night("unreadable file", {4, 2}, places, needs_person=True, says=name)


def growing(one: Installation) -> None:
    """Write to a file while the inbox runs; it is taken when it is complete."""
    other = one.put()
    file = one.put(name="growing.csv", age=0)

    def write(_: InboxProcess) -> None:
        for row in one.new_rows(4):
            append_row(file, row)
            _pause(0.6)

    places = {file: "done", other: "done"}
    one.night("still growing, then complete", {0}, places, needs_person=False, while_running=write)


def still_growing(one: Installation) -> None:
    """Let a file grow for longer than the inbox waits; the next night takes it."""
    file = one.put(name="slow.csv", age=0)

    def write(process: InboxProcess) -> None:
        while process.is_running:
            append_row(file, *one.new_rows(1))
            _pause(0.7)

    kind = "growing all the time"
    one.night(kind, {0}, {file: "left"}, while_running=write, says="still being written")
    set_age(file.path, 3600)
    one.night(f"{kind}: the night after", {0}, {file: "done"}, needs_person=False)


def vanishing(one: Installation) -> None:
    """Remove a file while it is sent, or replace it by another one."""
    file = one.put()
    is_replaced = one.random.random() < 0.5
    places = {file: "gone"}

    def change(process: InboxProcess) -> None:
        one.wait_for_changes(process, 2)
        file.path.unlink()
        if is_replaced:
            places[one.put(one.new_rows(), file.name, age=3600)] = "done"

    one.zoho.behave(latency=0.03)
    one.night(
        "file vanishes while it is sent",
        {0},
        places,
        "--in-flight",
        "1",
        while_running=change,
        needs_person=False,
    )
    one.zoho.behave(latency=0)


def collision(one: Installation) -> None:
    """Put a file of somebody else into done/, which nothing replaces."""
    file = one.put()
    foreign = one.folder / "done" / "orders-results.xlsx"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(b"of somebody else")
    (one.folder / "attention").mkdir(exist_ok=True)
    one.night("names that are taken", {0}, {file: "done"}, needs_person=False)
    assert foreign.read_bytes() == b"of somebody else"
    foreign.unlink()


def set_up(one: Installation) -> None:
    """Let Zoho refuse all rows, since locking is not set up; then set it up."""
    rows = one.new_rows(max(25, one.rows[0]), action=Action.LOCK, module="Leads")
    ids = [row.record_id for row in rows]
    one.zoho.add_unlocked("Leads", ids, lock_refusal="not_configured")
    file = one.put(rows)
    kind = "locking is not set up"
    says = "Record locking is not set up"
    one.night(kind, {6}, {file: "attention"}, needs_person=True, says=says)
    one.today -= 1
    soon = one.evening.replace(hour=22, minute=45)
    one.night(f"{kind}: 15 minutes later", {0}, {}, at=soon, says="there were no files")
    one.zoho.add_unlocked("Leads", ids)
    # The rows that were refused are sent by a person only.
    one.night(f"{kind}: mended", {3}, {}, needs_person=True, says="retry")
    results = one.correct(file)
    one.night(f"{kind}: the results are put back", {0}, {results: "done"}, needs_person=False)


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


KINDS: dict[str, Callable[[Installation], None]] = {
    "ordinary": ordinary,
    "empty": empty,
    "refused": rows_refused,
    "same": same_content,
    "old": too_old,
    "rows": no_rows,
    "unusual": unusual_rows,
    "org": wrong_org,
    "sandbox": sandbox,
    "unlock": unlock,
    "unreadable": unreadable,
    "growing": growing,
    "grows": still_growing,
    "vanishing": vanishing,
    "collision": collision,
    "setup": set_up,
}
