"""The scopes of a sign-in: what batchlock asks for, and what each of them is good for.

Zoho names the scopes of a token in its answer to the token request. Its pages disagree on the scope
of the calls on locks, so both that they name (modules.ALL and modules.lockinginformation.ALL) are
asked for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScopeUse:
    """A scope, and what does not work without it."""

    scope: str
    commands: tuple[str, ...]
    """The commands that need it, at least for a part of what they do."""
    effect: str
    """What is missing without it, in words that follow "without it"."""


SCOPE_USES = (
    ScopeUse(
        "ZohoCRM.modules.ALL",
        ("run", "lock", "unlock", "undo", "retry", "resume", "locks"),
        "no lock can be read or changed",
    ),
    ScopeUse(
        "ZohoCRM.modules.lockinginformation.ALL",
        ("run", "lock", "unlock", "undo", "retry", "resume", "locks"),
        "Zoho may refuse calls on locks",
    ),
    ScopeUse(
        "ZohoCRM.settings.modules.READ",
        ("run", "lock", "unlock", "locks"),
        "modules are known by their API names only",
    ),
    ScopeUse(
        "ZohoCRM.settings.record_locking_configurations.READ",
        ("doctor",),
        "it is not known whether locking is configured for a module",
    ),
    ScopeUse(
        "ZohoCRM.org.READ",
        ("run", "lock", "unlock", "locks", "login"),
        "the org of the sign-in and its edition are not known",
    ),
    ScopeUse(
        "ZohoCRM.users.READ",
        ("login",),
        "the user of the sign-in is not known",
    ),
    ScopeUse("ZohoCRM.coql.READ", ("locks",), "locked records cannot be found by a query"),
    ScopeUse(
        "ZohoCRM.settings.custom_views.READ",
        ("locks",),
        "locked records cannot be found by a list view",
    ),
    ScopeUse(
        "ZohoCRM.composite_requests.CUSTOM",
        ("run", "lock", "unlock"),
        "five rows cannot share one call",
    ),
)
SCOPES = tuple(use.scope for use in SCOPE_USES)
"""All scopes that batchlock asks for."""


def granted_scopes(text: str) -> tuple[str, ...]:
    """Return the scopes in an answer of Zoho, which separates them by spaces or commas."""
    return tuple(text.replace(",", " ").split())


def missing_scopes(granted: str) -> tuple[str, ...]:
    """Return the scopes of batchlock that a token lacks; none when `granted` is empty.

    A scope that ends with ALL includes every scope with the same beginning.
    """
    scopes = {scope.casefold() for scope in granted_scopes(granted)}
    if not scopes:
        return ()
    prefixes = tuple(scope.removesuffix("all") for scope in scopes if scope.endswith(".all"))
    return tuple(
        scope
        for scope in SCOPES
        if scope.casefold() not in scopes and not scope.casefold().startswith(prefixes)
    )


def uses_of(scopes: tuple[str, ...]) -> tuple[ScopeUse, ...]:
    """Return what these scopes are good for; one that batchlock does not ask for has no use."""
    return tuple(use for use in SCOPE_USES if use.scope in scopes)


def allows_records(granted: str) -> bool:
    """Return False when Zoho has named the scopes and none of them lets a lock be changed.

    Also a scope of one module or one operation, such as `ZohoCRM.modules.deals.UPDATE`, may be
    enough for the rows of a file.
    """
    scopes = granted_scopes(granted)
    return not scopes or any(scope.casefold().startswith("zohocrm.modules.") for scope in scopes)
