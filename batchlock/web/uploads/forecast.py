"""How long the calls for an upload take, from what earlier runs of the org have shown."""

from dataclasses import dataclass

from batchlock.core.errors import BatchlockError
from batchlock.web.context import AppContext

# Below this number of calls, the start of a run (sign-in, growing window) distorts its pace.
_MIN_MEASURED_CALLS = 50
# The newest run may have failed; each is a file to open.
_SEARCHED_RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How many calls sending a file takes, and how long."""

    calls: int
    seconds: float | None = None
    """The shortest time; None when no run of this org has shown how long a call takes."""
    longest_seconds: float | None = None


def forecast_of(context: AppContext, calls: int) -> Forecast:
    """Return how long some calls take, from the org's cap and the calls of the newest good run.

    The shortest time is that at the cap, the longest that at half of it, to which a run goes back
    when Zoho answers that there are too many calls.
    """
    limits = context.settings.limits
    facts = context.store.orgs.facts(context.org)
    in_flight = limits.max_in_flight
    if limits.in_flight != "auto":
        in_flight = limits.in_flight
    elif facts is not None and facts.in_flight_cap is not None:
        in_flight = min(in_flight, facts.in_flight_cap)
    for run in context.store.runs.of_orgs([context.org])[:_SEARCHED_RUNS]:
        try:
            with context.store.journals.open(run.info) as journal:
                rows, call_seconds = journal.call_seconds()
        except BatchlockError:
            continue  # a run whose journal is damaged says so itself
        if rows >= _MIN_MEASURED_CALLS and call_seconds > 0:
            per_second = in_flight / call_seconds
            per_second = min(per_second, limits.per_second or per_second)
            shortest = calls / per_second
            return Forecast(calls=calls, seconds=shortest, longest_seconds=2 * shortest)
    return Forecast(calls=calls)
