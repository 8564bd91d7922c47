from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.metrics import figures

from batchlock.core.results import Result
from batchlock.notify.notice import Notice, NoticeKind
from batchlock.notify.notifier import Notifier
from batchlock.notify.settings import NotifySettings
from batchlock.zoho.network import NetworkSettings

NOW = datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)


def write(path: Path, exit_code: int, at: datetime, org: str = "acme") -> list[str]:
    notice = Notice(
        kind=NoticeKind.END,
        command="run",
        org=org,
        environment="sandbox",
        title="",
        text="",
        exit_code=exit_code,
        counts={Result.UPDATED: 198, Result.NOT_SENT: 2},
        credits_used=205,
        seconds=12.5,
        at=at,
    )
    deliveries = Notifier(NotifySettings(textfile=path), NetworkSettings()).deliver(notice)
    return [delivery.error for delivery in deliveries]


def test_the_file_has_the_figures_of_the_last_run(tmp_path: Path) -> None:
    assert write(tmp_path / "batchlock.prom", 6, NOW) == [""]
    (file,) = tmp_path.iterdir()
    assert file.name == "batchlock-acme.prom"
    text = file.read_text("utf-8")
    labels = 'environment="sandbox",org="acme"'
    values = figures(text)
    assert values[f"batchlock_last_run_timestamp_seconds{{{labels}}}"] == NOW.timestamp()
    assert values[f"batchlock_last_run_exit_code{{{labels}}}"] == 6
    assert values[f"batchlock_last_run_duration_seconds{{{labels}}}"] == 12.5
    assert values[f"batchlock_last_run_credits{{{labels}}}"] == 205
    rows = {name: value for name, value in values.items() if "_rows{" in name}
    assert len(rows) == len(Result)
    assert rows[f'batchlock_last_run_rows{{{labels},result="updated"}}'] == 198
    assert not any("last_success" in name for name in values)
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert names == {name.partition("{")[0] for name in values}
    assert text.count("# HELP") == len(names)


def test_a_failure_keeps_the_time_of_the_last_success(tmp_path: Path) -> None:
    path = tmp_path / "batchlock.prom"
    write(path, 0, NOW)
    write(path, 5, NOW + timedelta(days=1))
    values = figures((tmp_path / "batchlock-acme.prom").read_text("utf-8"))
    (success,) = (value for name, value in values.items() if "last_success" in name)
    assert success == NOW.timestamp()


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "batchlock-acme.prom").write_bytes(b"batchlock_last_success{{{ \xff")
    assert write(tmp_path / "batchlock.prom", 5, NOW) == [""]
    assert "exit_code" in (tmp_path / "batchlock-acme.prom").read_text("utf-8")


def test_orgs_have_files_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "batchlock.prom", 0, NOW)
    write(tmp_path / "batchlock.prom", 0, NOW, org="globex")
    write(tmp_path / "locks_{org}_last.prom", 0, NOW)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["batchlock-acme.prom", "batchlock-globex.prom", "locks_acme_last.prom"]


def test_a_folder_that_is_missing_is_an_error_only(tmp_path: Path) -> None:
    (error,) = write(tmp_path / "missing" / "batchlock.prom", 0, NOW)
    assert "missing" in error
    assert "cannot be written" in error
