from pathlib import Path
from typing import Any

import pytest
from support.settings import SECRET, problems_of, settings_of

from batchlock.config import load
from batchlock.core.errors import UsageError


def test_all_problems_are_reported_together_with_their_places() -> None:
    problems = problems_of(
        """
        org: a/b
        zoho: {data_centre: eu, environment: test, api_version: seven, api_url: ftp://x}
        limits: {in_flight: 0, per_second: fast}
        retry: {attempts: 0, timeout: soon, first_wait: 0}
        stop: {until: 25:00, max_runtime: -1h}
        input: {columns: {colour: x}, encoding: utf-99, delimiter: ab, strict: perhaps}
        results: {format: pdf}
        colour: red
        """,
        {"BATCHLOCK_ORGG": "acme", "BATCHLOCK_RETRY__LONGEST_WAIT": "never"},
    )
    places = [
        "org",
        "zoho.data_centre",
        "zoho.environment",
        "zoho.api_version",
        "zoho.api_url",
        "limits.in_flight",
        "limits.per_second",
        "retry.attempts",
        "retry.timeout",
        "retry.first_wait",
        "stop.until",
        "stop.max_runtime",
        "input.columns",
        "input.encoding",
        "input.delimiter",
        "input.strict",
        "results.format",
        "colour",
    ]
    expected = {f"batchlock-settings.yaml: {place}" for place in places}
    expected |= {"BATCHLOCK_ORGG", "BATCHLOCK_RETRY__LONGEST_WAIT"}
    named = [
        next((one for one in expected if line.startswith(f"{one}: ")), line) for line in problems
    ]
    assert sorted(named) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("zoho: {data_centre: eu}", "zoho.data_center"),
        ("zoho: {refreshtoken: x}", "zoho.refresh_token"),
        ("client_id: x", "zoho.client_id"),
        ("limits: {max_inflight: 3}", "limits.max_in_flight"),
        ("zoho.client_id: x", "zoho.client_id"),
        ("Org: x", "org"),
        ("statedirectory: x", "state_directory"),
        ("result: {format: csv}", "results.format"),
        ("limits: {<<: {in_flight: 5}}", "limits"),
        ("web: {oidc: {clientid: x}}", "web.oidc.client_id"),
    ],
)
def test_an_unknown_key_names_the_nearest_one(text: str, nearest: str) -> None:
    (problem,) = problems_of(text)
    assert "there is no such setting" in problem
    assert nearest in problem.partition("the nearest is ")[2]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BATCHLOCK_ZOHO__CLIENT_IDD", "zoho.client_id"),
        ("BATCHLOCK_ZOHO_CLIENT_ID", "zoho.client_id"),
        ("BATCHLOCK_STATE", "state_directory"),
        ("BATCHLOCK_ZOHO__A__B", "zoho."),
        ("BATCHLOCK_", ""),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_setting(name: str, nearest: str) -> None:
    (problem,) = problems_of(environment={name: SECRET})
    assert problem.startswith(f"{name}: there is no such setting; the nearest is {nearest}")


