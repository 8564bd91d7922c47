"""Answers that a page asks for again and again: with 304 when it has the same one already."""

import hashlib
from collections.abc import Mapping

from aiohttp import web


def conditional_response(
    request: web.Request, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an answer with a tag of its content; without the content when the client has it."""
    etag = hashlib.sha256(body).hexdigest()[:16]
    # Weak, since a proxy may compress the answer.
    headers = {"ETag": f'W/"{etag}"', **(headers or {})}
    if any(tag.value == etag for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)
