"""The templates: how pages are rendered, and how values look on them.

Spans and sizes are written here and not by humanize: a tile has room for "1 h 5 min", not for
"1 hour and 5 minutes".
"""

import hashlib
import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from batchlock import __version__
from batchlock.core.encodings import usual_name
from batchlock.core.messages import FIND_RESULT_LABELS, RESULT_LABELS, RESULT_MEANINGS
from batchlock.core.results import Result
from batchlock.web import security
from batchlock.web.action_labels import ACTION_LABELS
from batchlock.web.auth.tokens import csrf_token
from batchlock.web.conditional import conditional_response
from batchlock.web.translation import current_translation, markup_gettext, markup_ngettext
from batchlock.web.translation import gettext as _
from batchlock.web.wording import page_words

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_STATIC = Path(__file__).parent / "static"
# Read once at the start, by name: no request ever reaches the disk, whatever its path is.
STATIC_FILES = {p.name: p.read_bytes() for p in sorted(_STATIC.iterdir()) if p.is_file()}
# Part of each address, so that a browser may cache the files and still loads changed ones.
_STATIC_HASH = hashlib.sha256(b"".join(STATIC_FILES.values())).hexdigest()[:8]
# A day is safe, because the addresses of the files change with their content.
_STATIC_CACHE = "public, max-age=86400"


class Page:
    """The values of one page; a subclass is a frozen dataclass and names its template."""

    __slots__ = ()
    template: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgLabel:
    """What every page says about the org that it sends to."""

    name: str
    environment: str
    api: str
    data_center: str
    """In capitals; empty for the simulator."""

    @property
    def home(self) -> str:
        """The path of the org's first page; those of its other pages begin with it."""
        return home_of(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the frame of a page shows, and what the person may do there."""

    org: OrgLabel | None = None
    """The org of the page; None on a page of several orgs."""
    may_prepare: bool = True
    may_send: bool = True
    may_administer: bool = True
    is_connected: bool = True
    """Whether there is a sign-in to the org."""
    approvals: int | None = None
    """How many requests for approval wait for the person; None where none is needed."""
    sees_several: bool = False
    """Whether the person may see several orgs, so that there is a page of all orgs."""


FRAME = web.RequestKey("frame", Frame)
"""The frame of the requested page, once it is known what the person may see."""


def home_of(org: str) -> str:
    """Return the path of the first page of an org."""
    return f"/orgs/{quote(org)}"


class Templates:
    """Renders the pages of all orgs."""

    def __init__(self, default_frame: Callable[[web.Request], Frame]) -> None:
        """`default_frame` returns the frame of a page whose request has none yet."""
        self._default_frame = default_frame
        self._env = Environment(
            loader=PackageLoader("batchlock.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        self._env.policies["ext.i18n.trimmed"] = True
        self._env.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension adds it
        self._env.filters |= {
            "n": grouped, "when": when, "span": span, "size": size, "cell": cell,
            "encoding": usual_name, "minute": whole_minute, "words": page_words,
        }  # fmt: skip
        self._env.globals |= {
            "version": __version__,
            "static_hash": _STATIC_HASH,
            "Result": Result,
            "RESULT_LABELS": RESULT_LABELS,
            "RESULT_MEANINGS": RESULT_MEANINGS,
            "FIND_RESULT_LABELS": FIND_RESULT_LABELS,
            "ACTION_LABELS": ACTION_LABELS,
            "gettext": markup_gettext,
            "ngettext": markup_ngettext,
        }

    def render_page(self, request: web.Request, page: Page, *, status: int = 200) -> web.Response:
        """Render a whole page for the person who requests it."""
        frame = request.get(FRAME) or self._default_frame(request)
        text = self._env.get_template(page.template).render(
            page=page,
            org=frame.org,
            may_prepare=frame.may_prepare,
            may_send=frame.may_send,
            may_administer=frame.may_administer,
            is_connected=frame.is_connected,
            approvals=frame.approvals,
            sees_several=frame.sees_several,
            user=request.get(security.NAME, ""),
            csrf=csrf_token(request.get(security.COOKIE, "")),
            path=request.path,
            language=current_translation().html_language,
        )
        body = text.encode(errors="replace")  # a file name may hold lone surrogates
        if status == 200 and request.method == "GET":
            return conditional_response(request, body, "text/html")
        return web.Response(body=body, status=status, content_type="text/html", charset="utf-8")

    def render_part(self, template: str, live: object, org: OrgLabel | None = None) -> str:
        """Render a part of a live page, which is the same for every viewer."""
        return self._env.get_template(template).render(live=live, org=org)


@security.open_to_all
async def static(request: web.Request) -> web.Response:
    """Answer with the stylesheet, the script or the icon."""
    name = request.match_info["name"]
    if name not in STATIC_FILES:
        raise web.HTTPNotFound
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {
        "Cache-Control": _STATIC_CACHE,
        "Content-Type": f"{content_type}; charset=utf-8",
        "Vary": "Accept-Encoding",
    }
    response = web.Response(body=STATIC_FILES[name], headers=headers)
    response.enable_compression()  # nothing in these files is secret
    return response


def grouped(number: int) -> str:
    """Return a whole number with its digits in groups."""
    return current_translation().number(number)


def when(moment: datetime | float | None) -> Markup:
    """Return a moment as a `time` element, which the script rewrites in the reader's zone.

    A float is seconds since 1970.
    """
    if moment is None:
        return Markup("")
    at = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M}"
    )


def whole_minute(moment: datetime) -> datetime:
    """Return the beginning of the minute, so that a part of a page changes once a minute."""
    return moment.replace(second=0, microsecond=0)


def span(seconds: float | None) -> str:
    """Return a length of time, such as `42 s`, `5 min` or `1 h 5 min`."""
    if seconds is None:
        return ""
    if seconds < 60:
        return _("%(seconds)s s", seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return _("%(minutes)s min", minutes=minutes)
    return _("%(hours)s h %(minutes)s min", hours=grouped(hours), minutes=minutes)


def size(byte_count: int) -> str:
    """Return an amount of memory in whole MiB, or in KiB if it is less than one MiB."""
    if byte_count >= 2**20:
        return _("%(amount)s MiB", amount=grouped(round(byte_count / 2**20)))
    return _("%(amount)s KiB", amount=grouped(max(1, byte_count >> 10)))


def cell(text: str, limit: int = 300) -> str:
    """Return the beginning of a cell: one can hold 32,767 characters, and a page shows 50 rows."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def workbook_response(content: bytes, name: str) -> web.Response:
    """Return an answer that the browser saves as a workbook with this name."""
    headers = {"Content-Disposition": attachment(name)}
    return web.Response(body=content, content_type=WORKBOOK, headers=headers)


def attachment(name: str) -> str:
    """Return the Content-Disposition that makes the browser save an answer (RFC 6266)."""
    # `filename` is ASCII for old browsers; `filename*` has the whole name and wins.
    ascii_name = re.sub(r"[^\w .()-]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
