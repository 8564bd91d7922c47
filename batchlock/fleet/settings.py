"""Settings of `batchlock worker`."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How a worker serves orgs. Times are in seconds."""

    orgs_at_once: Annotated[int, Ge(1), Le(10_000)] = 100
    # A worker renews its leases three times in this time. The runs of a worker that was killed are
    # taken over by another one when it is over.
    lease: Annotated[float, Ge(3), Le(3600)] = 15.0
