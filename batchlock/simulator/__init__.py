"""A stand-in for the Zoho CRM API with its limits, errors and delays.

It is for rehearsals and tests. `serving` starts it, `Behaviour` sets its org, limits and faults, an
`Inventory` names its records, and the tables of magic values list the record ids, modules and
sign-ins that always get the same answer. It shares no code with the rest of the package, so that it
does not repeat the client's mistakes. See docs/simulator.md.
"""

from batchlock.simulator.behaviour import (
    ORGANIZATION_ID,
    Behaviour,
    Composite,
    Fault,
    OrgType,
    Unlisted,
)
from batchlock.simulator.editions import Edition
from batchlock.simulator.inventory_json import parse as parse_inventory_json
from batchlock.simulator.ledger import Kind
from batchlock.simulator.locks import lock_id_of
from batchlock.simulator.magic import (
    MAGIC_MODULES,
    MAGIC_RECORDS,
    MAGIC_SIGN_INS,
    MagicModule,
    MagicRecord,
    MagicSignIn,
)
from batchlock.simulator.records import DEFAULT_REASON, Inventory, Lock, Record
from batchlock.simulator.sample import sample_inventory
from batchlock.simulator.scopes import DEFAULT_SCOPES
from batchlock.simulator.server import serving
from batchlock.simulator.simulator import Simulator

__all__ = [
    "DEFAULT_REASON",
    "DEFAULT_SCOPES",
    "MAGIC_MODULES",
    "MAGIC_RECORDS",
    "MAGIC_SIGN_INS",
    "ORGANIZATION_ID",
    "Behaviour",
    "Composite",
    "Edition",
    "Fault",
    "Inventory",
    "Kind",
    "Lock",
    "MagicModule",
    "MagicRecord",
    "MagicSignIn",
    "OrgType",
    "Record",
    "Simulator",
    "Unlisted",
    "lock_id_of",
    "parse_inventory_json",
    "sample_inventory",
    "serving",
]
