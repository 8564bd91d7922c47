"""The webhook: a notice as JSON, signed by the scheme of https://www.standardwebhooks.com.

webhook-id           the id of the notice, the same for each attempt
webhook-timestamp    seconds since 1970, of this attempt
webhook-signature    v1,base64(HMAC-SHA256(secret, "id.timestamp.body"))
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from batchlock import __version__
from batchlock.core.results import Result
from batchlock.notify.notice import Notice


def webhook_body(notice: Notice) -> bytes:
    """Return a notice as the JSON object that docs/notices.md describes."""
    counts = {result.value: notice.counts.get(result, 0) for result in Result}
    value: dict[str, Any] = {
        "event": notice.kind.value,
        "id": notice.id,
        "at": notice.at.isoformat(timespec="seconds"),
        "command": notice.command,
        "org": notice.org,
        "environment": notice.environment,
        "run_id": notice.run_id,
        "file": notice.file,
        "exit_code": notice.exit_code,
        "needs_person": notice.is_for_a_person,
        "title": notice.title,
        "text": notice.text,
        "rows": sum(counts.values()),
        "counts": counts,
        "credits_used": notice.credits_used,
        "seconds": round(notice.seconds, 3),
        "version": __version__,
    }
    return json.dumps(value).encode()


def webhook_headers(
    notice: Notice, body: bytes, key: bytes | None, *, wall_clock: Callable[[], float]
) -> dict[str, str]:
    """Return the headers of one attempt; without a key there is no signature."""
    timestamp = str(int(wall_clock()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": notice.id,
        "webhook-timestamp": timestamp,
    }
    if key is not None:
        content = b".".join((notice.id.encode(), timestamp.encode(), body))
        digest = hmac.new(key, content, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
