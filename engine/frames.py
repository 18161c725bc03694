"""Levels of an answer while it grows: the objects of one selection, and from where in the level above each comes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphql.pyutils import Path

if TYPE_CHECKING:
    from engine.plan import Field, Selection

Items = tuple[int, ...]
"""Indices into a field's list, and into the lists within it."""


class Frame:
    """Objects that are answered together. `outs[i]` is what the answer holds for `sources[i]`; it has its place in the
    answer already, so that nothing has to be handed upward when it is filled.

    `parents[i]` is the object of the level above from whose field it comes, `items[i]` where in that field's lists.
    Where they are told by counting they are left out, which saves two lists a level: no `parents`, when there is one
    object for each of the level above; no `items`, when the field is no list, or a list without gaps."""

    __slots__ = ("above", "field", "items", "outs", "parents", "selection", "sources")

    def __init__(
        self,
        selection: Selection,
        sources: Sequence[Any],
        outs: list[dict[str, Any]],
        above: Frame | None = None,
        field: Field | None = None,
        parents: Sequence[int] | None = None,
        items: list[Items] | None = None,
    ) -> None:
        self.selection = selection
        self.sources = sources
        self.outs = outs
        self.above = above
        self.field = field
        self.parents = parents
        self.items = items

    def origin(self, index: int) -> tuple[int, Items]:
        """From which object of the level above, and from where in the field's lists, this one comes."""
        parents, field = self.parents, self.field
        assert field is not None
        parent = index if parents is None else parents[index]
        if self.items is not None:
            return parent, self.items[index]
        if field.depth == 0 or parents is None:
            return parent, ()
        return parent, (index - bisect_left(parents, parent),)

    def path(self, index: int, field: Field) -> Path:
        """graphql-core's path to a field of one of the objects."""
        prev: Path | None = None
        if self.above is not None:
            assert self.field is not None
            parent, items = self.origin(index)
            prev = self.above.path(parent, self.field)
            for item in items:
                prev = prev.add_key(item, None)
        return Path(prev, field.key, field.parent_type.name)
