"""Why the sending of a run ended, and what becomes of the run."""

import pytest
from support.run_info import INTERRUPTED

from batchlock.core.errors import (
    AlreadyRunning,
    BatchlockError,
    SignInRefused,
    Stopped,
    UnreadableFile,
    UsageError,
)
from batchlock.core.runs import CLOSED, RunState, state_after
from batchlock.core.stop import COMPLETED, TIME_IS_OVER, Cancelled, StopCode, StopReason


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (SignInRefused("No."), StopCode.SIGN_IN, 5),
        (UsageError("No."), StopCode.SETUP, 2),
        (Stopped("No."), StopCode.RULE, 6),
        (AlreadyRunning("No."), StopCode.ERROR, 7),
        (UnreadableFile("No."), StopCode.ERROR, 4),
        (BatchlockError("No."), StopCode.ERROR, 1),
    ],
)
def test_each_error_has_its_reason(error: BatchlockError, code: StopCode, exit_code: int) -> None:
    assert StopReason.of(error) == StopReason(code=code, sentence="No.", exit_code=exit_code)


@pytest.mark.parametrize("reason", [INTERRUPTED, TIME_IS_OVER])
def test_a_cancelled_run_keeps_the_reason_of_its_token(reason: StopReason) -> None:
    error = Cancelled(reason)
    assert StopReason.of(error) is reason
    assert (str(error), error.exit_code) == (reason.sentence, reason.exit_code)


def test_the_end_of_a_run_that_came_to_its_end_says_nothing() -> None:
    assert (COMPLETED.code, COMPLETED.sentence, COMPLETED.exit_code) == (StopCode.COMPLETED, "", 0)


@pytest.mark.parametrize("code", list(StopCode))
def test_a_run_without_rows_left_is_finished_whatever_ended_it(code: StopCode) -> None:
    assert state_after(StopReason(code=code), remaining=0) is RunState.FINISHED


@pytest.mark.parametrize("code", list(StopCode))
def test_only_a_final_reason_closes_a_run_with_rows_left(code: StopCode) -> None:
    reason = StopReason(code=code)
    assert (state_after(reason, remaining=1) in CLOSED) == reason.is_final


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (StopCode.SIGNAL, RunState.STOPPED),
        (StopCode.DEADLINE, RunState.STOPPED),
        (StopCode.RULE, RunState.STOPPED),
        (StopCode.SIGN_IN, RunState.STOPPED),
        (StopCode.SETUP, RunState.STOPPED),
        (StopCode.KILLED, RunState.STOPPED),
        (StopCode.STOPPED, RunState.STOPPED),
        (StopCode.ERROR, RunState.STOPPED),
        (StopCode.PAUSED, RunState.PAUSED),
        (StopCode.STRICT, RunState.REFUSED),
        (StopCode.SUPERSEDED, RunState.SUPERSEDED),
    ],
)
def test_the_state_of_a_run_with_rows_left_follows_from_the_reason(
    code: StopCode, state: RunState
) -> None:
    assert state_after(StopReason(code=code), remaining=1) is state
