"""What a person reads where a request fails."""

import errno
import logging
import secrets
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from batchlock.core.errors import BatchlockError, DatabaseUnavailable
from batchlock.web.confirming import RowsUnconfirmed, UnlocksUnconfirmed, question_about
from batchlock.web.security import Handler
from batchlock.web.templating import Page, Templates
from batchlock.web.translation import N_
from batchlock.web.translation import gettext as _
from batchlock.web.wording import page_words

_log = logging.getLogger(__name__)

_SENTENCES = {
    400: N_("That request makes no sense."),
    404: N_("There is nothing here. It may have been removed."),
    405: N_("That cannot be done here."),
    413: N_("That is too large."),
}

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_ROOM = N_(
    "The disk of the server is full, so this could not be done. What was recorded before is safe. "
    "Ask the administrator to make room, then try again."
)


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """A page with the sentence that says what went wrong."""

    template: ClassVar[str] = "error.html"
    message: str


def error_pages(templates: Templates) -> Middleware:
    """Return the middleware that turns an exception into a page."""

    def error_page(request: web.Request, status: int, message: str) -> web.Response:
        return templates.render_page(request, ErrorPage(message), status=status)

    @web.middleware
    async def show_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return error_page(request, error.status, _sentence(error))
        except (RowsUnconfirmed, UnlocksUnconfirmed) as error:
            return templates.render_page(request, await question_about(request, error))
        except BatchlockError as error:
            status = 503 if isinstance(error, DatabaseUnavailable) else 409
            if error.page_message != str(error):  # the page does not say all
                _log.warning("%s %s: %s", request.method, request.path, error)
            return error_page(request, status, page_words(error.page_message))
        except web.RequestPayloadError:  # such as a chunk without a length
            return error_page(request, 400, _(_SENTENCES[400]))
        except (ConnectionError, TimeoutError):
            raise  # the browser is gone, so there is nobody to answer
        except Exception as error:
            if request.writer.output_size > 0:
                raise  # a part of the answer is sent, so its status cannot change any more
            if isinstance(error, OSError) and error.errno in _DISK_FULL:
                _log.error("%s %s: the disk is full: %s", request.method, request.path, error)
                return error_page(request, web.HTTPInsufficientStorage.status_code, _(_NO_ROOM))
            reference = secrets.token_hex(4)
            _log.exception("unexpected error %s at %s %s", reference, request.method, request.path)
            message = _(
                "Something unexpected went wrong. Tell your administrator: %(reference)s.",
                reference=reference,
            )
            return error_page(request, 500, message)

    return show_errors


def _sentence(error: web.HTTPException) -> str:
    """Return the sentence for an HTTP error: the handler's own, or one for the status."""
    standard = f"{error.status}: {error.reason}"  # aiohttp's text where the handler set none
    # Of a form that is too large, aiohttp says how many bytes it may have.
    is_large_form = error.status == 413 and (error.text or "").startswith("Maximum request body")
    if error.text and error.text != standard and not is_large_form:
        return error.text
    if sentence := _SENTENCES.get(error.status):
        return _(sentence)
    return _("That cannot be done (%(error)s).", error=standard)
