"""Checks of the sign-in and of its org, by calls that change nothing.

One call is made at a time, so that a run at work hardly notices it: `GET /org`, the user, the
modules that can be locked, and the locking of each module in use.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchlock.config import Settings
from batchlock.core.access_token import AccessToken
from batchlock.core.errors import SignInRefused, Stopped
from batchlock.core.reply import Reply, Verdict
from batchlock.core.words import counted
from batchlock.doctor.checks import (
    AWAY,
    SIGN_IN,
    Check,
    bad,
    doubtful,
    from_error,
    good,
    skipped,
    split,
)
from batchlock.doctor.org import OrgAnswers, check_org_answers
from batchlock.doctor.timing import limited
from batchlock.org_sign_in import RECENT_SECONDS, SignInCheck
from batchlock.sign_in_status import SignInStatus, status_of
from batchlock.zoho.credentials import Credentials
from batchlock.zoho.scopes import ScopeUse, uses_of
from batchlock.zoho.token_file import TokenFile

if TYPE_CHECKING:
    from batchlock.zoho.connect import Connection

# The sign-in is asked at once, and again only by the next command.
_NO_RETRY_SECONDS = 0.0
_BUSY_PREFIX = "No access token after 0 s of trying. "
# So many modules are asked about: each costs a credit.
MOST_MODULES = 20


class ReadOnlyTokens:
    """The access tokens of a state folder, to which nothing is added; a `TokenCache`."""

    def __init__(self, file: TokenFile | None) -> None:
        """Read tokens from `file`, if there is one."""
        self._file = file

    @asynccontextmanager
    async def locked(self, *, timeout_seconds: float) -> AsyncIterator[None]:  # noqa: ARG002  as in TokenCache
        """Lock nothing, since nothing is written."""
        yield

    async def read(self, account: str, *, now: float) -> AccessToken | None:
        """Return the token of an account, which a run has kept."""
        return None if self._file is None else await self._file.read(account, now=now)

    async def write(self, account: str, token: AccessToken, *, now: float) -> None:
        """Keep nothing."""


@dataclass(slots=True)
class _Answers:
    """What Zoho has said so far."""

    org: OrgAnswers = field(default_factory=OrgAnswers)
    user: Reply | None = None
    scopes: str = ""


async def check_sign_in(
    settings: Settings,
    credentials: Credentials,
    modules: Sequence[str],
    *,
    is_shared: bool,
    call_seconds: float,
    credits_left: int | None,
) -> list[Check]:
    """Return the checks of token, scopes and org.

    `modules` are those in use; without any, all that can be locked are asked about. `credits_left`
    is what the last run has heard. With a store that is shared, tokens are not looked for in the
    state folder.
    """
    from batchlock.zoho.connect import connect

    folder = settings.state / "tokens"
    file = None if is_shared else TokenFile(folder / f"{credentials.org}.json")
    answers = _Answers()
    async with connect(
        settings.zoho,
        settings.network,
        credentials,
        call_timeout=call_seconds,
        max_wait=_NO_RETRY_SECONDS,
        token_folder=folder,
        token_cache=ReadOnlyTokens(file),
    ) as connection:
        checks = await limited(
            "sign_in.token",
            _token(connection, settings, answers),
            seconds=3 * call_seconds,
            exit_code=AWAY,
        )
        if any(check.exit_code for check in checks):
            reason = "Not checked, since the sign-in does not work."
            return [*checks, skipped("sign_in.scopes", reason), skipped("org.identity", reason)]
        checks += await limited(
            "sign_in.scopes",
            _scopes(connection, settings, answers),
            seconds=2 * call_seconds,
            exit_code=AWAY,
        )
        return checks + await limited(
            "org.identity",
            check_org_answers(
                connection,
                settings,
                answers.org,
                modules[:MOST_MODULES],
                credits_left=credits_left,
            ),
            seconds=MOST_MODULES * call_seconds,
            exit_code=AWAY,
        )


async def _token(connection: "Connection", settings: Settings, answers: _Answers) -> list[Check]:
    """Return whether Zoho grants an access token, and whether the API takes it."""
    check_id = "sign_in.token"
    try:
        await connection.verify(max_age_seconds=RECENT_SECONDS)
    except Stopped as error:
        message, what_to_do = split(str(error).removeprefix(_BUSY_PREFIX))
        return [bad(check_id, message, what_to_do, exit_code=AWAY)]
    except SignInRefused as error:
        return [from_error(check_id, error)]
    reply = await connection.client.get_org()
    if reply.verdict is Verdict.EXPIRED:  # the client has another token now
        reply = await connection.client.get_org()
    answers.org.org, answers.scopes = reply, connection.granted_scopes
    zoho = settings.zoho
    if reply.verdict is Verdict.EXPIRED:
        return [
            bad(
                check_id,
                f"The API at {zoho.api} does not take the access token that {zoho.accounts} has "
                "just granted: it is of another data centre or another environment.",
                f"Compare zoho.data_center ({zoho.data_center}) with the ending of the address of "
                f"your CRM, and zoho.environment ({zoho.environment}) with what the sign-in was "
                "made for; or sign in again with `batchlock login`.",
                exit_code=SIGN_IN,
            )
        ]
    if reply.verdict in (Verdict.DENIED, Verdict.MISCONFIGURED) and not reply.missing_scope:
        exit_code = SIGN_IN if reply.verdict is Verdict.DENIED else 2
        return [_refused(check_id, reply, exit_code)]
    if reply.verdict in (Verdict.UNREACHABLE, Verdict.BROKEN, Verdict.LOST):
        return [_refused(check_id, reply, AWAY)]
    way = "client credentials" if not credentials_have_token(settings) else "the refresh token"
    return [good(check_id, f"Zoho grants access tokens for {way}, and the API takes them.")]


def credentials_have_token(settings: Settings) -> bool:
    """Return whether the sign-in of the settings has a refresh token."""
    return "refresh_token" in settings.zoho.grant.secrets


async def _scopes(connection: "Connection", settings: Settings, answers: _Answers) -> list[Check]:
    """Return the checks of the user and the scopes of the sign-in."""
    client = connection.client
    answers.user = await client.get_user()
    answers.org.modules = await client.get_modules()
    org = answers.org.org
    sign_in_check = SignInCheck(
        settings.org,
        None if org is None else org.org,
        answers.user.user or "",
        scopes=answers.scopes,
    )
    status = status_of(settings, sign_in_check)
    user = f"The user is {status.user}." if status.user else "Zoho does not say who the user is."
    return [good("sign_in.user", user), _scope_check(status, answers)]


def _scope_check(status: SignInStatus, answers: _Answers) -> Check:
    check_id = "sign_in.scopes"
    if status.exit_code:
        message, what_to_do = split(status.message)
        return bad(check_id, message, what_to_do, exit_code=status.exit_code)
    if status.granted_scopes is None:
        # What the calls of this command have shown is known all the same.
        replies = (answers.org.org, answers.org.modules, answers.user)
        scopes = tuple(reply.missing_scope for reply in replies if reply and reply.missing_scope)
        if scopes:
            return _missing(uses_of(scopes))
        return good(check_id, "Zoho does not name the scopes; the calls so far needed no other.")
    if status.missing_scopes:
        return _missing(status.missing_scopes)
    return good(check_id, "The sign-in has every scope that batchlock asks for.")


def _missing(uses: Sequence[ScopeUse]) -> Check:
    effects = " ".join(
        f"Without {use.scope} {use.effect} ({', '.join(use.commands)})." for use in uses
    )
    return doubtful(
        "sign_in.scopes",
        f"The sign-in lacks {counted(len(uses), 'scope')}. {effects}",
        "Sign in again with `batchlock login`, which asks for all of them, if you need these "
        "commands.",
    )


def _refused(check_id: str, reply: Reply, exit_code: int) -> Check:
    message, what_to_do = split(reply.message)
    remedy = " ".join(filter(None, [what_to_do, reply.remedy])) or "Try again later."
    return bad(check_id, f"{message.rstrip('.')}.", f"{remedy.rstrip('.')}.", exit_code=exit_code)
