"""Prove that the sign-in to an org works, with one call that changes nothing: `GET /org`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken, until_cancelled
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.core.org import OrgFacts
from batchlock.core.reply import Verdict
from batchlock.core.stop import Cancelled
from batchlock.execute import connection_to
from batchlock.org_settings import settings_of_org
from batchlock.send.calls import CallCosts
from batchlock.send.org_check import check_org, require_org
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.zoho.connect import Connection
from batchlock.zoho.credentials import load_credentials

if TYPE_CHECKING:
    from batchlock.store.store import Store

# A person waits for the answer.
_GIVE_UP_AFTER_SECONDS = 30.0
_ATTEMPTS = 3
RECENT_SECONDS = 300.0
"""An access token of this age proves that the sign-in works.

Zoho grants ten access tokens in ten minutes, and whoever watches a sign-in asks each minute.
"""
# So many orgs are asked at the same time.
_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class SignInCheck:
    """What the check of one sign-in has shown."""

    org: str
    facts: OrgFacts | None
    """None when the sign-in does not work."""
    user: str = ""
    """The name of the user who has signed in; empty when Zoho does not say."""
    message: str = ""
    """Why the sign-in does not work, or what it lacks."""
    exit_code: int = 0
    scopes: str = ""
    """The scopes as Zoho names them; empty when it does not."""


async def check_sign_in(
    settings: Settings,
    store: "Store | None",
    cancel_token: CancelToken,
    *,
    is_trial: bool = False,
    max_age_seconds: float = RECENT_SECONDS,
) -> SignInCheck:
    """Sign in to the org of the settings, and store what Zoho says about it.

    With `is_trial` the sign-in is not that of the org yet, so nothing is stored; neither is it
    without a store. An access token of the last `max_age_seconds` proves the sign-in. Raises
    SignInRefused, Stopped when Zoho gives no answer, Cancelled, and UsageError when the sign-in
    belongs to another org than the settings say.
    """
    org = settings.org
    retry = settings.retry
    retry = replace(
        retry,
        give_up_after=min(retry.give_up_after, _GIVE_UP_AFTER_SECONDS),
        attempts=min(retry.attempts, _ATTEMPTS),
    )
    settings = replace(settings, retry=retry)
    credentials = load_credentials(settings.zoho, settings.network, org)
    async with connection_to(settings, credentials, store) as connection:
        await until_cancelled(connection.verify(max_age_seconds=max_age_seconds), cancel_token)
        facts, message = await until_cancelled(_ask(connection, settings), cancel_token)
        check_org(facts, org_id=connection.org_id, environment=connection.environment)
        user = (await until_cancelled(connection.client.get_user(), cancel_token)).user or ""
        if not message and store is not None and not is_trial:
            # A file may name modules that only this org has, and its plan asks nobody.
            asking = connection.client.get_modules()
            modules = (await until_cancelled(asking, cancel_token)).modules
            now = datetime.now(UTC)
            known = await asyncio.to_thread(store.orgs.facts, org, connection.sign_in)
            known = known or OrgFacts()
            if modules is not None:
                known = replace(known, modules=modules, modules_asked_at=now)
            facts = replace(
                facts,
                asked_at=now,
                modules=known.modules,
                modules_asked_at=known.modules_asked_at,
            )
            await asyncio.to_thread(store.orgs.save_facts, org, connection.sign_in, facts)
        return SignInCheck(org, facts, user, message, scopes=connection.granted_scopes)


async def check_sign_ins(
    settings: Settings, store: "Store", names: Sequence[str], cancel_token: CancelToken
) -> list[SignInCheck]:
    """Check the sign-ins of several orgs, and return what was found about each, in their order.

    An error of one org is its result. Raises Cancelled.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def check(name: str) -> SignInCheck:
        async with turns:
            cancel_token.raise_if_cancelled()
            try:
                of_org = await asyncio.to_thread(settings_of_org, settings, store, name)
                return await check_sign_in(of_org, store, cancel_token)
            except Cancelled:
                raise
            except BatchlockError as error:
                return SignInCheck(name, None, message=str(error), exit_code=error.exit_code)

    return await asyncio.gather(*map(check, names))


async def _ask(connection: Connection, settings: Settings) -> tuple[OrgFacts, str]:
    """Return what Zoho says about the org, and what the sign-in lacks."""
    reply = await connection.client.get_org()
    if reply.verdict is Verdict.ACCEPTED and reply.org is not None:
        return reply.org, ""
    if reply.missing_scope and connection.org_id is None:
        return OrgFacts(), (
            f"The sign-in works, and lacks the scope {reply.missing_scope}, so Zoho does not say "
            "which org it is."
        )
    limiter = CallLimiter(settings.limits, settings.retry)
    costs = CallCosts(since=0.0)
    try:
        return await require_org(connection.client, limiter, settings.retry, costs=costs), ""
    except Cancelled as error:  # its own stop rule; a signal ends this task from outside
        raise Stopped(str(error)) from None


def exit_code_of(checks: Sequence[SignInCheck]) -> int:
    """Return 0 when every sign-in works, 5 when a person must act for one, else 3."""
    codes = {check.exit_code for check in checks} - {0}
    if codes & {SignInRefused.exit_code, UsageError.exit_code}:
        return SignInRefused.exit_code
    return 3 if codes else 0
