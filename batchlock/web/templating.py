"""How values look on a page: the templates, and what they are filled with."""

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from batchlock import __version__
from batchlock.core.results import Result
from batchlock.web import security
from batchlock.web.auth.passwords import csrf_of

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_STATIC = Path(__file__).parent / "static"
STATIC = {path.name: path.read_bytes() for path in sorted(_STATIC.iterdir()) if path.is_file()}
"""The stylesheet, the script and the icon, by name: nothing else is ever served from a disk."""

_STAMP = hashlib.sha256(b"".join(STATIC.values())).hexdigest()[:8]
"""So that a browser keeps them until they change."""

WORDS = {
    Result.UPDATED: "Updated",
    Result.UNCHANGED: "Already right",
    Result.REJECTED: "Refused by Zoho",
    Result.FAILED: "Failed",
    Result.INVALID: "Has problems",
    Result.DUPLICATE: "Same as an earlier row",
    Result.NOT_SENT: "Not sent",
    Result.UNKNOWN: "Not known yet",
}
"""What people read for each result."""


class Templates:
    """Draws pages of one org."""

    def __init__(self, org: Mapping[str, str]) -> None:
        """`org` is what every page says of where it sends to."""
        self._env = Environment(
            loader=PackageLoader("batchlock.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters |= {
            "n": grouped, "when": when, "span": span, "size": size, "words": WORDS.__getitem__,
            "cell": cell,
        }  # fmt: skip
        self._env.globals |= {
            "org": org,
            "version": __version__,
            "stamp": _STAMP,
            "Result": Result,
            "WORDS": WORDS,
        }

    def page(
        self, request: web.Request, template: str, *, status: int = 200, **told: Any
    ) -> web.Response:
        """Draw a whole page."""
        cookie = request.get(security.COOKIE, "")
        common = {
            "name": request.get(security.NAME, ""),
            "csrf": csrf_of(cookie),
            "path": request.path,
        }
        text = self._env.get_template(template).render(**common, **told)
        return web.Response(
            body=text.encode(errors="replace"),
            status=status,
            content_type="text/html",
            charset="utf-8",
        )

    def part(self, template: str, **told: Any) -> str:
        """Draw a part of a page, which is the same for everybody."""
        return self._env.get_template(template).render(**told)


@security.open_to_all
async def static(request: web.Request) -> web.Response:
    """Answer with the stylesheet, the script or the icon."""
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"Cache-Control": "public, max-age=86400"}
    return web.Response(body=STATIC[name], content_type=kind, headers=headers)


def grouped(number: int) -> str:
    """Return a whole number with its digits in groups."""
    return f"{number:,}"


def when(moment: datetime | float | None) -> Markup:
    """Return a moment as a `time`, which the script shows in the reader's zone."""
    if moment is None:
        return Markup("")
    at = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M}"
    )


def span(seconds: float | None) -> str:
    """Return a length of time in words."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"


def size(count: int) -> str:
    """Return an amount of memory in words."""
    return f"{count / 2**20:,.0f} MiB" if count >= 2**20 else f"{max(1, count >> 10):,} KiB"


def cell(text: str, most: int = 300) -> str:
    """Return a cell no longer than a page can bear."""
    return text if len(text) <= most else f"{text[:most]}…"


def attached(content: bytes, name: str) -> web.Response:
    """Return a workbook for saving under a name."""
    headers = {"Content-Disposition": saved_as(name)}
    return web.Response(body=content, content_type=WORKBOOK, headers=headers)


def saved_as(name: str) -> str:
    """Return the header that saves an answer under a name (RFC 6266)."""
    plain = re.sub(r"[^\w .()-]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
