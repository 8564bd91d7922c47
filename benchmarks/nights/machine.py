"""Nights in which the machine ends or fills up, or somebody else works there, too."""

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
_INTERRUPTED = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}


def reboot(one: Installation) -> None:
    """Switch the machine off once or twice at any moment; the next night goes on."""
    files = [one.put() for _ in range(one.random.randint(1, 3))]
    one.slow_down()
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
    one.recover()
    places = dict.fromkeys(files, "done")
    one.night("reboot: the night after", {0}, places, needs_person=False)


def interrupted(one: Installation) -> None:
    """Send a signal in the middle; the next night goes on."""
    first, second = one.put(), one.put()
    name = one.random.choice([*_INTERRUPTED])

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, one.random.randint(2, one.rows[0] // 2))
        process.send_signal(signal.Signals[name])

    one.slow_down()
    kind = "SIGTERM, SIGINT or SIGHUP"
    one.night(
        kind,
        {_INTERRUPTED[name]},
        {first: "attention", second: "left"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    one.recover()
    places = {first: "done", second: "done"}
    one.night(f"{kind}: the night after", {0}, places, needs_person=False)


def two_at_once(one: Installation) -> None:
    """Start a second inbox on the same folder."""
    first, second = one.put(), one.put()

    def disturb(process: InboxProcess) -> None:
        one.wait_for_changes(process, 2)
        other, prefix = one.start()
        # The files are checked after the first one has ended.
        other_ended.append((other.wait(), prefix))

    other_ended: list[tuple[Ended, str]] = []
    one.slow_down()
    places = {first: "done", second: "done"}
    one.night(
        "two inboxes on one folder",
        {0},
        places,
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    one.recover()
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

    one.slow_down()
    kind = "two folders of one org"
    night = one.night(
        kind,
        {0},
        {file: "done", waiting: "left"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    one.recover()
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


KINDS: dict[str, Callable[[Installation], None]] = {
    "reboot": reboot,
    "signal": interrupted,
    "two": two_at_once,
    "folders": two_folders,
    "notices": dead_notices,
    "state-full": full_state,
    "inbox-full": full_inbox,
}
NEED_MOUNTS = frozenset({"state-full", "inbox-full"})
