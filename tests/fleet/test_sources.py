"""What a schedule takes, as a person writes it."""

from pathlib import Path

import pytest
from support.settings import settings_of

from batchlock.core.errors import UsageError
from batchlock.fleet.sources import LocksSource, options_of, parse_source
from batchlock.inboxes.listing import FileSource


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("/in/acme/*.xlsx", FileSource(Path("/in/acme"), "*.xlsx")),
        ("/in/acme/orders.csv", FileSource(Path("/in/acme"), "orders.csv")),
        ("inbox:/in/acme", FileSource(Path("/in/acme"))),
        ("locks:Leads, Deals", LocksSource(("Leads", "Deals"))),
        ("locks:--all>/out", LocksSource((), Path("/out"))),
    ],
)
def test_a_source_is_read(text: str, source: FileSource | LocksSource) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("in/*.xlsx", "has no absolute path"),
        ("", "has no absolute path"),
        ("inbox:in", "has no absolute path"),
        ("inbox:/in/*", "names a folder"),
        ("/in/*/a.csv", "in the name of a folder"),
        ("/", "is a folder"),
        ("locks:", "names no modules"),
        ("locks:Leads,--all", "names no modules"),
        ("locks:Leads>out", "has no absolute path"),
    ],
)
def test_another_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_source(text)


def test_a_folder_is_no_pattern(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"Write inbox:{tmp_path}"):
        parse_source(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("A.XLSX", True),
        ("~$a.xlsx", False),
        (".a.xlsx", False),
        ("a.csv", False),
    ],
)
def test_a_pattern_takes_names_in_any_case(name: str, is_taken: bool) -> None:
    assert FileSource(Path("/in"), "*.xlsx").takes(name) is is_taken


@pytest.mark.parametrize("name", ["a.part", "a.xlsx.crdownload", "a.TMP"])
def test_an_inbox_takes_no_file_of_a_copying_program(name: str) -> None:
    assert not FileSource(Path("/in")).takes(name)


def test_the_options_become_settings_and_options_of_the_run() -> None:
    typed = {"strict": True, "action": "lock", "module": "Leads", "delimiter": "semicolon"}
    settings, options = options_of(settings_of("org: acme\n"), typed, FileSource(Path("/in")))
    assert (settings.input.strict, settings.input.delimiter) == (True, ";")
    assert settings.results.directory == Path("/in/done")
    assert options.constants == {"action": "lock", "module": "Leads"}
    with pytest.raises(UsageError, match=r"The schedule: input\.delimiter"):
        options_of(settings, {"delimiter": "dot"}, FileSource(Path("/in")))
