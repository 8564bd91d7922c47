"""Nights in which the machine ends or fills up, or somebody else works there, too."""

import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from benchmarks.nights.checks import FaultKind
from benchmarks.nights.installation import Installation
from benchmarks.nights.process import InboxProcess, ProcessResult

_ONE_AT_A_TIME = ("--in-flight", "1")
_INTERRUPTED = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}


def reboot(installation: Installation) -> None:
    """Switch the machine off once or twice at any moment; the next night goes on."""
    files = [installation.put() for _ in range(installation.random.randint(1, 3))]
    installation.slow_down()
    for _ in range(installation.random.randint(1, 2)):
        process, prefix = installation.start(
            "--in-flight", str(installation.random.choice((1, 3, 5)))
        )
        if installation.random.random() < 0.7:
            rows = sum(len(file.rows) for file in files if file.place != "done")
            if not rows:
                break  # it has ended before the kill
            installation.wait_for_changes(process, installation.random.randint(1, rows))
        threading.Event().wait(installation.random.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        result = process.wait()
        # It may have ended by itself before.
        places = dict.fromkeys(files, "left|done")
        installation.end_night("reboot", result, prefix, {-9, 0}, places)
    installation.recover()
    places = dict.fromkeys(files, "done")
    installation.night("reboot: the night after", {0}, places, needs_person=False)


def interrupted(installation: Installation) -> None:
    """Send a signal in the middle; the next night goes on."""
    first, second = installation.put(), installation.put()
    name = installation.random.choice([*_INTERRUPTED])

    def disturb(process: InboxProcess) -> None:
        installation.wait_for_changes(
            process, installation.random.randint(2, installation.rows[0] // 2)
        )
        process.send_signal(signal.Signals[name])

    installation.slow_down()
    kind = "SIGTERM, SIGINT or SIGHUP"
    installation.night(
        kind,
        {_INTERRUPTED[name]},
        {first: "attention", second: "left"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    installation.recover()
    places = {first: "done", second: "done"}
    installation.night(f"{kind}: the night after", {0}, places, needs_person=False)


def two_at_once(installation: Installation) -> None:
    """Start a second inbox on the same folder."""
    first, second = installation.put(), installation.put()

    def disturb(process: InboxProcess) -> None:
        installation.wait_for_changes(process, 2)
        other, prefix = installation.start()
        # The files are checked after the first one has ended.
        other_ended.append((other.wait(), prefix))

    other_ended: list[tuple[ProcessResult, str]] = []
    installation.slow_down()
    places = {first: "done", second: "done"}
    installation.night(
        "two inboxes on one folder",
        {0},
        places,
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    installation.recover()
    for result, prefix in other_ended:
        installation.end_night("two inboxes on one folder: the second", result, prefix, {7}, {})


def two_folders(installation: Installation) -> None:
    """Start an inbox of another folder for the same org; its file waits for the next night."""
    other_folder = installation.home / "other"
    other_folder.mkdir(exist_ok=True)
    file, waiting = installation.put(), installation.put(folder=other_folder)
    codes: list[int] = []

    def disturb(process: InboxProcess) -> None:
        installation.wait_for_changes(process, 2)
        other, _ = installation.start(folder=other_folder)
        codes.append(other.wait().code)

    installation.slow_down()
    kind = "two folders of one org"
    night = installation.night(
        kind,
        {0},
        {file: "done", waiting: "left"},
        *_ONE_AT_A_TIME,
        while_running=disturb,
        needs_person=False,
    )
    installation.recover()
    if codes != [7]:
        night.add(FaultKind.CODE, f"the inbox of the other folder has ended with {codes}")
    installation.night(f"{kind}: the second", {0}, {waiting: "done"}, folder=other_folder)


def dead_notices(installation: Installation) -> None:
    """Let nobody answer where notices go; everything else is as ever."""
    refused = installation.put(installation.new_rows(refused=1))
    good = installation.put()
    installation.night(
        "notices cannot be delivered",
        {3},
        {refused: "attention", good: "done"},
        notices=installation.random.choice(("faulty", "hanging")),
        settings={"notify": {"timeout": 0.3}},
        quiet=False,
    )


def full_state(installation: Installation) -> None:
    """Fill the disk of the state folder; the next night has room."""
    _full_disk(
        installation,
        installation.home / "state",
        "state folder is full",
        installation.random.randint(20, 400),
    )


def full_inbox(installation: Installation) -> None:
    """Fill the disk of the inbox; the next night has room."""
    _full_disk(
        installation,
        installation.folder,
        "inbox is full",
        installation.random.choice((0, 4, 8, 24)),
    )


def _full_disk(installation: Installation, folder: Path, kind: str, room_kib: int) -> None:
    """Leave some room on the disk of a folder."""
    folder.mkdir(exist_ok=True)
    if not folder.is_mount():
        aside = folder.with_name(f"{folder.name}-before")
        shutil.copytree(folder, aside)
        _mount(folder, "64m")
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        shutil.rmtree(aside)
    files = [installation.put(installation.new_rows(installation.rows[1])), installation.put()]
    used_kib = (shutil.disk_usage(folder).used + 1023) // 1024
    _mount(folder, f"{used_kib + room_kib}k", remount=True)
    try:
        places = dict.fromkeys(files, "left|attention|done")
        installation.night(f"disk of the {kind}", {0, 2, 6}, places)
    finally:
        _mount(folder, "64m", remount=True)
    places = dict.fromkeys(files, "done")
    installation.night(f"disk of the {kind}: the night after", {0}, places, needs_person=False)


def _mount(folder: Path, size: str, *, remount: bool = False) -> None:
    options = f"remount,size={size}" if remount else f"size={size}"
    subprocess.run(  # noqa: S603  ours
        # By its name: its folder differs between systems.
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
