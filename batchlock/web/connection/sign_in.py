"""One sign-in to an org, from its code to the answer of Zoho: who has signed in, to which org.

begun ─ code accepted at Zoho ─▶ granted, checked ─ confirmed ─▶ the sign-in of the org

Each step is stored, and the last one only when a person has seen what the others have shown.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped
from batchlock.core.org import OrgFacts, StoredOrg
from batchlock.new_orgs import grant_value, new_org, values_of_zoho
from batchlock.org_settings import keys_for_new_secrets, put_orgs, with_org
from batchlock.org_sign_in import check_sign_in
from batchlock.store.pending_sign_ins import StoredSignIn
from batchlock.store.store import Store
from batchlock.zoho.client import session
from batchlock.zoho.device_flow import poll, request_device_code
from batchlock.zoho.oauth import OAuthClient
from batchlock.zoho.scopes import missing_scopes
from batchlock.zoho.settings import Grant, ZohoSettings

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import aiohttp

# As long as one request may take by default (retry.timeout); a person waits for it.
_TIMEOUT_SECONDS = 30.0
# Whoever has accepted the code looks at what it has shown, and confirms it.
_CONFIRM_WITHIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in that is not confirmed yet. Its secrets are sealed in the store."""

    person: str
    data_center: str
    environment: str
    client_id: str
    client_secret: str
    device_code: str
    user_code: str
    url: str
    """Where a person accepts the code."""
    begun_at: float
    """Seconds since 1970."""
    interval_seconds: float
    refresh_token: str = ""
    """Empty until the code is accepted."""
    problem: str = ""
    """Why it cannot be used; empty if it can, or when that is not known yet."""
    missing_scopes: tuple[str, ...] = ()
    user: str = ""
    """Who has accepted the code; empty when Zoho does not say."""
    org_id: str = ""
    company_name: str = ""
    org_type: str = ""
    edition: str = ""
    ends_at: datetime
    poll_at: datetime

    @property
    def is_waiting(self) -> bool:
        """Whether the code is not accepted yet."""
        return not self.refresh_token and not self.problem

    @property
    def description(self) -> str:
        """Who has signed in to which org, as far as Zoho says so."""
        company = self.company_name or "an org without a name"
        org = f"{company} ({self.org_id})" if self.org_id else company
        user = f"{self.user}, " if self.user else ""
        return ", ".join(filter(None, (f"{user}{org}", self.org_type, self.edition)))

    @property
    def secrets(self) -> Mapping[str, SecretStr]:
        """The secrets of the org, by field."""
        names = ("client_id", "client_secret", "refresh_token")
        return {name: SecretStr(getattr(self, name)) for name in names}

    def to_stored(self) -> StoredSignIn:
        """Return the sign-in as the store keeps it."""
        content = asdict(self)
        return StoredSignIn(
            ends_at=content.pop("ends_at"), poll_at=content.pop("poll_at"), content=content
        )

    @classmethod
    def from_stored(cls, stored: StoredSignIn) -> Self:
        """Return the sign-in that the store has kept."""
        content: dict[str, Any] = dict(stored.content)
        scopes = tuple(content.pop("missing_scopes"))
        return cls(**content, missing_scopes=scopes, ends_at=stored.ends_at, poll_at=stored.poll_at)


