"""How many examples Hypothesis makes for a test.

A quarter of them is enough to find a new mistake within a few runs. `TEST_EXAMPLES=full pytest`
makes all, as the workflow does for each push.
"""

import os

_IS_FULL = os.environ.get("TEST_EXAMPLES") == "full"


def examples(count: int) -> int:
    """Return how many of `count` examples are made: all, or a quarter and at least three."""
    return count if _IS_FULL else max(3, count // 4)
