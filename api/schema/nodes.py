"""What every thing with an id has in common."""

import strawberry


@strawberry.interface(description="Something with a global id, to be fetched again by `node`.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque, the same for ever, unique among all things.")
