"""The scopes that calls need.

Zoho's pages disagree about the calls on locks; here they need the scope of their module only.
"""

from functools import lru_cache

from batchlock.simulator.modules import is_custom

DEFAULT_SCOPES = frozenset(
    {
        "ZohoCRM.modules.ALL",
        "ZohoCRM.modules.lockinginformation.ALL",
        "ZohoCRM.settings.ALL",
        "ZohoCRM.users.READ",
        "ZohoCRM.org.READ",
        "ZohoCRM.coql.READ",
        "ZohoCRM.composite_requests.CUSTOM",
    }
)
"""What a token may do if nothing else is configured: everything."""

_OPERATIONS = {"GET": "READ", "PUT": "UPDATE", "POST": "CREATE", "DELETE": "DELETE"}


def allows(scopes: frozenset[str], method: str, path: tuple[str, ...]) -> bool:
    """Return whether a token with these scopes may make a call.

    `path` holds the segments after the version. Scopes are compared without regard to case.
    """
    # Without the ids of records, so that the calls of a run need one comparison.
    start = path[:2] if path[:1] == ("settings",) else path[:1]
    return _allows(scopes, _OPERATIONS.get(method, "READ"), start)


@lru_cache
def _allows(scopes: frozenset[str], operation: str, start: tuple[str, ...]) -> bool:
    owned = {scope.lower() for scope in scopes}
    sufficient = _sufficient(operation, start)
    return not sufficient or any(scope.lower() in owned for scope in sufficient)


def _sufficient(operation: str, start: tuple[str, ...]) -> list[str]:
    """Return the scopes of which a token needs one; none for a path that does not exist."""
    match start:
        case ["__composite_requests"]:
            return ["ZohoCRM.composite_requests.CUSTOM"]
        case ["coql"]:
            return ["ZohoCRM.coql.READ"]
        case ["org" | "users" as name]:
            return [f"ZohoCRM.{name}.READ", f"ZohoCRM.{name}.ALL"]
        case ["settings", name]:
            group = f"ZohoCRM.settings.{name}"
            return [f"{group}.READ", f"{group}.ALL", "ZohoCRM.settings.ALL"]
        case [module]:
            # Scopes name modules without underscores (`salesorders`), and all custom ones `custom`.
            name = "custom" if is_custom(module) else module.replace("_", "")
            names = ("", f".{name}")
            return [f"ZohoCRM.modules{name}.{one}" for name in names for one in (operation, "ALL")]
        case _:
            return []
