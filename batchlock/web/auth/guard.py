"""Checks passwords: slowly for whoever guesses, and a few at a time."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from batchlock.store.audit_log import UNKNOWN_NAME
from batchlock.store.people import AmbiguousName, Person, folded
from batchlock.store.store import Store
from batchlock.web.auth.hashing import HashQueue, HashQueueFullError
from batchlock.web.auth.passwords import hash_password, needs_rehash, verify_password
from batchlock.web.auth.throttle import LoginThrottle
from batchlock.web.observer import PageObserver, SignInRefusal
from batchlock.web.translation import gettext as _
from batchlock.web.translation import ngettext

_T = TypeVar("_T")

MAX_NAME = 80
"""Bounds what is kept of a name that somebody typed."""


class PasswordRefusedError(Exception):
    """The password is not right, or was not checked. The text is a sentence for the person."""

    def __init__(self, sentence: str, *, status: int) -> None:
        super().__init__(sentence)
        self.status = status
        """The HTTP status of the answer."""


class PasswordGuard:
    """Checks the passwords of people for all pages of a server."""

    def __init__(self, store: Store, observer: PageObserver, *, org: str) -> None:
        """Record refusals in the audit log of an org."""
        self._store = store
        self._observer = observer
        self._org = org
        self._throttle = LoginThrottle(time.monotonic)
        self._hashing = HashQueue()

    async def check(self, name: str, password: str, address: str) -> Person:
        """Return the person with this name and password. Raises PasswordRefusedError."""
        name_key = folded(name[:MAX_NAME])
        if (wait_seconds := self._throttle.wait_seconds(name_key, address)) > 0:
            self._observer.on_sign_in_refused(SignInRefusal.THROTTLE)
            raise PasswordRefusedError(
                ngettext(
                    "Too many wrong passwords. Try again in %(num)s second.",
                    "Too many wrong passwords. Try again in %(num)s seconds.",
                    round(wait_seconds),
                ),
                status=429,
            )
        person, known_name, about = self._find(name)
        if self._hashing.is_full_for(address):
            raise self._busy()
        # Counted before the check, or many attempts at once would all pass the throttle.
        self._throttle.record_failure(name_key, address)
        if not await self._verify(person, password, address) or person is None:
            self._observer.on_sign_in_refused(SignInRefusal.PASSWORD)
            log = self._store.audit_log
            log.add(self._org, known_name, "tried to sign in", about, address=address)
            raise PasswordRefusedError(_("Name or password is not right."), status=403)
        self._throttle.record_success(name_key, address)
        return person

    def _find(self, name: str) -> tuple[Person | None, str, str]:
        """Return a person, and for the log what is known of the name and why nobody was found."""
        try:
            person = self._store.people.find(name)
        except AmbiguousName as error:
            return None, " or ".join(error.names), "with a name in the case of neither"
        return person, UNKNOWN_NAME if person is None else person.name, ""

    async def hash(self, password: str, address: str) -> str:
        """Return the hash of a new password. Raises PasswordRefusedError as `compute` does."""
        return await self.compute(address, partial(hash_password, password))

    async def compute(self, address: str, function: Callable[[], _T]) -> _T:
        """Return what a slow function about a password returns, beside the other hashes.

        Raises PasswordRefusedError when too many are being checked.
        """
        try:
            return await self._hashing.run(address, function)
        except HashQueueFullError:
            raise self._busy() from None

    async def _verify(self, person: Person | None, password: str, address: str) -> bool:
        """Check a password, and replace a hash of an older kind; it takes as long for nobody."""
        password_hash = None if person is None else person.password_hash
        check = partial(verify_password, password, password_hash)
        fits = await self._hashing.run(address, check)
        # While it was checked, a removal or a new password may have ended the person's sessions.
        if fits and person is not None and self._store.people.find(person.name) != person:
            return False
        if fits and person is not None and needs_rehash(person.password_hash):
            # The person is signed in anyway; the next sign-in replaces the hash, too.
            with suppress(HashQueueFullError):
                new_hash = await self._hashing.run(address, partial(hash_password, password))
                self._store.people.rehash(person.name, person.password_hash, new_hash)
        return fits

    def _busy(self) -> PasswordRefusedError:
        self._observer.on_sign_in_refused(SignInRefusal.BUSY)
        return PasswordRefusedError(
            _("Too many sign-ins are being checked. Try again in a few seconds."), status=429
        )