class SignInFlow:
    """The steps of a new sign-in to one org; what they have shown is in the store."""

    def __init__(self, org: str, store: Store) -> None:
        self._org = org
        self._store = store

    async def begin(
        self, settings: Settings, zoho: ZohoSettings, secrets: Mapping[str, str], person: str
    ) -> None:
        """Ask Zoho for a code, and store it in place of a sign-in that was begun before.

        `zoho` has the data centre and the environment, `secrets` client id and client secret.
        Raises SignInRefused, Stopped, and UsageError for wrong settings.
        """
        # First, so that no person accepts a code that could not be stored then.
        keys = keys_for_new_secrets(settings, self._store)
        client = _client(zoho, secrets["client_id"], secrets["client_secret"])
        async with _session(settings, client) as calls:
            code = await request_device_code(
                client, session=calls, timeout_seconds=_TIMEOUT_SECONDS
            )
        now = datetime.now(UTC)
        sign_in = SignIn(
            person=person,
            data_center=zoho.data_center,
            environment=zoho.environment,
            client_id=secrets["client_id"],
            client_secret=secrets["client_secret"],
            device_code=code.device_code.get_secret_value(),
            user_code=code.user_code,
            url=code.url,
            begun_at=now.timestamp(),
            interval_seconds=code.interval_seconds,
            ends_at=now + timedelta(seconds=code.lifetime_seconds),
            poll_at=now,
        )
        self._store.pending_sign_ins.put(self._org, sign_in.to_stored(), keys)

    def current(self, settings: Settings) -> SignIn | None:
        """Return the sign-in that was begun; None if there is none, or its time is over."""
        if not self._store.pending_sign_ins.is_begun(self._org, datetime.now(UTC)):
            return None  # without a sign-in no key is needed
        keys = keys_for_new_secrets(settings, self._store)
        stored = self._store.pending_sign_ins.get(self._org, keys)
        return None if stored is None else SignIn.from_stored(stored)

    async def poll(self, settings: Settings, sign_in: SignIn, *, at_once: bool) -> SignIn:
        """Ask Zoho whether the code is accepted, unless that was asked too short a time ago.

        `at_once`: a person says that it is accepted. Otherwise the first poll waits for one
        interval, so that a poll is left for when the person says so. If the code is accepted, find
        out by whom, and for which org.
        Return the sign-in as it stands now. Raises Stopped when Zoho gives no answer for now.
        """
        now = datetime.now(UTC)
        interval = timedelta(seconds=sign_in.interval_seconds)
        if not sign_in.is_waiting or (
            not at_once and now.timestamp() < sign_in.begun_at + sign_in.interval_seconds
        ):
            return sign_in
        if not self._store.pending_sign_ins.reserve_poll(
            self._org, now, interval, ends_at=sign_in.ends_at
        ):
            return sign_in
        sign_in = replace(sign_in, poll_at=now + interval)
        client = _client(_zoho(settings, sign_in), sign_in.client_id, sign_in.client_secret)
        try:
            async with _session(settings, client) as calls:
                answer = await poll(
                    client,
                    SecretStr(sign_in.device_code),
                    session=calls,
                    timeout_seconds=_TIMEOUT_SECONDS,
                )
        except SignInRefused as error:
            sign_in = replace(sign_in, problem=str(error))
        else:
            if answer.is_too_fast:
                sign_in = replace(sign_in, interval_seconds=2 * sign_in.interval_seconds)
            if answer.refresh_token is not None:
                sign_in = replace(
                    sign_in,
                    refresh_token=answer.refresh_token.get_secret_value(),
                    missing_scopes=missing_scopes(answer.scopes),
                    ends_at=now + _CONFIRM_WITHIN,
                )
                # The code works once: the token must not be lost, whatever the check shows.
                self._save(settings, sign_in)
                sign_in = await self._checked(settings, sign_in)
        self._save(settings, sign_in)
        return sign_in

    def confirm(self, settings: Settings, sign_in: SignIn) -> None:
        """Make a sign-in that was checked the one of the org, and pin the org to what it showed."""
        put_orgs(settings, self._store, [(self._org_of(settings, sign_in), sign_in.secrets)])
        self._store.pending_sign_ins.remove(self._org)

    def cancel(self) -> bool:
        """Forget the sign-in that was begun; return whether there was one."""
        return self._store.pending_sign_ins.remove(self._org)

    async def _checked(self, settings: Settings, sign_in: SignIn) -> SignIn:
        org = self._org_of(settings, sign_in)
        try:
            check = await check_sign_in(
                with_org(settings, org, sign_in.secrets), self._store, CancelToken(), is_trial=True
            )
        except Stopped as error:
            return replace(sign_in, problem=f"{error} Begin again.")
        except BatchlockError as error:
            return replace(sign_in, problem=str(error))
        facts = check.facts or OrgFacts()
        return replace(
            sign_in,
            problem=check.message,
            user=check.user,
            org_id=facts.zgid or facts.org_id,
            company_name=facts.company_name,
            org_type=facts.org_type,
            edition=facts.edition,
        )

    def _org_of(self, settings: Settings, sign_in: SignIn) -> StoredOrg:
        """Return the org as it is stored when the sign-in is confirmed."""
        stored = self._store.orgs.get(self._org)
        values: dict[tuple[str, ...], str] = values_of_zoho(settings.zoho) if stored is None else {}
        values[("org",)] = self._org
        values["zoho", "data_center"] = sign_in.data_center
        values["zoho", "environment"] = sign_in.environment
        values |= grant_value(Grant.REFRESH_TOKEN)
        if sign_in.org_id and settings.zoho.organization_id is None:
            values["zoho", "organization_id"] = sign_in.org_id
        others = [org.name for org in self._store.orgs.all()]
        return new_org(values, {}, stored=stored, others=others, source=".".join).org

    def _save(self, settings: Settings, sign_in: SignIn) -> None:
        keys = keys_for_new_secrets(settings, self._store)
        self._store.pending_sign_ins.update(self._org, sign_in.to_stored(), keys)


def _zoho(settings: Settings, sign_in: SignIn) -> ZohoSettings:
    return replace(settings.zoho, data_center=sign_in.data_center, environment=sign_in.environment)


def _client(zoho: ZohoSettings, client_id: str, client_secret: str) -> OAuthClient:
    return OAuthClient(
        accounts_url=zoho.accounts,
        client_id=client_id,
        client_secret=SecretStr(client_secret),
        refresh_token=SecretStr(""),
        data_center=zoho.data_center,
        environment=zoho.environment,
    )


def _session(
    settings: Settings, client: OAuthClient
) -> "AbstractAsyncContextManager[aiohttp.ClientSession]":
    network = settings.network
    return session(
        limit=1, proxy=network.proxy_to(client.accounts_url), ssl_context=network.ssl_context()
    )
