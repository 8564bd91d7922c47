"""Begin a session, whatever the way was on which the person has signed in."""

from aiohttp import web

from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.auth.tokens import session_key


def begin_session(
    store: Store,
    request: web.Request,
    rules: security.SecurityRules,
    *,
    org: str,
    name: str,
    path: str,
    way: str = "",
) -> web.HTTPSeeOther:
    """Start a session in place of the one before, and return the answer that leads to a path.

    The audit log of the org says so, with the `way` of signing in.
    """
    store.sessions.end(session_key(request[security.COOKIE]))
    store.audit_log.add(org, name, "signed in", way, address=request[security.ADDRESS])
    return security.start_session(store, request, rules, name=name, path=path)
