import dataclasses
import importlib
import shlex
import sys
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Any, get_type_hints

import platformdirs
import pytest
from pydantic import SecretStr

from batchlock.config import Settings, load, seconds
from batchlock.core.errors import UsageError
from batchlock.core.rows import Field
from batchlock.zoho.credentials import load_credentials
from batchlock.zoho.network import NetworkSettings
from batchlock.zoho.settings import ZohoSettings

SECRET = "s3cr3t-that-nobody-may-see"
ID = "1000.CLIENT"


def of(text: str, environment: Mapping[str, str] | None = None, **more: Any) -> Settings:
    """Load a file with this text."""
    file = Path("batchlock-settings.yaml")
    file.write_text(text, "utf-8")
    return load(file=file, environment=environment or {}, **more)


def problems_of(
    text: str = "", environment: Mapping[str, str] | None = None, **more: Any
) -> list[str]:
    with pytest.raises(UsageError) as told:
        of(text, environment, **more)
    assert told.value.__cause__ is None
    assert SECRET not in repr(told.value)
    return str(told.value).splitlines()


def at(settings: Settings, key: str) -> Any:
    found: Any = settings
    for name in key.split("."):
        found = getattr(found, name)
    return found


EVERY_KEY = [
    ("org", "acme-2", "acme-2"),
    ("zoho.data_center", "eu", "eu"),
    ("zoho.environment", "sandbox", "sandbox"),
    ("zoho.api_version", "v8", "v8"),
    ("zoho.client_id", ID, ID),
    ("zoho.client_id_file", "id.txt", Path("id.txt")),
    ("zoho.client_id_command", "echo id", "echo id"),
    ("zoho.client_secret", SECRET, SecretStr(SECRET)),
    ("zoho.client_secret_file", "secret.txt", Path("secret.txt")),
    ("zoho.client_secret_command", "echo secret", "echo secret"),
    ("zoho.refresh_token", SECRET, SecretStr(SECRET)),
    ("zoho.refresh_token_file", "token.txt", Path("token.txt")),
    ("zoho.refresh_token_command", "echo token", "echo token"),
    ("zoho.api_url", "https://api.acme.test/", "https://api.acme.test"),
    ("zoho.accounts_url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("zoho.organization_id", "584310400000042556", "584310400000042556"),
    ("network.proxy", "http://me:pw@gate.test:3128", SecretStr("http://me:pw@gate.test:3128")),
    ("network.ca_file", "firewall.pem", Path("firewall.pem")),
    ("limits.in_flight", "7", 7),
    ("limits.max_in_flight", "12", 12),
    ("limits.per_second", "2.5", 2.5),
    ("limits.keep_credits", "400", 400),
    ("limits.max_credits", "5000", 5000),
    ("retry.attempts", "3", 3),
    ("retry.first_wait", "250ms", 0.25),
    ("retry.longest_wait", "2m", 120.0),
    ("retry.give_up_after", "1h30m", 5400.0),
    ("retry.timeout", "30", 30.0),
    ("stop.consecutive_failures", "9", 9),
    ("stop.same_refusal", "4", 4),
    ("stop.max_runtime", "2h", 7200.0),
    ("stop.until", "06:00", time(6)),
    ("input.columns", "{record_id: ID-Nr}", {Field.RECORD_ID: ("ID-Nr",)}),
    ("input.custom_modules", "[Plants, Beds]", ("Plants", "Beds")),
    ("input.lookup_lock_ids", "no", False),
    ("input.strict", "yes", True),
    ("input.encoding", "latin-1", "iso8859-1"),
    ("input.delimiter", "tab", "\t"),
    ("input.max_seconds", "20m", 1200.0),
    ("input.max_memory", "1.5 GiB", 3 * 2**29),
    ("results.directory", "out", Path("out")),
    ("results.format", "csv", "csv"),
    ("web.max_upload", "20 MiB", 20 * 2**20),
    ("web.session", "30m", 1800.0),
    ("web.hosts", "[locks.acme.test]", ("locks.acme.test",)),
    ("web.trusted_proxy", "[10.0.0.7]", ("10.0.0.7",)),
    ("web.keep", "90d", 7_776_000.0),
    ("state_directory", "state", Path("state")),
]


def test_the_table_of_keys_leaves_no_setting_out() -> None:
    known = set()
    for name, kind in get_type_hints(Settings).items():
        if dataclasses.is_dataclass(kind):
            known |= {f"{name}.{inner}" for inner in get_type_hints(kind)}
        else:
            known.add(name)
    assert {key for key, _, _ in EVERY_KEY} == known


@pytest.mark.parametrize(("key", "text", "value"), EVERY_KEY)
def test_every_setting_can_be_given_in_the_file(key: str, text: str, value: object) -> None:
    section, _, name = key.rpartition(".")
    settings = of(f"{section}:\n  {name}: {text}\n" if section else f"{name}: {text}\n")
    assert at(settings, key) == value
    assert at(settings, key) != at(Settings(), key)


@pytest.mark.parametrize(("key", "text", "value"), EVERY_KEY)
def test_every_setting_can_be_given_in_the_environment(key: str, text: str, value: object) -> None:
    name = f"BATCHLOCK_{key.upper().replace('.', '__')}"
    assert at(load(environment={name: text, "PATH": "x"}), key) == value


@pytest.mark.parametrize("text", ["null", "~", ""])
@pytest.mark.parametrize("key", [key for key, _, _ in EVERY_KEY])
def test_a_setting_given_as_nothing_keeps_its_default(key: str, text: str) -> None:
    name = f"BATCHLOCK_{key.upper().replace('.', '__')}"
    assert load(environment={name: text}) == Settings()
    section, _, name = key.rpartition(".")
    assert of(f"{section}:\n  {name}: {text}\n" if section else f"{name}: {text}\n") == Settings()


# -- where settings come from


@pytest.mark.parametrize("text", ["", "# only a comment\n", "zoho:\nlimits: null\n", "---\n"])
def test_an_empty_file_means_the_defaults(text: str) -> None:
    assert of(text) == Settings()


def test_without_a_file_there_are_the_defaults() -> None:
    settings = load(environment={})
    assert settings == Settings()
    assert settings.org == "default"
    assert settings.zoho.api == "https://www.zohoapis.com"
    assert settings.zoho.accounts == "https://accounts.zoho.com"
    assert settings.state.name == "batchlock"


def test_the_nearest_file_counts(isolated: Path, tmp_path: Path) -> None:
    users = platformdirs.user_config_path("batchlock", appauthor=False)
    assert users.is_relative_to(Path.home())
    users.mkdir(parents=True)
    (users / "config.yaml").write_text("org: users")
    assert load(environment={}).org == "users"
    (isolated / "config.yaml").write_text("org: here")
    assert load(environment={}).org == "here"
    (tmp_path / "named.yaml").write_text("org: named")
    environment = {"BATCHLOCK_CONFIG": str(tmp_path / "named.yaml")}
    assert load(environment=environment).org == "named"
    (tmp_path / "option.yaml").write_text("org: option")
    assert load(file=tmp_path / "option.yaml", environment=environment).org == "option"
    assert load(environment={"BATCHLOCK_CONFIG": ""}).org == "here"


def test_an_option_wins_over_the_environment_and_that_over_the_file() -> None:
    text = "limits: {max_in_flight: 3, in_flight: 3, per_second: 3}"
    environment = {"BATCHLOCK_LIMITS__IN_FLIGHT": "4", "BATCHLOCK_LIMITS__PER_SECOND": "4"}
    limits = of(text, environment, options={("limits", "per_second"): 5.0}).limits
    assert (limits.max_in_flight, limits.in_flight, limits.per_second) == (3, 4, 5.0)


def test_what_an_option_overrides_need_not_be_right() -> None:
    environment = {"BATCHLOCK_LIMITS__IN_FLIGHT": "many"}
    assert of("", environment, options={("limits", "in_flight"): 5}).limits.in_flight == 5


@pytest.mark.parametrize(
    ("key", "text"), [("zoho.data_center", "eu"), ("zoho.environment", "sandbox")]
)
def test_the_addresses_follow_the_data_center_and_environment(key: str, text: str) -> None:
    name = key.upper().replace(".", "__")
    zoho = load(environment={f"BATCHLOCK_{name}": text}).zoho
    assert (zoho.api, zoho.accounts) == {
        "eu": ("https://www.zohoapis.eu", "https://accounts.zoho.eu"),
        "sandbox": ("https://sandbox.zohoapis.com", "https://accounts.zoho.com"),
    }[text]


def test_an_address_of_its_own_wins() -> None:
    zoho = of("zoho: {data_center: eu, api_url: 'https://a.test', accounts_url: 'https://b.test'}")
    assert (zoho.zoho.api, zoho.zoho.accounts) == ("https://a.test", "https://b.test")


def test_the_state_folder_is_the_one_that_is_set(tmp_path: Path) -> None:
    assert load(environment={"BATCHLOCK_STATE_DIRECTORY": str(tmp_path)}).state == tmp_path


# -- what YAML would guess


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
def test_a_value_means_what_it_reads(text: str, key: str | None, value: object) -> None:
    if key is None:
        assert problems_of(text)
    else:
        assert at(of(text), key) == value


def test_lists_and_columns_are_taken_from_the_environment() -> None:
    given = load(
        environment={
            "BATCHLOCK_INPUT__CUSTOM_MODULES": "Plants, Beds",
            "BATCHLOCK_INPUT__COLUMNS": '{"record_id": ["A", "B"]}',
        }
    ).input
    assert given.custom_modules == ("Plants", "Beds")
    assert given.columns == {Field.RECORD_ID: ("A", "B")}


# -- lengths of time


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
def test_a_length_of_time_is_read(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "soon", "2 hours", "-5", "-5s", "h", "1h-30m", "1:30", "5 m x", "1e3", "nan", "2H"]
)
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="2h"):
        seconds(text)


