import dataclasses
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Any, get_type_hints

import platformdirs
import pytest
from pydantic import SecretStr
from support.settings import SECRET, problems_of, setting_at, settings_of

from batchlock.config import Settings, load
from batchlock.core.rows import Field
from batchlock.notify.settings import NoticeChoice
from batchlock.send.settings import PreviousReason
from batchlock.zoho.settings import Grant

PING_URL = "https://hc.test/ping/1f3a?create=1"
EVERY_KEY = [
    ("org", "acme-2", "acme-2"),
    ("zoho.data_center", "eu", "eu"),
    ("zoho.environment", "sandbox", "sandbox"),
    ("zoho.api_version", "v8", "v8"),
    ("zoho.grant", "client_credentials", Grant.CLIENT_CREDENTIALS),
    ("zoho.client_id", "1000.CLIENT", "1000.CLIENT"),
    ("zoho.client_id_file", "id.txt", Path("id.txt")),
    ("zoho.client_id_command", "echo id", "echo id"),
    ("zoho.client_id_keyring", "acme.client_id", "acme.client_id"),
    ("zoho.client_secret", SECRET, SecretStr(SECRET)),
    ("zoho.client_secret_file", "secret.txt", Path("secret.txt")),
    ("zoho.client_secret_command", "echo secret", "echo secret"),
    ("zoho.client_secret_keyring", "acme.client_secret", "acme.client_secret"),
    ("zoho.refresh_token", SECRET, SecretStr(SECRET)),
    ("zoho.refresh_token_file", "token.txt", Path("token.txt")),
    ("zoho.refresh_token_command", "echo token", "echo token"),
    ("zoho.refresh_token_keyring", "acme.refresh_token", "acme.refresh_token"),
    ("zoho.api_url", "https://api.acme.test/", "https://api.acme.test"),
    ("zoho.accounts_url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("zoho.organization_id", "584310400000042556", "584310400000042556"),
    ("network.proxy", "http://me:pw@gate.test:3128", SecretStr("http://me:pw@gate.test:3128")),
    ("network.ca_file", "firewall.pem", Path("firewall.pem")),
    ("limits.in_flight", "7", 7),
    ("limits.max_in_flight", "12", 12),
    ("limits.composite", "off", "off"),
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
    ("results.previous_reason", "always", PreviousReason.ALWAYS),
    ("log.format", "json", "json"),
    ("notify.ping_url", PING_URL, SecretStr(PING_URL)),
    ("notify.ping_url_file", "ping.txt", Path("ping.txt")),
    ("notify.ping_url_command", "echo ping", "echo ping"),
    (
        "notify.messages",
        "[json://a.test, mailto://b.test]",
        (SecretStr("json://a.test"), SecretStr("mailto://b.test")),
    ),
    ("notify.messages_file", "messages.txt", Path("messages.txt")),
    ("notify.messages_command", "echo messages", "echo messages"),
    ("notify.when", "failure", NoticeChoice.FAILURE),
    ("notify.attach_results", "no", False),
    ("notify.max_attachment", "2 MiB", 2 * 2**20),
    ("notify.webhook", "http://127.0.0.1:8080/a", SecretStr("http://127.0.0.1:8080/a")),
    ("notify.webhook_file", "hook.txt", Path("hook.txt")),
    ("notify.webhook_command", "echo hook", "echo hook"),
    ("notify.webhook_secret", SECRET, SecretStr(SECRET)),
    ("notify.webhook_secret_file", "secret.txt", Path("secret.txt")),
    ("notify.webhook_secret_command", "echo secret", "echo secret"),
    ("notify.textfile", "figures.prom", Path("figures.prom")),
    ("notify.timeout", "7s", 7.0),
    ("inbox.max_age", "36h", 129_600.0),
    ("inbox.usual_rows", "200-800", (200, 800)),
    ("web.max_upload", "20 MiB", 20 * 2**20),
    ("web.session", "45m", 2700.0),
    ("web.session_limit", "8h", 28800.0),
    ("web.hosts", "[locks.acme.test]", ("locks.acme.test",)),
    ("web.trusted_proxy", "[10.0.0.7]", ("10.0.0.7",)),
    ("web.header_timeout", "5s", 5.0),
    ("web.transfer_timeout", "2m", 120.0),
    ("web.idle_timeout", "90s", 90.0),
    ("web.max_connections", "200", 200),
    ("web.max_connections_per_address", "20", 20),
    ("web.keep", "90d", 7_776_000.0),
    ("web.keep_log", "365d", 31_536_000.0),
    ("web.orgs_at_once", "7", 7),
    ("web.metrics_listen", "127.0.0.1:9200", "127.0.0.1:9200"),
    ("web.passwords", "no", False),
    ("web.four_eyes", "yes", True),
    ("web.translations", "languages", Path("languages")),
    ("web.oidc.issuer", "https://login.acme.test/realms/a", "https://login.acme.test/realms/a"),
    ("web.oidc.client_id", "batchlock", "batchlock"),
    ("web.oidc.client_secret", SECRET, SecretStr(SECRET)),
    ("web.oidc.client_secret_file", "secret.txt", Path("secret.txt")),
    ("web.oidc.client_secret_command", "echo secret", "echo secret"),
    ("web.oidc.scopes", "[openid, groups]", ("openid", "groups")),
    ("web.oidc.name_claim", "preferred_username", "preferred_username"),
    ("web.oidc.groups_claim", "roles", "roles"),
    (
        "web.oidc.groups",
        "{crm: [acme:sender, viewer], it: administrator}",
        {"crm": (("acme", "sender"), ("*", "viewer")), "it": (("*", "administrator"),)},
    ),
    ("web.oidc.required_group", "staff", "staff"),
    ("web.oidc.label", "Sign in with Acme", "Sign in with Acme"),
    ("web.oidc.timeout", "5s", 5.0),
    ("worker.orgs_at_once", "20", 20),
    ("worker.lease", "1m", 60.0),
    ("worker.listen", "127.0.0.1:9100", "127.0.0.1:9100"),
    ("secrets.key", SECRET, SecretStr(SECRET)),
    ("secrets.key_file", "key.txt", Path("key.txt")),
    ("secrets.key_command", "echo key", "echo key"),
    ("database", "postgresql://me:pw@db.test/locks", SecretStr("postgresql://me:pw@db.test/locks")),
    ("database_file", "database.txt", Path("database.txt")),
    ("database_command", "echo database", "echo database"),
    ("state_directory", "state", Path("state")),
]


def test_the_table_of_keys_leaves_no_setting_out() -> None:
    assert {key for key, _, _ in EVERY_KEY} == set(keys_below(Settings))


def keys_below(kind: Any, above: str = "") -> Iterator[str]:
    for name, inner in get_type_hints(kind).items():
        if dataclasses.is_dataclass(inner):
            yield from keys_below(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def yaml_of(key: str, text: str) -> str:
    """Return a configuration with one setting, in the groups that its key names."""
    *groups, name = key.split(".")
    lines = [f"{'  ' * depth}{group}:" for depth, group in enumerate(groups)]
    return "\n".join([*lines, f"{'  ' * len(groups)}{name}: {text}\n"])


@pytest.mark.parametrize(("key", "text", "value"), EVERY_KEY)
def test_every_setting_can_be_set_in_the_file(key: str, text: str, value: object) -> None:
    settings = settings_of(yaml_of(key, text))
    assert setting_at(settings, key) == value
    assert setting_at(settings, key) != setting_at(Settings(), key)


@pytest.mark.parametrize(("key", "text", "value"), EVERY_KEY)
def test_every_setting_can_be_set_in_the_environment(key: str, text: str, value: object) -> None:
    name = f"BATCHLOCK_{key.upper().replace('.', '__')}"
    assert setting_at(load(environment={name: text, "PATH": "x"}), key) == value


@pytest.mark.parametrize("text", ["null", "~", ""])
@pytest.mark.parametrize("key", [key for key, _, _ in EVERY_KEY])
def test_a_null_setting_has_its_default(key: str, text: str) -> None:
    name = f"BATCHLOCK_{key.upper().replace('.', '__')}"
    assert load(environment={name: text}) == Settings()
    assert settings_of(yaml_of(key, text)) == Settings()


@pytest.mark.parametrize("text", ["", "# only a comment\n", "zoho:\nlimits: null\n", "---\n"])
def test_an_empty_file_means_the_defaults(text: str) -> None:
    assert settings_of(text) == Settings()


def test_without_a_file_the_defaults_apply() -> None:
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
    limits = settings_of(text, environment, options={("limits", "per_second"): 5.0}).limits
    assert (limits.max_in_flight, limits.in_flight, limits.per_second) == (3, 4, 5.0)


def test_a_value_that_an_option_overrides_may_be_wrong() -> None:
    environment = {"BATCHLOCK_LIMITS__IN_FLIGHT": "many"}
    assert settings_of("", environment, options={("limits", "in_flight"): 5}).limits.in_flight == 5


def test_the_state_folder_is_the_one_that_is_set(tmp_path: Path) -> None:
    assert load(environment={"BATCHLOCK_STATE_DIRECTORY": str(tmp_path)}).state == tmp_path


def test_a_file_that_cannot_be_read_hides_no_problem_of_the_environment() -> None:
    problems = problems_of("org: [", {"BATCHLOCK_LIMITS__MAX_IN_FLIGHT": "many"})
    assert len(problems) == 2
    assert "line 1" in problems[0]
    assert "BATCHLOCK_LIMITS__MAX_IN_FLIGHT" in problems[1]
