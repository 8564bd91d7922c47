import dataclasses
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from batchlock.config import Settings, load
from batchlock.core.errors import UsageError

NONSENSE = ('"no such thing"', '"-1"', '"3.5x"', "[a, b]", "{a: b}", "06.00", "0")
# Words of pydantic, of the YAML parser or of Python, which help nobody who types a configuration.
FOREIGN = re.compile(
    r"valid (string|integer|number|boolean|time|dictionary|YAML)|Input|unable to|parse|Value error"
    r"|class '|escape sequence|any token|stream|mapping values|separator|greater than|\['|\{'"
)


def keys() -> list[str]:
    hints: dict[str, Any] = get_type_hints(Settings)
    sections = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    return [
        f"{name}: {{{key}: VALUE}}"
        for name, kind in sections.items()
        for key in get_type_hints(kind)
    ] + [f"{name}: VALUE" for name in hints if name not in sections]


def problem(text: str) -> str:
    file = Path("config.yaml")
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError) as error:
        load(file=file, environment={})
    return str(error.value)


@pytest.mark.parametrize("line", keys())
def test_every_setting_tells_in_plain_words_what_it_must_be(line: str) -> None:
    for value in NONSENSE:
        try:
            message = problem(line.replace("VALUE", value))
        except pytest.fail.Exception:
            continue  # the value fits, as any text does for a password
        assert not FOREIGN.search(message), message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("stop: {until: 06.00}", "it must be a time of day with a colon, such as 22:00 or 06:00"),
        ("limits: {max_in_flight: many}", "it must be a whole number"),
        ("limits: {in_flight: many}", "it must be auto, or a whole number"),
        ("limits: {max_in_flight: 0}", "it must be 1 or more"),
        ("zoho: {data_center: mars}", "it must be us, eu, in, au, cn, jp, ca, sa, uk, ae or sg"),
        ("input: {strict: maybe}", "it must be true or false"),
        ("org: [a]", "a list does not fit: it must be a single text"),
    ],
)
def test_the_words_say_what_to_write(line: str, words: str) -> None:
    assert words in problem(line)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('results: {directory: "C:\\Users\\me"}', "line 1: a backslash between double quotation"),
        ('results: {directory: "C:\\new"}', "it holds a line break or a tab"),
        ("org: acme\nzoho:\n\tclient_id: x", "line 3: a tab is used to indent"),
        ("org: a: b", "line 1: the line is not indented like the others"),
        ('org: "a', "a quotation mark is not closed"),
        ("input: {custom_modules: [a", "a bracket is not closed"),
        ("org: @x", "a value begins with a special character"),
        ("zoho:\n client_id: a\n  client_secret: b", "Indent the settings of a group alike"),
        ('org: "\x01"', "it cannot be understood"),
        ("state_directory: ~nobody-here/x", "the home folder of ~nobody-here is not known"),
    ],
)
def test_a_file_that_is_no_yaml_is_explained(text: str, words: str) -> None:
    message = problem(text)
    assert words in message
    assert not FOREIGN.search(message), message
