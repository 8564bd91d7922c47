"""The whole page: its orgs, and what each person may see of them."""

from collections.abc import Sequence

from aiohttp import web

from batchlock.core.errors import BatchlockError
from batchlock.core.options import RunOptions
from batchlock.report.story import Stories
from batchlock.store.grants import Access, Right
from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.context import AppContext, WorkLimits
from batchlock.web.dispatcher import Dispatcher
from batchlock.web.org_pages import OrgPages
from batchlock.web.queue import RunQueue
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.templating import FRAME, Frame, Templates, home_of
from batchlock.web.translation import gettext as _

# The longest address of our own has 70 characters.
_MAX_PATH = 200


class Site:
    """The pages of all orgs of one server."""

    def __init__(
        self,
        options: RunOptions,
        store: Store,
        served_orgs: ServedOrgs,
        dispatcher: Dispatcher | None,
    ) -> None:
        """Use the queues of a dispatcher; without one, workers send the runs."""
        self.store = store
        self.served_orgs = served_orgs
        self.templates = Templates(self.frame)
        self._options = options
        self._dispatcher = dispatcher
        self._limits = WorkLimits()
        self._stories = Stories(store)
        self._pages: dict[str, OrgPages] = {}

    def pages(self, org: str) -> OrgPages:
        """Return the pages of a served org."""
        pages = self._pages.get(org)
        if pages is None:
            context = AppContext(
                org=org,
                served_orgs=self.served_orgs,
                options=self._options,
                store=self.store,
                templates=self.templates,
                queue=self._queue(org),
                limits=self._limits,
                stories=self._stories,
            )
            pages = self._pages[org] = OrgPages(context)
        return pages

    def _queue(self, org: str) -> RunQueue:
        if self._dispatcher is not None:
            return self._dispatcher.queue(org)
        from batchlock.web.worker_queue import WorkerQueue

        return WorkerQueue(self.store, org, self.served_orgs)

    def opened(self) -> Sequence[OrgPages]:
        """Return the pages of the orgs that were used since the server began."""
        return tuple(self._pages.values())

    def access(self, request: web.Request) -> Access:
        """Return what the signed-in person may see and do."""
        return self.store.grants.access(request[security.NAME])

    def visible_orgs(self, request: web.Request) -> Sequence[str]:
        """Return the orgs that the signed-in person may see."""
        access = self.access(request)
        return [org for org in self.served_orgs.names() if access.may(Right.SEE, org)]

    def enter(self, request: web.Request, org: str, right: Right) -> OrgPages:
        """Return the pages of an org for the signed-in person, and set the frame of the page.

        Raises HTTPNotFound for an org that the person may not see, which is the same as for one
        that does not exist, and HTTPForbidden when the person has not this right.
        """
        access, person = self.access(request), request[security.NAME]
        names = self.served_orgs.names()
        if org not in names:
            raise web.HTTPNotFound
        if not access.may(Right.SEE, org):
            self._log_refusal(request, org)
            raise web.HTTPNotFound
        may_prepare = access.may(Right.PREPARE, org)
        request[FRAME] = Frame(
            org=self.served_orgs.label(org),
            may_prepare=may_prepare,
            may_send=access.may(Right.SEND, org),
            may_administer=access.may(Right.ADMINISTER, org),
            is_connected=self.served_orgs.has_sign_in(org),
            approvals=self._approvals(org, person, may_send=access.may(Right.SEND, org)),
            sees_several=sum(access.may(Right.SEE, name) for name in names) > 1,
        )
        if not access.may(right, org):
            self._log_refusal(request, org)
            raise web.HTTPForbidden(text=_refusal(right, org, may_prepare=may_prepare))
        return self.pages(org)

    def _log_refusal(self, request: web.Request, org: str) -> None:
        """Record in the audit log of an org that a person has not the right for a request."""
        if security.is_poll(request):
            return  # a page that was opened before the right was taken asks every second
        # Of the address as it was sent: decoded, it may hold characters that no database takes.
        path = request.rel_url.raw_path.removeprefix(home_of(org)) or "/"
        subject = f"{request.method} {path[:_MAX_PATH]}"
        name, address = request[security.NAME], request[security.ADDRESS]
        self.store.audit_log.add(org, name, "had no right for", subject, address=address)

    def _approvals(self, org: str, person: str, *, may_send: bool) -> int | None:
        """Return how many requests wait for a person; None for an org that needs no approval."""
        if not self.served_orgs.settings_of(org).web.four_eyes:
            return None
        waiting = self.store.approvals.waiting(org) if may_send else ()
        return sum(approval.may_be_decided_by(person) for approval in waiting)

    def frame(self, request: web.Request) -> Frame:
        """Return the frame of a page that belongs to no org.

        A server of one org says which one that is, also to a person who is not signed in.
        """
        try:
            names = self.served_orgs.names()
            orgs = self.visible_orgs(request) if request[security.NAME] else names
            if len(names) == len(orgs) == 1:
                return Frame(org=self.served_orgs.label(names[0]))
            return Frame(sees_several=bool(request[security.NAME]) and len(orgs) > 1)
        except BatchlockError:  # the page says that the store cannot be used
            return Frame()


def _refusal(right: Right, org: str, *, may_prepare: bool) -> str:
    """Return why a person may not do something with an org, and whom to ask."""
    if right is Right.ADMINISTER:
        return _(
            "You may not change how %(org)s is set up. Ask whoever runs batchlock for the role "
            "administrator.",
            org=org,
        )
    if may_prepare:
        return _(
            "You can prepare files for %(org)s, but not send them. Ask whoever runs batchlock for "
            "the role sender.",
            org=org,
        )
    if right is Right.PREPARE:
        return _(
            "You can look at %(org)s, but not send to it. Ask whoever runs batchlock for the role "
            "preparer or sender.",
            org=org,
        )
    return _(
        "You can look at %(org)s, but not send to it. Ask whoever runs batchlock for the role "
        "sender.",
        org=org,
    )
