"""What every thing with an id has in common."""

from typing import Any, ClassVar

import strawberry

from api.ids import Kind, global_id


@strawberry.interface(description="Something with a global id, to be fetched again by `node`.")
class Node:
    id_kind: ClassVar[Kind]
    row: strawberry.Private[Any]

    @strawberry.field(description="Opaque, the same for ever, unique among all things.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(global_id(self.id_kind, self.row.id))
