"""How a field is read for a whole level: the values of all its parents, whatever way leads to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.awaiting import is_awaitable
from engine.completing import complete, write_column
from engine.frames import Frame
from engine.info import LevelInfo, ResolveInfo
from engine.readers import Attribute, Batch, Itself, Lookup, Method, Resolver

if TYPE_CHECKING:
    from engine.plan import Field
    from engine.run import Run, Work


def read_fields(run: Run, frame: Frame, work: Work) -> None:
    """Reads all fields of a frame, and writes what can be written into the answer at once."""
    if len(frame.sources) == 1:
        _read_one(run, frame, work)
        return
    for field in frame.selection.fields:
        _read(run, frame, field, work)


def _read_one(run: Run, frame: Frame, work: Work) -> None:
    """The same for a frame of one object. No column is made of a value that is as usual: one order is read 1.4 times as
    fast."""
    source, out = frame.sources[0], frame.outs[0]
    for field in frame.selection.fields:
        get, reader = field.get, field.reader
        if get is not None:
            try:
                value = get(source)
            except Exception as error:  # noqa: BLE001 - a field's error is a value
                value = error
        elif isinstance(reader, Batch):
            answer = _batch_answer(run, frame, field, reader)
            if type(answer) is not list or len(answer) != 1:
                _take_batch(run, frame, field, answer, work)
                continue
            value = answer[0]
        else:
            _read(run, frame, field, work)
            continue
        kind = type(value)
        if kind in field.as_is:
            out[field.key] = value
        elif field.depth == 0 and field.column and (column := field.column({kind}, (value,), field.nullable[0])):
            out[field.key] = column[0]
        elif field.depth == 0 and kind in field.known:
            made: dict[str, Any] = {}
            out[field.key] = made
            work.frames.append(Frame(field.selection(field.known[kind]), [value], [made], frame, field))
        else:
            complete(run, frame, field, None, [value], work)


def _read(run: Run, frame: Frame, field: Field, work: Work) -> None:
    """Reads a field of all objects of a frame."""
    reader = field.reader
    if field.get is not None:
        values = (_mapped if isinstance(reader, Attribute) else _asked)(field.get, frame.sources)
    elif isinstance(reader, Batch):
        _read_batch(run, frame, field, reader, work)
        return
    else:
        assert not isinstance(reader, Attribute | Itself)
        values = _called(run, frame, field, reader)
    complete(run, frame, field, None, values, work)


def _mapped(get: Callable[[Any], Any], sources: Sequence[Any]) -> list[Any]:
    """In C. `map` and `extend` keep what was read when one of them fails, and go on behind it."""
    values: list[Any] = []
    todo = map(get, sources)
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


def _asked(function: Callable[[Any], Any], sources: Sequence[Any]) -> list[Any]:
    """One call for each parent, which is all that it is given."""
    values: list[Any] = []
    for source in sources:
        try:
            values.append(function(source))
        except Exception as error:  # noqa: BLE001 - a field's error is a value
            values.append(error)
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
    _take_batch(run, frame, field, _batch_answer(run, frame, field, reader), work)


def _batch_answer(run: Run, frame: Frame, field: Field, reader: Batch) -> Any:
    try:
        arguments = field.arguments(run.variables, run.hide_suggestions)[0] if field.has_arguments else {}
        return reader.function(frame.sources, LevelInfo(run, field), **arguments)
    except Exception as error:  # noqa: BLE001 - a field's error is a value
        return [error] * len(frame.sources)


def _take_batch(run: Run, frame: Frame, field: Field, answer: Any, work: Work) -> None:
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
