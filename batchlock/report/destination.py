"""Where the results of a run are written."""

import re
from dataclasses import replace
from pathlib import Path

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.core.night import FileStatus
from batchlock.core.paths import with_room
from batchlock.core.records import FIND_KIND
from batchlock.core.runs import Run, RunInfo

_RUN_ID = re.compile(r"-results-(\d{8}-\d{6}-[\da-f]{4})")
# What `target_path` adds to the stem of an input, and `publish` to a name that is not free.
_ADDED_TO_STEM = re.compile(r"(-results-\d{8}-\d{6}-[\da-f]{4}( \(\d+\))?)+\Z")
# Bytes of a name for what is added to the stem, and for the number behind a name that is not free.
_ADDED_BYTES = 60


def requested_output(output: Path | None) -> str | None:
    """Return the absolute path of `--output`, None without one.

    Raises UsageError when it is a folder, or neither .xlsx nor .csv.
    """
    if output is None:
        return None
    if output.is_dir():
        raise UsageError(
            f"{output} is a folder, and --output names a file. Add a name to it, such as "
            f"{output / 'results.xlsx'}."
        )
    if output.suffix.lower() not in (".xlsx", ".csv"):
        raise UsageError(
            f"The results are a workbook or a CSV file, and {output} is neither by its name. Let "
            f"the name end in .xlsx or .csv, such as {output.stem}.xlsx."
        )
    return str(output.absolute())


def target_path(info: RunInfo, settings: Settings) -> Path:
    """Return the path of the results file: `--output`, else by the settings, beside the input.

    Results that are given back get the name of the first input with the new run's id. Raises
    UsageError when it is the input itself.
    """
    file = Path(info.file)
    if info.output is not None:
        target = Path(info.output)
        if target.resolve() == file.resolve():
            raise UsageError(f"The results would overwrite the input {file}. Name another.")
        return target
    directory = settings.results.directory
    folder = file.parent if directory is None else directory.absolute()
    if info.kind == FIND_KIND:
        return folder / f"locks-{info.run_id}.{settings.results.format}"
    stem = with_room(_ADDED_TO_STEM.sub("", file.stem) or file.stem, _ADDED_BYTES)
    return folder / f"{stem}-results-{info.run_id}.{settings.results.format}"


def beside_results(info: RunInfo, earlier: Run, settings: Settings) -> RunInfo:
    """Return `info`, of a retry or an undo, with its results beside those of the earlier run.

    Only where an inbox has moved these into a folder of its own. Beside the input, the new results
    would be a file of the inbox, which would send it. Else `info` as it is.
    """
    folder = None if earlier.results is None else Path(earlier.results).parent
    is_of_inbox = folder is not None and folder.name in (FileStatus.DONE, FileStatus.ATTENTION)
    if folder is None or not is_of_inbox or folder.parent != Path(info.file).parent:
        return info
    return replace(info, output=str(folder / target_path(info, settings).name))


def fallback_folder(settings: Settings) -> Path:
    """Return the folder for results that cannot be written to their target's own folder."""
    return settings.state / "results"


def run_id_in_name(file: Path) -> str | None:
    """Return the id of the run of which a file is the results, by its name; None without one."""
    ids = _RUN_ID.findall(file.stem)
    return ids[-1] if ids else None


def displayable_name(file: str) -> str:
    """Return a file's name as text: on POSIX a name may hold bytes that are no UTF-8."""
    return Path(file).name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
