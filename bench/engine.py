"""`python -m bench.engine`: one page of orders executed in memory, by graphql-core, by Strawberry and by the engine."""

import argparse
import asyncio
import gc
import inspect
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from statistics import median
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import strawberry
from graphql import (
    ExecutionResult,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    execute,
    get_named_type,
    is_abstract_type,
    lexicographic_sort_schema,
    parse,
)
from strawberry import Info
from strawberry.dataloader import DataLoader
from strawberry.schema.config import StrawberryConfig

from api.app import utc_now
from api.execution import Executing, engine_for
from api.levels import BATCHES
from api.schema.documents import KnownDocuments, remembering
from api.schema.orders import Order
from api.schema.requests import REQUEST_TYPES
from api.schema.scalars import SCALARS
from bench import works
from engine import Engine, ordinary
from rules.policy import DEFAULT
from rules.visibility import Viewer
from rules.vocabulary import OnDeadline, OrderStatus, RequestKind, RequestStatus, Role

ORDERS = 20
EMPTY = """placed_by_id delivered_at auto_completes_at completed_at cancelled_at frozen_at reminded_seconds
  cancellation_cause next_deadline_at""".split()
"""The columns of an order that hold nothing."""
PAGE = f"""{{ orders {{ __typename {works.LEAVES} client {{ {works.PERSON} }} freelancer {{ {works.PERSON} }}
  resolutionCenter {{ pendingRequests {{ id kind status requestedByRole createdAt respondBy onDeadline
    ... on PartialRefundOffer {{ amount {{ amount currencyCode }} }} }} }} }} }}"""
"""The page of W1 without its connection: all that a list shows, with both people and what is pending."""

Execute = Callable[[], Awaitable[ExecutionResult] | ExecutionResult]


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a run of seconds, to see that it works")
    asyncio.run(_measure(rounds=3 if options.parse_args().quick else 25))


async def _measure(rounds: int) -> None:
    executions = await _executions()
    gc.collect()
    gc.freeze()
    found: dict[str, list[float]] = {name: [] for name in executions}
    for _ in range(rounds):
        for name, execution in executions.items():
            found[name].append(await _seconds(execution))
    base = median(found["Strawberry's execute"])
    print(f"{ORDERS} orders, {rounds} interleaved rounds, medians\n")
    for name, times in found.items():
        print(f"{median(times) * 1e6:8,.0f} µs  {base / median(times):5.2f} x Strawberry  {name}")


async def _seconds(execution: Execute, repeat: int = 10) -> float:
    began = time.perf_counter()
    for _ in range(repeat):
        result = execution()
        if inspect.isawaitable(result):
            await result
    return (time.perf_counter() - began) / repeat


async def _executions() -> dict[str, Execute]:
    """What is compared; each must give the same answer."""
    document = parse(PAGE)
    context = _context()
    schema, planned, batching = _schema(), _schema(Executing), _schema()
    Executing.engine = engine_for(planned, {})
    batched = engine_for(batching, BATCHES)
    answer = await schema.execute(PAGE, context_value=context)
    assert answer.data and not answer.errors, answer.errors
    plain, root = _plain(schema._schema, answer.data)
    plain_engine = Engine(plain, reader_of=ordinary)
    direct = engine_for(schema, {})
    executions: dict[str, Execute] = {
        "graphql-core, everything in memory: its floor": lambda: execute(plain, document, root_value=root),
        "engine, everything in memory": lambda: plain_engine.execute(document, root_value=root),
        "Strawberry's execute": lambda: schema.execute(PAGE, context_value=context),  # type: ignore[dict-item,return-value]
        "graphql-core over Strawberry's schema, parsed": lambda: execute(
            schema._schema, document, context_value=context
        ),
        "Strawberry's execute with the engine as its executor": lambda: planned.execute(  # type: ignore[dict-item,return-value]
            PAGE, context_value=context
        ),
        "engine over Strawberry's schema, with loaders": lambda: direct.execute(document, context=context),
        "engine over Strawberry's schema, with batches": lambda: batched.execute(document, context=context),
    }
    for name, execution in executions.items():
        result = execution()
        found = await result if inspect.isawaitable(result) else result
        assert found.data == answer.data, f"{name} answers something else: {found.errors}"
    return executions


