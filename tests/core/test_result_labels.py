"""The labels of results: the page uses the words of the files."""

from batchlock.core.messages import RESULT_LABELS
from batchlock.core.results import Result


def test_each_result_has_its_own_word_on_the_page_too() -> None:
    words = {result: result.value.replace("_", " ").capitalize() for result in Result}
    assert words == RESULT_LABELS