# -- problems


def test_all_problems_are_told_at_once_with_their_places() -> None:
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
def test_a_group_given_as_one_value_is_told(value: str) -> None:
    (problem,) = problems_of(f"zoho: {value}")
    assert problem.endswith("zoho is a group of settings; give them one by one below it")
    (problem,) = problems_of(environment={"BATCHLOCK_ZOHO": value})
    assert problem.startswith("BATCHLOCK_ZOHO: zoho is a group")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({("limits", "in_flight"): 0}, "--in-flight"),
        ({("limits", "per_second"): 0}, "--per-second"),
    ],
)
def test_an_option_that_does_not_fit_is_named(options: Any, name: str) -> None:
    (problem,) = problems_of(options=options)
    assert problem.startswith(f'{name}: "0" does not fit')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("org: [a, b", "line 1"),
        ("org: a\n  b: c\n", "line 2"),
        ("org: a\n\tzoho: b\n", "not valid YAML"),
        ("? [a]\n: b\n", "not valid YAML"),
        ("- org\n- acme\n", "settings are lines like `org: acme`"),
        ("acme", "settings are lines like `org: acme`"),
        ("org: a\n---\norg: b\n", "not valid YAML"),
        ("org: a\x00", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_settings_says_where(text: str, said: str) -> None:
    (problem,) = problems_of(text)
    assert said in problem
    assert "batchlock-settings.yaml" in problem


def test_what_is_there_twice_is_told_with_everything_else() -> None:
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


def test_lists_in_the_environment_that_are_no_yaml_are_told() -> None:
    (problem,) = problems_of(environment={"BATCHLOCK_INPUT__COLUMNS": "{reason"})
    assert problem == "BATCHLOCK_INPUT__COLUMNS: this is not valid YAML"


@pytest.mark.parametrize(
    "org", ["", "a b", "../x", ".hidden", "-x", "a/b", "ä", "x" * 65, "simulator", "a\\b"]
)
def test_a_name_of_an_org_that_is_no_folder_is_refused(org: str) -> None:
    if not org:
        assert of("org: ''").org == "default"
        return
    (problem,) = problems_of(environment={"BATCHLOCK_ORG": org})
    assert problem.startswith("BATCHLOCK_ORG: ")


# -- addresses


@pytest.mark.parametrize("key", ["api_url", "accounts_url"])
@pytest.mark.parametrize(
    "address",
    [
        "http://www.zohoapis.com",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        "http://127.0.0.1@evil.test",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://2130706433",
        "ftp://localhost",
        "www.zohoapis.com",
        "https://",
        "//www.zohoapis.com",
        "https://www.zohoapis.com/crm/v7",
        "https://www.zohoapis.com?x=1",
        "https://user@www.zohoapis.com",
        "https://[::1",
    ],
)
def test_an_address_on_which_credentials_are_not_safe_is_refused(key: str, address: str) -> None:
    (problem,) = problems_of(f"zoho: {{{key}: '{address}'}}")
    assert problem.startswith(f"batchlock-settings.yaml: zoho.{key}: ")


@pytest.mark.parametrize(
    "address",
    [
        "https://www.zohoapis.eu",
        "https://www.zohoapis.eu/",
        "HTTPS://www.zohoapis.eu:8443",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://127.8.9.10:1",
        "http://[::1]:8080/",
    ],
)
def test_https_and_this_machine_are_taken(address: str) -> None:
    found = of(f"zoho: {{api_url: '{address}'}}").zoho.api
    assert found.lower() == address.lower().rstrip("/")


# -- secrets


def test_no_secret_is_shown_by_the_settings() -> None:
    settings = of(
        f"zoho: {{client_id: {ID}, client_secret: {SECRET}}}",
        {"BATCHLOCK_ZOHO__REFRESH_TOKEN": SECRET},
    )
    credentials = load_credentials(settings.zoho, settings.network, "acme")
    text = f"{settings!r} {settings} {settings.zoho!r} {settings.zoho} {credentials}"
    assert SECRET not in text


@pytest.mark.parametrize("key", ["client_id", "client_secret", "refresh_token"])
@pytest.mark.parametrize("wrong", [f"[{SECRET}, b]", f"{{{SECRET}: b}}"])
def test_a_secret_that_does_not_fit_is_not_shown(key: str, wrong: str) -> None:
    (problem,) = problems_of(f"zoho: {{{key}: {wrong}}}")
    assert problem.startswith(f"batchlock-settings.yaml: zoho.{key}: ")
    assert SECRET not in problem


@pytest.mark.parametrize(
    "text",
    [
        f"zoho: {{refresh_tokn: {SECRET}}}",
        f"refresh_token: {SECRET}",
        f"zoho: {SECRET}",
        f"zoho: {{client_secret: {SECRET}, data_center: mars}}",
        f"zoho:\n  client_secret: {SECRET}\n  refresh_token: {SECRET}: x\n",
        f"zoho:\n  client_secret: '{SECRET}\n",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(text: str) -> None:
    assert SECRET not in "\n".join(problems_of(text))


FULL = {"client_id": ID, "client_secret": SecretStr(SECRET), "refresh_token": SecretStr("1000.R")}


def revealed(zoho: ZohoSettings) -> tuple[str, str, str]:
    found = load_credentials(zoho, NetworkSettings(), "acme")
    return (
        found.client_id,
        found.client_secret.get_secret_value(),
        found.refresh_token.get_secret_value(),
    )


def printing(text: str) -> str:
    return shlex.join([sys.executable, "-c", f"print({text!r})"])


def without(name: str, **more: Any) -> ZohoSettings:
    return ZohoSettings(**{**FULL, name: None, **more})


def test_secrets_are_taken_from_the_settings_themselves() -> None:
    assert revealed(ZohoSettings(**FULL)) == (ID, SECRET, "1000.R")  # type: ignore[arg-type]  # a table


@pytest.mark.parametrize("content", ["other", "other\n", "\ufeff other \r\n"])
@pytest.mark.parametrize("name", list(FULL))
def test_a_secret_is_taken_from_a_file(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(content, "utf-8")
    found = revealed(without(name, **{f"{name}_file": tmp_path / "kept"}))
    assert found[list(FULL).index(name)] == "other"


def test_a_file_of_the_home_folder_may_be_named_by_a_tilde() -> None:
    (Path.home() / "kept").write_text("other")
    zoho = of("zoho: {client_secret_file: ~/kept}").zoho
    assert revealed(dataclasses.replace(zoho, client_id=ID, refresh_token=SecretStr("R")))[1] == (
        "other"
    )


@pytest.mark.parametrize("name", list(FULL))
def test_a_secret_is_taken_from_a_command(name: str) -> None:
    found = revealed(without(name, **{f"{name}_command": printing(" other ")}))
    assert found[list(FULL).index(name)] == "other"


def failing(**wrong: Any) -> list[str]:
    with pytest.raises(UsageError) as told:
        load_credentials(ZohoSettings(**{**FULL, **wrong}), NetworkSettings(), "acme")
    assert SECRET not in str(told.value)
    *problems, advice = str(told.value).splitlines()
    assert "batchlock login" in advice
    return problems


def test_all_secrets_that_are_missing_are_named_at_once() -> None:
    assert failing(**dict.fromkeys(FULL)) == [
        "zoho.client_id is missing.",
        "zoho.client_secret is missing.",
        "zoho.refresh_token is missing.",
    ]


@pytest.mark.parametrize("name", list(FULL))
def test_a_secret_that_is_blank_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(" \n")
    assert failing(**{name: None, f"{name}_file": tmp_path / "kept"}) == [f"zoho.{name} is empty."]


@pytest.mark.parametrize("other", ["file", "command"])
def test_a_secret_given_in_two_ways_is_refused(other: str) -> None:
    problems = failing(**{f"client_secret_{other}": Path(SECRET) if other == "file" else SECRET})
    assert problems == [
        "zoho.client_secret: give it itself, its _file or its _command, not several."
    ]


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff" + SECRET.encode())
    for kept in (tmp_path / "none", tmp_path, tmp_path / "binary"):
        (problem,) = failing(client_secret=None, client_secret_file=kept)
        assert problem.startswith(f"zoho.client_secret_file: {kept} cannot be read: ")


def test_a_command_that_fails_is_told_without_what_it_printed() -> None:
    command = shlex.join([sys.executable, "-c", f"import sys; print({SECRET!r}); sys.exit(4)"])
    (problem,) = failing(client_secret=None, client_secret_command=command)
    assert problem == "zoho.client_secret_command failed with exit code 4."


def test_a_command_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("batchlock.zoho.credentials")
    monkeypatch.setattr(module, "_COMMAND_TIMEOUT_SECONDS", 0.2)
    command = f"exec {shlex.join([sys.executable, '-c', 'import time; time.sleep(600)'])}"
    (problem,) = failing(client_secret=None, client_secret_command=command)
    assert "zoho.client_secret_command" in problem
    assert SECRET not in problem


def test_a_command_cannot_ask_and_is_given_no_input() -> None:
    command = shlex.join([sys.executable, "-c", "print('got ' + repr(input()))"])
    (problem,) = failing(client_secret=None, client_secret_command=command)
    assert "failed with exit code 1" in problem
