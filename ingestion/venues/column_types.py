"""Columns of text as the type of their field has them: read as JSON is, or left to whoever reads it row by row."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from operator import ge, gt, le, lt
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, Union, get_args, get_origin

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.venues.bulk import Unplain

Texts: TypeAlias = Any  # an array of text
Read = Callable[[Texts, bool], Any]  # given what stands there, and whether in quotes; raises one of `SLIPS`

_BOUNDS: Mapping[str, Callable[[Any, Any], Any]] = {"ge": ge, "gt": gt, "le": le, "lt": lt}  # of `msgspec.Meta`
_NUMBER, _DOT, _ZERO, _MINUS = b"0123456789.-", *b".0-"


class ColumnType(NamedTuple):
    """A field of a row: its name on the wire or its place, how a column of it is read, and what it is if missing."""

    name: str
    read: Read
    default: Any


def column_types(row: type[Any], *, strict: bool) -> Mapping[str, ColumnType]:
    """Of each field of a row, how it is read; in strict JSON a number never stands in quotes."""
    is_list = row.__struct_config__.array_like
    return {
        field.name: ColumnType(str(place) if is_list else field.encode_name, _reader(field.type, strict), field.default)
        for place, field in enumerate(msgspec.structs.fields(row))
    }


def _reader(hint: Any, strict: bool) -> Read:
    if get_origin(hint) is Annotated:
        hint, *metas = get_args(hint)
        return _bounded(_reader(hint, strict), metas) if hint in {float, int} else _left
    if get_origin(hint) in {Union, UnionType}:
        members = [member for member in get_args(hint) if member not in {NoneType, msgspec.UnsetType}]
        if set(members) == {str, int}:
            return lambda texts, is_quoted: texts if is_quoted else _ints(texts)
        return _reader(members[0], strict) if len(members) == 1 else _left
    if get_origin(hint) is Literal and all(isinstance(each, str) for each in get_args(hint)):
        allowed = pa.array(get_args(hint), pa.string())
        return lambda texts, is_quoted: _among(_quoted(texts, is_quoted), allowed)
    if hint is str:
        return _quoted
    if hint is bool:
        return _bools
    if hint in {float, int}:
        read = _floats if hint is float else _ints
        return lambda texts, is_quoted: read(_plain(texts, is_quoted, strict))
    if hint in {msgspec.Raw, Decimal}:
        return lambda texts, is_quoted: _plain(texts, is_quoted, strict)
    return _left


def _bounded(read: Read, metas: Sequence[msgspec.Meta]) -> Read:
    def within(texts: Texts, is_quoted: bool) -> Any:
        numbers = read(texts, is_quoted)
        for meta in metas:
            for bound, is_held in _BOUNDS.items():
                limit = getattr(meta, bound)
                if limit is not None and not is_held(numbers, limit).all():
                    raise Unplain("a number out of bounds")
        return numbers

    return within


def _left(texts: Texts, is_quoted: bool) -> Texts:
    raise Unplain("a field that is no number and no text")


def _quoted(texts: Texts, is_quoted: bool) -> Texts:
    if not is_quoted:
        raise Unplain("text without quotes")
    return texts


def _among(texts: Texts, allowed: Texts) -> Texts:
    if not np.asarray(pc.is_in(texts, allowed)).all():
        raise Unplain("a word of which nobody knows")
    return texts


def _bools(texts: Texts, is_quoted: bool) -> Any:
    _among(texts, pa.array(["true", "false"]))
    if is_quoted:
        raise Unplain("text where true or false should be")
    return np.asarray(pc.equal(texts, pa.scalar("true")), dtype=np.bool_)


def _floats(texts: Texts) -> Any:
    return np.asarray(texts.cast(pa.float64()), dtype=np.float64)


def _ints(texts: Texts) -> Any:
    return np.asarray(texts.cast(pa.int64()), dtype=np.int64)


def _plain(texts: Texts, is_quoted: bool, strict: bool) -> Texts:
    """Numbers as JSON writes them; in quotes nobody has looked yet whether they are."""
    if not is_quoted:
        return texts
    if strict:
        raise Unplain("a number in quotes")
    _, cuts, letters = texts.buffers()
    ends = np.frombuffer(cuts, dtype=np.int32)[: len(texts) + 1]
    text = bytes(letters)[: ends[-1]]
    starts, ends = ends[:-1], ends[1:]
    if text.translate(None, _NUMBER) or not (starts < ends).all():
        raise Unplain("no number")
    digits = np.frombuffer(text + b"0", dtype=np.uint8)
    if b"-" in text:
        starts = starts + (digits[starts] == _MINUS)
    first, second = digits[starts], digits[np.minimum(starts + 1, len(text))]
    is_led = (first == _ZERO) & (ends - starts > 1) & (second != _DOT)
    if (is_led | (first == _DOT) | (digits[ends - 1] == _DOT)).any():  # 00.5, .5, 5.
        raise Unplain("a number as JSON does not write it")
    return texts
