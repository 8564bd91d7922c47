"""Cancellation of a part, and of the whole."""

from batchlock.core.cancel import CancelToken
from batchlock.core.stop import TIME_IS_OVER, StopCode, StopReason

_RULE = StopReason(code=StopCode.RULE, sentence="Stopped: a rule.", exit_code=6)


def test_the_end_of_a_part_is_not_the_end_of_the_whole() -> None:
    whole = CancelToken()
    with whole.child() as part:
        part.cancel(_RULE)
    assert (part.reason, whole.reason) == (_RULE, None)


def test_the_end_of_the_whole_ends_its_parts() -> None:
    whole = CancelToken()
    with whole.child() as part:
        whole.cancel(TIME_IS_OVER)
        with whole.child() as late_part:
            assert part.reason == late_part.reason == TIME_IS_OVER
