"""What the commands of `batchlock schedules` do and print."""

import getpass
import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from batchlock.cli.context import Context
from batchlock.cli.options import CommandOptions
from batchlock.cli.runner import load_settings, parse_columns
from batchlock.cli.schedule_commands import NewSchedule
from batchlock.cli.streams import echo
from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.core.schedules import Misfire, StoredSchedule
from batchlock.find import known_modules, with_api_names
from batchlock.fleet.cron import check_times, next_times, system_time_zone
from batchlock.fleet.sources import LocksSource, options_of, parse_source
from batchlock.inboxes.listing import FileSource
from batchlock.org_settings import settings_of_org
from batchlock.report.json_schedules import schedule_json
from batchlock.store.store import Store

_TIMES_SHOWN = 5


@contextmanager
def _opened(options: CommandOptions) -> Iterator[tuple[Settings, Store]]:
    settings = load_settings(options)
    url = settings.database_url
    if url is None:
        raise UsageError(
            "Schedules need the database that workers share, since a worker fires them. Set "
            "`database` in the configuration to an address like postgresql://user@host/name. On "
            "one machine, let cron or the task scheduler call `batchlock run`."
        )
    with Store(settings.state, url) as store:
        yield settings, store


def add(context: Context, options: CommandOptions, new: NewSchedule, org: str) -> int:
    """Add a schedule, after everything about it was checked."""
    with _opened(options) as (settings, store):
        now = store.schedules.now()
        time_zone = system_time_zone() if new.time_zone is None else new.time_zone
        check_times(new.cron, time_zone, now)
        source = parse_source(new.source)
        typed = _source_options(options, new)
        _check_org(settings, store, org, source, typed)
        times = next_times(new.cron, time_zone, now, _TIMES_SHOWN)
        schedule = StoredSchedule(
            schedule_id=f"{org}-{secrets.token_hex(2)}",
            org=org,
            cron=new.cron,
            time_zone=time_zone,
            source=new.source,
            options=typed,
            misfire=Misfire(new.misfire),
            next_at=times[0],
            added_by=_person(),
            added_at=now,
        )
        store.schedules.add(schedule)
    if context.as_json:
        echo(json.dumps(schedule_json(schedule, times)))
        return 0
    echo(f"The schedule {schedule.schedule_id} is added. Its next times, in {time_zone}:")
    for time in times:
        echo(f"  {time:%a %Y-%m-%d %H:%M:%S %z}")
    return 0


def _check_org(
    settings: Settings,
    store: Store,
    org: str,
    source: FileSource | LocksSource,
    typed: dict[str, Any],
) -> None:
    """Raise UsageError when an org cannot have a schedule with this source and these options."""
    of_org = settings_of_org(settings, store, org, with_secrets=False)
    of_org, _ = options_of(of_org, typed, source)
    if isinstance(source, FileSource):
        for other in store.schedules.all():
            others = parse_source(other.source)
            is_same = isinstance(others, FileSource) and others.folder == source.folder
            if is_same and other.org != org:
                raise UsageError(
                    f"The schedule {other.schedule_id} of the org {other.org} takes files of "
                    f"{source.folder}. Use another folder, so that no file goes to the wrong org."
                )
        return
    if typed:
        raise UsageError(
            "A report of locks reads no file, so --source locks: goes without the options for "
            f"files: {', '.join(typed)}."
        )
    if of_org.results.directory is None:
        raise UsageError(
            "It is not said where the report of locks goes. Add a folder to the source, such as "
            "'locks:Leads>/out', or set results.directory in the configuration."
        )
    with_api_names(source.request, of_org, known_modules(of_org, store, org))


def _source_options(options: CommandOptions, new: NewSchedule) -> dict[str, Any]:
    """Return the options for files that were typed."""
    values = {
        "action": new.action,
        "module": options.module,
        "reason": options.reason,
        "sheet": options.sheet,
        "columns": parse_columns(options.columns),
        "visible_only": options.visible_only,
        "change_reason": options.change_reason,
        "unlocks": options.yes,
        "again": new.again,
        "strict": options.strict,
        "encoding": options.encoding,
        "delimiter": options.delimiter,
    }
    return {name: value for name, value in values.items() if value}


def list_schedules(context: Context, options: CommandOptions, org: str | None) -> int:
    """Print the schedules, with three lines each."""
    with _opened(options) as (settings, store):
        if org is not None:
            settings_of_org(settings, store, org, to_send=False)
        schedules = store.schedules.all(org)
        now = store.schedules.now()
    if context.as_json:
        echo(json.dumps([schedule_json(one, _next(one, now)) for one in schedules]))
        return 0
    for schedule in schedules:
        echo(f"{schedule.schedule_id}  {schedule.cron}  {schedule.time_zone}  {schedule.source}")
        echo(f"  {_state(schedule)}")
        if schedule.last_due is not None:
            echo(f"  {_in_zone(schedule, schedule.last_due)}: {schedule.last_result}")
    if not schedules:
        echo("There are no schedules yet. Add one with `batchlock schedules add`.")
    return 0


def pause(options: CommandOptions, schedule_id: str) -> int:
    """Let a schedule not fire any more."""
    with _opened(options) as (_, store):
        schedule = _find(store, schedule_id)
        store.schedules.pause(schedule.schedule_id, _person())
    echo(f"The schedule {schedule.schedule_id} is paused.")
    return 0


def resume(options: CommandOptions, schedule_id: str) -> int:
    """Let a schedule fire again."""
    with _opened(options) as (_, store):
        schedule = _find(store, schedule_id)
        store.schedules.resume(schedule.schedule_id)
        now = store.schedules.now()
    missed = ""
    if schedule.next_at is not None and schedule.next_at < now:
        is_once = schedule.misfire is Misfire.ONCE
        missed = " What was missed is caught up once." if is_once else " What was missed is left."
    echo(f"The schedule {schedule.schedule_id} is resumed.{missed}")
    return 0


def remove(options: CommandOptions, schedule_id: str) -> int:
    """Remove a schedule."""
    with _opened(options) as (_, store):
        schedule = _find(store, schedule_id)
        store.schedules.remove(schedule.schedule_id)
    echo(f"The schedule {schedule.schedule_id} is removed. Its runs stay.")
    return 0


def _find(store: Store, schedule_id: str) -> StoredSchedule:
    schedule = store.schedules.get(schedule_id)
    if schedule is None:
        raise UsageError(
            f"There is no schedule {schedule_id}. `batchlock schedules list` shows the ids."
        )
    return schedule


def _next(schedule: StoredSchedule, now: datetime) -> list[datetime]:
    """Return the next times; the first is in the past when a missed time is caught up."""
    if schedule.next_at is None:
        return []
    first = schedule.next_at.astimezone(ZoneInfo(schedule.time_zone))
    after = max(first, now)
    return [first, *next_times(schedule.cron, schedule.time_zone, after, _TIMES_SHOWN - 1)]


def _state(schedule: StoredSchedule) -> str:
    if schedule.paused_by is not None:
        return f"paused by {schedule.paused_by}"
    if schedule.next_at is None:
        return "never again"
    return f"next: {_in_zone(schedule, schedule.next_at)}"


def _in_zone(schedule: StoredSchedule, time: datetime) -> str:
    return f"{time.astimezone(ZoneInfo(schedule.time_zone)):%a %Y-%m-%d %H:%M:%S %z}"


def _person() -> str:
    try:
        name = getpass.getuser()
    except OSError:  # a container without names of users
        name = "somebody"
    return f"{name}@{socket.gethostname()}"
