"""When the next call may start: calls in flight, rate, credits, circuit breaker, back-off.

Every call passes the `CallLimiter` (`limiter`). The rules it decides from are pure and have no
clock of their own: `Window` says how many calls may be in flight, `Rate` when the next one may
start, `Budget` whether its credit may be spent, `CircuitBreaker` how long all calls wait.
"""
