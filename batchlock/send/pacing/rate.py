"""When the next call may start."""


class Rate:
    """Starts that are evenly spaced, so that any time holds no more than the rate allows.

    A fraction is one over several seconds: 2.5 are five in any two. A pause is not caught up with.
    """

    def __init__(self, per_second: float | None) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """Return the seconds until the next call may start."""
        return max(0.0, self._next - now)

    def start(self, now: float) -> None:
        """Count a call that starts now."""
        self._next = max(self._next, now) + self._interval
