"""When the rate allows the next call to start."""


class Rate:
    """GCRA (virtual scheduling) without a burst: starts are at least 1/rate seconds apart.

    `_next_start` is GCRA's theoretical arrival time. Even spacing keeps the limit in every second,
    however the second is placed; a token bucket would allow two bursts around its border. A rate
    below one works as well: 0.5 is one call every two seconds. Unused time is not made up for.
    """

    def __init__(self, per_second: float | None) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next_start = float("-inf")

    def wait(self, now: float) -> float:
        """Return the seconds until the next call may start."""
        return max(0.0, self._next_start - now)

    def start(self, now: float) -> None:
        """Record that a call starts now."""
        # max(): unused time is lost, or a pause would be followed by a burst.
        self._next_start = max(self._next_start, now) + self._interval
