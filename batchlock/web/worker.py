"""The process that sends one run for the page: `batchlock work`."""

from batchlock.core.errors import AlreadyRunning, BatchlockError
from batchlock.core.results import RunResult
from batchlock.core.stop import StopCode, StopReason
from batchlock.engine import Engine
from batchlock.org_settings import with_options


async def work(engine: Engine, run_id: str) -> RunResult | None:
    """Execute a run if it still waits in the queue; return None if it does not.

    The settings are those of `engine`, and those that its person has chosen for the run.

    The record of the run says why it could not begin. When the machine is shut down, the run waits
    in the queue for the next server.
    """
    runs = engine.store.runs
    run = runs.get(run_id)
    if run is None:
        return None
    try:
        engine = Engine(
            with_options(engine.settings, run),
            engine.options,
            engine.cancel_token,
            engine.observer,
            store=engine.store,
            stop_at=run.stop_at,
        )
        result = await engine.resume(run_id, only_queued=True)
    except BatchlockError as error:
        reason = StopReason.of(error)
        if isinstance(error, AlreadyRunning):
            runs.set_waiting_reason(run_id, reason)
        else:
            runs.end_waiting(run_id, reason)
        raise
    ended = runs.get(run_id)
    if ended and ended.reason and ended.reason.code is StopCode.SIGNAL and not ended.is_closed:
        runs.requeue(run_id, starts=run.starts)
    return result
