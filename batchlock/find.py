"""Plan a run that finds locked records: which modules it searches, or which records it looks at.

The plan of such a run is its journal, as that of every run. With a file of records, nothing is
searched: the records of the file are looked at.
"""

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock import __version__
from batchlock.config import Settings
from batchlock.core.cancel import CancelToken, until_cancelled
from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.options import RunOptions
from batchlock.core.org import OrgFacts, OrgModule
from batchlock.core.records import (
    FIND_KIND,
    LOCK_TITLES,
    FindPlan,
    FindRequest,
    Search,
    Way,
)
from batchlock.core.reply import sentences
from batchlock.core.rows import Action, Field, RecordId
from batchlock.core.runs import Run, RunInfo, Totals, new_run_id
from batchlock.execute import connected
from batchlock.plan import run_info
from batchlock.plan.child import ReadLimits, plan, sha256_of
from batchlock.plan.modules import ModuleNames
from batchlock.store.journal import Journal, atomic_journal
from batchlock.zoho.connect import address
from batchlock.zoho.credentials import Credentials

if TYPE_CHECKING:
    from batchlock.store.store import Store

# The names of so many modules stand in the list of runs.
_MODULES_NAMED = 3
# What the reader says of a record that the file shows as not locked.
_NOT_LOCKED = "not_locked"
# Settings that shape a run of updates only.
_OF_UPDATES = frozenset({"lock ids looked up", "strict"})

# Zoho's tokens of pages live so long, and an older list of locks is out of date.
_SEARCH_LIFETIME = timedelta(days=1)


def is_outdated(run: Run) -> bool:
    """Return whether a run finds locks and began too long ago to be resumed by the next one."""
    age = datetime.now(UTC) - run.info.started_at
    return run.info.kind == FIND_KIND and age > _SEARCH_LIFETIME


async def resolve_modules(
    request: FindRequest,
    settings: Settings,
    store: "Store",
    credentials: Credentials,
    *,
    cancel_token: CancelToken,
) -> tuple[FindRequest, Totals]:
    """Return the request with API names, and what it has cost to find them.

    The org is asked for its modules when neither the configuration nor the store knows a name.

    Raises UsageError as `with_api_names` does, AlreadyRunning when the org is to be asked while a
    run of it is executed, Cancelled, and as `Connection.first_token` does.
    """
    _check(request)
    stored = _stored_facts(settings, store, credentials.org)
    modules = (stored and stored.modules) or ()
    if request.all_modules or request.files:  # the name of an export has the label of its module
        is_known = stored is not None and stored.has_fresh_modules(datetime.now(UTC))
    else:
        names = ModuleNames(settings.input.custom_modules, modules)
        is_known = all(names.find(text) is not None for text in request.modules)
    if is_known:
        return with_api_names(request, settings, modules), Totals()
    # Under the lock, so that no other run has calls in flight meanwhile.
    with store.lock(credentials.org):
        asking = _ask_for_modules(settings, store, credentials)
        org_modules, failure, costs = await until_cancelled(asking, cancel_token)
    try:
        return with_api_names(request, settings, org_modules or modules), costs
    except UsageError as error:
        raise UsageError(sentences(str(error), failure)) from None


def known_modules(settings: Settings, store: "Store", org: str) -> Sequence[OrgModule]:
    """Return the modules that the org has named, as far as the store has them."""
    facts = _stored_facts(settings, store, org)
    return (facts and facts.modules) or ()


def _stored_facts(settings: Settings, store: "Store", org: str) -> OrgFacts | None:
    """Return what is known about the org; in a rehearsal the names of the real one count."""
    return store.orgs.facts(settings.org) or store.orgs.facts(org)


async def _ask_for_modules(
    settings: Settings, store: "Store", credentials: Credentials
) -> tuple[Sequence[OrgModule], str, Totals]:
    """Ask the org for its modules; return them, or why they are not known, and the cost."""
    async with connected(settings, store, credentials, needs_modules=True) as (connection, enquiry):
        await connection.first_token()
        facts = await enquiry.facts()
        modules = (facts and facts.modules) or ()
        failure = enquiry.why_no_modules()
    # Not before its end: an unanswered question may have cost something, too.
    return modules, failure, enquiry.costs.drain(now=enquiry.costs.since, peak=0)


def _check(request: FindRequest) -> None:
    """Raise UsageError when the parts of a request do not fit."""
    if request.all_modules and (request.modules or request.files):
        other = "modules" if request.modules else "a file with --from"
        raise UsageError(
            f"--all searches every module, and the command names {other}. Leave one of the two out."
        )
    if not request.all_modules and not request.modules and not request.files:
        raise UsageError(
            "Name the modules whose locks are to be found, such as `batchlock locks Leads Deals`, "
            "or use --all for every module that can be locked; or name an export of the records "
            "with --from FILE."
        )
    if request.files and request.view is not None:
        raise UsageError("--view names a list in Zoho and --from a file. Leave one of the two out.")


def with_api_names(
    request: FindRequest, settings: Settings, org_modules: Sequence[OrgModule] = ()
) -> FindRequest:
    """Return the request with the API name of each module, once each.

    `org_modules` are those that the org has named. Raises UsageError for an unknown module, for
    parts that do not fit, and when all modules are meant and the org has named none.
    """
    _check(request)
    if request.all_modules:
        if not org_modules:
            raise UsageError(
                "--all needs the modules of the org, and they are not known. Name the modules, "
                "such as `batchlock locks Leads Deals`."
            )
        # In one order, so that an unfinished search is recognised whatever order Zoho uses.
        everything = tuple(sorted({module.api_name for module in org_modules}))
        return replace(request, modules=everything, all_modules=False)
    names = ModuleNames(settings.input.custom_modules, org_modules)
    modules = []
    for text in request.modules:
        module = names.find(text)
        if module is None:
            raise UsageError(names.unknown_for_all_rows(text))
        modules.append(module)
    return replace(request, modules=tuple(dict.fromkeys(modules)))


