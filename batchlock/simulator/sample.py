"""A generated inventory: the same for the same size, whatever the machine."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batchlock.simulator.identity import Identity
from batchlock.simulator.locks import lock_id_of
from batchlock.simulator.records import (
    SIGNED_IN_USER,
    Inventory,
    Lock,
    Origin,
    Record,
    Reference,
    Source,
)

SAMPLE_MODULES = ("Leads", "Contacts", "Deals", "Invoices", "Visits")
# Of three records one is locked; of forty, one is locked by a rule.
_LOCKED = 3
_AUTOMATIC = 40
_SEED = 20250115
# The last eleven digits of the first ids; those before them are the org's.
_FIRST_RECORD = 100_000_000
_FIRST_LOCK = 200_000_000
_FIRST_ROW = 300_000_007

_PEOPLE = (
    SIGNED_IN_USER,
    Reference("990000000000900002", "Asha Rao"),
    Reference("990000000000900003", "Jörg Müller"),
    Reference("990000000000900004", "李娜"),
)
RULE = Reference("990000000000710001", "Closed for more than 30 days")
"""The rule that holds every automatic lock of the sample."""
_FIRST_NAMES = ("Ada", "Chidi", "Elif", "Jürgen", "Marta", "Noor", "Søren", "Yuki", "Zoë", "李")
_LAST_NAMES = ("Bauer", "Costa", "Danjuma", "García", "Ivanov", "Kim", "O'Neil", "Rao", "Šimić")
# Letters beyond ASCII, a line break, and text that a spreadsheet could take for a formula.
_REASONS = (
    "Contract signed, price fixed until 2026-12-31",
    "Under legal review",
    "Prüfung läuft, bitte nicht ändern",
    "契約審査中",
    "Waiting for the auditor;\ncall Asha before any change",
    "=approved by finance",
    "Договор на подписи",
    'Customer asked for "no change"',
)
_FIRST_TIME = datetime(2025, 1, 6, 7, 0, tzinfo=UTC)
_MINUTES = 500_000  # almost a year


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row of an input file that changes the reason of one lock."""

    module: str
    record_id: str
    lock_id: str
    reason: str


def sample_rows(identity: Identity, size: int) -> Iterator[SampleRow]:
    """Yield `size` rows for an org, as `batchlock run` reads them; each record occurs once.

    The org has these records if its inventory is not complete. No other org of the stand-in has.
    """
    for number in range(size):
        # In steps of ten, so that none ends with zeros as the ids that a spreadsheet has rounded.
        record_id = identity.make_id(_FIRST_ROW + 10 * number)
        yield SampleRow(
            SAMPLE_MODULES[number % len(SAMPLE_MODULES)],
            record_id,
            lock_id_of(record_id),
            f"Audit hold {identity.label}-{number + 1:05d}",
        )


def sample_inventory(size: int, identity: Identity | None = None) -> Inventory:
    """Return an inventory of `size` records, which is complete for its five modules.

    The ids begin as those of the org; without `identity`, as those of an only org.

    A third of the records is locked, and a fortieth of all by a rule.
    """
    identity = identity or Identity()
    chance = random.Random(_SEED)  # noqa: S311 - sample data are no secret
    records: dict[str, list[Record]] = {module: [] for module in SAMPLE_MODULES}
    numbers = chance.sample(range(size), size)
    locked = set(numbers[: size // _LOCKED])
    automatic = set(numbers[: size // _AUTOMATIC])
    record_id, lock_id = _FIRST_RECORD, _FIRST_LOCK
    for number in range(size):
        record_id += chance.randint(1, 97)
        lock_id += chance.randint(1, 97)
        module = SAMPLE_MODULES[number % len(SAMPLE_MODULES)]
        name = f"{chance.choice(_FIRST_NAMES)} {chance.choice(_LAST_NAMES)} {number + 1}"
        lock = _lock(chance, identity.make_id(lock_id), is_automatic=number in automatic)
        if number not in locked:
            lock = Lock(None, None)
        records[module].append(Record(identity.make_id(record_id), name, lock))
    return Inventory(records, complete=SAMPLE_MODULES)


def _lock(chance: random.Random, lock_id: str, *, is_automatic: bool) -> Lock:
    time = _FIRST_TIME + timedelta(minutes=chance.randrange(_MINUTES))
    person, reason = chance.choice(_PEOPLE), chance.choice(_REASONS)
    if is_automatic:
        origin = Origin(person, time.isoformat(), RULE)
        return Lock(lock_id, None, Source.AUTOMATIC, origin)
    return Lock(lock_id, reason, Source.MANUAL, Origin(person, time.isoformat()))
