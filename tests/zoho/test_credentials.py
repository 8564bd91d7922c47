import dataclasses
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backends import fail
from pydantic import SecretStr
from support.settings import SECRET, settings_of

from batchlock.core import keyring_secrets, secret_source
from batchlock.core.errors import UsageError
from batchlock.zoho.credentials import load_credentials
from batchlock.zoho.network import NetworkSettings
from batchlock.zoho.settings import Grant, ZohoSettings

ID = "1000.CLIENT"
FULL = {"client_id": ID, "client_secret": SecretStr(SECRET), "refresh_token": SecretStr("1000.R")}


def test_no_repr_of_settings_or_credentials_shows_a_secret() -> None:
    settings = settings_of(
        f"zoho: {{client_id: {ID}, client_secret: {SECRET}}}",
        {"BATCHLOCK_ZOHO__REFRESH_TOKEN": SECRET},
    )
    credentials = load_credentials(settings.zoho, settings.network, "acme")
    text = f"{settings!r} {settings} {settings.zoho!r} {settings.zoho} {credentials}"
    assert SECRET not in text


def credentials_of(zoho: ZohoSettings) -> tuple[str, str, str]:
    value = load_credentials(zoho, NetworkSettings(), "acme")
    return (
        value.client_id,
        value.client_secret.get_secret_value(),
        value.refresh_token.get_secret_value(),
    )


def printing(text: str) -> str:
    return shlex.join([sys.executable, "-c", f"print({text!r})"])


def without(name: str, **more: Any) -> ZohoSettings:
    return ZohoSettings(**{**FULL, name: None, **more})


def test_credentials_come_from_the_settings() -> None:
    assert credentials_of(ZohoSettings(**FULL)) == (ID, SECRET, "1000.R")  # type: ignore[arg-type]  # a table


