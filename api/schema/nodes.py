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
        # Kept: one person stands behind many orders of a page.
        found: strawberry.ID | None = self.__dict__.get("_id")
        if found is None:
            found = self.__dict__["_id"] = strawberry.ID(global_id(self.id_kind, self.row.id))
        return found
