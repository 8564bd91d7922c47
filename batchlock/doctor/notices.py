"""Checks of the notices: can their settings be used. Only `--notify` sends one, a test."""

from collections.abc import Callable
from importlib.util import find_spec

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.doctor.checks import Check, bad, from_error, good, skipped
from batchlock.doctor.folders import check_folder_of
from batchlock.notify.messages import service_of
from batchlock.notify.notifier import Notifier
from batchlock.notify.settings import NotifySettings, check_notice_url, signing_key
from batchlock.notify.textfile import textfile_path
from batchlock.notify.texts import test_notice

_SECRETS = ("ping_url", "messages", "webhook", "webhook_secret")


def check_notices(settings: Settings, *, offline: bool) -> list[Check]:
    """Return the checks of the settings of notices.

    With `offline`, a command that prints an address is not run, since it may ask a server.
    """
    notify = settings.notify
    if notify.is_empty:
        return [good("notices.settings", "No notices are set (`notify` in the configuration).")]
    checks = []
    for name in _SECRETS:
        check_id = f"notices.{name}"
        if offline and getattr(notify, f"{name}_command") is not None:
            checks.append(
                skipped(check_id, "Not checked: --offline, and a command prints the address.")
            )
        elif (check := _address(notify, name, settings.org)) is not None:
            checks.append(check)
    if notify.textfile is not None:
        path = textfile_path(notify.textfile, settings.org)
        checks.append(check_folder_of("notices.textfile", path))
    return checks


def send_test(settings: Settings) -> list[Check]:
    """Send a test to every place that notices go to, and return the check of each.

    It must not be called in an event loop.
    """
    if settings.notify.is_empty:
        return [
            bad(
                "notices.test",
                "There is no place to which a test could be sent.",
                "Set one of notify.ping_url, notify.messages and notify.webhook.",
            )
        ]
    notifier = Notifier(settings.notify, settings.network)
    notice = test_notice(org=settings.org, environment=settings.zoho.environment)
    checks = []
    for number, delivery in enumerate(notifier.deliver(notice), 1):
        check_id = f"notices.test.{number}"
        if delivery.error:
            checks.append(
                bad(
                    check_id,
                    f"The test did not reach {delivery.place}. {delivery.error}",
                    "Correct the address below `notify`, or ask who runs that service.",
                )
            )
        else:
            checks.append(good(check_id, f"The test has reached {delivery.place}."))
    return checks


def _address(notify: NotifySettings, name: str, org: str) -> Check | None:
    """Return the check of an address or a secret; None when it is not set."""
    check_id, setting = f"notices.{name}", f"notify.{name}"
    try:
        secret = notify.secret(name)
        if secret is None:
            return None
        _VALIDATORS[name](secret.replace("{org}", org))
    except UsageError as error:
        return from_error(check_id, error)
    except ValueError as error:  # without the address, which is a secret
        return bad(check_id, f"{setting}: {error}.", "Copy it again from the service.")
    return good(check_id, f"{setting} can be used.")


def _known_to_apprise(text: str) -> None:
    """Raise ValueError unless apprise can send to every address of a text."""
    if find_spec("apprise") is None:
        return  # the check of the packages says so
    import logging

    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its log lines may quote the address
    unknown = [url for url in text.split() if not apprise.Apprise().add(url)]
    if unknown:
        services = ", ".join(map(service_of, unknown))
        raise ValueError(f"apprise cannot use {len(unknown)} of its addresses ({services})")


_VALIDATORS: dict[str, Callable[[str], object]] = {
    "ping_url": check_notice_url,
    "messages": _known_to_apprise,
    "webhook": check_notice_url,
    "webhook_secret": signing_key,
}