def test_a_command_that_fails_is_to_be_put_right() -> None:
    with pytest.raises(UsageError, match=r"code 3\.\nPut that right, or sign in anew"):
        credentials_of(without("client_secret", client_secret_command="exit 3"))
    with pytest.raises(UsageError, match="`batchlock login` signs in"):
        credentials_of(without("client_secret"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pipe with a name, and /dev/zero")
def test_a_pipe_that_nobody_writes_to_and_an_endless_device_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_source, "_COMMAND_TIMEOUT_SECONDS", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="is a pipe, and nothing came from it"):
        credentials_of(without("client_secret", client_secret_file=pipe))
    with pytest.raises(UsageError, match="has more than 64 KiB"):
        credentials_of(without("client_secret", client_secret_file=Path("/dev/zero")))
    reader, writer = os.pipe()  # as `<(vault read …)` of a shell
    os.write(writer, b"other\n")
    os.close(writer)
    path = Path(f"/dev/fd/{reader}")
    assert credentials_of(without("client_secret", client_secret_file=path))[1] == "other"
    os.close(reader)


@pytest.mark.parametrize("content", ["other", "other\n", "\ufeff other \r\n"])
@pytest.mark.parametrize("name", list(FULL))
def test_a_credential_comes_from_a_file(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(content, "utf-8")
    value = credentials_of(without(name, **{f"{name}_file": tmp_path / "secret"}))
    assert value[list(FULL).index(name)] == "other"


def test_a_tilde_stands_for_the_home_folder() -> None:
    (Path.home() / "secret").write_text("other")
    zoho = settings_of("zoho: {client_secret_file: ~/secret}").zoho
    zoho = dataclasses.replace(zoho, client_id=ID, refresh_token=SecretStr("R"))
    assert credentials_of(zoho) == (ID, "other", "R")


@pytest.mark.parametrize("name", list(FULL))
def test_a_credential_comes_from_a_command(name: str) -> None:
    value = credentials_of(without(name, **{f"{name}_command": printing(" other ")}))
    assert value[list(FULL).index(name)] == "other"


def credential_problems(**changes: Any) -> list[str]:
    with pytest.raises(UsageError) as error:
        load_credentials(ZohoSettings(**{**FULL, **changes}), NetworkSettings(), "acme")
    assert SECRET not in str(error.value)
    *problems, remedy = str(error.value).splitlines()
    assert "batchlock login" in remedy
    return problems


def test_all_missing_credentials_are_reported_together() -> None:
    assert credential_problems(**dict.fromkeys(FULL)) == [
        "zoho.client_id is missing.",
        "zoho.client_secret is missing.",
        "zoho.refresh_token is missing.",
    ]


@pytest.mark.parametrize("name", list(FULL))
def test_a_blank_credential_is_reported(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" \n")
    assert credential_problems(**{name: None, f"{name}_file": tmp_path / "secret"}) == [
        f"zoho.{name} is empty."
    ]


@pytest.mark.parametrize("other", ["file", "command", "keyring"])
def test_a_credential_from_two_sources_is_refused(other: str) -> None:
    problems = credential_problems(
        **{f"client_secret_{other}": Path(SECRET) if other == "file" else SECRET}
    )
    assert problems == [
        (
            "zoho.client_secret is set in more than one way. "
            f"Keep one of zoho.client_secret, zoho.client_secret_{other}."
        )
    ]


def test_an_unreadable_credential_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff" + SECRET.encode())
    for file in (tmp_path / "none", tmp_path, tmp_path / "binary"):
        (problem,) = credential_problems(client_secret=None, client_secret_file=file)
        assert problem.startswith(f"zoho.client_secret_file: {file} cannot be read: ")


def test_a_failing_command_is_reported_without_its_output() -> None:
    command = shlex.join([sys.executable, "-c", f"import sys; print({SECRET!r}); sys.exit(4)"])
    (problem,) = credential_problems(client_secret=None, client_secret_command=command)
    assert problem == "zoho.client_secret_command failed with exit code 4."


def test_a_hanging_command_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_source, "_COMMAND_TIMEOUT_SECONDS", 0.2)
    command = f"exec {shlex.join([sys.executable, '-c', 'import time; time.sleep(600)'])}"
    (problem,) = credential_problems(client_secret=None, client_secret_command=command)
    assert "zoho.client_secret_command" in problem
    assert SECRET not in problem


def test_a_command_gets_no_input() -> None:
    command = shlex.join([sys.executable, "-c", "print('got ' + repr(input()))"])
    (problem,) = credential_problems(client_secret=None, client_secret_command=command)
    assert "failed with exit code 1" in problem


def test_client_credentials_need_the_number_of_the_org_and_no_refresh_token() -> None:
    client: dict[str, Any] = {"grant": Grant.CLIENT_CREDENTIALS, "refresh_token": None}
    (missing,) = credential_problems(**client)
    assert missing.startswith("zoho.organization_id is missing: ")
    (excess,) = credential_problems(
        **client, organization_id="42", refresh_token_file=Path("token")
    )
    assert excess.startswith("zoho.refresh_token_file is set, and zoho.grant is client_credentials")
    zoho = ZohoSettings(**{**FULL, **client, "organization_id": "42"})
    assert credentials_of(zoho) == (ID, SECRET, "")


def test_a_credential_of_systemd_is_in_the_folder_that_the_service_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"client_secret": None, "client_secret_file": Path("$CREDENTIALS_DIRECTORY/zoho")}
    (problem,) = credential_problems(**changes)
    assert "CREDENTIALS_DIRECTORY is not set" in problem
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "zoho").write_text("other\n")
    # The values of FULL are of several types.
    assert credentials_of(ZohoSettings(**{**FULL, **changes}))[1] == "other"  # type: ignore[arg-type]


def test_a_credential_comes_from_the_keyring(file_keyring: None) -> None:
    changes = {"refresh_token": None, "refresh_token_keyring": "acme.refresh_token"}
    (problem,) = credential_problems(**changes)
    assert "no entry acme.refresh_token" in problem
    keyring_secrets.write("zoho.refresh_token_keyring", "acme.refresh_token", "other")
    # The values of FULL are of several types.
    assert credentials_of(ZohoSettings(**{**FULL, **changes}))[2] == "other"  # type: ignore[arg-type]
    assert keyring_secrets.delete("zoho.refresh_token_keyring", "acme.refresh_token")
    assert not keyring_secrets.delete("zoho.refresh_token_keyring", "acme.refresh_token")


def test_a_keyring_that_cannot_be_used_is_named(file_keyring: None) -> None:
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # of a machine without any
    (problem,) = credential_problems(client_secret=None, client_secret_keyring="acme")
    assert problem.startswith("zoho.client_secret_keyring: the keyring of the system cannot be")
