"""Relay's connections, over pages by keyset."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Generic, TypeVar

import strawberry

from api.resolvers.lists import Slice
from models.paging import RowT

N = TypeVar("N")

First = Annotated[
    int | None, strawberry.argument(description="How many from the start, 1 to 100. Without first and last: 25.")
]
After = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Last = Annotated[
    int | None, strawberry.argument(description="How many from the end, 1 to 100. Not together with first.")
]
Before = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]


@strawberry.type(description="What lies beyond a page.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="Whether more follows. Known when paging forward, or when `before` was given."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether more stands before. Known when paging backward, or when `after` was given."
    )
    start_cursor: str | None = strawberry.field(description="The cursor of the page's first node.")
    end_cursor: str | None = strawberry.field(description="The cursor of the page's last node.")


@strawberry.type(description="A node with its place in the list.")
class Edge(Generic[N]):
    cursor: str = strawberry.field(description="Pass it as `after` or `before` to go on from here.")
    node: N = strawberry.field(description="What stands here.")


@strawberry.type(description="One page of a list. Its cursors stay right while rows come and go.")
class Connection(Generic[N]):
    edges: list[Edge[N]] = strawberry.field(description="The nodes of this page, each with its cursor.")
    nodes: list[N] = strawberry.field(description="The nodes of this page.")
    page_info: PageInfo = strawberry.field(description="What lies beyond this page.")
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(
        description="How many there are on all pages together, as far as you may see them. Costs a count of its own."
    )
    async def total_count(self) -> int | None:
        return await self.count()


def connection(found: Slice[RowT], present: Callable[[RowT], N]) -> Connection[N]:
    """A page of rows as a connection of what `present` makes of them."""
    page = found.page
    nodes = [present(row) for row in page.rows]
    return Connection(
        edges=[Edge(cursor=cursor, node=node) for cursor, node in zip(page.cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=page.cursors[0] if page.cursors else None,
            end_cursor=page.cursors[-1] if page.cursors else None,
        ),
        count=found.count,
    )
