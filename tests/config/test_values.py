from datetime import time

import pytest
from support.settings import problems_of, setting_at, settings_of

from batchlock.config import load, seconds
from batchlock.core.rows import Field


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("stop: {until: 22:00}", "stop.until", time(22)),
        ("stop: {until: 6:00}", "stop.until", time(6)),
        ("stop: {until: 06:30}", "stop.until", time(6, 30)),
        ("stop: {until: '00:00'}", "stop.until", time(0)),
        ("stop: {max_runtime: 1_000}", None, None),
        (
            "zoho: {organization_id: 584310400000042556}",
            "zoho.organization_id",
            "584310400000042556",
        ),
        ("zoho: {organization_id: 0123456789}", "zoho.organization_id", "0123456789"),
        ("zoho: {client_id: 1e3}", "zoho.client_id", "1e3"),
        ("zoho: {client_id: 2026-03-14}", "zoho.client_id", "2026-03-14"),
        ("zoho: {client_id: !!int 5}", "zoho.client_id", "5"),
        ("org: no", "org", "no"),
        ("org: 0o17", "org", "0o17"),
        ("org: 1.10", "org", "1.10"),
        ("input: {strict: on}", "input.strict", True),
        ("input: {strict: off}", "input.strict", False),
        ("input: {custom_modules: [No, 0x1F]}", "input.custom_modules", ("No", "0x1F")),
        ("input: {custom_modules: Plants}", "input.custom_modules", ("Plants",)),
        ("input: {custom_modules: 'A, B'}", "input.custom_modules", ("A", "B")),
        ("input: {columns: {reason: Yes}}", "input.columns", {Field.REASON: ("Yes",)}),
        ("input: {delimiter: ';'}", "input.delimiter", ";"),
        ("input: {delimiter: '|'}", "input.delimiter", "|"),
        ("limits: {in_flight: auto}", "limits.in_flight", "auto"),
        ("\ufefforg: bom", "org", "bom"),
    ],
)
def test_a_value_is_not_interpreted_by_its_looks(text: str, key: str | None, value: object) -> None:
    if key is None:
        assert problems_of(text)
    else:
        assert setting_at(settings_of(text), key) == value


def test_lists_and_columns_can_be_set_in_the_environment() -> None:
    settings = load(
        environment={
            "BATCHLOCK_INPUT__CUSTOM_MODULES": "Plants, Beds",
            "BATCHLOCK_INPUT__COLUMNS": '{"record_id": ["A", "B"]}',
        }
    ).input
    assert settings.custom_modules == ("Plants", "Beds")
    assert settings.columns == {Field.RECORD_ID: ("A", "B")}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90", 90.0),
        ("1.5", 1.5),
        ("90s", 90.0),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("2h", 7200.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("1d", 86400.0),
        ("5m", 300.0),
        ("0", 0.0),
    ],
)
def test_a_duration_is_parsed(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "soon", "2 hours", "-5", "-5s", "h", "1h-30m", "1:30", "5 m x", "1e3", "nan", "2H"]
)
def test_a_bad_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="2h"):
        seconds(text)
