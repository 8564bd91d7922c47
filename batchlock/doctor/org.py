"""Checks of the org of the sign-in: which one it is, its limits, where locking is configured."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.core.org import OrgFacts
from batchlock.core.reply import Reply, Verdict
from batchlock.doctor.checks import Check, doubtful, from_error, good, skipped
from batchlock.send.org_check import check_org

if TYPE_CHECKING:
    from batchlock.zoho.connect import Connection
    from batchlock.zoho.locking_rules import ModuleLocking

_CREDITS_WHEN = "Zoho says it only once half of the day's credits are used"


@dataclass(slots=True)
class OrgAnswers:
    """Zoho's answers about the org."""

    org: Reply | None = None
    modules: Reply | None = None
    locking: "list[ModuleLocking]" = field(default_factory=list)

    @property
    def credits_left(self) -> int | None:
        """The fewest credits of the day that an answer has named; None: none has."""
        replies = [self.org, self.modules, *(one.reply for one in self.locking)]
        known = [reply.credits_remaining for reply in replies if reply is not None]
        return min((one for one in known if one is not None), default=None)


async def check_org_answers(
    connection: "Connection",
    settings: Settings,
    answers: OrgAnswers,
    modules: Sequence[str],
    *,
    credits_left: int | None,
) -> list[Check]:
    """Return the checks of the org, after asking for the locking of modules.

    `modules` are those in use; without any, all that can be locked. `credits_left` is what the
    last run has heard.
    """
    facts = None if answers.org is None else answers.org.org
    checks = [_identity(settings, facts), _environment(settings, facts)]
    checks += [_pinned(settings, facts), _limits(facts)]
    checks.append(await _locking(connection, answers, modules))
    if facts is not None:
        known = answers.credits_left
        checks.append(_credits(settings, facts, credits_left if known is None else known))
    return checks


def _identity(settings: Settings, facts: OrgFacts | None) -> Check:
    """Return whether the org is the expected one."""
    check_id = "org.identity"
    if facts is None:
        return skipped(check_id, "Not checked, since Zoho does not say which org it is.")
    try:
        check_org(facts, org_id=settings.zoho.organization_id, environment=None)
    except UsageError as error:
        return from_error(check_id, error)
    name = facts.company_name or "an org without a name"
    number = facts.zgid or facts.org_id or "not said"
    return good(check_id, f"The org is {name} (number {number}).")


def _environment(settings: Settings, facts: OrgFacts | None) -> Check:
    """Return whether the org is a sandbox or for production, as is set."""
    check_id = "org.environment"
    expected = settings.zoho.environment
    if facts is None or not facts.org_type:
        return skipped(check_id, "Not checked, since Zoho does not say of which type the org is.")
    try:
        check_org(facts, org_id=None, environment=expected)
    except UsageError as error:
        return from_error(check_id, error)
    return good(check_id, f"The org is of the type {facts.org_type}; {expected} is set.")


def _pinned(settings: Settings, facts: OrgFacts | None) -> Check:
    check_id = "org.pinned"
    pinned = settings.zoho.organization_id
    if pinned is not None:
        return good(check_id, f"Nothing is sent to another org than {pinned}.")
    number = "" if facts is None else facts.zgid or facts.org_id
    value = f'"{number}"' if number else "its number, from the address of the CRM behind `org`"
    return doubtful(
        check_id,
        "Whichever org the sign-in is for, rows are sent to it: zoho.organization_id is not set.",
        f"Set zoho.organization_id to {value}; a sign-in to another org is refused then.",
    )


def _limits(facts: OrgFacts | None) -> Check:
    check_id = "org.limits"
    if facts is None or facts.in_flight_cap is None:
        edition = "" if facts is None else facts.edition
        known = f"The edition {edition} is not known" if edition else "The edition is not known"
        return good(check_id, f"{known}; runs find out how many calls the org takes at once.")
    users = "" if facts.users is None else f", {facts.users:,} users"
    return good(
        check_id,
        f"The edition is {facts.edition}{users}: {facts.in_flight_cap} calls at once.",
    )


def _credits(settings: Settings, facts: OrgFacts, left: int | None) -> Check:
    check_id = "org.credits"
    day = "" if facts.day_credits is None else f" of about {facts.day_credits:,}"
    if left is None:
        total = "" if not day else f" The org has about {facts.day_credits:,} in a day."
        return good(check_id, f"How many credits are left is not known: {_CREDITS_WHEN}.{total}")
    keep = settings.limits.keep_credits
    if left <= keep or left == 0:
        return doubtful(
            check_id,
            f"{left:,} credits{day} are left for the day, and limits.keep_credits keeps {keep:,}: "
            "a run would stop at once.",
            "Wait until credits come back, each 24 hours after it was used, or lower "
            "limits.keep_credits.",
        )
    return good(check_id, f"{left:,} credits{day} are left for the day.")


async def _locking(connection: "Connection", answers: OrgAnswers, modules: Sequence[str]) -> Check:
    """Return where locking is configured, among the modules in use or among all."""
    from batchlock.zoho.locking_rules import locking_of

    check_id = "org.locking"
    lockable = None if answers.modules is None else answers.modules.modules
    names = modules or [module.api_name for module in lockable or ()]
    if not names:
        return good(
            check_id,
            "Whether locking is configured is not known: no run has named a module yet, and Zoho "
            "does not list any.",
        )
    for name in names:
        answers.locking.append(await locking_of(connection.client, name))
        # Each of the others would be refused in the same way.
        if answers.locking[-1].is_configured is None:
            break
    refusal = answers.locking[-1]
    if refusal.is_configured is None:
        return _unknown(check_id, refusal)
    without = [one.module for one in answers.locking if not one.is_configured]
    configured = [one.module for one in answers.locking if one.is_configured]
    if without and (modules or not configured):
        return doubtful(
            check_id,
            f"Record locking is not configured for {', '.join(without)}: locks there are refused.",
            "An administrator of the CRM configures it in its set-up, under Record Locking.",
        )
    return good(check_id, f"Record locking is configured for {', '.join(configured)}.")


def _unknown(check_id: str, one: "ModuleLocking") -> Check:
    reply = one.reply
    if reply.code == "OAUTH_SCOPE_MISMATCH":
        return good(
            check_id,
            "Whether locking is configured is not known: the sign-in lacks the scope "
            "ZohoCRM.settings.record_locking_configurations.READ.",
        )
    if reply.verdict is Verdict.REFUSED or reply.verdict is Verdict.DENIED:
        return good(
            check_id,
            f"Whether locking is configured for {one.module} is not known: Zoho does not say it to "
            f"this user ({reply.code or reply.message}), who may lack the permission Customize.",
        )
    return doubtful(
        check_id,
        f"Whether locking is configured for {one.module} is not known: "
        f"{reply.message.rstrip('.')}.",
        f"{reply.remedy.rstrip('.') or 'Try again later'}.",
    )
