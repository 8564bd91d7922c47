"""The results of a run, for saving."""

import asyncio
import sys
import tempfile
from pathlib import Path

from aiohttp import web

from batchlock.core.errors import BatchlockError
from batchlock.web.context import AppContext
from batchlock.web.templating import WORKBOOK, attachment

_CHUNK_BYTES = 1 << 20
_CONTENT_TYPES = {"xlsx": WORKBOOK, "csv": "text/csv; charset=utf-8"}


class ResultDownloads:
    """The handler that answers with the results."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Answer with the results of a run as far as it has come, written for this request."""
        run = self._context.run_in(request)
        file_format = request.match_info["format"]
        stem = Path(run.file_name).stem
        name = f"{stem}-results-{run.run_id}.{file_format}"
        with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
            results = Path(folder) / f"results.{file_format}"
            async with self._context.limits.reporting:
                await self._report(run.run_id, results)
            self._context.log(request, "downloaded", name, run=run.run_id)
            response = web.StreamResponse(headers={"Content-Disposition": attachment(name)})
            response.headers["Content-Type"] = _CONTENT_TYPES[file_format]
            response.content_length = results.stat().st_size
            await response.prepare(request)
            with results.open("rb") as file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    await response.write(chunk)
            return response

    async def _report(self, run_id: str, results: Path) -> None:
        """Write the results in another process, whose memory is free again when it ends.

        Raises BatchlockError with the output of the process if there are no results.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "batchlock", "report", run_id, "--output", str(results),
            "--quiet", *self._context.command_options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            _, errors = await process.communicate()
        except BaseException:  # the browser is gone, so nobody needs the results
            process.kill()
            await process.wait()
            raise
        # The exit code is that of the run (3 when rows were refused), so the file decides.
        if not await asyncio.to_thread(results.exists):
            raise BatchlockError(errors.decode(errors="replace").strip() or "They are not there.")
