"""How a field is read for a whole level: the values of all its parents, whatever way leads to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.awaiting import is_awaitable
from engine.completing import complete, write_column
from engine.info import LevelInfo, ResolveInfo
from engine.readers import Attribute, Batch, Lookup, Method, Resolver

if TYPE_CHECKING:
    from engine.frames import Frame
    from engine.plan import Field
    from engine.run import Run, Work


def read(run: Run, frame: Frame, field: Field, work: Work) -> None:
    """Reads a field of all objects of a frame, and writes what can be written into the answer at once."""
    if field.name == "__typename":
        name = frame.selection.type.name
        for out in frame.outs:
            out[field.key] = name
        return
    reader = field.reader
    if isinstance(reader, Attribute):
        values = _attributes(reader, frame.sources)
    elif isinstance(reader, Batch):
        _read_batch(run, frame, field, reader, work)
        return
    else:
        values = _called(run, frame, field, reader)
    complete(run, frame, field, None, values, work)


def _attributes(reader: Attribute, sources: Sequence[Any]) -> list[Any]:
    """`map` and `extend` keep what was read when one of them fails, and go on behind it."""
    values: list[Any] = []
    todo = map(reader.get, sources)
    while len(values) < len(sources):
        try:
            values.extend(todo)
        except Exception as error:  # noqa: BLE001 - a field's error is a value
            values.append(error)
        else:
            if len(values) < len(sources):
                # A property that raises StopIteration looks to `map` like the end.
                values.append(StopIteration())
    return values


def _called(run: Run, frame: Frame, field: Field, reader: Lookup | Method | Resolver) -> list[Any]:
    """One call for each parent."""
    arguments: dict[str, Any] = {}
    shared = True
    if field.has_arguments:
        try:
            arguments, shared = field.arguments(run.variables, run.hide_suggestions)
        except Exception as error:  # noqa: BLE001 - a field's error is a value
            return [error] * len(frame.sources)
    if not shared and len(frame.sources) > 1:
        return _called_apart(run, frame, field, reader)
    call = _caller(run, frame, field, reader)
    values: list[Any] = []
    for index, source in enumerate(frame.sources):
        try:
            values.append(call(source, index, arguments))
        except Exception as error:  # noqa: BLE001 - a field's error is a value
            values.append(error)
    return values


def _called_apart(run: Run, frame: Frame, field: Field, reader: Lookup | Method | Resolver) -> list[Any]:
    """As `_called`, each parent with arguments of its own."""
    call = _caller(run, frame, field, reader)
    values: list[Any] = []
    for index, source in enumerate(frame.sources):
        try:
            values.append(call(source, index, field.arguments(run.variables, run.hide_suggestions)[0]))
        except Exception as error:  # noqa: BLE001 - a field's error is a value
            values.append(error)
    return values


def _caller(
    run: Run, frame: Frame, field: Field, reader: Lookup | Method | Resolver
) -> Callable[[Any, int, dict[str, Any]], Any]:
    if isinstance(reader, Method):
        method = reader.function
        return lambda source, _, arguments: method(source, **arguments)
    if isinstance(reader, Resolver):
        function = reader.function
        return lambda source, index, arguments: function(source, ResolveInfo(run, field, frame, index), **arguments)
    name = reader.name

    def look_up(source: Any, index: int, arguments: dict[str, Any]) -> Any:
        value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        return value(ResolveInfo(run, field, frame, index), **arguments) if callable(value) else value

    return look_up


def _read_batch(run: Run, frame: Frame, field: Field, reader: Batch, work: Work) -> None:
    """One call for all parents."""
    try:
        arguments = field.arguments(run.variables, run.hide_suggestions)[0] if field.has_arguments else {}
        answer = reader.function(frame.sources, LevelInfo(run, field), **arguments)
    except Exception as error:  # noqa: BLE001 - a field's error is a value
        answer = [error] * len(frame.sources)
    if is_awaitable(answer):
        write_column(frame, None, field.key, [None] * len(frame.outs))
        work.wait([answer], lambda got, then: _batch_came(run, frame, field, got[0], then))
    else:
        _batch_came(run, frame, field, answer, work)


def _batch_came(run: Run, frame: Frame, field: Field, answer: Any, work: Work) -> None:
    wanted = len(frame.sources)
    if isinstance(answer, Exception):
        values: Sequence[Any] = [answer] * wanted
    elif isinstance(answer, list | tuple) and len(answer) == wanted:
        values = answer
    else:
        got = f"{len(answer)} values" if isinstance(answer, list | tuple) else type(answer).__name__
        error = TypeError(f"The batch of {field.parent_type}.{field.name} gave {got} for {wanted} parents.")
        values = [error] * wanted
    complete(run, frame, field, None, values, work)
