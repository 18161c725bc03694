"""The figures of a document: its shape and its cost, measured in one pass before it is validated."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeAlias

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from api.limits import NESTED, Limits, more_than_allowed

PAGE = 25
"""What a list by pages holds when nothing is said."""
LARGEST_PAGE = 100
"""What asks for more is refused where the page is read, with a sentence of its own."""
LIST = 10
"""What any other list of objects is taken to hold: pending requests, actions, reasons."""
MUTATION = 10
"""What a mutation costs besides its answer: a transaction, an event, a ring."""

# ---------------------------------------------------------------- what fields cost


@dataclass(slots=True)
class _Field:
    """`weight`: what one costs itself. `size`: how many there may be; with `pages` or `ids` the document says it.
    `type`: whose fields it has."""

    weight: int
    size: int
    type: str
    pages: bool
    ids: bool


_LEAF = _Field(0, 1, "", pages=False, ids=False)
"""What holds no object; also what the schema does not know, which the validation says better."""
_INTROSPECTION = {
    "__schema": _Field(500, 1, "__Schema", pages=False, ids=False),
    "__type": _Field(50, 1, "__Type", pages=False, ids=False),
}
"""A whole schema at once takes as long as some hundred objects; how deep it may be asked has a rule of graphql-core."""

_Prices: TypeAlias = dict[str, dict[str, _Field]]


def _prices(schema: GraphQLSchema) -> _Prices:
    prices = {
        type_.name: {name: _priced(schema, type_, name, field) for name, field in type_.fields.items()}
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    }
    if schema.query_type:
        prices[schema.query_type.name] |= _INTROSPECTION
    return prices


def _priced(
    schema: GraphQLSchema, parent: GraphQLObjectType | GraphQLInterfaceType, name: str, field: GraphQLField
) -> _Field:
    type_ = get_named_type(field.type)
    extra = MUTATION if parent is schema.mutation_type else 0
    if is_leaf_type(type_):
        # A total is a statement of its own, as dear as the page.
        weight = extra + (name == "totalCount")
        return _Field(weight, 1, "", pages=False, ids=False) if weight else _LEAF
    # What a page is made of is no object of its own; what describes the schema is paid for at the root.
    within = parent.name.endswith("Connection")
    free = parent.name.startswith("__") or type_.name == "PageInfo" or type_.name.endswith("Edge")
    pages = {"first", "last"} <= field.args.keys()
    plain_list = _is_list(field) and not within and not parent.name.startswith("__")
    return _Field(extra + (not free), LIST if plain_list else 1, type_.name, pages, ids="ids" in field.args)


def _is_list(field: GraphQLField) -> bool:
    type_ = field.type.of_type if is_non_null_type(field.type) else field.type
    return is_list_type(type_)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The size of a page that a variable tells, or the length of a list of ids; `usual` when it is not given."""

    variable: str
    usual: int

    def size(self, variables: Mapping[str, object]) -> int:
        match variables.get(self.variable, self):
            case bool():
                return self.usual
            case int() as asked:
                return _within(asked)
            case list() as ids:
                return _within(len(ids))
        return self.usual


@dataclass(eq=False, slots=True)
class _Sum:
    """A cost that depends on variables: of each part its size, times what one costs."""

    constant: int
    parts: list[tuple[int | _Asked, _Cost]]

    def value(self, variables: Mapping[str, object], known: dict[int, int]) -> int:
        """Each sum is worked out once, however often it is a part of others."""
        found = known.get(id(self))
        if found is None:
            found = self.constant
            for size, cost in self.parts:
                times = size if isinstance(size, int) else size.size(variables)
                found += times * (cost if isinstance(cost, int) else cost.value(variables, known))
            known[id(self)] = found
        return found


_Cost: TypeAlias = int | _Sum


def _within(asked: int) -> int:
    return min(max(asked, 0), LARGEST_PAGE)


# ---------------------------------------------------------------- figures


@dataclass(slots=True)
class _Shape:
    """Of a selection, or of a whole operation. `repetitions`: for each level below, how often one key may stand there
    once all that is merged is merged; never less than it is."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    repetitions: list[int] = field(default_factory=list)
    cost: _Cost = 0


@dataclass(frozen=True, slots=True)
class OperationFigures:
    """Of one operation. Without a name when it has none."""

    name: str | None
    kind: str
    _cost: _Cost

    def cost(self, variables: Mapping[str, object] | None) -> int:
        """How many objects the answer may hold, with these variables."""
        return self._cost if isinstance(self._cost, int) else self._cost.value(variables or {}, {})


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a document: the most of each kind that one of its operations or fragments has. `visited`: how many nodes were
    looked at, each once."""

    depth: int
    fields: int
    aliases: int
    root_fields: int
    repetitions: int
    directives: int
    fragments: int
    operations: tuple[OperationFigures, ...]
    visited: int

    def operation(self, name: str | None) -> OperationFigures | None:
        """The one of that name; the first one, when no name is given."""
        return next((each for each in self.operations if name is None or each.name == name), None)

    def too_much(self, limits: Limits) -> str | None:
        """What is wrong with the document's shape, whatever the variables."""
        for what, found, most in (
            ("operations", len(self.operations), limits.operations),
            ("fragments", self.fragments, limits.fragments),
            ("levels of fields", self.depth, limits.depth),
            ("root fields", self.root_fields, limits.root_fields),
            ("fields, with each fragment in its places", self.fields, limits.fields),
            ("aliases, with each fragment in its places", self.aliases, limits.aliases),
            ("directives", self.directives, limits.directives),
            ("repetitions of a field", self.repetitions, limits.repetitions),
        ):
            if found > most:
                return more_than_allowed(what, found, most)
        return None


