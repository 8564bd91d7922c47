"""Nights with a fault of Zoho, of the sign-in, of the machine, or of somebody else."""

import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from benchmarks.nights.checks import Wrong
from benchmarks.nights.installation import Installation
from benchmarks.nights.process import Ended, InboxProcess

_ONE_AT_A_TIME = ("--in-flight", "1")
# A row takes this long, so that there is a middle of the night.
_LATENCY_SECONDS = 0.03
# Not a fault of the stand-in: nobody listens at its address.
_REFUSED = "refused"
_INTERRUPTED = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}
# Without those of changes.
_ONLY_READING = [f"ZohoCRM.{name}.READ" for name in ("modules", "org", "settings.modules", "users")]


def short_outage(one: Installation) -> None:
    """Let Zoho be away for a moment in the middle; the night goes on by itself."""
    files = [one.put(), one.put()]
    fault = one.random.choice((_REFUSED, "dropped_before", "dropped_after", "throttled", "hang"))

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(2, one.rows[0] // 2))
        _disturb(one, fault)
        threading.Event().wait(0.25)
        _well(one)
        _slow(one)

    _slow(one)
    places = dict.fromkeys(files, "done")
    one.night(
        "short outage",
        {0},
        places,
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
        # Longer than the outage, whatever the waits are.
        settings={"retry": {"attempts": 20, "give_up_after": 20, "timeout": 1}},
    )
    _well(one)


def long_outage(one: Installation) -> None:
    """Let Zoho go away until batchlock gives up."""
    files = [one.put(), one.put(), one.put()]
    fault = one.random.choice((_REFUSED, "throttled"))

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(1, one.rows[0] - 1))
        _disturb(one, fault)

    _slow(one)
    kind = "outage until batchlock gives up"
    first, second, third = files
    places = {first: "attention", second: "attention|left", third: "left"}
    one.night(kind, {6}, places, *_ONE_AT_A_TIME, while_running=disturb, needs_person=False)
    _well(one)
    one.night(f"{kind}: the night after", {0}, dict.fromkeys(files, "done"), needs_person=False)


def outage_until_the_end(one: Installation) -> None:
    """Let Zoho be away until the time of --until."""
    first, second = one.put(), one.put()

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, 2)
        _disturb(one, one.random.choice((_REFUSED, "throttled")))

    _slow(one)
    kind = "outage until the time is over"
    one.night(
        kind,
        {6},
        # It gives up earlier where Zoho would answer after that time only; then both are begun.
        {first: "attention", second: "attention|left"},
        *_ONE_AT_A_TIME,
        "--until",
        "06:00",
        while_running=disturb,
        needs_person=False,
        at=one.evening.replace(hour=5, minute=59, second=56),
        settings={"retry": {"give_up_after": 900}},
    )
    _well(one)
    places = {first: "done", second: "done"}
    one.night(f"{kind}: the night after", {0}, places, needs_person=False)


