"""Nights of files that are well, and of files that a guard or their content keeps back."""

import threading
from collections.abc import Callable

from benchmarks.nights.files import Action, append_row, set_age
from benchmarks.nights.installation import Installation
from benchmarks.nights.process import InboxProcess


def ordinary(installation: Installation) -> None:
    """Send one to three files with updates, and at times one that locks."""
    files = [installation.put() for _ in range(installation.random.randint(1, 3))]
    if installation.random.random() < 0.3:
        rows = installation.new_rows(action=Action.LOCK, module="Leads")
        installation.zoho.add_unlocked("Leads", [row.record_id for row in rows])
        files.append(installation.put(rows))
    installation.night(
        "ordinary", {0}, dict.fromkeys(files, "done"), needs_person=False, notice_part="done"
    )


def empty(installation: Installation) -> None:
    """Send nothing."""
    installation.night("no file", {0}, {}, needs_person=False, notice_part="there were no files")


def rows_refused(installation: Installation) -> None:
    """Let Zoho refuse some rows of one file, and take those of the other."""
    refused = installation.put(installation.new_rows(refused=installation.random.randint(1, 5)))
    good = installation.put()
    places = {refused: "attention", good: "done"}
    installation.night("rows refused", {3}, places, needs_person=True, notice_part="rejected")


def same_content(installation: Installation) -> None:
    """Put the file of the evening before into the folder once more."""
    rows = installation.new_rows()
    first = installation.put(rows)
    installation.night("ordinary", {0}, {first: "done"}, needs_person=False)
    copy = installation.put(rows, "again.csv")
    installation.night(
        "same content",
        {2},
        {copy: "attention"},
        guard="same_content",
        needs_person=True,
        notice_part="the same content was finished before",
    )


def too_old(installation: Installation) -> None:
    """Put a file there that was forgotten for two to nine days."""
    old = installation.put(age=86400.0 * installation.random.uniform(2, 9))
    good = installation.put()
    installation.night(
        "too old",
        {2},
        {old: "attention", good: "done"},
        guard="too_old",
        needs_person=True,
        notice_part="inbox.max_age",
    )


def no_rows(installation: Installation) -> None:
    """Put an export there that has failed: a header, and nothing below it."""
    file = installation.put([])
    places = {file: "attention"}
    installation.night(
        "no rows", {2}, places, guard="no_rows", needs_person=True, notice_part="no rows"
    )


