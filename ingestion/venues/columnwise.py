"""What venues say of whole columns: each a list, where rows were read one by one, or an array, where thousands were."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.columns import EPOCH, INSTANT, MICROSECOND, ints
from ingestion.venues.base import EARLIEST, LATEST, Refused, instant, refuse_beyond_float64
from ingestion.venues.bulk import Unplain
from ingestion.venues.wire import instant_written

V = TypeVar("V")

Ints = npt.NDArray[np.int64]

_EARLIEST_US, _LATEST_US = ((each - EPOCH) // MICROSECOND for each in (EARLIEST, LATEST))
_SIDES: Any = pa.array(["buy", "sell"])
_MANY = 16  # texts: for fewer, Arrow's casts take longer than to read them one by one
_MOST = 1e300  # as `Finite`
_EXACT_LETTERS = 16  # 15 digits and a point


def from_epoch(values: Sequence[float] | npt.NDArray[Any], unit_s: float = 1e-3) -> Ints:
    """Counts since 1970 as microseconds; by default of milliseconds. `Refused` as `instant`."""
    try:
        microseconds = np.rint(np.array(values, dtype=np.float64) * (unit_s * 1e6))
    except OverflowError:
        microseconds = np.array([np.inf])
    if len(values) and not (microseconds.min() >= _EARLIEST_US and microseconds.max() < _LATEST_US):
        for value in values:
            instant(value, unit_s)
    return microseconds.astype(np.int64)


def from_written(values: "list[str] | pa.Array[Any]") -> Any:
    """ISO 8601 instants as microseconds, in an array if they came in one; `Refused` as `instant_written`."""
    if len(values) >= _MANY:
        with suppress(pa.ArrowInvalid, Refused):
            told = ints(pa.array(values, pa.string()).cast(INSTANT))
            from_epoch([int(told.min()), int(told.max())], 1e-6)
            return told.tolist() if isinstance(values, list) else told
    texts: list[Any] = values if isinstance(values, list) else values.to_pylist()
    return [(instant_written(text) - EPOCH) // MICROSECOND for text in texts]


def where_given(values: Sequence[V | None], read: Callable[[list[V]], Sequence[int] | Ints]) -> list[int | None]:
    """As `read` has those that are not missing."""
    given = [value for value in values if value is not None]
    told = read(given)
    found = told.tolist() if isinstance(told, np.ndarray) else list(told)
    if len(found) == len(values):
        return found
    left = iter(found)
    return [None if value is None else next(left) for value in values]


def sides(are_sales: Sequence[bool] | npt.NDArray[np.bool_]) -> Any:
    """Of the order that took."""
    if isinstance(are_sales, np.ndarray):
        return _SIDES.take(pa.array(are_sales.view(np.int8)))
    return ["sell" if is_sale else "buy" for is_sale in are_sales]


def one_of(values: Any, word: str) -> Any:
    """Of each text whether it is this one."""
    if isinstance(values, list):
        return [value == word for value in values]
    return np.asarray(pc.equal(values, pa.scalar(word)), dtype=np.bool_)


def of_each(values: Any, of: Callable[[Any], Any]) -> Any:
    """What `of` makes of each number; it is asked for a whole array at once."""
    return [of(value) for value in values] if isinstance(values, list) else of(values)


def by_name(values: Any, read: Callable[[str], str]) -> Any:
    """What `read` says of each text, asked once for each that is another."""
    if isinstance(values, list):
        if len(values) == 1:
            return [read(values[0])]
        known = {value: read(value) for value in dict.fromkeys(values)}
        return [known[value] for value in values]
    named = values.dictionary_encode()
    return pa.array([read(value) for value in named.dictionary.to_pylist()], pa.string()).take(named.indices)


def or_else(values: Any, others: Any) -> Any:
    """Of two columns the first, or where that has nothing the second."""
    if not isinstance(values, list):
        return values
    return [other if value is None else value for value, other in zip(values, others, strict=True)]


def where_any(numbers: Any, values: Any) -> Any:
    """Values where these numbers are not zero, else nothing."""
    if isinstance(values, list):
        return [value if number else None for number, value in zip(numbers, values, strict=True)]
    return pa.array(values, mask=numbers == 0)


def exact(values: Any, decoder: msgspec.json.Decoder[float], what: str) -> Any:
    """Numbers that were left as they stand; one of over 15 significant digits is `Refused`."""
    if isinstance(values, list):
        refuse_beyond_float64(b",".join(values), what)
        return [decoder.decode(value) for value in values]
    if pc.max(pc.binary_length(values)).as_py() > _EXACT_LETTERS:
        refuse_beyond_float64(",".join(values.to_pylist()).encode(), what)
    numbers = np.asarray(values.cast(pa.float64()), dtype=np.float64)
    if not (np.abs(numbers) <= _MOST).all():
        raise Unplain("a number beyond any")
    return numbers


def chosen(values: Any, places: npt.NDArray[np.int64] | None) -> Any:
    """Those at these places, or all."""
    if places is None:
        return values
    if isinstance(values, list):
        return [values[place] for place in places.tolist()]
    return values[places] if isinstance(values, np.ndarray) else values.take(pa.array(places))


def distinct(values: Any) -> list[Any]:
    """Each value once."""
    found: list[Any] = list(dict.fromkeys(values)) if isinstance(values, list) else values.unique().to_pylist()
    return found