class Measuring:
    """Measures documents over one schema. What was measured is known for as long as the document is kept."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._prices = _prices(schema)
        self._known: dict[int, tuple[weakref.ref[DocumentNode], Figures]] = {}

    def figures(self, document: DocumentNode) -> Figures:
        """One pass over the document, the first time."""
        key = id(document)
        known = self._known.get(key)
        if known is not None:
            return known[1]
        found = _Pass(self._schema, self._prices, document).figures()
        self._known[key] = (weakref.ref(document, lambda _: self._known.pop(key, None)), found)
        return found


class _NestedTooDeeply(Exception):
    pass


class _Pass:
    """One pass over one document: each node is visited once, fragments too, wherever they are spread."""

    def __init__(self, schema: GraphQLSchema, prices: _Prices, document: DocumentNode) -> None:
        self._schema = schema
        self._prices = prices
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._operations: list[OperationDefinitionNode] = []
        for definition in document.definitions:
            if isinstance(definition, FragmentDefinitionNode):
                self._fragments.setdefault(definition.name.value, definition)
            elif isinstance(definition, OperationDefinitionNode):
                self._operations.append(definition)
        self._shapes: dict[str, _Shape] = {}
        self._usual: dict[str, int] = {}
        self._directives = 0
        self._visited = 0
        self._root_fields = 0

    def figures(self) -> Figures:
        try:
            operations = [(node, self._operation(node)) for node in self._operations]
            # Also what no operation spreads is validated.
            shapes = [*(shape for _, shape in operations), *(self._fragment(name, 0) for name in self._fragments)]
        except _NestedTooDeeply:
            operations, shapes = [], [_Shape(depth=NESTED)]
        return Figures(
            depth=max((shape.depth for shape in shapes), default=0),
            fields=max((shape.fields for shape in shapes), default=0),
            aliases=max((shape.aliases for shape in shapes), default=0),
            root_fields=self._root_fields,
            repetitions=max((number for shape in shapes for number in shape.repetitions), default=0),
            directives=self._directives,
            fragments=len(self._fragments),
            operations=tuple(
                OperationFigures(node.name.value if node.name else None, node.operation.value, _plus_one(shape.cost))
                for node, shape in operations
            ),
            visited=self._visited,
        )

    def _operation(self, node: OperationDefinitionNode) -> _Shape:
        self._count(node.directives)
        self._usual = {
            variable.variable.name.value: _literal(variable.default_value, PAGE)
            for variable in node.variable_definitions or ()
            if isinstance(variable.default_value, IntValueNode | ListValueNode)
        }
        for variable in node.variable_definitions or ():
            self._count(variable.directives)
        root = self._schema.get_root_type(node.operation)
        shape = self._selection(node.selection_set, root.name if root else "", 1)
        self._root_fields = max(self._root_fields, self._roots(node.selection_set, set()))
        return shape

    def _roots(self, selections: SelectionSetNode, seen: set[str]) -> int:
        """Fields at the root, a fragment's counted once: nobody spreads one twice there and gets more for it."""
        number = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                number += 1
            elif isinstance(node, InlineFragmentNode):
                number += self._roots(node.selection_set, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self._fragments.get(node.name.value)
                number += self._roots(fragment.selection_set, seen) if fragment else 0
        return number

    def _selection(self, selections: SelectionSetNode, type_name: str, nested: int) -> _Shape:
        if nested > NESTED:
            raise _NestedTooDeeply
        shape = _Shape()
        merged: dict[str, list[int]] = {}
        spread: list[list[int]] = []
        parts: list[tuple[int | _Asked, _Cost]] = []
        fields = self._prices.get(type_name, {})
        for node in selections.selections:
            self._visited += 1
            if node.directives:
                self._count(node.directives)
            if isinstance(node, FieldNode):
                self._field(node, fields.get(node.name.value, _LEAF), nested, shape, merged, parts)
                continue
            if isinstance(node, InlineFragmentNode):
                narrower = node.type_condition.name.value if node.type_condition else type_name
                inner = self._selection(node.selection_set, narrower, nested + 1)
            else:
                assert isinstance(node, FragmentSpreadNode), "there are no other selections"
                inner = self._fragment(node.name.value, nested)
            shape.depth = max(shape.depth, inner.depth)
            shape.fields += inner.fields
            shape.aliases += inner.aliases
            parts.append((1, inner.cost))
            spread.append(inner.repetitions)
        shape.repetitions = _repetitions(merged.values(), spread)
        shape.cost = _total(parts)
        return shape

    def _field(
        self,
        node: FieldNode,
        field: _Field,
        nested: int,
        shape: _Shape,
        merged: dict[str, list[int]],
        parts: list[tuple[int | _Asked, _Cost]],
    ) -> None:
        key = node.alias.value if node.alias else node.name.value
        inner = self._selection(node.selection_set, field.type, nested + 1) if node.selection_set else _NOTHING
        shape.depth = max(shape.depth, 1 + inner.depth)
        shape.fields += 1 + inner.fields
        shape.aliases += inner.aliases + (node.alias is not None)
        known = merged.get(key)
        if known is None:
            merged[key] = [1, *inner.repetitions]
        elif inner.repetitions:
            merged[key] = _added(known, (1, *inner.repetitions))
        else:
            known[0] += 1
        if field is _LEAF:
            return
        size = self._size(node, field)
        if field.weight:
            parts.append((1 if field.pages else size, field.weight))
        if inner.cost:
            parts.append((size, inner.cost))

    def _fragment(self, name: str, nested: int) -> _Shape:
        """Measured once. One that spreads itself ends here: the validation refuses it."""
        known = self._shapes.get(name)
        if known is not None:
            return known
        fragment = self._fragments.get(name)
        self._shapes[name] = _NOTHING
        if fragment is None:
            return _NOTHING
        self._count(fragment.directives)
        found = self._selection(fragment.selection_set, fragment.type_condition.name.value, nested + 1)
        self._shapes[name] = found
        return found

    def _count(self, directives: Iterable[DirectiveNode] | None) -> None:
        if directives:
            self._directives += len(tuple(directives))

    def _size(self, node: FieldNode, field: _Field) -> int | _Asked:
        """How many there may be. Of `first` and `last` together the larger one; that is refused where it is read."""
        if field.pages:
            named = [argument for argument in node.arguments or () if argument.name.value in ("first", "last")]
            sizes = [self._asked(argument, PAGE) for argument in named if not _is_null(argument)]
            return _larger(sizes) if sizes else PAGE
        if field.ids:
            named = [argument for argument in node.arguments or () if argument.name.value == "ids"]
            return self._asked(named[0], LARGEST_PAGE) if named else LIST
        return field.size

    def _asked(self, argument: ArgumentNode, usual: int) -> int | _Asked:
        value = argument.value
        if isinstance(value, VariableNode):
            name = value.name.value
            return _Asked(name, self._usual.get(name, usual))
        return _literal(value, usual)


_NOTHING = _Shape()


def _is_null(argument: ArgumentNode) -> bool:
    return isinstance(argument.value, NullValueNode)


def _literal(value: ValueNode | None, usual: int) -> int:
    if isinstance(value, ListValueNode):
        return _within(len(value.values))
    if isinstance(value, IntValueNode):
        digits = value.value
        return _within(int(digits)) if len(digits) < 10 else 0 if digits.startswith("-") else LARGEST_PAGE
    return usual


def _larger(sizes: list[int | _Asked]) -> int | _Asked:
    """When variables tell both, the most that there can be."""
    if len(sizes) == 1:
        return sizes[0]
    return max(size if isinstance(size, int) else LARGEST_PAGE for size in sizes)


def _added(one: Iterable[int], other: Iterable[int]) -> list[int]:
    return [a + b for a, b in zip_longest(one, other, fillvalue=0)]


def _repetitions(merged: Iterable[list[int]], spread: Iterable[list[int]]) -> list[int]:
    """Of the fields that stand here the most for one key; what fragments bring may come on top of it."""
    found: list[int] = []
    for numbers in merged:
        if len(numbers) > 1 or numbers[0] > 1 or not found:
            found = [max(a, b) for a, b in zip_longest(found, numbers, fillvalue=0)]
    for numbers in spread:
        found = _added(found, numbers)
    return found


def _total(parts: list[tuple[int | _Asked, _Cost]]) -> _Cost:
    constant = 0
    open_: list[tuple[int | _Asked, _Cost]] = []
    for size, cost in parts:
        if isinstance(size, int) and isinstance(cost, int):
            constant += size * cost
        else:
            open_.append((size, cost))
    return _Sum(constant, open_) if open_ else constant


def _plus_one(cost: _Cost) -> _Cost:
    """Whatever is asked costs something."""
    return cost + 1 if isinstance(cost, int) else _Sum(1, [(1, cost)])
