"""Sign-ins of other programs: the table of Zoho's SDK, and .env files."""

from pathlib import Path

import pytest

from batchlock.core.errors import UsageError
from batchlock.zoho.sign_in_files import read_sign_in

SDK = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time"
ENV = "ZOHO_CLIENT_ID=me\nZOHO_CLIENT_SECRET=hush\nZOHO_REFRESH_TOKEN=1000.r\n"


def sign_in_of(text: str, path: Path) -> tuple[str, str, str, str | None, str | None]:
    (path / "file").write_text(text, "utf-8")
    sign_in = read_sign_in(path / "file")
    return (
        sign_in.client_id,
        sign_in.client_secret.get_secret_value(),
        sign_in.refresh_token.get_secret_value(),
        sign_in.data_center,
        sign_in.environment,
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{SDK},redirect_uri\n1,ada,me,hush,1000.r,1000.a,,99,\n", (None, None)),
        (
            (f"{SDK},redirect_uri,api_domain\n1,ada,me,hush,1000.r,1000.a,,99,,"
             "https://sandbox.zohoapis.in\n"),
            ("in", "sandbox"),
        ),
        (  # a row without a refresh token, and the same sign-in twice
            f"{SDK}\n1,bob,me,hush,,,1000.g,\n2,ada,me,hush,1000.r,,,\n3,ada,me,hush,1000.r,,,\n",
            (None, None),
        ),
        (ENV, (None, None)),
        (f"\ufeff# a comment\nOTHER=1\n{ENV}ZOHO_ACCOUNTS_URL=https://accounts.zoho.com.au\n",
         ("au", None)),
        (ENV.replace("=me", '="me"').replace("ZOHO_CLIENT_S", "export ZOHO_CLIENT_S")
         .replace("hush", "'hush'  # why") + "ZOHO_API_DOMAIN=www.zohoapis.ca\n",
         ("ca", "production")),
        (f"{ENV}ZOHO_DC=com.cn\nZOHO_ENVIRONMENT=Sandbox\n", ("cn", "sandbox")),
        (f"{ENV}ZOHO_REGION=EU\nZOHO_ENVIRONMENT=test\n", ("eu", None)),
    ],
)  # fmt: skip
def test_a_sign_in_is_found_with_its_place(
    text: str, place: tuple[str | None, str | None], tmp_path: Path
) -> None:
    assert sign_in_of(text, tmp_path) == ("me", "hush", "1000.r", *place)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no sign-in"),
        ("hello\n", "has no sign-in"),
        ("Module,Record Id\nLeads,1\n", "has no sign-in"),
        (ENV.replace("1000.r", ""), "lacks ZOHO_REFRESH_TOKEN."),
        (ENV.replace("ZOHO_CLIENT", "CLIENT"), "lacks ZOHO_CLIENT_ID and ZOHO_CLIENT_SECRET."),
        (f"{SDK}\n1,bob,me,hush,,,1000.g,\n", "has no refresh token"),
        (f"{SDK}\n", "has no refresh token"),
        (f"{SDK}\n1,bob,me,hush,1,,,\n2,ada,me,hush,2,,,\n", "has 2 sign-ins (bob, ada)"),
        ("a\0b", "is not a text file"),
    ],
)
def test_other_content_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        sign_in_of(text, tmp_path)
    assert words in str(error.value)
    assert "hush" not in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_sign_in(file)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8 text") as error:
        read_sign_in(tmp_path / "binary")
    assert error.value.__cause__ is None
