"""What venues say of whole columns: each a list, where rows were read one by one, or an array, where thousands were."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.venues.base import refuse_beyond_float64
from ingestion.venues.bulk import Unplain

_MOST = 1e300  # as `Finite`
_EXACT = 15  # digits


def one_of(values: Any, word: str) -> Any:
    """Of each text whether it is this one."""
    if isinstance(values, list):
        return [value == word for value in values]
    return np.asarray(pc.equal(values, pa.scalar(word)), dtype=np.bool_)


def by_name(values: Any, read: Callable[[str], str]) -> Any:
    """What `read` says of each text, asked once for each that is another."""
    if isinstance(values, list):
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
    if pc.max(pc.binary_length(values)).as_py() > _EXACT:
        refuse_beyond_float64(",".join(values.to_pylist()).encode(), what)
    numbers = np.asarray(values.cast(pa.float64()), dtype=np.float64)
    if not (np.abs(numbers) <= _MOST).all():
        raise Unplain("a number beyond any")
    return numbers


def chosen(values: Any, places: npt.NDArray[np.int64]) -> Any:
    """Those at these places."""
    if isinstance(values, list):
        return [values[place] for place in places.tolist()]
    return values[places] if isinstance(values, np.ndarray) else values.take(pa.array(places))


def distinct(values: Any) -> list[Any]:
    """Each value once."""
    found: list[Any] = list(dict.fromkeys(values)) if isinstance(values, list) else values.unique().to_pylist()
    return found
