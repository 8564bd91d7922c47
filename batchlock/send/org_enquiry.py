"""What the org of a run says about itself: stored for a day, or asked while the file is read.

The answers make a run faster and its file easier to write, and no run depends on them. So each
question is asked once, waited for only a short time, and a failure is no more than a sentence.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from batchlock.core.errors import BatchlockError
from batchlock.core.org import OrgFacts
from batchlock.core.reply import Reply, Verdict
from batchlock.send.calls import CallCosts
from batchlock.zoho.connect import Connection
from batchlock.zoho.scopes import allows_records

if TYPE_CHECKING:
    from batchlock.send.pacing.settings import Limits
    from batchlock.store.orgs import OrgTable

# Two calls of a few hundred milliseconds each, at the same time, behind a request for a token. An
# org that takes longer is slow or out of reach, and then the rows wait for it anyway.
_LONGEST_WAIT_SECONDS = 10.0
# A run that may use fewer credits than this needs them for its rows: the answers cost two.
_FEWEST_CREDITS = 50


class OrgEnquiry:
    """The facts about one org, which may still be asked for."""

    def __init__(self, connection: Connection, stored: OrgFacts | None) -> None:
        self._connection = connection
        self._facts = stored
        self._task: asyncio.Task[None] | None = None
        self._failures: dict[str, Reply] = {}
        """The answers that say nothing, by question: `org` and `modules`."""
        self._has_told_scopes = False
        self.costs = CallCosts(since=0.0)
        """The cost of the questions that no journal has recorded yet."""

    def start(self, save: Callable[[OrgFacts], None]) -> None:
        """Start to ask for what was not answered within the last day; `save` stores the answers."""
        now = datetime.now(UTC)
        facts = self._facts or OrgFacts()
        if not (facts.is_fresh(now) and facts.has_fresh_modules(now)):
            self._task = asyncio.create_task(self._ask(facts, now, save))

    async def facts(self, *, max_wait: float = _LONGEST_WAIT_SECONDS) -> OrgFacts | None:
        """Return what is known about the org, after at most `max_wait` seconds; None: nothing."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=max_wait)
        return self._facts

    async def close(self) -> None:
        """Stop asking, and let the costs be final."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def take_sentence(self) -> str:
        """Return once what the sign-in lacks or why something is not known; else nothing."""
        failures, self._failures = self._failures, {}
        if not allows_records(self._connection.granted_scopes) and not self._has_told_scopes:
            self._has_told_scopes = True
            return (
                "The sign-in has no scope for records, so Zoho will refuse every row. Sign in "
                "again with `batchlock login`, which asks for all scopes."
            )
        scopes = [reply.missing_scope for reply in failures.values() if reply.missing_scope]
        effects = [_EFFECTS[question] for question, one in failures.items() if one.missing_scope]
        if scopes:
            named = f"scope{'s' if len(scopes) > 1 else ''} {' and '.join(scopes)}"
            return (
                f"The sign-in lacks the {named}: {', and '.join(effects)}. `batchlock login` asks "
                "for all scopes."
            )
        # With these verdicts the rows meet the same obstacle, and say so themselves.
        is_obvious = {Verdict.THROTTLED, Verdict.UNREACHABLE, Verdict.DENIED, Verdict.EXPIRED}
        for question, reply in failures.items():
            if reply.verdict not in is_obvious:
                why = reply.message.rstrip(".")
                return f"Zoho did not say what the org is like ({why}): {_EFFECTS[question]}."
        return ""

    def why_no_modules(self) -> str:
        """Return in sentences why the modules of the org are not known, after they were asked."""
        reply = self._failures.get("modules")
        if reply is not None and reply.missing_scope:
            return (
                f"The sign-in lacks the scope {reply.missing_scope}, so Zoho does not say which "
                "modules of the org can be locked. `batchlock login` asks for all scopes."
            )
        why = "" if reply is None or not reply.message else f": {reply.message.rstrip('.')}"
        return f"Zoho did not say which modules of the org can be locked{why}."

    async def _ask(self, facts: OrgFacts, now: datetime, save: Callable[[OrgFacts], None]) -> None:
        with suppress(BatchlockError):  # the run meets the same error when it needs the token
            await self._connection.first_token()
            client = self._connection.client
            questions = {
                **({} if facts.is_fresh(now) else {"org": client.get_org}),
                **({} if facts.has_fresh_modules(now) else {"modules": client.get_modules}),
            }
            replies = await asyncio.gather(*map(self._call, questions.values()))
            for question, reply in zip(questions, replies, strict=True):
                if reply.org is not None:
                    facts = replace(
                        reply.org,
                        asked_at=now,
                        modules=facts.modules,
                        modules_asked_at=facts.modules_asked_at,
                    )
                elif reply.modules is not None:
                    facts = replace(facts, modules=reply.modules, modules_asked_at=now)
                else:
                    self._failures[question] = reply
            if len(self._failures) < len(questions):
                self._facts = facts
                await asyncio.to_thread(save, facts)

    async def _call(self, question: Callable[[], Awaitable[Reply]]) -> Reply:
        try:
            reply = await question()
            if reply.verdict is Verdict.EXPIRED:  # a new token is there
                self.costs.add(reply)
                reply = await question()
        except asyncio.CancelledError:
            self.costs.add(Reply(verdict=Verdict.LOST))  # Zoho may have counted it
            raise
        self.costs.add(reply)
        return reply


_EFFECTS = {
    "org": "the edition of the org is not known, so the run finds out itself how many calls at "
    "once are accepted",
    "modules": "modules are known by their API names only, and not by the labels of the org",
}


@asynccontextmanager
async def org_enquiry(
    connection: Connection,
    orgs: "OrgTable",
    org: str,
    limits: "Limits",
    *,
    needs_modules: bool = False,
) -> AsyncIterator[OrgEnquiry]:
    """Yield what is known about an org; what is not is asked for while the block runs.

    With `needs_modules` its modules are asked for in any case.
    """
    stored = None
    with suppress(BatchlockError):  # a store that cannot be read stops the run elsewhere
        stored = await asyncio.to_thread(orgs.facts, org, connection.sign_in)
    if needs_modules and stored is not None:
        stored = replace(stored, modules_asked_at=None)
    enquiry = OrgEnquiry(connection, stored)
    if needs_modules or limits.max_credits is None or limits.max_credits >= _FEWEST_CREDITS:
        enquiry.start(lambda facts: orgs.save_facts(org, connection.sign_in, facts))
    try:
        yield enquiry
    finally:
        await enquiry.close()