@pytest.mark.parametrize("value", ["eu", "[]", "[eu, us]", "5"])
def test_a_single_value_for_a_group_is_reported(value: str) -> None:
    (problem,) = problems_of(f"zoho: {value}")
    assert problem.endswith("zoho is a group of settings; give them one by one below it")
    (problem,) = problems_of(environment={"BATCHLOCK_ZOHO": value})
    assert problem.startswith("BATCHLOCK_ZOHO: zoho is a group")
    (problem,) = problems_of(f"web: {{oidc: {value}}}")
    assert problem.endswith("web.oidc is a group of settings; give them one by one below it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("issuer: http://login.acme.test", "an issuer is like https://"),
        ("issuer: https://login.acme.test/?a=b", "an issuer is like https://"),
        ("issuer: https://me:pw@login.acme.test", "an issuer is like https://"),
        ("issuer: 'https://[login'", "an issuer is like https://"),
        ("scopes: [profile]", "the scopes contain openid"),
        ("groups: {crm: boss}", '"boss" is no role; write ROLE or ORG:ROLE, with viewer, '),
        ("groups: {crm: [acme:sender, acme]}", '"acme" is no role'),
        ("groups: {crm: {acme: sender}}", "a group has a role or a list of roles"),
        ("groups: [crm]", "groups"),
        ("client_secret: [a]", "client_secret"),
    ],
)
def test_a_bad_setting_in_a_group_of_a_group_is_named(text: str, message: str) -> None:
    (problem,) = problems_of(f"web:\n  oidc:\n    {text}\n")
    assert problem.startswith(f"batchlock-settings.yaml: web.oidc.{text.partition(':')[0]}: ")
    assert message in problem


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({("limits", "in_flight"): 0}, "--in-flight"),
        ({("limits", "per_second"): 0}, "--per-second"),
    ],
)
def test_a_bad_option_is_named(options: Any, name: str) -> None:
    (problem,) = problems_of(options=options)
    assert problem.startswith(f'{name}: "0" does not fit')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("org: [a, b", "line 1"),
        ("org: a\n  b: c\n", "line 2"),
        ("org: a\n\tzoho: b\n", "line 2: a tab is used to indent"),
        ("? [a]\n: b\n", "the name of a setting must be a text"),
        ("- org\n- acme\n", "holds no settings. Write each as a line like `org: acme`"),
        ("acme", "holds no settings. Write each as a line like `org: acme`"),
        ("org: a\n---\norg: b\n", "it has several parts"),
        ("org: a\x00", "it cannot be understood"),
    ],
)
def test_a_file_without_settings_is_reported_with_its_line(text: str, message: str) -> None:
    (problem,) = problems_of(text)
    assert message in problem
    assert "batchlock-settings.yaml" in problem


def test_duplicate_keys_are_reported_with_all_other_problems() -> None:
    text = """\
limits:
  per_second: 5
org: acme
limits:
  max_in_flight: 3
  max_in_flight: many
input: {columns: {reason: Why, reason: Because}}
retry: {attempts: never}
"""
    environment = {"BATCHLOCK_INPUT__COLUMNS": "{module: A, module: B}"}
    name = "batchlock-settings.yaml"
    again = "is here a second time, and only one of them can count; the first is in line"
    assert sorted(problems_of(text, environment)) == sorted(
        [
            f"{name}, line 4: limits {again} 1",
            f"{name}, line 6: max_in_flight {again} 5",
            f"{name}, line 7: reason {again} 7",
            f"BATCHLOCK_INPUT__COLUMNS, line 1: module {again} 1",
            *problems_of("limits: {max_in_flight: many}\nretry: {attempts: never}\n"),
        ]
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read"):
        load(file=tmp_path / "none.yaml", environment={})
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read"):
        load(environment={"BATCHLOCK_CONFIG": str(tmp_path / "none.yaml")})
    with pytest.raises(UsageError, match="cannot be read"):
        load(file=tmp_path, environment={})
    (tmp_path / "latin.yaml").write_bytes(b"org: caf\xe9")
    with pytest.raises(UsageError, match="not UTF-8"):
        load(file=tmp_path / "latin.yaml", environment={})


def test_bad_yaml_in_the_environment_is_reported() -> None:
    (problem,) = problems_of(environment={"BATCHLOCK_INPUT__COLUMNS": "{reason"})
    assert problem.startswith("BATCHLOCK_INPUT__COLUMNS: a bracket or a quotation mark is not")


@pytest.mark.parametrize(
    "org", ["", "a b", "../x", ".hidden", "-x", "a/b", "ä", "x" * 65, "simulator", "a\\b"]
)
def test_an_org_name_that_cannot_be_a_folder_is_refused(org: str) -> None:
    if not org:
        assert settings_of("org: ''").org == "default"
        return
    (problem,) = problems_of(environment={"BATCHLOCK_ORG": org})
    assert problem.startswith("BATCHLOCK_ORG: ")


@pytest.mark.parametrize("size", ["lots", "4", "4 KiB"])
def test_a_bad_size_is_refused_with_an_example(size: str) -> None:
    (problem,) = problems_of(f"input: {{max_memory: {size}}}")
    assert problem.startswith("batchlock-settings.yaml: input.max_memory: ")
    assert problem.endswith("is a number with MiB or GiB, such as 4 GiB")


@pytest.mark.parametrize("size", ["[1, 2]", "100 MiB"])
def test_a_size_of_another_type_or_below_the_minimum_is_refused(size: str) -> None:
    (problem,) = problems_of(f"input: {{max_memory: {size}}}")
    assert problem.startswith("batchlock-settings.yaml: input.max_memory: ")
