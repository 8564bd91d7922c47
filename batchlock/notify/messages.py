"""Messages to people, through apprise: mail, chat services, telephones.

apprise is an extra: `pip install 'batchlock[notify]'`. It loads when a message is sent.
"""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from batchlock.notify.notice import Notice, NoticeKind
from batchlock.notify.settings import NoticeChoice, NotifySettings

MISSING = (
    "Messages need a package that is not installed. Install it beside batchlock: pip install "
    "'batchlock[notify]'"
)
UNKNOWN = "apprise knows no such address. `apprise -vv` with this address says why."

# The first address makes apprise load its services, and several are sent to at once.
_LOADING = threading.Lock()


def is_wanted(notice: Notice, choice: NoticeChoice) -> bool:
    """Return whether a notice becomes a message."""
    if notice.kind is NoticeKind.START:
        return False
    if notice.kind is NoticeKind.TEST or notice.is_for_a_person or choice is NoticeChoice.ALWAYS:
        return True
    return choice is NoticeChoice.FAILURE and notice.is_failure


def attachments(notice: Notice, settings: NotifySettings) -> list[Path]:
    """Return the files of a notice that are small enough together, in their order."""
    if not settings.attach_results:
        return []
    chosen, remaining_bytes = [], settings.max_attachment
    for path in notice.attachments:
        try:
            size = path.stat().st_size
        except OSError:
            continue
        if size <= remaining_bytes:
            chosen.append(path)
            remaining_bytes -= size
    return chosen


def service_of(url: str) -> str:
    """Return the service that an address of apprise names: `mailto`. The rest is secret."""
    return url.partition(":")[0][:30]


def send_message(url: str, notice: Notice, files: Sequence[Path], *, timeout: float) -> str | None:
    """Send a notice to one address within `timeout` seconds; return why not, None if it was.

    apprise cannot be interrupted. After the time its thread is left alone, and ends with the
    process at the latest.
    """
    try:
        import apprise
    except ModuleNotFoundError:
        return MISSING
    # Its log lines may quote the address.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    asset = apprise.AppriseAsset(app_id="batchlock", app_desc="batchlock", http_redirects=False)
    service = apprise.Apprise(asset=asset)
    with _LOADING:
        is_known = service.add(url)
    if not is_known:
        return UNKNOWN
    kind = apprise.NotifyType.WARNING if notice.is_for_a_person else apprise.NotifyType.INFO
    outcomes: list[bool] = []

    def send() -> None:
        is_sent = service.notify(
            body=notice.text,
            title=notice.title,
            notify_type=kind,
            body_format=apprise.NotifyFormat.TEXT,
            attach=[str(path) for path in files] or None,
        )
        outcomes.append(bool(is_sent))

    thread = threading.Thread(target=send, name="batchlock-message", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        return f"It was not accepted within {timeout:g} seconds."
    if outcomes != [True]:
        return "The service did not accept it. `apprise -vv` with this address says why."
    return None