# ------------------------------------------------------------------------------------------------ the schema's shape


@strawberry.type(description="The root.")
class Query:
    @strawberry.field(description="The page.")  # type: ignore[untyped-decorator]  # Strawberry types it as Any
    def orders(self, info: Info[Any, None]) -> list[Order]:
        return [Order.of(row) for row in info.context.orders]


# Nobody parses or validates here: Strawberry knows the document from the first time on, as in the product.


def _schema(executor: Any = None) -> strawberry.Schema:
    return strawberry.Schema(
        query=Query,
        types=REQUEST_TYPES,
        extensions=[remembering(KnownDocuments())],
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=executor,
    )


def _context() -> Any:
    """Rows in memory behind loaders that answer at once."""
    now = utc_now()
    users = {UUID(int=n): SimpleNamespace(id=UUID(int=n), subject=f"user-{n}", name=f"User {n}") for n in range(1, 22)}
    orders = [_order(number, now) for number in range(ORDERS)]
    requests = {order.id: [_request(order, number, now) for number in range(2)] for order in orders}

    def loader(found: dict[UUID, Any]) -> DataLoader[UUID, Any]:
        async def load(keys: list[UUID]) -> list[Any]:
            return [found.get(key) for key in keys]

        return DataLoader(load, cache=False)

    loaders = SimpleNamespace(users=loader(users), pending_requests=loader(requests))
    viewer = Viewer(UUID(int=1))
    return SimpleNamespace(
        orders=orders, users=users, requests=requests, loaders=loaders, viewer=viewer, policy=DEFAULT, now=lambda: now
    )


def _order(number: int, now: datetime) -> SimpleNamespace:
    return SimpleNamespace(
        **dict.fromkeys(EMPTY),
        id=UUID(int=1_000 + number),
        reference=f"R-{number}",
        title=f"Order {number}",
        status=OrderStatus.IN_PROGRESS,
        version=2,
        client_id=UUID(int=1),
        freelancer_id=UUID(int=2 + number),
        currency="USD",
        price_minor=10_000,
        refunded_minor=0,
        delivery_days=3,
        created_at=now,
        started_at=now,
        delivery_due_at=now + timedelta(days=3),
        counted=True,
        people=None,
        pending=None,
    )


def _request(order: SimpleNamespace, number: int, now: datetime) -> SimpleNamespace:
    return SimpleNamespace(
        id=UUID(int=order.id.int * 10 + number),
        kind=RequestKind.PARTIAL_REFUND if number else RequestKind.CANCELLATION,
        status=RequestStatus.PENDING,
        requested_by_role=Role.FREELANCER,
        created_at=now,
        respond_by=now + timedelta(hours=48 + number),
        on_deadline=OnDeadline.EXPIRE,
        settled_at=None,
        settled_by_role=None,
        decline_message=None,
        currency="USD",
        amount_minor=1_000,
        text="Why.",
    )


# ------------------------------------------------------------------------------------------------ the floor


def _plain(schema: GraphQLSchema, data: Any) -> tuple[GraphQLSchema, Any]:
    """The same schema without resolvers, and the answer as plain objects that it reads them from."""
    copy = lexicographic_sort_schema(schema)
    for type_ in copy.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            type_.is_type_of = None
            for field in type_.fields.values():
                field.resolve = None
        elif is_abstract_type(type_):
            type_.resolve_type = lambda thing, *_: (
                "PartialRefundOffer" if hasattr(thing, "amount") else "CancellationRequest"
            )
    assert copy.query_type
    return copy, _read(copy, copy.query_type, data)


def _read(schema: GraphQLSchema, type_: Any, data: Any) -> Any:
    if data is None:
        return None
    type_ = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if isinstance(type_, GraphQLList):
        return [_read(schema, type_.of_type, item) for item in data]
    if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
        return type_.coerce_input_value(data)
    of: Any = schema.type_map["PartialRefundOffer"] if is_abstract_type(type_) else get_named_type(type_)
    fields = of.fields
    return SimpleNamespace(
        **{name: _read(schema, fields[name].type, value) for name, value in data.items() if name != "__typename"}
    )


if __name__ == "__main__":
    main()
