"""Where the results of a run are written."""

from pathlib import Path

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.store.journal import RunInfo


def requested_output(output: Path | None) -> str | None:
    """Return the absolute path of `--output`, None without one.

    Raises UsageError when it is neither .xlsx nor .csv.
    """
    if output is not None and output.suffix.lower() not in (".xlsx", ".csv"):
        raise UsageError(f"The results are written as .xlsx or .csv, not as {output.name}.")
    return None if output is None else str(output.absolute())


def target_path(info: RunInfo, settings: Settings) -> Path:
    """Return the path of the results file: `--output`, else by the settings, beside the input.

    Raises UsageError when it is the input itself.
    """
    file = Path(info.file)
    if info.output is not None:
        target = Path(info.output)
        if target.resolve() == file.resolve():
            raise UsageError(f"The results would overwrite the input {file}. Name another.")
        return target
    directory = settings.results.directory
    folder = file.parent if directory is None else directory.expanduser().absolute()
    return folder / f"{file.stem}-results-{info.run_id}.{settings.results.format}"


def fallback_folder(settings: Settings) -> Path:
    """Return the folder for results that cannot be written to their target's own folder."""
    return settings.state / "results"
