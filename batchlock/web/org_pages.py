"""All pages of one org, and the queue of its runs."""

from batchlock.web.approvals.views import ApprovalViews
from batchlock.web.connection.views import ConnectionViews
from batchlock.web.context import AppContext
from batchlock.web.locks.found import FoundLocks
from batchlock.web.locks.views import LockViews
from batchlock.web.runs.actions import RunActions
from batchlock.web.runs.downloads import ResultDownloads
from batchlock.web.runs.events import LiveViews
from batchlock.web.runs.option_pages import OptionPages
from batchlock.web.runs.pages import RunPages
from batchlock.web.runs.undo import UndoPages
from batchlock.web.uploads.choices import ChoiceViews
from batchlock.web.uploads.corrections import CorrectionViews
from batchlock.web.uploads.downloads import UploadDownloads
from batchlock.web.uploads.planner import UploadPlanner
from batchlock.web.uploads.views import UploadViews


class OrgPages:
    """The handlers of one org, one attribute for each topic."""

    def __init__(self, context: AppContext) -> None:
        """Make room for the runs of the org. Raises UsageError when that fails."""
        context.store.journals.prepare(context.org)
        self.context = context
        self.planner = UploadPlanner(context)
        self.live = LiveViews(context)
        self.runs = RunPages(context, self.live)
        self.actions = RunActions(context)
        self.results = ResultDownloads(context)
        self.options = OptionPages(context)
        self.undo = UndoPages(context)
        self.uploads = UploadViews(context, self.planner)
        self.corrections = CorrectionViews(context, self.planner, self.uploads.starting)
        self.choices = ChoiceViews(context)
        self.workbooks = UploadDownloads(context)
        self.approvals = ApprovalViews(context)
        self.locks = LockViews(context)
        self.found = FoundLocks(context, self.planner)
        self.connection = ConnectionViews(context)
