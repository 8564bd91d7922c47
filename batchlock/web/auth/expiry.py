"""The end of sessions that are too old, or were idle for too long."""

import asyncio
import logging
import time

from batchlock.store.store import Store
from batchlock.web.security import SecurityRules
from batchlock.web.templating import span

_log = logging.getLogger(__name__)

# A session that is over is refused at once, whether it was removed or not.
_INTERVAL_SECONDS = 60.0


async def end_old_sessions(store: Store, rules: SecurityRules, org: str) -> None:
    """Remove sessions that are over, and record it in the audit log of an org, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(_end, store, rules, org)
        except Exception:
            _log.exception("ending old sessions")
        await asyncio.sleep(_INTERVAL_SECONDS)


def _end(store: Store, rules: SecurityRules, org: str) -> None:
    now = time.time()
    for session in store.sessions.remove_expired(
        max_idle_seconds=rules.session_seconds, max_age_seconds=rules.session_limit_seconds
    ):
        is_too_old = now - session.started_at > rules.session_limit_seconds
        why = (
            f"after {span(rules.session_limit_seconds)}"
            if is_too_old
            else f"after {span(rules.session_seconds)} without activity"
        )
        log = store.audit_log
        log.add(org, session.name, "was signed out", why, address=session.address)