def failing(one: Installation) -> None:
    """Let every call be answered with an error until rows fail; a person sends them again."""
    first, second = one.put(), one.put()
    fault = one.random.choice(("server_error", "bad_gateway", "dropped_before", "cut_body"))

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(2, one.rows[0] // 2))
        _disturb(one, fault)
        threading.Event().wait(2.5)
        _well(one)

    _slow(one)
    kind = "errors for so long that rows fail"
    one.night(
        kind,
        {3},
        {first: "attention", second: "done|attention"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=True,
        says="failed",
        settings={"retry": {"attempts": 2}},
    )
    places = {}
    for file in (first, second):
        if file.place == "attention":
            places[one.correct(file)] = "done"
    one.night(f"{kind}: the results are put back", {0}, places, needs_person=False)


def deadline(one: Installation) -> None:
    """Let the time of --until come in the middle of a file."""
    first, second = one.put(one.new_rows(one.rows[1])), one.put()
    one.zoho.behave(latency=6.0 / one.rows[1])
    kind = "--until in the middle"
    one.night(
        kind,
        {6},
        {first: "attention", second: "left"},
        *_ONE_AT_A_TIME,
        "--until",
        "06:00",
        needs_person=False,
        at=one.evening.replace(hour=5, minute=59, second=56),
        says="time",
    )
    _well(one)
    places = {first: "done", second: "done"}
    one.night(f"{kind}: the night after", {0}, places, needs_person=False)


def spent_credits(one: Installation) -> None:
    """Let the credits of the org be used up in the middle."""
    first, second = one.put(), one.put()
    # Beside the rows, an org is asked two questions, and a row may be looked up.
    left = one.random.randint(5, one.rows[0])
    one.zoho.behave(credits=one.zoho.state()["credits_used"] + left)
    kind = "credits are spent in the middle"
    places = {first: "attention", second: "attention|left"}
    one.night(kind, {6}, places, *_ONE_AT_A_TIME, needs_person=False)
    one.zoho.behave(credits=None)
    places = {first: "done", second: "done"}
    one.night(f"{kind}: the night after", {0}, places, needs_person=False)


def reboot(one: Installation) -> None:
    """Switch the machine off once or twice at any moment; the next night goes on."""
    files = [one.put() for _ in range(one.random.randint(1, 3))]
    _slow(one)
    for _ in range(one.random.randint(1, 2)):
        process, prefix = one.start("--in-flight", str(one.random.choice((1, 3, 5))))
        if one.random.random() < 0.7:
            rows = sum(len(file.rows) for file in files if file.place != "done")
            if not rows:
                break  # it has ended before the kill
            one.wait_for_changes(process, one.random.randint(1, rows))
        threading.Event().wait(one.random.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        ended = process.wait()
        # It may have ended by itself before.
        places = dict.fromkeys(files, "left|done")
        one.end_night("reboot", ended, prefix, {-9, 0}, places)
    _well(one)
    places = dict.fromkeys(files, "done")
    one.night("reboot: the night after", {0}, places, needs_person=False)


def interrupted(one: Installation) -> None:
    """Send a signal in the middle; the next night goes on."""
    first, second = one.put(), one.put()
    name = one.random.choice([*_INTERRUPTED])

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(2, one.rows[0] // 2))
        process.send_signal(signal.Signals[name])

    _slow(one)
    kind = "SIGTERM, SIGINT or SIGHUP"
    one.night(
        kind,
        {_INTERRUPTED[name]},
        {first: "attention", second: "left"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    _well(one)
    places = {first: "done", second: "done"}
    one.night(f"{kind}: the night after", {0}, places, needs_person=False)


def revoked(one: Installation) -> None:
    """Revoke the sign-in in the middle, and mend it after another night."""
    first, second = one.put(), one.put()

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(2, one.rows[0] // 2))
        one.zoho.revoke()

    _slow(one)
    kind = "sign-in revoked in the middle"
    places = {first: "attention", second: "left"}
    one.night(kind, {5}, places, *_ONE_AT_A_TIME, while_running=disturb, needs_person=True)
    _well(one)
    third = one.put()
    one.night(f"{kind}: not mended", {5}, {third: "left"}, needs_person=True)
    one.zoho.sign_in_again()
    places = dict.fromkeys((first, second, third), "done")
    one.night(f"{kind}: mended", {0}, places, needs_person=False)


def scope_missing(one: Installation) -> None:
    """Let the sign-in look, and not change; then mend it."""
    file = one.put()
    scopes = one.zoho.behaviour["scopes"]
    one.zoho.behave(scopes=_ONLY_READING)
    kind = "scope missing"
    one.night(kind, {5}, {file: "attention|left"}, needs_person=True)
    one.zoho.behave(scopes=scopes)
    one.night(f"{kind}: mended", {0}, {file: "done"}, needs_person=False)


def two_at_once(one: Installation) -> None:
    """Start a second inbox on the same folder."""
    first, second = one.put(), one.put()

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, 2)
        other, prefix = one.start()
        # The files are checked after the first one has ended.
        other_ended.append((other.wait(), prefix))

    other_ended: list[tuple[Ended, str]] = []
    _slow(one)
    places = {first: "done", second: "done"}
    one.night(
        "two inboxes on one folder",
        {0},
        places,
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    _well(one)
    for ended, prefix in other_ended:
        one.end_night("two inboxes on one folder: the second", ended, prefix, {7}, {})


def two_folders(one: Installation) -> None:
    """Start an inbox of another folder for the same org; its file waits for the next night."""
    other_folder = one.home / "other"
    other_folder.mkdir(exist_ok=True)
    file, waiting = one.put(), one.put(folder=other_folder)
    codes: list[int] = []

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, 2)
        other, _ = one.start(folder=other_folder)
        codes.append(other.wait().code)

    _slow(one)
    kind = "two folders of one org"
    night = one.night(
        kind,
        {0},
        {file: "done", waiting: "left"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    _well(one)
    if codes != [7]:
        night.add(Wrong.CODE, f"the inbox of the other folder has ended with {codes}")
    one.night(f"{kind}: the second", {0}, {waiting: "done"}, folder=other_folder)


def dead_notices(one: Installation) -> None:
    """Let nobody answer where notices go; everything else is as ever."""
    refused = one.put(one.new_rows(refused=1))
    good = one.put()
    one.night(
        "notices cannot be delivered",
        {3},
        {refused: "attention", good: "done"},
        notices=one.random.choice(("faulty", "hanging")),
        settings={"notify": {"timeout": 0.3}},
        quiet=False,
    )


def full_state(one: Installation) -> None:
    """Fill the disk of the state folder; the next night has room."""
    _full_disk(one, one.home / "state", "state folder is full", one.random.randint(20, 400))


def full_inbox(one: Installation) -> None:
    """Fill the disk of the inbox; the next night has room."""
    _full_disk(one, one.folder, "inbox is full", one.random.choice((0, 4, 8, 24)))


def _full_disk(one: Installation, folder: Path, kind: str, room_kib: int) -> None:
    """Leave some room on the disk of a folder."""
    folder.mkdir(exist_ok=True)
    if not folder.is_mount():
        aside = folder.with_name(f"{folder.name}-before")
        shutil.copytree(folder, aside)
        _mount(folder, "64m")
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        shutil.rmtree(aside)
    files = [one.put(one.new_rows(one.rows[1])), one.put()]
    used_kib = (shutil.disk_usage(folder).used + 1023) // 1024
    _mount(folder, f"{used_kib + room_kib}k", remount=True)
    try:
        places = dict.fromkeys(files, "left|attention|done")
        one.night(f"disk of the {kind}", {0, 2, 6}, places)
    finally:
        _mount(folder, "64m", remount=True)
    places = dict.fromkeys(files, "done")
    one.night(f"disk of the {kind}: the night after", {0}, places, needs_person=False)


def _mount(folder: Path, size: str, *, remount: bool = False) -> None:
    options = f"remount,size={size}" if remount else f"size={size}"
    subprocess.run(  # noqa: S603  ours
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],  # noqa: S607
        check=True,
    )


def _disturb(one: Installation, fault: str) -> None:
    if fault == _REFUSED:
        one.way.cut()
    else:
        one.zoho.behave(faults={fault: 1})


def _slow(one: Installation) -> None:
    one.zoho.behave(latency=_LATENCY_SECONDS)


def _well(one: Installation) -> None:
    one.way.mend()
    one.zoho.behave(latency=0, faults={})


KINDS: dict[str, Callable[[Installation], None]] = {
    "outage": short_outage,
    "away": long_outage,
    "window": outage_until_the_end,
    "failing": failing,
    "until": deadline,
    "credits": spent_credits,
    "reboot": reboot,
    "signal": interrupted,
    "revoked": revoked,
    "scope": scope_missing,
    "two": two_at_once,
    "folders": two_folders,
    "notices": dead_notices,
    "state-full": full_state,
    "inbox-full": full_inbox,
}
NEED_MOUNTS = frozenset({"state-full", "inbox-full"})
