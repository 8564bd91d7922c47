"""The workbooks around uploads: the rows with problems, and the blank template."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from batchlock.core.results import Result
from batchlock.core.stop import COMPLETED
from batchlock.report.summaries import summary_of
from batchlock.report.template import write_template
from batchlock.report.workbook import write_workbook
from batchlock.store.journal import Journal
from batchlock.store.uploads import UploadState
from batchlock.web.context import AppContext
from batchlock.web.templating import workbook_response
from batchlock.web.uploads.views import upload_in


class UploadDownloads:
    """The handlers that answer with a workbook."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        # One at a time: the workbook is written in this process, and takes its memory.
        self._writing = asyncio.Lock()

    async def problems(self, request: web.Request) -> web.StreamResponse:
        """Answer with the rows that have problems, for correcting and uploading again."""
        upload = upload_in(self._context, request)
        if upload.state is not UploadState.CHECKED:
            raise web.HTTPNotFound
        async with self._writing:
            plan = await asyncio.to_thread(self._context.store.upload_files.plan, upload.id)
            content = await asyncio.to_thread(_problems_workbook, plan)
        self._context.log(request, "downloaded problems", upload.name, upload=upload.id)
        return workbook_response(content, f"{Path(upload.name).stem}-problems.xlsx")

    async def template(self, request: web.Request) -> web.StreamResponse:
        """Answer with a blank input workbook."""
        content = await asyncio.to_thread(_template_workbook, self._context.modules)
        self._context.log(request, "downloaded", "the template")
        return workbook_response(content, "locks.xlsx")


def _problems_workbook(plan: Path) -> bytes:
    with (
        Journal.open(plan) as journal,
        tempfile.TemporaryDirectory(prefix="batchlock-") as folder,
    ):
        info = journal.info
        summary = summary_of(journal, info, COMPLETED, "")
        invalid = summary.counts[Result.INVALID]
        # The sheet Summary speaks only of the rows that are in this workbook.
        summary = replace(
            summary,
            rows=invalid,
            settled=0,
            counts=dict.fromkeys(Result, 0) | {Result.INVALID: invalid},
            causes=tuple(cause for cause in summary.causes if cause.result is Result.INVALID),
            resume=None,
            preview=replace(
                summary.preview, notes=tuple(note.for_page for note in summary.preview.notes)
            ),
        )
        rows = (row for row in journal.result_rows() if row.result is Result.INVALID)
        path = Path(folder) / "problems.xlsx"
        write_workbook(path, info.titles, rows, summary)
        return path.read_bytes()


def _template_workbook(modules: Sequence[str]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
        path = Path(folder) / "template.xlsx"
        write_template(path, modules)
        return path.read_bytes()
