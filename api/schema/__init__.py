"""What clients see: the schema, built once a process, and its printed form."""

from graphql import lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from api.schema.documents import KnownDocuments, remembering
from api.schema.extensions import (
    BlockedAreRefused,
    EventCursorFirst,
    Introspecting,
    OneOperation,
    PresentableErrors,
    Watched,
)
from api.schema.limiting import Limited
from api.schema.mutation import Mutation
from api.schema.product import ProductSchema
from api.schema.query import Query
from api.schema.requests import REQUEST_TYPES
from api.schema.scalars import SCALARS
from api.schema.subscription import Subscription

_known = KnownDocuments()

schema = ProductSchema(
    _known,
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=REQUEST_TYPES,
    extensions=[
        Watched,
        PresentableErrors,
        BlockedAreRefused,
        EventCursorFirst,
        remembering(_known),
        OneOperation,
        Introspecting,
        Limited,
    ],
    config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
)


def print_sdl() -> str:
    """The schema in its definition language, sorted, as schema.graphql holds it."""
    return print_schema(lexicographic_sort_schema(schema._schema)) + "\n"
