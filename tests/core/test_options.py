"""The commands that messages name."""

from pathlib import Path

import pytest
from support.result_rows import result_row, run_summary

from batchlock.core.errors import BatchlockError
from batchlock.core.options import RunOptions
from batchlock.report.results import write_results

RUN = "20260314-020304-1f3a"


@pytest.mark.parametrize(
    ("options", "command"),
    [
        (RunOptions(), f"batchlock retry {RUN}"),
        (RunOptions(org="acme"), f"batchlock retry --org acme {RUN}"),
        (
            RunOptions(org="acme", config=Path("my files/c.yaml")),
            f"batchlock retry --config 'my files/c.yaml' --org acme {RUN}",
        ),
    ],
)
def test_a_command_meets_the_org_and_the_configuration(options: RunOptions, command: str) -> None:
    assert options.command("retry", RUN) == command


def test_the_command_that_writes_results_again_names_the_org(tmp_path: Path) -> None:
    summary = run_summary([result_row(2)], rows=5)
    with pytest.raises(BatchlockError, match=f"batchlock report --org acme {summary.run_id}"):
        write_results(
            tmp_path / "r.csv",
            tmp_path,
            (),
            lambda: iter([result_row(2)]),
            summary,
            options=RunOptions(org="acme"),
        )
