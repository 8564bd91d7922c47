"""Pings in the form of healthchecks: https://healthchecks.io/docs/http_api/.

    start of a command       POST URL/start
    end with exit code 0     POST URL
    any other end            POST URL/<exit code>
    test                     POST URL/log        changes nothing there

Each with the digest as its body, and with `rid`, a UUID that start and end of a command share.
"""

from urllib.parse import urlencode, urlsplit, urlunsplit

from batchlock.notify.notice import Notice, NoticeKind

# healthchecks keeps 100 kB of a body, and servers of one's own 10 kB by default.
_MAX_BODY_BYTES = 10_000


def ping_path(notice: Notice) -> str | None:
    """Return what follows the address in the ping for a notice; None when there is no ping for it.

    That somebody is to act says nothing about whether a command works, so it is no ping.
    """
    match notice.kind:
        case NoticeKind.START:
            return "/start"
        case NoticeKind.TEST:
            return "/log"
        case NoticeKind.END:
            return f"/{notice.exit_code}" if notice.exit_code else ""
        case NoticeKind.PERSON:
            return None


def ping_address(url: str, path: str, session_id: str) -> str:
    """Return the address of a ping; a query of `url` stays, such as `create=1` of healthchecks."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode({"rid": session_id})) if part)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path, query=query))


def ping_body(notice: Notice) -> bytes:
    """Return the digest, cut to what the servers keep."""
    text = f"{notice.title}\n\n{notice.text}\n".encode()
    # A letter that is cut in its middle is left out.
    return text[:_MAX_BODY_BYTES].decode("utf-8", "ignore").encode()
