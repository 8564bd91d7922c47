"""When the next call may go: calls in flight, rate, credits, hold, back-off.

A `Gate` stands before every call. What it decides from is pure and has no clock of its own
(`rules`): `Window` says how many calls may be in flight, `Rate` when the next may start, `Budget`
whether it may be paid for, `Trouble` for how long everyone waits and when waiting is over.
"""

from batchlock.pacing.clock import Clock, SystemClock
from batchlock.pacing.gate import Gate, Pulse, Ticket
from batchlock.pacing.memory import recall, remember
from batchlock.pacing.rules import Budget, Ceiling, Rate, Trouble, Window
from batchlock.pacing.settings import Limits, Retry

__all__ = [
    "Budget",
    "Ceiling",
    "Clock",
    "Gate",
    "Limits",
    "Pulse",
    "Rate",
    "Retry",
    "SystemClock",
    "Ticket",
    "Trouble",
    "Window",
    "recall",
    "remember",
]