def find_info(request: FindRequest, settings: Settings, org: str) -> RunInfo:
    """Describe a new run for a request with API names.

    Raises UnreadableFile when a file cannot be opened.
    """
    environment, api_url = address(settings.zoho, org)
    identity = [
        *(FIND_KIND, org, environment, api_url, list(request.modules)),
        *([sha256_of(file) for file in request.files], request.view),
        request.lock_filter.to_json(),
    ]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    now = datetime.now(UTC)
    shaping = run_info.settings_text(settings, org)
    return RunInfo(
        run_id=new_run_id(now),
        kind=FIND_KIND,
        org=org,
        environment=environment,
        api_url=api_url,
        # No file, but what stands in its place in the list of runs; its folder gets the locks.
        file=str(Path.cwd() / _label(request)),
        # A newer run of the same request takes the place of an unfinished one.
        sha256=digest,
        identity=digest,
        started_at=now,
        version=__version__,
        titles=LOCK_TITLES,
        settings={
            **{name: text for name, text in shaping.items() if name not in _OF_UPDATES},
            **({} if request.view is None else {"view": request.view}),
            **request.lock_filter.words,
        },
        action=Action.FIND,
    )


def _label(request: FindRequest) -> str:
    names = request.modules or [file.name for file in request.files]
    others = len(names) - _MODULES_NAMED
    more = f" and {others} more" if others > 0 else ""
    return f"locks of {', '.join(names[:_MODULES_NAMED])}{more}"


async def plan_find(
    request: FindRequest,
    path: Path,
    info: RunInfo,
    settings: Settings,
    *,
    cancel_token: CancelToken,
    org_modules: Sequence[OrgModule] = (),
    costs: Totals | None = None,
) -> None:
    """Make the journal of a new run at `path`, which has cost `costs` so far.

    `org_modules` are those that the org has named.

    Raises UnreadableFile or UsageError for a file, as the plan of updates does, and UsageError when
    rows of it cannot be read.
    """
    records: dict[str, list[RecordId]] = defaultdict(list)
    for file in request.files:
        reading = _records_of(file, request, settings, cancel_token, org_modules)
        for module, ids in (await reading).items():
            records[module] += ids
    way = Way.FILE if request.files else None
    modules = request.modules or tuple(records)
    searches = [Search(module=module, way=way) for module in modules]
    with atomic_journal(path) as draft, Journal.create(draft, info) as journal:
        first = str(request.files[0].absolute()) if request.files else None
        journal.set_find_plan(
            FindPlan(
                searches=searches,
                lock_filter=request.lock_filter,
                view=request.view,
                file=first,
            )
        )
        if costs is not None and costs.requests:
            journal.commit_batch([], costs=costs)
        for search in searches if request.files else ():
            done = replace(search, is_complete=True)
            journal.commit_page(done, records[search.module], costs=Totals())


async def _records_of(
    file: Path,
    request: FindRequest,
    settings: Settings,
    cancel_token: CancelToken,
    org_modules: Sequence[OrgModule],
) -> Mapping[str, Sequence[RecordId]]:
    """Return the records of a file by module, as far as its modules are asked for."""
    # Rows of this action need neither a lock id nor a reason; they are not sent.
    constants = {Field.ACTION.value: Action.UNLOCK.value}
    try:
        return await _read(file, request, settings, cancel_token, org_modules, constants)
    except UnreadableFile:
        # An export without a word about its module: the one that the person has named.
        if len(request.modules) != 1:
            raise
    constants[Field.MODULE.value] = request.modules[0]
    return await _read(file, request, settings, cancel_token, org_modules, constants)


async def _read(
    file: Path,
    request: FindRequest,
    settings: Settings,
    cancel_token: CancelToken,
    org_modules: Sequence[OrgModule],
    constants: Mapping[str, str],
) -> Mapping[str, Sequence[RecordId]]:
    options = RunOptions(constants=dict(constants))
    limits = ReadLimits(
        timeout_seconds=settings.input.max_seconds, memory_bytes=settings.input.max_memory
    )
    with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
        path = Path(folder) / "records.journal"
        info = run_info.new_run_info(file, settings, settings.org, options)
        read = run_info.plan_request(file, path, info, settings, options, tuple(org_modules))
        await plan(read, limits, cancel_token=cancel_token)
        with Journal.open(path) as journal:
            _refuse_problems(file, journal)
            records: dict[str, list[RecordId]] = defaultdict(list)
            for module, record_id in journal.planned_records():
                if module in request.modules or not request.modules:
                    records[module].append(record_id)
    return records


def _refuse_problems(file: Path, journal: Journal) -> None:
    """Raise UsageError when rows cannot be read: their records would be missing without a word."""
    problems = [one for one in journal.problems() if one.code != _NOT_LOCKED]
    if problems:
        rows = len({problem.row for problem in problems})
        first = problems[0]
        raise UsageError(
            f"{file.name}: {'1 row' if rows == 1 else f'{rows:,} rows'} cannot be read, so nothing "
            f"was looked at. The first is row {first.row}, {first.column}: {first.message}"
        )
