"""A stand-in for the Zoho CRM API with its limits, errors and delays.

It is for rehearsals and tests. `serving` starts it with one org, `serving_orgs` with those
of `make_orgs`; `Behaviour` sets its org, limits and faults, an
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
from batchlock.simulator.call_log import Kind
from batchlock.simulator.editions import Edition
from batchlock.simulator.identity import MOST_ORGS, Identity
from batchlock.simulator.inventory_json import parse as parse_inventory_json
from batchlock.simulator.locks import lock_id_of
from batchlock.simulator.magic import (
    MAGIC_MODULES,
    MAGIC_RECORDS,
    MAGIC_SIGN_INS,
    MagicModule,
    MagicRecord,
    MagicSignIn,
)
from batchlock.simulator.orgs import Orgs, make_orgs
from batchlock.simulator.orgs_file import write_orgs
from batchlock.simulator.records import DEFAULT_REASON, Inventory, Lock, Record
from batchlock.simulator.sample import SampleRow, sample_inventory, sample_rows
from batchlock.simulator.scopes import DEFAULT_SCOPES
from batchlock.simulator.server import serving, serving_orgs
from batchlock.simulator.simulator import Simulator

__all__ = [
    "DEFAULT_REASON",
    "DEFAULT_SCOPES",
    "MAGIC_MODULES",
    "MAGIC_RECORDS",
    "MAGIC_SIGN_INS",
    "MOST_ORGS",
    "ORGANIZATION_ID",
    "Behaviour",
    "Composite",
    "Edition",
    "Fault",
    "Identity",
    "Inventory",
    "Kind",
    "Lock",
    "MagicModule",
    "MagicRecord",
    "MagicSignIn",
    "OrgType",
    "Orgs",
    "Record",
    "SampleRow",
    "Simulator",
    "Unlisted",
    "lock_id_of",
    "make_orgs",
    "parse_inventory_json",
    "sample_inventory",
    "sample_rows",
    "serving",
    "serving_orgs",
    "write_orgs",
]
