"""The calls that list the records of a module: queries, custom views and pages of records."""

from dataclasses import dataclass
from urllib.parse import quote

import orjson

from batchlock.core.reply import Reply
from batchlock.zoho.client import Client
from batchlock.zoho.record_replies import interpret_list, interpret_query, interpret_views

# The most that Zoho gives in one call. A query of 2,000 rows costs 3 credits, one of 200 costs 1.
_QUERY_ROWS = 2000
_PAGE_ROWS = 200

# Credits of one call. Those of a query and of a view are documented for sister products of Zoho
# on the same engine.
QUERY_CREDITS = 3
VIEW_CREDITS = 3


@dataclass(frozen=True, slots=True)
class Records:
    """The record lists of one org. Tokens: see `Client.put_reason`."""

    client: Client

    async def query(self, module: str, cursor: str | None) -> Reply:
        """Find the next locked records of a module by a query; `cursor` is the last id so far.

        The order by id replaces OFFSET, with which Zoho gives 100,000 rows at most.
        """
        condition = "Locked__s = true"
        if cursor is not None:
            condition = f"({condition} and id > {cursor})"
        text = f"select id from {module} where {condition} order by id asc limit {_QUERY_ROWS}"
        return await self.client.call(
            "POST",
            "/coql",
            lambda response: interpret_query(response, cursor),
            body=orjson.dumps({"select_query": text}),
        )

    async def views(self, module: str) -> Reply:
        """List the custom views of a module."""
        return await self.client.call(
            "GET", f"/settings/custom_views?module={quote(module, safe='')}", interpret_views
        )

    async def records(self, module: str, view_id: str | None, cursor: str | None) -> Reply:
        """Find the next locked records in a list: of a view, or of all records.

        `cursor` is the token of the page. Without a view, a list that does not say of each record
        whether it is locked is refused.
        """
        query = f"fields=Locked__s&per_page={_PAGE_ROWS}"
        if view_id is not None:
            query += f"&cvid={view_id}"
        if cursor is not None:
            query += f"&page_token={quote(cursor, safe='')}"
        return await self.client.call(
            "GET",
            f"/{quote(module, safe='')}?{query}",
            lambda response: interpret_list(response, is_view=view_id is not None),
        )
