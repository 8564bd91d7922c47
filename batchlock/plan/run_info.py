"""The description of a run, made from the settings and the file that it will send."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from batchlock import __version__
from batchlock.config import Settings
from batchlock.core.corrections import digest_of
from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.core.org import OrgModule
from batchlock.core.rows import Action
from batchlock.core.runs import RunInfo, new_run_id
from batchlock.plan.child import sha256_of
from batchlock.plan.child_main import ReadRequest
from batchlock.store.journal import Journal
from batchlock.zoho.connect import address


def new_run_info(file: Path, settings: Settings, org: str, options: RunOptions) -> RunInfo:
    """Describe a new run of a file.

    Raises UnreadableFile when the file cannot be opened.
    """
    environment, api_url = address(settings.zoho, org)
    now = datetime.now(UTC)
    configured_columns = {field.value: titles for field, titles in settings.input.columns.items()}
    sha256 = sha256_of(file)
    # Everything that decides which update goes to which lock. A run with other limits or another
    # output is still the same run. The order is part of the hash: after a change of it, `run`
    # would start a new run instead of resuming a stored one.
    explicit_columns = dict(options.columns)
    identity: tuple[object, ...] = (
        *(org, environment, api_url, sha256),
        *(options.sheet, configured_columns, explicit_columns),
    )
    # Only where they are used, so that runs of earlier versions are found.
    if options.constants or options.visible_only:
        identity = (*identity, dict(options.constants), options.visible_only)
    if options.header_row is not None:
        identity = (*identity, "header_row", options.header_row)
    if options.change_reason:
        identity = (*identity, "change_reason")
    corrections = digest_of(options.corrections)
    if corrections is not None:
        identity = (*identity, "corrections", corrections)
    # A reading that the user corrects by hand must not resume the run with the wrong reading.
    encoding = options.encoding or options.earlier_encoding or settings.input.encoding
    if (encoding, settings.input.delimiter) != ("auto", "auto"):
        identity = (*identity, encoding, settings.input.delimiter)
    return RunInfo(
        run_id=new_run_id(now),
        kind="run",
        org=org,
        environment=environment,
        api_url=api_url,
        file=str(file.absolute()),
        sha256=sha256,
        identity=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        started_at=now,
        version=__version__,
        settings=settings_text(settings, org),
        strict=settings.input.strict,
        action=options.constants.get("action", Action.UPDATE),
        corrections=corrections,
    )


def new_info_like(info: RunInfo, settings: Settings) -> RunInfo:
    """Describe a run that starts now with the rows and titles of `info`."""
    now = datetime.now(UTC)
    return replace(
        info,
        run_id=new_run_id(now),
        started_at=now,
        version=__version__,
        output=None,
        settings=settings_text(settings, info.org),
    )


def retry_info(
    source: Journal,
    settings: Settings,
    *,
    has_earlier: bool,
    refused: bool,
    except_remedies: Collection[str] = (),
) -> RunInfo | None:
    """Describe a retry of the run in `source`; None when it would have no rows.

    `has_earlier`: runs before `source` still own the refused rows that retries left out. Without
    `refused`, this retry leaves refused rows out too; with `except_remedies`, those that have one
    of these remedies.
    """
    rows = source.to_retry(refused=refused, except_remedies=except_remedies)
    if refused:
        if not rows and not has_earlier:
            return None
        excludes_refused = bool(except_remedies) and (has_earlier or source.to_retry() > rows)
    else:
        if not rows:
            return None
        excludes_refused = has_earlier or source.to_retry() > rows
    return replace(
        new_info_like(source.info, settings),
        kind="retry",
        identity=f"retry {source.info.run_id}",
        retry_of=source.info.run_id,
        excludes_refused=excludes_refused,
    )


def undo_info(info: RunInfo, settings: Settings) -> RunInfo:
    """Describe an undo of a run; its action follows from its rows."""
    return replace(
        new_info_like(info, settings),
        kind="undo",
        identity=f"undo {info.run_id}",
        strict=False,
        retry_of=None,
        undo_of=info.run_id,
        excludes_refused=False,
    )


def plan_request(
    file: Path,
    journal: Path,
    info: RunInfo,
    settings: Settings,
    options: RunOptions,
    org_modules: tuple[OrgModule, ...] = (),
) -> ReadRequest:
    """Describe how a file is read into a journal at the path `journal`.

    `org_modules` are the modules that the org has named.
    """
    input_settings = settings.input
    return ReadRequest(
        file=file,
        journal=journal,
        run_info=info,
        columns={field.value: titles for field, titles in input_settings.columns.items()},
        explicit_columns=options.columns,
        encoding=options.encoding or input_settings.encoding,
        earlier_encoding=options.earlier_encoding,
        delimiter=input_settings.delimiter,
        sheet=options.sheet,
        constants=options.constants,
        visible_only=options.visible_only,
        header_row=options.header_row,
        corrections=options.corrections,
        custom_modules=input_settings.custom_modules,
        org_modules=org_modules,
        lookup_lock_ids=input_settings.lookup_lock_ids,
    )


def check_address(info: RunInfo, settings: Settings) -> None:
    """Raise UsageError unless the settings lead to the environment and API host of a run.

    Without this, a resumed run could send its record ids to another org.
    """
    environment, api_url = address(settings.zoho, info.org)
    if (info.environment, info.api_url) != (environment, api_url):
        raise UsageError(
            f"Run {info.run_id} belongs to {info.environment} at {info.api_url}, but the "
            f"configuration says {environment} at {api_url}. Use the configuration it was started "
            "with."
        )


def settings_text(settings: Settings, org: str) -> dict[str, str]:
    """Return the settings that shape a run as text, by the name that the results show."""
    environment, api_url = address(settings.zoho, org)
    in_flight = str(settings.limits.in_flight)
    if settings.limits.per_second is not None:
        in_flight += f", at most {settings.limits.per_second:g} calls a second"
    return {
        "org": org,
        "environment": environment,
        "API": f"{api_url}, {settings.zoho.api_version}",
        "in flight": in_flight,
        "lock ids looked up": "yes" if settings.input.lookup_lock_ids else "no",
        "strict": "yes" if settings.input.strict else "no",
    }
