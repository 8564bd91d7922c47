"""Signing in with OpenID Connect, at a provider that runs here."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey
from support.oidc_server import SECRET, OidcServer, signed
from support.oidc_visitor import assert_refused, attempt, config_of, person, way_back
from support.page_server import PASSWORD, PageServer, add_person, served_page, signed_in
from support.visitor import Visitor, csv_content, write_config

from batchlock.store.store import Store

ASKED = "/orgs/simulator/history?words=one+two&page=2"


def test_a_person_signs_in_and_gets_to_the_page_that_was_asked_for(
    acme: PageServer, provider: OidcServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.put("u-1", "Anna Meier", "crm", "unknown group")
    tokens: list[str] = []

    def remembered(claims: dict[str, Any], key: RSAKey) -> str:
        tokens.append(signed(claims, key))
        return tokens[0]

    provider.forge = remembered
    verified = provider.verified
    anna = Visitor(acme.url)
    form = anna.get(anna.get(ASKED).location)
    assert "Sign in with Acme" in form.words
    assert "Password" in form.words
    begin = anna.get(f"/login/oidc?{urlsplit(anna.get(ASKED).location).query}")
    query = parse_qs(urlsplit(begin.location).query)
    assert query["redirect_uri"] == [f"{acme.url}/login/oidc/done"]
    assert query["scope"] == ["openid profile email"]
    back = provider.consent(begin.location, "u-1")
    done = anna.get(back)
    assert (done.status, done.location) == (303, ASKED)
    assert provider.verified == verified + 1
    assert anna.get(ASKED).status == 200
    anna.enter()
    assert anna.upload(("a.csv", csv_content(1, first=1))).status == 303
    assert (
        "Anna Meier signed in with OpenID Connect 127.0.0.1" in anna.get(f"{anna.home}/log").words
    )
    assert "Your groups there make you sender of simulator." in anna.get("/account").words
    assert "Change your password" not in anna.get("/account").words
    code = parse_qs(urlsplit(back).query)["code"][0]
    written = caplog.text.encode() + b"".join(
        path.read_bytes() for path in acme.state.rglob("*") if path.is_file()
    )
    for secret in (code, tokens[0], SECRET, query["state"][0], query["nonce"][0]):
        assert secret.encode() not in written


def test_the_cookie_of_a_sign_in_ends_with_it(acme: PageServer, provider: OidcServer) -> None:
    provider.put("u-2", "Berta", "crm")
    berta = Visitor(acme.url)
    begin = berta.get("/login/oidc")
    cookie = begin.headers["Set-Cookie"]
    assert cookie.startswith("batchlock_simulator_oidc=")
    for attribute in ("HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/"):
        assert attribute in cookie
    berta.get(provider.consent(begin.location, "u-2"))
    assert "_oidc" not in berta.cookie
    behind_tls = {"X-Forwarded-Proto": "https"}
    begin = Visitor(acme.url).get("/login/oidc", behind_tls)
    assert begin.headers["Set-Cookie"].startswith("__Host-batchlock_simulator_oidc=")
    assert "Secure" in begin.headers["Set-Cookie"]
    assert "redirect_uri=https://127.0.0.1" in begin.location


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", f"/{'x' * 3000}"])
def test_it_leads_to_this_site_alone(acme: PageServer, provider: OidcServer, path: str) -> None:
    provider.put("u-2", "Berta", "crm")
    berta = Visitor(acme.url)
    begin = berta.get(f"/login/oidc?next={path}")
    assert berta.get(provider.consent(begin.location, "u-2")).location == "/"
    assert berta.get("/login/oidc?next=//evil.example").location == "/"


def test_the_roles_are_taken_anew_at_every_sign_in(acme: PageServer, provider: OidcServer) -> None:
    provider.put("u-3", "Carla", "crm")
    first = person(acme, provider, "u-3")
    assert first.upload(("a.csv", csv_content(1, first=2))).status == 303
    provider.put("u-3", "Carla", "everybody")
    assert person(acme, provider, "u-3").get("/orgs/simulator").status == 200
    # The session of before has the roles of now.
    assert first.upload(("a.csv", csv_content(1, first=3))).status == 403
    provider.put("u-3", "Carla")
    visitor, answer = attempt(acme, provider, "u-3")
    assert_refused(visitor, answer, 403, "Ask whoever runs batchlock which group you need.")
    assert "With the wrong account? Sign out there" in answer.words
    assert first.get("/account").location.startswith("/login")
    paula = signed_in(acme, "Paula")
    log = paula.get("/orgs/simulator/log").words
    assert "an unknown name tried to sign in no group of 'u-3' may sign in 127.0.0.1" in log


def test_a_group_of_an_org_that_is_not_served_shows_none(
    acme: PageServer, provider: OidcServer
) -> None:
    provider.put("u-4", "Dora", "elsewhere")
    dora, _ = attempt(acme, provider, "u-4")
    assert "There is no org for you yet" in dora.get("/").words
    assert dora.get("/orgs/simulator").status == 404


def test_a_person_is_known_by_the_subject_alone(acme: PageServer, provider: OidcServer) -> None:
    provider.put("u-5", "Paula", "crm", email="a@acme.test")
    provider.put("u-6", "paula", "crm", email="a@acme.test")
    first, second = (person(acme, provider, subject) for subject in ("u-5", "u-6"))
    assert "Paula (2) Sign out" in first.get("/orgs/simulator").words
    assert "paula (3) Sign out" in second.get("/orgs/simulator").words
    provider.put("u-5", "Paula Schmidt", "crm", email="b@acme.test")
    assert "Paula (2) Sign out" in person(acme, provider, "u-5").get("/orgs/simulator").words
    assert "Paula Sign out" in signed_in(acme, "Paula").get("/orgs/simulator").words


def test_a_name_cannot_pretend_to_be_something_else(acme: PageServer, provider: OidcServer) -> None:
    provider.put("u-7", "terminal (root)\n<b>\u202ex</b> O'Hara,", "crm")
    assert (
        "terminal root b x b O'Hara, Sign out"
        in person(acme, provider, "u-7").get("/orgs/simulator").words
    )


def without_groups(claims: dict[str, Any], key: RSAKey) -> str:
    return signed({name: value for name, value in claims.items() if name != "groups"}, key)


def test_groups_that_only_the_userinfo_endpoint_tells_are_asked_for(
    acme: PageServer, provider: OidcServer
) -> None:
    provider.put("u-9", "Frida", "crm")
    provider.forge = without_groups
    person(acme, provider, "u-9")
    provider.userinfo = {"sub": "u-1", "groups": ["crm"]}
    visitor, answer = attempt(acme, provider, "u-9")
    assert_refused(visitor, answer, 502, "cannot accept")


def test_a_sign_in_works_once_and_in_one_browser(acme: PageServer, provider: OidcServer) -> None:
    provider.put("u-10", "Greta", "crm")
    visitor, path = way_back(acme, provider, "u-10")
    cookie = visitor.cookie
    stranger = Visitor(acme.url)
    assert_refused(stranger, stranger.get(path), 400, "too old, or was used already")
    stranger.get("/login/oidc")
    assert_refused(stranger, stranger.get(path), 400, "too old, or was used already")
    assert visitor.get(path).status == 303
    assert visitor.get(path).status == 400
    # Whoever has kept the cookie finds that the provider takes a code once.
    again = Visitor(acme.url, cookie=cookie)
    assert_refused(again, again.get(path), 400, "too old, or was used already")


def test_a_code_without_its_browser_fits_no_verifier(
    acme: PageServer, provider: OidcServer
) -> None:
    provider.put("u-10", "Greta", "crm")
    _, stolen = way_back(acme, provider, "u-10")
    thief, own = way_back(acme, provider, "u-10")
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    own_code = parse_qs(urlsplit(own).query)["code"][0]
    assert_refused(thief, thief.get(own.replace(own_code, code)), 400, "too old")


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("error=access_denied", 403, "The sign-in was cancelled"),
        ("error=server_error&error_description=x", 502, "cannot accept"),
        ("code=", 502, "cannot accept"),
        ("", 502, "cannot accept"),
        ("code=x&iss=https://login.evil.test", 502, "cannot accept"),
        ("code=unknown", 400, "too old"),
        ("code=%ED%B2%80", 502, "cannot accept"),
    ],
)
def test_an_answer_without_a_code_that_counts_is_refused(
    acme: PageServer, query: str, status: int, words: str
) -> None:
    visitor = Visitor(acme.url)
    state = parse_qs(urlsplit(visitor.get("/login/oidc").location).query)["state"][0]
    answer = visitor.get(f"/login/oidc/done?{query}&state={state}")
    assert_refused(visitor, answer, status, words)


def test_whoever_declines_at_the_provider_reads_so(acme: PageServer, provider: OidcServer) -> None:
    visitor, path = way_back(acme, provider, "u-1", deny=True)
    assert_refused(visitor, visitor.get(path), 403, "The sign-in was cancelled")


@pytest.mark.parametrize(("status", "page_status"), [(500, 503), (401, 502)])
def test_a_provider_that_gives_no_token_is_reported(
    acme: PageServer, provider: OidcServer, status: int, page_status: int
) -> None:
    provider.put("u-8", "Eva", "crm")
    provider.token_status = status
    visitor, answer = attempt(acme, provider, "u-8")
    assert_refused(visitor, answer, page_status, "whoever runs batchlock")


def test_signing_out_ends_the_own_session_and_leads_to_the_provider(
    acme: PageServer, provider: OidcServer
) -> None:
    provider.put("u-11", "Hanna", "crm")
    hanna, other = person(acme, provider, "u-11"), person(acme, provider, "u-11")
    out = hanna.post("/logout").location
    page = hanna.get(out)
    assert "You are signed out of this page, and not of your company account." in page.words
    assert f'href="{provider.url}/oauth2/end_session?client_id=batchlock' in page.text
    assert hanna.get("/account").location.startswith("/login")
    assert other.get("/account").status == 200
    assert signed_in(acme, "Paula").post("/logout").location == "/login"


def test_without_passwords_only_the_provider_signs_in(provider: OidcServer, tmp_path: Path) -> None:
    write_config(tmp_path, config_of(provider, "  passwords: no"))
    add_person(tmp_path, "Paula")
    with Store(tmp_path / "state") as store:
        store.sessions.start("key", "Paula")
    with served_page(tmp_path, simulate=True) as page:
        assert not any("/enter/" in line for line in page.output)
        paula = Visitor(page.url)
        assert "Password" not in paula.get("/login").words
        answer = paula.post("/login", {"name": "Paula", "password": PASSWORD})
        assert (answer.status, "Nobody signs in with a password here." in answer.words) == (
            403,
            True,
        )
        provider.put("u-12", "Ida", "crm")
        ida = person(page, provider, "u-12")
        assert ida.post("/account/password", {"old": "a", "new": "b", "again": "b"}).status == 409
    with Store(tmp_path / "state") as store:
        assert store.sessions.name("key", max_idle_seconds=3600) is None


def test_any_server_may_finish_a_sign_in(provider: OidcServer, tmp_path: Path) -> None:
    write_config(tmp_path, config_of(provider, "  hosts: [locks.test]"))
    provider.put("u-13", "Jana", "crm")
    headers = {"Host": "locks.test"}
    with served_page(tmp_path, simulate=True) as page:
        jana = Visitor(page.url, headers=headers)
        back = provider.consent(jana.get("/login/oidc?next=/account").location, "u-13")
    # A server that was started since then knows nothing of the first one.
    with served_page(tmp_path, simulate=True) as page:
        jana.url = page.url
        assert jana.get(back).location == "/account"
        assert jana.get("/account").status == 200
