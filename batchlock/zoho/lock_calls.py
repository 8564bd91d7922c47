"""The calls on the lock of a record, as values: what is sent, and how its response is interpreted.

A call is sent on its own or, with others, in a composite call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from batchlock.core.reply import Reply
from batchlock.core.rows import LockId, Update
from batchlock.zoho.replies import (
    RawResponse,
    interpret_lock,
    interpret_lookup,
    interpret_unlock,
    interpret_update,
)

# The record, to verify that the answer is about the right one, the reason, and what tells our own
# lock from somebody else's.
_LOOKUP_QUERY = (
    "fields=Locked_For__s,Locked_Reason__s,Lock_Source__s,Locked_Time__s,Locked_By__s,"
    "Record_Locking_Rule_Id__s"
)


@dataclass(frozen=True, slots=True)
class LockCall:
    """One call on the lock of a record."""

    method: str
    path: str
    """Percent-encoded, from the module on: `/Leads/1/Locking_Information__s/2`."""
    interpret: Callable[[RawResponse], Reply]
    query: str = ""
    body: bytes | None = None


def put_reason(update: Update, lock_id: LockId) -> LockCall:
    """Return the call that gives a lock the update's reason."""
    return LockCall(
        "PUT",
        _path(update, lock_id),
        lambda response: interpret_update(response, lock_id),
        body=_body(update),
    )


def lock(update: Update) -> LockCall:
    """Return the call that locks the update's record; its reply has the new lock."""
    return LockCall(
        "POST",
        _path(update, None),
        lambda response: interpret_lock(response, update),
        body=_body(update),
    )


def unlock(update: Update, lock_id: LockId) -> LockCall:
    """Return the call that removes a lock of the update's record."""
    return LockCall(
        "DELETE", _path(update, lock_id), lambda response: interpret_unlock(response, lock_id)
    )


def find_lock(update: Update) -> LockCall:
    """Return the call that looks up the lock for which the update asks.

    See `Update.requested_lock_id`. Its reply is ACCEPTED without a lock when there is none.
    """
    return LockCall(
        "GET",
        _path(update, update.requested_lock_id),
        lambda response: interpret_lookup(response, update),
        query=_LOOKUP_QUERY,
    )


def _path(update: Update, lock_id: LockId | None) -> str:
    path = f"/{quote(update.module, safe='')}/{update.record_id}/Locking_Information__s"
    return path if lock_id is None else f"{path}/{lock_id}"


def _body(update: Update) -> bytes:
    return orjson.dumps({"data": [{"Locked_Reason__s": update.reason}]})
