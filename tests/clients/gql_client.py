"""Python's gql: queries and mutations over HTTP by httpx, subscriptions over WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from gql import Client, gql
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed

from tests.clients.stage import URL, new_token, play

ORDER = "query Order($id: ID!) { order(id: $id) { id reference status } }"
SUBMIT = """
  mutation Submit($input: SubmitRequirementsInput!) {
    submitRequirements(input: $input) { order { id status } userErrors { code message path } }
  }
"""
WATCH = """
  subscription Watch($after: String) {
    viewerEvents(after: $after) { id cursor kind order { id reference } }
  }
"""


# region ask
class Asking:
    """Queries and mutations, with a token that is renewed when the server no longer takes it."""

    def __init__(self) -> None:
        self._headers: dict[str, str] = {}

    async def __call__(self, document: str, **variables: Any) -> dict[str, Any]:
        if not self._headers:
            await self._renew()
        try:
            return await self._execute(document, variables)
        except TransportQueryError as refused:
            if not any(error.get("extensions", {}).get("code") == "UNAUTHENTICATED" for error in refused.errors or ()):
                raise
        await self._renew()
        return await self._execute(document, variables)

    async def _execute(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        query = gql(document)
        query.variable_values = variables
        async with Client(transport=HTTPXAsyncTransport(url=URL, headers=self._headers)) as session:
            data: dict[str, Any] = await session.execute(query)
        return data

    async def _renew(self) -> None:
        self._headers = {"authorization": f"Bearer {await new_token()}"}


# endregion


# region watch
async def watch(after: str) -> AsyncIterator[dict[str, Any]]:
    """Events after that cursor, each once, however often the line breaks or the token ends."""
    query = gql(WATCH)
    while True:
        transport = WebsocketsTransport(
            url=URL.replace("http", "ws", 1),
            init_payload={"authorization": await new_token()},
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        )
        query.variable_values = {"after": after}
        try:
            async with Client(transport=transport) as session:
                async for result in session.subscribe(query):
                    event = result["viewerEvents"]
                    after = event["cursor"]
                    yield event
        except TransportQueryError:
            raise  # the server answers, and does not want to
        except (TransportError, ConnectionClosed, OSError):
            await asyncio.sleep(0.5)


# endregion


async def main() -> None:
    ask = Asking()

    async def order(order_id: str) -> Any:
        return (await ask(ORDER, id=order_id))["order"]

    async def submit(order_id: str) -> Any:
        return (await ask(SUBMIT, input={"orderId": order_id}))["submitRequirements"]

    await play(order, submit, watch)


if __name__ == "__main__":
    asyncio.run(main())