def unusual_rows(installation: Installation) -> None:
    """Put a file there that was cut off, or appended to itself."""
    low, high = installation.rows
    count = installation.random.choice((max(1, low // 8), high * 5))
    file = installation.put(installation.new_rows(count))
    good = installation.put()
    installation.night(
        "unusual number of rows",
        {2},
        {file: "attention", good: "done"},
        guard="unusual_rows",
        needs_person=True,
        notice_part="are usual",
        settings={"inbox": {"usual_rows": f"{(low + 1) // 2}-{high * 2}"}},
    )


def wrong_org(installation: Installation) -> None:
    """Sign in to another org; then mend that, and put the file back."""
    _wrong_sign_in(installation, "wrong_org", {"organization_id": "12"}, "zoho.organization_id")


def sandbox(installation: Installation) -> None:
    """Sign in to production where the settings say sandbox; then mend that."""
    _wrong_sign_in(installation, "wrong_environment", {"environment": "sandbox"}, "sandbox")


def _wrong_sign_in(
    installation: Installation, guard: str, zoho: dict[str, object], notice_part: str
) -> None:
    first, second = installation.put(), installation.put()
    kind = "another org" if guard == "wrong_org" else "sandbox against production"
    installation.night(
        kind,
        {2},
        {first: "attention", second: "left"},
        guard=guard,
        needs_person=True,
        notice_part=notice_part,
        settings={"zoho": zoho},
    )
    installation.put_back(first)
    installation.night(f"{kind}: mended", {0}, {first: "done", second: "done"}, needs_person=False)


def unlock(installation: Installation) -> None:
    """Send a file that unlocks; then the same one with --yes."""
    file = installation.put(installation.new_rows(action=Action.UNLOCK))
    installation.night(
        "unlocks without --yes",
        {2},
        {file: "attention"},
        guard="unlocks",
        needs_person=True,
        notice_part="--yes",
    )
    installation.put_back(file)
    installation.night("unlocks with --yes", {0}, {file: "done"}, "--yes", needs_person=False)


def unreadable(installation: Installation) -> None:
    """Put files there that are no tables; those of two nights have the same name and time."""
    content, name = installation.random.choice(
        (
            (b"%PDF-1.7\n%....", "orders.xlsx"),
            (b"", "orders.csv"),
            (b"PK\x03\x04 cut off", "orders.xlsx"),
            (b"Title\nno columns that fit\n", "orders.csv"),
        )
    )
    for suffix in (b"1", b"2"):
        file = installation.put_bytes(
            content + suffix if content else b"\n" * int(suffix), name, age=3600
        )
        good = installation.put(name="good.csv")
        places = {file: "attention", good: "done"}
        # 2: a column is missing, which the configuration can say.
        installation.night("unreadable file", {4, 2}, places, needs_person=True, notice_part=name)


def growing(installation: Installation) -> None:
    """Write to a file while the inbox runs; it is taken when it is complete."""
    other = installation.put()
    file = installation.put(name="growing.csv", age=0)

    def write(_: InboxProcess) -> None:
        for row in installation.new_rows(4):
            append_row(file, row)
            _pause(0.6)

    places = {file: "done", other: "done"}
    installation.night(
        "still growing, then complete", {0}, places, needs_person=False, while_running=write
    )


def still_growing(installation: Installation) -> None:
    """Let a file grow for longer than the inbox waits; the next night takes it."""
    file = installation.put(name="slow.csv", age=0)

    def write(process: InboxProcess) -> None:
        while process.is_running:
            append_row(file, *installation.new_rows(1))
            _pause(0.7)

    kind = "growing all the time"
    installation.night(
        kind, {0}, {file: "left"}, while_running=write, notice_part="still being written"
    )
    set_age(file.path, 3600)
    installation.night(f"{kind}: the night after", {0}, {file: "done"}, needs_person=False)


def vanishing(installation: Installation) -> None:
    """Remove a file while it is sent, or replace it by another one."""
    file = installation.put()
    is_replaced = installation.random.random() < 0.5
    places = {file: "gone"}

    def change(process: InboxProcess) -> None:
        installation.wait_for_changes(process, 2)
        file.path.unlink()
        if is_replaced:
            places[installation.put(installation.new_rows(), file.name, age=3600)] = "done"

    installation.zoho.behave(latency=0.03)
    installation.night(
        "file vanishes while it is sent",
        {0},
        places,
        "--in-flight",
        "1",
        while_running=change,
        needs_person=False,
    )
    installation.zoho.behave(latency=0)


def collision(installation: Installation) -> None:
    """Put a file of somebody else into done/, which nothing replaces."""
    file = installation.put()
    foreign = installation.folder / "done" / "orders-results.xlsx"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(b"of somebody else")
    (installation.folder / "attention").mkdir(exist_ok=True)
    installation.night("names that are taken", {0}, {file: "done"}, needs_person=False)
    assert foreign.read_bytes() == b"of somebody else"
    foreign.unlink()


def set_up(installation: Installation) -> None:
    """Let Zoho refuse all rows, since locking is not set up; then set it up."""
    rows = installation.new_rows(max(25, installation.rows[0]), action=Action.LOCK, module="Leads")
    ids = [row.record_id for row in rows]
    installation.zoho.add_unlocked("Leads", ids, lock_refusal="not_configured")
    file = installation.put(rows)
    kind = "locking is not set up"
    notice_part = "Record locking is not set up"
    installation.night(kind, {6}, {file: "attention"}, needs_person=True, notice_part=notice_part)
    installation.today -= 1
    soon = installation.evening.replace(hour=22, minute=45)
    installation.night(
        f"{kind}: 15 minutes later", {0}, {}, at=soon, notice_part="there were no files"
    )
    installation.zoho.add_unlocked("Leads", ids)
    # The rows that were refused are sent by a person only.
    installation.night(f"{kind}: mended", {3}, {}, needs_person=True, notice_part="retry")
    results = installation.correct(file)
    installation.night(
        f"{kind}: the results are put back", {0}, {results: "done"}, needs_person=False
    )


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
