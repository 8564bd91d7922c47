"""Which checks there are, in which order, and what each of them depends on.

    platform   configuration
                    │
              folders   store ─ settings of the org, secrets
                           │
                network ─ sign-in ─ org
                           │
                          work

A check that depends on a failed one is skipped, with the reason. The checks of folders and of the
store run at the same time, and then those of the network and of notices.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from batchlock.config import Settings
from batchlock.core.errors import BatchlockError, UsageError
from batchlock.doctor.checks import AWAY, SETUP, Check, Diagnosis, State, bad, from_error, skipped
from batchlock.doctor.configuration import (
    Configuration,
    check_configuration,
    check_credentials,
    has_credentials,
    read_configuration,
)
from batchlock.doctor.folders import (
    check_current_folder,
    check_inbox,
    check_results_folder,
    check_state_folder,
    check_temporary_folder,
)
from batchlock.doctor.installation import check_extras, check_platform
from batchlock.doctor.network import check_network
from batchlock.doctor.timing import in_thread, limited
from batchlock.store.read_only import StoreView
from batchlock.zoho.credentials import Credentials

# Each check of the machine. A network drive that is away hangs for minutes.
_LOCAL_SECONDS = 15.0
# The store may be large, and a server may be far away.
_STORE_SECONDS = 45.0
# A command that prints a secret may take 30 s, and there are three.
_SECRET_SECONDS = 100.0
# Each place of a notice has two attempts of 60 s at most.
_NOTICE_SECONDS = 150.0
# All calls with the sign-in, each of which has its own limit.
_ALL_CALLS_SECONDS = 600.0

_OFFLINE = "Not checked: --offline."
_NO_ORG = "Not checked, since no org of the store is named."


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be checked."""

    config: Path | None = None
    """The file of --config."""
    org: str | None = None
    """The org of --org; None: the one of the configuration."""
    inbox: Path | None = None
    """A folder with input files that is checked, too."""
    offline: bool = False
    """Whether nothing may use the network."""
    notify: bool = False
    """Whether a test is sent to every place that notices go to."""
    call_seconds: float = 20.0
    """How long a server may take for one answer."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(slots=True)
class Findings:
    """What the checks have found so far, for those that depend on it."""

    configuration: Configuration | None = None
    settings: Settings | None = None
    """Those of the org; None: they cannot be read."""
    view: StoreView | None = None
    credentials: Credentials | None = None
    is_for_stored_orgs: bool = False
    """Whether only orgs of the store have a sign-in, and none of them was named."""
    has_store: bool = False
    """Whether the store could be opened, or there is none yet."""


async def examine(request: Request, stack: ExitStack) -> tuple[Diagnosis, Findings]:
    """Check everything, and return what was found; the stack closes the view of the store.

    Raises Cancelled.
    """
    # Nothing of what libraries log may appear among the checks, or in the log of batchlock.
    logging.getLogger("batchlock").addHandler(logging.NullHandler())
    logging.getLogger("batchlock").propagate = False
    logging.getLogger().addHandler(logging.NullHandler())
    findings = Findings()
    checks = await _local("platform.python", check_platform)
    checks += await _read(request, findings)
    configuration = findings.configuration
    if configuration is None:
        return Diagnosis.of(checks), findings
    folders, stored = await asyncio.gather(
        _folders(configuration, request.inbox), _stored(request, configuration, findings, stack)
    )
    checks += folders + stored
    settings = findings.settings
    if settings is None:
        reason = "Not checked, since the settings of the org cannot be read."
        checks += [skipped(check_id, reason) for check_id in ("network.api", "sign_in.token")]
        return Diagnosis.of(checks), findings
    checks += await _credentials(request, configuration, settings, findings)
    online, notices = await asyncio.gather(
        _online(request, configuration, settings, findings),
        _notices(request, configuration, settings),
    )
    return Diagnosis.of([*checks, *online, *notices]), findings


async def _read(request: Request, findings: Findings) -> list[Check]:
    def work() -> list[Check]:
        findings.configuration = read_configuration(request.config, request.environment)
        findings.settings = findings.configuration.settings
        return check_configuration(findings.configuration)

    return await _local("configuration.file", work)


async def _folders(configuration: Configuration, inbox: Path | None) -> list[Check]:
    settings = configuration.settings
    works: list[tuple[str, Callable[[], Sequence[Check]], bool]] = [
        (
            "folders.state",
            lambda: check_state_folder(settings),
            configuration.is_invalid(("state_directory",)),
        ),
        (
            "folders.results",
            lambda: check_results_folder(settings),
            configuration.is_invalid(("results", "directory")),
        ),
        ("folders.current", check_current_folder, False),
        *([] if inbox is None else [("folders.inbox", lambda: check_inbox(inbox), False)]),
        ("folders.temporary", check_temporary_folder, False),
    ]
    results = await asyncio.gather(
        *(
            _unreadable(check_id) if is_invalid else _local(check_id, work)
            for check_id, work, is_invalid in works
        )
    )
    return [check for result in results for check in result]


async def _stored(
    request: Request, configuration: Configuration, findings: Findings, stack: ExitStack
) -> list[Check]:
    """Return the checks of the store, and set the settings of the org."""
    settings = configuration.settings
    paths = [(name,) for name in ("state_directory", "database", "secrets")]
    is_invalid = configuration.is_invalid(*paths, ("database_file",), ("database_command",))
    if is_invalid:
        checks = await _unreadable("store.tables")
    elif request.offline and settings.has_database:
        checks = [skipped("store.tables", "Not checked: --offline, and the database is a server.")]
    else:
        checks = await limited(
            "store.tables",
            in_thread(_open_store, settings, findings, stack),
            seconds=_STORE_SECONDS,
        )
        checks = [_as_setup(check) for check in checks]
    has_secrets = any(check.check_id == "store.key" for check in checks)
    checks += await _local(
        "platform.extras",
        lambda: check_extras(settings, has_secrets=has_secrets and _keeps_secrets(findings)),
    )
    if request.org is not None:
        checks += await _org_settings(request.org, configuration, findings)
    if not findings.has_store:
        return [*checks, skipped("work.runs", "Not checked, since the store cannot be opened.")]
    return checks + await limited(
        "work.runs", in_thread(_work, request, settings, findings), seconds=_STORE_SECONDS
    )


def _open_store(settings: Settings, findings: Findings, stack: ExitStack) -> list[Check]:
    from batchlock.doctor.stored import check_store
    from batchlock.store.read_only import store_view

    try:
        state = settings.state
    except UsageError:  # the check of the folder says why
        return [skipped("store.tables", "Not checked, since there is no place for a state folder.")]
    findings.view = stack.enter_context(store_view(state, settings.database_url))
    findings.has_store = True
    try:
        return check_store(settings, findings.view)
    except BatchlockError as error:
        return [from_error("store.key", error)]


def _work(request: Request, settings: Settings, findings: Findings) -> list[Check]:
    from batchlock.doctor.stored import check_work

    return check_work(settings, findings.view, org=request.org)


def _keeps_secrets(findings: Findings) -> bool:
    return findings.view is not None and findings.view.store.orgs.has_secrets()


async def _org_settings(name: str, configuration: Configuration, findings: Findings) -> list[Check]:
    """Set the settings of an org of the store, or of the configuration."""
    view, findings.settings = findings.view, None
    if view is None:
        if findings.has_store and name == configuration.settings.org:
            findings.settings = configuration.settings
            return []
        return [
            bad(
                "configuration.org",
                f"There is no org {name}, since there is no store that can be opened.",
                f"Add it with `batchlock orgs add {name}`, or leave --org out.",
            )
        ]

    def work() -> list[Check]:
        from batchlock.org_settings import settings_of_org

        findings.settings = settings_of_org(configuration.settings, view.store, name)
        return []

    return await limited("configuration.org", in_thread(work), seconds=_SECRET_SECONDS)


async def _credentials(
    request: Request, configuration: Configuration, settings: Settings, findings: Findings
) -> list[Check]:
    def work() -> list[Check]:
        view = None if request.org is not None else findings.view
        orgs = [] if view is None else [org.name for org in view.store.orgs.all()]
        findings.is_for_stored_orgs = bool(orgs) and not has_credentials(settings.zoho)
        check, findings.credentials = check_credentials(settings, orgs, offline=request.offline)
        return [check]

    if request.org is None and configuration.is_invalid(("zoho",), ("network",), ("org",)):
        return await _unreadable("configuration.credentials")
    return await limited("configuration.credentials", in_thread(work), seconds=_SECRET_SECONDS)


async def _notices(
    request: Request, configuration: Configuration, settings: Settings
) -> list[Check]:
    from batchlock.doctor.notices import check_notices, send_test

    if configuration.is_invalid(("notify",)):
        return await _unreadable("notices.settings")
    checks = await limited(
        "notices.settings",
        in_thread(lambda: check_notices(settings, offline=request.offline)),
        seconds=_SECRET_SECONDS,
    )
    if not request.notify:
        return checks
    return checks + await limited(
        "notices.test", in_thread(send_test, settings), seconds=_NOTICE_SECONDS
    )


async def _online(
    request: Request,
    configuration: Configuration,
    settings: Settings,
    findings: Findings,
) -> list[Check]:
    """Return the checks that need the network."""
    if request.offline:
        return [skipped("network.api", _OFFLINE), skipped("sign_in.token", _OFFLINE)]
    if findings.is_for_stored_orgs:
        # Their data centres may be others than the one of the configuration.
        return [skipped("network.api", _NO_ORG), skipped("sign_in.token", _NO_ORG)]
    if configuration.is_invalid(("network",)) or (
        request.org is None and configuration.is_invalid(("zoho",))
    ):
        return [*await _unreadable("network.api"), *await _unreadable("sign_in.token")]
    checks = await check_network(settings, call_seconds=request.call_seconds)
    if not _are_good(checks):
        return [*checks, skipped("sign_in.token", "Not checked, since the network is at fault.")]
    if findings.credentials is None:
        reason = "Not checked, since the credentials are not there."
        return [*checks, skipped("sign_in.token", reason)]
    return checks + await _signed_in(request, settings, findings.credentials, findings)


async def _signed_in(
    request: Request, settings: Settings, credentials: "Credentials", findings: Findings
) -> list[Check]:
    """Return the checks of the sign-in and its org."""
    from batchlock.doctor.sign_in import check_sign_in
    from batchlock.doctor.stored import last_credits, modules_in_use

    async def work() -> list[Check]:
        view = findings.view
        modules = [] if view is None else await in_thread(modules_in_use, view, settings.org)
        credits_left = None if view is None else await in_thread(last_credits, view, settings.org)
        return await check_sign_in(
            settings,
            credentials,
            [*dict.fromkeys([*modules, *settings.input.custom_modules])],
            is_shared=settings.has_database,
            call_seconds=request.call_seconds,
            credits_left=credits_left,
        )

    return await limited("sign_in.token", work(), seconds=_ALL_CALLS_SECONDS, exit_code=AWAY)


async def _local(check_id: str, work: Callable[[], Sequence[Check]]) -> list[Check]:
    return await limited(check_id, in_thread(work), seconds=_LOCAL_SECONDS)


async def _unreadable(check_id: str) -> list[Check]:
    return [skipped(check_id, "Not checked, since its settings are not valid.")]


def _are_good(checks: Sequence[Check]) -> bool:
    return not any(check.state in (State.BAD, State.SKIPPED) for check in checks)


def _as_setup(check: Check) -> Check:
    """Return a check of the store with the exit code of a wrong set-up, whatever ended it."""
    if not check.exit_code or check.exit_code == SETUP:
        return check
    return bad(check.check_id, check.message, check.what_to_do)
