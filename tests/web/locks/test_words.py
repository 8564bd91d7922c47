"""The words for the progress of a run that finds locks."""

from pathlib import Path

from support.commands import RunCommand
from support.locks import configure
from support.zoho import Start

from batchlock.core.runs import Run
from batchlock.store.store import Store
from batchlock.web.runs.events import LiveRun
from batchlock.web.runs.live import RunView
from batchlock.web.templating import Frame, Templates


def legend(run: Run) -> str:
    """Return the bar of a run with its legend, as the page shows it."""
    view = RunView(
        run=run,
        counts=run.figures.counts,
        remaining=run.figures.remaining,
        causes=(),
        throughput=None,
        credits_used=0,
    )
    return Templates(lambda _: Frame()).render_part(
        "live/bar.html",
        LiveRun(view=view, runs_before=(), waits_for_other_orgs=False, problem="", chart=None),
    )


def test_a_lock_that_was_looked_at_is_not_called_a_row_that_is_as_asked(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    configure(stand_in("--inventory-size", 60))
    found = run_in_process("locks", "Leads", "--json").json
    sent = run_in_process("run", found["output"], "--json").json
    again = run_in_process("run", found["output"], "--json").json
    with Store(Path("state")) as store:
        search, update, repetition = (
            store.runs.get(str(one["run_id"])) for one in (found, sent, again)
        )
    assert search is not None
    assert update is not None
    assert repetition is not None
    assert "Looked at <b>" in legend(search)
    assert "Unchanged" not in legend(search)
    assert "Updated <b>" in legend(update)
    assert "Unchanged <b>" in legend(repetition)
