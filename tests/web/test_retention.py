"""What the server removes by itself, with `web.keep`."""

import time
from pathlib import Path

from support.run_info import INTERRUPTED, run_info, run_record

from batchlock.core.runs import RunState
from batchlock.core.stop import COMPLETED
from batchlock.store.store import Store
from batchlock.web.retention import remove_old_runs


def test_an_old_run_stays_while_an_unfinished_one_needs_to_know_its_rows(tmp_path: Path) -> None:
    done, unfinished, other = (f"20260101-000000-000{number}" for number in (1, 2, 3))
    with Store(tmp_path) as store:
        for run_id, content in ((done, "a" * 64), (unfinished, "a" * 64), (other, "b" * 64)):
            info = run_info(run_id=run_id, org="acme", identity=content, sha256=content)
            store.runs.add(run_record(info, state=RunState.PLANNED))
        store.runs.end_session(done, RunState.FINISHED, COMPLETED)
        store.runs.end_session(unfinished, RunState.STOPPED, INTERRUPTED)
        store.runs.end_session(other, RunState.FINISHED, COMPLETED)
        remove_old_runs(store, "acme", time.time() + 1)
        assert {run.run_id for run in store.runs.of_orgs(["acme"])} == {done, unfinished}
