import pytest

from batchlock.core.results import RESULT_TITLES
from batchlock.report.cells import result_titles


@pytest.mark.parametrize(
    ("titles", "title", "renamed"),
    [
        (["Module"], "Code", "Code"),
        (["CODE "], "Code", "Code (batchlock)"),
        (["Code", "code (BatchLock)"], "Code", "Code (batchlock) (batchlock)"),
        (["Zip Code"], "Code", "Code"),
    ],
)
def test_a_result_title_that_the_input_has_is_renamed(
    titles: list[str], title: str, renamed: str
) -> None:
    added = result_titles(titles)
    assert added[RESULT_TITLES.index(title)] == renamed
    assert len(added) == len(RESULT_TITLES)
