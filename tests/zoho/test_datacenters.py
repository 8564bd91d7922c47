import pytest

from batchlock.zoho.datacenters import DATA_CENTERS, ENVIRONMENTS


@pytest.mark.parametrize(
    ("key", "accounts", "api"),
    [
        ("us", "accounts.zoho.com", "zohoapis.com"),
        ("eu", "accounts.zoho.eu", "zohoapis.eu"),
        ("in", "accounts.zoho.in", "zohoapis.in"),
        ("au", "accounts.zoho.com.au", "zohoapis.com.au"),
        ("cn", "accounts.zoho.com.cn", "zohoapis.com.cn"),
        ("jp", "accounts.zoho.jp", "zohoapis.jp"),
        ("ca", "accounts.zohocloud.ca", "zohoapis.ca"),
        ("sa", "accounts.zoho.sa", "zohoapis.sa"),
        ("uk", "accounts.zoho.uk", "zohoapis.uk"),
        ("ae", "accounts.zoho.ae", "zohoapis.ae"),
        ("sg", "accounts.zoho.sg", "zohoapis.sg"),
    ],
)
def test_the_addresses_of_each_data_center(key: str, accounts: str, api: str) -> None:
    center = DATA_CENTERS[key]
    assert center.accounts_url == f"https://{accounts}"
    assert center.console_url == f"https://{accounts.replace('accounts', 'api-console')}"
    addresses = [center.api_url(environment) for environment in ENVIRONMENTS]
    assert addresses == [f"https://{host}.{api}" for host in ("www", "sandbox", "developer")]


def test_there_are_eleven_data_centers() -> None:
    assert len(DATA_CENTERS) == 11
