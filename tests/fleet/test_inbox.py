"""`batchlock inbox` with a database: workers send the runs, and the inbox moves the files."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from support.fleet import Fleet, updates_of

from batchlock.core.cancel import CancelToken
from batchlock.core.night import FileStatus
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.fleet.engine import SharedEngine
from batchlock.inboxes.inbox import Inbox
from batchlock.inboxes.listing import DONE


def test_workers_send_the_files_of_a_folder(
    make_fleet: Callable[..., Fleet], tmp_path: Path
) -> None:
    fleet = make_fleet()
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(updates_of(1, 10), folder / "tonight.csv")
    (folder / "none.csv").write_text("Module,Record Id,Lock Id,Reason\n", "utf-8")
    settings = fleet.engine(1).settings
    engine = SharedEngine(
        replace(settings, results=replace(settings.results, directory=folder / DONE)),
        RunOptions(pins_results=True),
        CancelToken(),
        RunObserver(),
        store=fleet.store,
    )
    with fleet.worker():
        digest = asyncio.run(Inbox(engine, folder).take())
    statuses = {file.name: (file.status, file.guard) for file in digest.files}
    assert statuses == {
        "tonight.csv": (FileStatus.DONE, ""),
        "none.csv": (FileStatus.ATTENTION, "no_rows"),
    }
    assert digest.exit_code == 2
    (results,) = digest.results
    assert results.parent == folder / DONE
    assert sorted(path.suffix for path in (folder / DONE).iterdir()) == [".csv", ".xlsx"]
