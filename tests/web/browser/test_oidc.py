"""Signing in at the provider of a company, in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has none
from playwright.sync_api import expect
from support.browser import NewTab, button, each_appearance, needs_browser
from support.oidc_server import OidcServer, oidc_server
from support.oidc_visitor import config_of
from support.page_server import PASSWORD, PageServer, add_person, served_page
from support.visitor import write_config

pytestmark = needs_browser


@pytest.fixture
def provider() -> Iterator[OidcServer]:
    with oidc_server() as provider:
        yield provider


@pytest.fixture
def acme(provider: OidcServer, tmp_path: Path) -> Iterator[PageServer]:
    write_config(tmp_path, config_of(provider))
    add_person(tmp_path, "Paula")
    with served_page(tmp_path, simulate=True) as page:
        yield page


def test_a_person_signs_in_and_out(acme: PageServer, provider: OidcServer, new_tab: NewTab) -> None:
    provider.put("anna@acme.test", "Anna Meier", "crm")
    tab = new_tab()
    tab.goto(f"{acme.url}/orgs/simulator/history?words=one+two")
    for appearance in each_appearance(tab):
        assert Axe().run(tab).response["violations"] == [], appearance
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), appearance
    password, box = tab.get_by_label("Password"), tab.get_by_label("Show what is typed")
    for is_shown in (True, False):
        box.set_checked(is_shown)
        expect(password).to_have_attribute("type", "text" if is_shown else "password")
    tab.get_by_role("link", name="Sign in with Acme").focus()
    tab.keyboard.press("Enter")
    tab.get_by_role("textbox").first.fill("anna@acme.test")
    button(tab, "Authorize").click()
    tab.wait_for_url(f"{acme.url}/orgs/simulator/history?words=one+two")
    tab.get_by_role("link", name="Anna Meier").click()
    expect(tab.get_by_text("You sign in with your company account.")).to_be_visible()
    assert Axe().run(tab).response["violations"] == []
    button(tab, "Sign out").click()
    expect(tab.get_by_role("link", name="Sign out there, too")).to_be_visible()
    assert Axe().run(tab).response["violations"] == []


def test_a_new_password_shows_its_strength(acme: PageServer, new_tab: NewTab) -> None:
    tab = new_tab()
    tab.goto(f"{acme.url}/login?next=/account")
    tab.get_by_label("Name").fill("Paula")
    tab.get_by_label("Password").fill(PASSWORD)
    button(tab, "Sign in").click()
    meter, words = tab.get_by_role("meter"), tab.locator("[data-strength] [role=status]")
    expect(meter).to_be_hidden()
    for password, value, sentence in (
        ("password1234", 1, "easy to guess"),
        ("velvet otter lantern nine", 4, "Strong enough."),
    ):
        tab.get_by_label("New password", exact=True).fill(password)
        expect(words).to_contain_text(sentence)
        assert meter.evaluate("one => one.value") == value
    for appearance in each_appearance(tab):
        assert Axe().run(tab).response["violations"] == [], appearance
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), appearance
