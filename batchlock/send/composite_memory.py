"""What an org takes in composite calls, stored between its runs.

The content is JSON: for each method whether Zoho took it, and when that was found.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from batchlock.send.composite import Support
from batchlock.send.org_memory import JsonPlace

# Zoho may extend what it takes, and a sign-in may get the scope that it lacked. A new trial costs
# one credit, and the rows are not delayed.
_MAX_AGE = timedelta(days=7)


def load_support(place: JsonPlace, now: datetime) -> Support:
    """Return what earlier runs have found, without what is too old; damaged content is nothing."""
    methods = {}
    for method, entry in place.read().items():
        with suppress(ValueError, TypeError, KeyError):
            if now - datetime.fromisoformat(entry["at"]) < _MAX_AGE:
                methods[method] = entry["accepted"] is True
    return Support(methods)


def save_support(place: JsonPlace, *, before: Support, support: Support, now: datetime) -> None:
    """Store what a run has found; what it has not found itself keeps its date.

    A failure is ignored: the next run then makes its own trial.
    """
    changed = {
        method: {"accepted": accepted, "at": now.isoformat()}
        for method, accepted in support.methods.items()
        if before.methods.get(method) is not accepted
    }
    if not changed:
        return
    place.write(place.read() | changed)
