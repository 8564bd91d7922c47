"""A stand-in for the Zoho CRM API with its limits, errors and delays.

It is for rehearsals and tests. `serving` starts it, `Behaviour` sets its limits and faults, and the
tables of magic values list the record ids, modules and sign-ins that always get the same answer.
It shares no code with the rest of the package, so that it does not repeat the client's mistakes.
See docs/simulator.md.
"""

from batchlock.simulator.behaviour import Behaviour, Fault
from batchlock.simulator.ledger import Kind
from batchlock.simulator.locks import DEFAULT_REASON, lock_id_of
from batchlock.simulator.magic import (
    MAGIC_MODULES,
    MAGIC_RECORDS,
    MAGIC_SIGN_INS,
    MagicModule,
    MagicRecord,
    MagicSignIn,
)
from batchlock.simulator.org import ORGANIZATION_ID
from batchlock.simulator.server import Simulator, serving

__all__ = [
    "DEFAULT_REASON",
    "MAGIC_MODULES",
    "MAGIC_RECORDS",
    "MAGIC_SIGN_INS",
    "ORGANIZATION_ID",
    "Behaviour",
    "Fault",
    "Kind",
    "MagicModule",
    "MagicRecord",
    "MagicSignIn",
    "Simulator",
    "lock_id_of",
    "serving",
]
