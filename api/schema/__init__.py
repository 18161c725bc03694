"""What clients see: the schema, built once a process, and its printed form."""

import strawberry
from graphql import lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from api.schema.documents import remembering
from api.schema.extensions import EventCursorFirst, PresentableErrors, Watched
from api.schema.mutation import Mutation
from api.schema.query import Query
from api.schema.requests import REQUEST_TYPES
from api.schema.scalars import SCALARS
from api.schema.subscription import Subscription

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=REQUEST_TYPES,
    extensions=[Watched, PresentableErrors, EventCursorFirst, remembering()],
    config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
)


def print_sdl() -> str:
    """The schema in its definition language, sorted, as schema.graphql holds it."""
    return print_schema(lexicographic_sort_schema(schema._schema)) + "\n"
