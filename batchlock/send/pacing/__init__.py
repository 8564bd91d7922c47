"""When the next call may start: calls in flight, rate, credits, circuit breaker, back-off.

Every call acquires a permit from the `CallLimiter` (`limiter`). The rules behind it are pure and
have no clock of their own: `Window` (AIMD) limits the calls in flight, `Rate` (GCRA) spaces their
starts, `Budget` limits the credits, `CircuitBreaker` makes all calls wait.
"""
