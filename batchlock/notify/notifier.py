"""Send notices everywhere that is configured, beside the work that they tell about.

`send` returns at once: a thread sends the notice, so that it delays nothing. `close` waits for the
threads, for a bounded time. Each place has one attempt, and one more when the first could not be
made. What goes wrong is a warning in the log.
"""

import contextvars
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from batchlock.core.errors import UsageError
from batchlock.notify import messages, ping, textfile, webhook
from batchlock.notify.notice import Delivery, NotDelivered, Notice, NoticeKind
from batchlock.notify.post import PostFailure, post
from batchlock.notify.settings import NotifySettings, check_notice_url, signing_key
from batchlock.zoho.network import NetworkSettings

_log = logging.getLogger(__name__)

# Seconds between the two attempts: a server that was just restarted answers again.
_PAUSE_SECONDS = 1.0
_ATTEMPTS = 2
# To load apprise takes two seconds, and the command of a secret about one.
_PREPARING_SECONDS = 5.0

_Attempt = Callable[[int], PostFailure | None]
"""Makes the attempt with a number, from 0; returns why it has failed."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A place that a notice goes to."""

    name: str
    attempt: _Attempt


class Notifier:
    """Sends the notices of one command, or of one session of a run. All methods never raise."""

    def __init__(
        self,
        settings: NotifySettings,
        network: NetworkSettings,
        *,
        pings: bool = True,
        others: bool = True,
        wall_clock: Callable[[], float] = time.time,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Send nothing yet, and read no secret: a command of a password manager takes its time.

        `pings` and `others` say whether there are pings, and messages, webhook and textfile.
        """
        self._settings = settings
        self._pings, self._others = pings, others
        self._network = network
        self._wall_clock = wall_clock
        self._pause = pause
        # Start and end of one command share it, as `rid` of healthchecks.
        self._session_id = str(uuid.uuid4())
        self._threads: list[threading.Thread] = []
        self._start: threading.Thread | None = None
        self._has_ended = threading.Event()
        self._is_closed = threading.Event()

    @property
    def longest_seconds(self) -> float:
        """How long a notice of an end can take: the rest of that of the start, and its own."""
        attempts = (1 + _ATTEMPTS) * self._settings.timeout
        return attempts + _PAUSE_SECONDS + _PREPARING_SECONDS

    @property
    def is_busy(self) -> bool:
        """Whether a notice is under way."""
        return any(thread.is_alive() for thread in self._threads)

    def send(self, notice: Notice) -> None:
        """Send a notice in the background, and return at once. Failures are logged."""
        if self._settings.is_empty:
            return
        # A daemon, so that one that hangs in spite of its limits does not keep the process alive.
        # In this context, so that its log lines name the same run.
        deliver = partial(contextvars.copy_context().run, self._deliver_in_order, notice)
        thread = threading.Thread(target=deliver, name="batchlock-notice", daemon=True)
        if notice.kind is NoticeKind.START:
            self._start = thread
        if notice.kind is NoticeKind.END:
            self._has_ended.set()
        self._threads = [each for each in self._threads if each.is_alive()]
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread left
            _log.warning("A notice was not sent: %s.", error)
            return
        self._threads.append(thread)

    def close(self) -> None:
        """Wait until all notices are sent or have failed, for a bounded time."""
        deadline_monotonic = time.monotonic() + self.longest_seconds
        try:
            for thread in self._threads:
                thread.join(max(0.0, deadline_monotonic - time.monotonic()))
                if thread.is_alive():
                    _log.warning("A notice is not sent yet; it is not waited for any longer.")
        finally:
            # A thread that is left alone must not write to a stream while the process ends.
            self._is_closed.set()

    def deliver(self, notice: Notice) -> list[Delivery]:
        """Send a notice, wait for it, and return what became of it at each place.

        Failures are logged too. It must not be called in an event loop.
        """
        try:
            places = list(self._places(notice))
            return _all_at_once([partial(self._deliver_to, place, notice) for place in places])
        except Exception as error:
            _log.warning("A notice was not sent. %s", _unexpected(error))
            return [Delivery("notify", _unexpected(error))]

    def _deliver_in_order(self, notice: Notice) -> None:
        # A server that gets the start after the end would wait for another end.
        if notice.kind is NoticeKind.END and self._start is not None:
            self._start.join(self._settings.timeout)
        self.deliver(notice)

    def _deliver_to(self, place: _Place, notice: Notice) -> Delivery:
        error = self._error_of(place, notice)
        if error and not self._is_closed.is_set():
            _log.warning(
                "%s: the notice was not delivered. %s",
                place.name,
                error,
                extra={"event": "notice.failed"},
            )
        return Delivery(place.name, error)

    def _error_of(self, place: _Place, notice: Notice) -> str:
        """Make up to two attempts; return why they have failed, empty when one has not."""
        failure: PostFailure | None = None
        for number in range(_ATTEMPTS):
            if number:
                self._pause(_PAUSE_SECONDS)
                if notice.kind is NoticeKind.START and self._has_ended.is_set():
                    break
            try:
                failure = place.attempt(number)
            except (NotDelivered, UsageError, ValueError) as error:
                return str(error)
            except Exception as error:
                return _unexpected(error)
            if failure is None or not failure.is_temporary:
                break
        return "" if failure is None else failure.sentence

    def _places(self, notice: Notice) -> Iterator[_Place]:
        """Yield where a notice goes. A setting that cannot be read is a place with an error."""
        settings, org = self._settings, notice.org
        path_of_ping = ping.ping_path(notice)
        if self._pings and path_of_ping is not None:
            yield from self._place_of("ping_url", org, partial(self._ping, notice, path_of_ping))
        if not self._others:
            return
        if notice.kind is NoticeKind.END and settings.textfile is not None:
            path = textfile.textfile_path(settings.textfile, org)

            def write(_: int) -> None:
                textfile.write_textfile(path, notice)

            yield _Place("notify.textfile", write)
        yield from self._place_of("webhook", org, partial(self._call_webhook, notice))
        if messages.is_wanted(notice, settings.when):
            yield from self._message_places(notice)

    def _place_of(
        self, name: str, org: str, request: Callable[[str], PostFailure | None]
    ) -> Iterator[_Place]:
        setting = f"notify.{name}"
        try:
            url = self._settings.secret(name)
            if url is None:
                return
            url = check_notice_url(url.replace("{org}", org))
        except (UsageError, ValueError) as error:
            yield _failed(setting, error)
            return
        host = urlsplit(url).hostname
        yield _Place(f"{setting} ({host})", lambda _: request(url))

    def _message_places(self, notice: Notice) -> Iterator[_Place]:
        try:
            text = self._settings.secret("messages")
        except UsageError as error:
            yield _failed("notify.messages", error)
            return
        files = messages.attachments(notice, self._settings)
        for url in (text or "").split():

            def send(number: int, url: str = url) -> PostFailure | None:
                # A service may refuse the files only, for their size or kind.
                chosen = files if number == 0 else []
                why = messages.send_message(url, notice, chosen, timeout=self._settings.timeout)
                is_temporary = why not in (None, messages.MISSING, messages.UNKNOWN)
                return None if why is None else PostFailure(why, is_temporary=is_temporary)

            yield _Place(f"notify.messages ({messages.service_of(url)})", send)

    def _ping(self, notice: Notice, path: str, url: str) -> PostFailure | None:
        return self._post(
            ping.ping_address(url, path, self._session_id),
            ping.ping_body(notice),
            {"Content-Type": "text/plain; charset=utf-8"},
        )

    def _call_webhook(self, notice: Notice, url: str) -> PostFailure | None:
        body = webhook.webhook_body(notice)
        secret = self._settings.secret("webhook_secret")
        key = None if secret is None else signing_key(secret)
        headers = webhook.webhook_headers(notice, body, key, wall_clock=self._wall_clock)
        return self._post(url, body, headers)

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> PostFailure | None:
        timeout = self._settings.timeout
        return post(url, body, headers, network=self._network, timeout=timeout)


def _failed(setting: str, error: Exception) -> _Place:
    sentence = str(error)
    return _Place(setting, lambda _: PostFailure(sentence, is_temporary=False))


def _unexpected(error: Exception) -> str:
    # Without the text of the exception, which may quote an address.
    return f"Something unexpected went wrong ({type(error).__name__})."


def _all_at_once(jobs: list[Callable[[], Delivery]]) -> list[Delivery]:
    """Call functions in threads, and return their values in the same order."""
    # Not a ThreadPoolExecutor: the end of the process would wait for one that hangs.
    futures: list[Future[Delivery]] = []
    for job in jobs:
        future: Future[Delivery] = Future()
        futures.append(future)

        def work(job: Callable[[], Delivery] = job, future: Future[Delivery] = future) -> None:
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)

        in_context = partial(contextvars.copy_context().run, work)
        threading.Thread(target=in_context, name="batchlock-notice", daemon=True).start()
    return [future.result() for future in futures]
