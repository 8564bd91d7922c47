"""The figures of the last run of an org, in a file for the textfile collector of Prometheus.

Each org has a file of its own beside the others: `batchlock.prom` becomes `batchlock-acme.prom`.
So runs of several orgs never write to the same file, and the collector reads them all.
"""

from contextlib import suppress
from pathlib import Path

from batchlock.core.results import Result
from batchlock.notify.notice import NotDelivered, Notice

_LAST_SUCCESS = "batchlock_last_success_timestamp_seconds"


def textfile_path(path: Path, org: str) -> Path:
    """Return the file of one org."""
    if "{org}" in str(path):
        return Path(str(path).replace("{org}", org))
    return path.with_name(f"{path.stem}-{org}{path.suffix}")


def write_textfile(path: Path, notice: Notice) -> None:
    """Write the figures of an end in place of those before, in one step.

    Raises NotDelivered when that is not possible.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
    except ModuleNotFoundError:
        raise NotDelivered(
            "It needs a package that is not installed. Install it beside batchlock: pip install "
            "prometheus-client"
        ) from None
    ended_at = notice.at.timestamp()
    labels = {"org": notice.org, "environment": notice.environment}
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, value: float) -> None:
        Gauge(name, help_text, [*labels], registry=registry).labels(**labels).set(value)

    gauge(
        "batchlock_last_run_timestamp_seconds",
        "When the last command of the org ended, in seconds since 1970.",
        ended_at,
    )
    last_success = ended_at if notice.exit_code == 0 else _last_success(path)
    if last_success is not None:
        gauge(
            _LAST_SUCCESS,
            "When the last command of the org ended with exit code 0, in seconds since 1970.",
            last_success,
        )
    gauge(
        "batchlock_last_run_exit_code",
        "The exit code of the last command of the org; 0 is success.",
        notice.exit_code or 0,
    )
    gauge(
        "batchlock_last_run_duration_seconds",
        "How long the last command of the org took.",
        notice.seconds,
    )
    gauge(
        "batchlock_last_run_credits",
        "Credits that the last run of the org has used.",
        notice.credits_used,
    )
    rows = Gauge(
        "batchlock_last_run_rows",
        "Rows of the last run of the org, by result.",
        [*labels, "result"],
        registry=registry,
    )
    for result in Result:
        rows.labels(**labels, result=result.value).set(notice.counts.get(result, 0))
    try:
        write_to_textfile(str(path), registry)
        # The collector is another user, and the figures are no secret.
        path.chmod(0o644)
    except OSError as error:
        raise NotDelivered(f"{path} cannot be written: {error.strerror}.") from None


def _last_success(path: Path) -> float | None:
    """Return when the last success was, from the file that is to be replaced."""
    from prometheus_client.parser import text_string_to_metric_families

    with suppress(OSError, ValueError):
        for family in text_string_to_metric_families(path.read_text("utf-8")):
            if family.name == _LAST_SUCCESS and family.samples:
                return float(family.samples[0].value)
    return None
