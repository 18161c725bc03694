"""The contract as the tests read it that try everything: each mutation with an input, each type with all its fields."""

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from api.schema import schema

CONTRACT = schema._schema
assert CONTRACT.query_type
assert CONTRACT.mutation_type
assert CONTRACT.subscription_type

QUERIES = CONTRACT.query_type.fields
SUBSCRIPTIONS = CONTRACT.subscription_type.fields
MUTATIONS: dict[str, GraphQLInputObjectType] = {
    name: get_named_type(field.args["input"].type) for name, field in CONTRACT.mutation_type.fields.items()
}
"""The input of each mutation."""

ID_FIELDS = {"orderId": "order", "requestId": "request", "caseId": "support_case"}
"""Which inputs name a thing, and of what kind."""


def named_thing(mutation: str) -> str | None:
    """The input by which a mutation names the thing that it acts on; None: it makes a new one."""
    return next((name for name in MUTATIONS[mutation].fields if name in ID_FIELDS), None)


def an_input(mutation: str, **given: Any) -> dict[str, Any]:
    """An input that fits the schema, with every required field in it; what is given stands where it fits."""
    fields = MUTATIONS[mutation].fields
    wanted = {name: field for name, field in fields.items() if name in given or is_required_input_field(field)}
    return {name: given.get(name, _sample(field)) for name, field in wanted.items()}


def _sample(field: GraphQLInputField) -> object:
    kind = get_named_type(field.type)
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return {name: _sample(inner) for name, inner in kind.fields.items() if is_required_input_field(inner)}
    return {"Decimal": "5.00", "CurrencyCode": "USD", "Int": 2, "ID": "nothing"}.get(kind.name, "Some words.")


def mutation(name: str, returning: str | None = None) -> str:
    """The document of a mutation with `$input`; it returns everything, unless told what."""
    assert CONTRACT.mutation_type
    payload = get_named_type(CONTRACT.mutation_type.fields[name].type)
    selection = everything(payload.name) if returning is None else returning
    return f"mutation($input: {MUTATIONS[name].name}!) {{ {name}(input: $input) {{ {selection} }} }}"


def root(name: str, *, kind: str = "query", on: str | None = None, depth: int = 5, **arguments: str) -> str:
    """The document of a root field with everything in it. `kind` may declare variables; `arguments` are literals or
    variables, and one that is required and not given names nothing. `on` says of what type a node is."""
    field = (SUBSCRIPTIONS if kind.startswith("subscription") else QUERIES)[name]
    required = {argument for argument, a in field.args.items() if is_required_argument(a)}
    given = {argument: '["nothing"]' if argument == "ids" else '"nothing"' for argument in required} | arguments
    call = f"({', '.join(f'{argument}: {literal}' for argument, literal in given.items())})" if given else ""
    selected = everything(on or get_named_type(field.type).name, depth)
    inner = f"... on {on} {{ {selected} }}" if on else selected
    return f"{kind} {{ {name}{call} {inner and f'{{ {inner} }}'} }}"


def everything(type_name: str, depth: int = 5, above: frozenset[str] = frozenset()) -> str:
    """A selection of all fields of a type and of what lies behind them, so that a field that is new tomorrow is asked
    for too. What stands above is not gone into again."""
    kind = CONTRACT.get_type(type_name)
    if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    above |= {type_name, *(interface.name for interface in kind.interfaces)}
    parts = ["__typename", *_fields(kind, depth, above)]
    # A node may be of any type, whose fields of one name don't go together: who asks for a node says of what type.
    if isinstance(kind, GraphQLInterfaceType) and type_name != "Node":
        for possible in CONTRACT.get_possible_types(kind):
            own = _fields(possible, depth, above | {possible.name}, but=frozenset(kind.fields))
            parts.append(f"... on {possible.name} {{ {' '.join(own)} }}")
    return " ".join(parts)


def _fields(
    kind: GraphQLObjectType | GraphQLInterfaceType,
    depth: int,
    above: frozenset[str],
    but: frozenset[str] = frozenset(),
) -> list[str]:
    found = []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if name in but or any(is_required_argument(argument) for argument in field.args.values()):
            continue
        if is_leaf_type(inner):
            found.append(name)
        elif depth and inner.name not in above:
            found.append(f"{name} {{ {everything(inner.name, depth - 1, above)} }}")
    return found
