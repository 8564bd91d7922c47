"""Whether record locking is configured for a module; the call changes nothing.

`GET /settings/record_locking_configurations?module=Leads` answers with the configuration, and with
204 when the module has none. It needs the permission Customize, which many users lack.
"""

from dataclasses import dataclass
from urllib.parse import quote

from batchlock.core.reply import Reply, Verdict
from batchlock.zoho.client import Client
from batchlock.zoho.replies import ACCEPTED, RawResponse, interpret_failure, parsed, reply_of

_PATH = "/settings/record_locking_configurations?module={}"
_NONE = "none"
_CONFIGURED = "configured"


@dataclass(frozen=True, slots=True)
class ModuleLocking:
    """What Zoho says about the locking of a module."""

    module: str
    is_configured: bool | None
    """None: Zoho does not say it."""
    reply: Reply


async def locking_of(client: Client, module: str) -> ModuleLocking:
    """Ask whether locking is configured for a module. Tokens: see `Client.put_reason`."""
    reply = await client.call("GET", _PATH.format(quote(module, safe="")), _interpret)
    is_known = reply.verdict is Verdict.ACCEPTED
    return ModuleLocking(module, reply.message == _CONFIGURED if is_known else None, reply)


def _interpret(response: RawResponse) -> Reply:
    if response.status == 204:
        return reply_of(response, None, ACCEPTED, message=_NONE)
    body = parsed(response.content)
    configurations = body.get("record_locking_configurations") if isinstance(body, dict) else None
    if response.status == 200 and isinstance(configurations, list):
        return reply_of(response, None, ACCEPTED, message=_CONFIGURED if configurations else _NONE)
    return interpret_failure(response)
