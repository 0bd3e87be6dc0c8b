"""How a reply's body is broken: crossed, shifted, incomplete, retyped, late, repeated or emptied."""

import re
from typing import Any, Final

import msgspec

Json = Any  # a decoded body of any shape: that it has none of the expected ones is the point

LATE_MS: Final = 3 * 3_600_000
NAN: Final = "\0NaN"  # stands for a bare NaN, which no JSON writer writes, until the body is written
SHIFT_BPS: Final = 50.0  # more than any two venues' fees together
NEAR_MS: Final = 2 * 3_600_000  # what lies this close to now is a clock of the reply, not an expiry

# What a row cannot do without, by venue's spelling; the first that a row has is broken
NUMBERS: Final = (
    "bids",
    "b",
    "price",
    "p",
    "px",
    "close",
    "interest_1h",
    "realizedRate",
    "fundingRate",
    "mark_price",
    "markPx",
    "markPrice",
    "markVol",
    "lastPrice",
    "last",
    "idxPx",
    "index_price",
    "openInterest",
    "oi",
    "contract_size",
    "tickSz",
    "maxSz",
    "riskLimitValue",
)
NAMES: Final = ("instrument_name", "instId", "symbol")
BOOK_SIDES: Final = (("bids", "asks"), ("b", "a"))
ERRORS: Final[dict[str, dict[str, Json]]] = {
    "binance": {
        "429": {"code": -1003, "msg": "Too many requests; please use the websocket for live updates."},
        "418": {"code": -1003, "msg": "Way too many requests; IP banned."},
        "500": {"code": -1000, "msg": "An unknown error occurred while processing the request."},
        "503": {"code": -1008, "msg": "Server is currently overloaded with other requests."},
    },
    "deribit": {"429": {"jsonrpc": "2.0", "error": {"message": "too_many_requests", "code": 10028}}},
    "okx": {"429": {"code": "50011", "data": [], "msg": "Too Many Requests"}},
    "ethereum": {"429": {"jsonrpc": "2.0", "error": {"message": "too many requests", "code": -32005}}},
    "bybit": {"429": {"retCode": 10006, "retMsg": "Too many visits!", "result": {}}},
}


def error_body(venue: str, status: str) -> bytes:
    """What the venue says with an error status; a gateway's words where it says nothing of its own."""
    said = ERRORS[venue.split("_")[0]].get(status)
    return msgspec.json.encode(said) if said else f"<html><body>{status}</body></html>".encode()


def late(body: bytes, now_ms: int) -> bytes | None:
    """Clocks of the reply set back by three hours, in whatever unit and type they come."""
    changed = 0

    def shifted(match: re.Match[bytes]) -> bytes:
        nonlocal changed
        unit = 10 ** (len(match.group()) - 13)
        if abs(int(match.group()) // unit - now_ms) > NEAR_MS:
            return match.group()
        changed += 1
        return str(int(match.group()) - LATE_MS * unit).encode()

    moved = re.sub(rb"(?<![0-9.])[0-9]{13}(?:[0-9]{3})?(?![0-9.])", shifted, body)
    return moved if changed else None


def broken_json(kind: str, body: bytes, draw: float) -> bytes | None:
    """A decoded body broken and written again; none where it holds nothing of the kind."""
    reply: Json = msgspec.json.decode(body)
    if kind == "crossed":
        return _encode(reply) if _cross(reply) else None
    if kind == "shifted":
        return _encode(reply) if _shift(reply) else None
    rows = _rows(reply)
    if kind in ("duplicate_rows", "empty"):
        if not isinstance(rows, list) or not rows:
            return None
        rows[:] = [row for row in rows for _ in range(2)] if kind == "duplicate_rows" else []
        return _encode(reply)
    listed = rows if isinstance(rows, list) else [rows]
    if not listed:
        return None
    return _encode(reply) if _break_row(kind, listed, int(draw * 1_000_003) % len(listed)) else None


def _encode(reply: Json) -> bytes:
    return msgspec.json.encode(reply).replace(msgspec.json.encode(NAN), b"NaN")


def _rows(reply: Json) -> Json:
    """The list of rows in a reply, or the one object that stands for it."""
    if isinstance(reply, list):
        return reply
    for name in ("result", "data", "list", "trades", "symbols"):
        if isinstance(reply, dict) and isinstance(reply.get(name), list | dict):
            return _rows(reply[name])
    return reply


def _book(reply: Json) -> tuple[Json, Json] | None:
    rows = _rows(reply)
    book = rows[0] if isinstance(rows, list) and rows else rows
    if isinstance(book, dict):
        for bids, asks in BOOK_SIDES:
            if isinstance(book.get(bids), list) and isinstance(book.get(asks), list):
                return book[bids], book[asks]
    return None


def _cross(reply: Json) -> bool:
    """Swap the best prices of the two sides, so that the bid stands above the ask."""
    sides = _book(reply)
    if sides is None or not sides[0] or not sides[1]:
        return False
    bid, ask = sides[0][0], sides[1][0]
    bid[0], ask[0] = ask[0], bid[0]
    return True


def _shift(reply: Json) -> bool:
    """Raise every price of both sides by `SHIFT_BPS`, to as many decimals as it came in."""
    sides = _book(reply)
    if sides is None or not sides[0] or not sides[1]:
        return False
    for level in (*sides[0], *sides[1]):
        level[0] = shifted(level[0])
    return True


def shifted(px: Json) -> Json:
    """A price that much higher, as text or as number as it came."""
    decimals = len(str(px).partition(".")[2])
    raised = round(float(px) * (1 + SHIFT_BPS / 10_000), decimals)
    return f"{raised:.{decimals}f}" if isinstance(px, str) else raised


def _break_row(kind: str, rows: list[Json], number: int) -> bool:
    row = rows[number]
    if isinstance(row, list):  # a candle: its close
        where: Any = 4
    elif isinstance(row, dict):
        vital = NUMBERS if kind == "nan" else (*NUMBERS, *NAMES)
        named = [name for name in vital if row.get(name) not in (None, "")]
        if not named:
            return False
        where = named[0]
    else:
        return False
    if kind == "missing_field":
        del row[where]
    else:
        holder, at = _price_in(row, where)
        value = holder[at]
        not_a_number = "NaN" if isinstance(value, str) else NAN
        holder[at] = not_a_number if kind == "nan" else {"value": value}
    return True


def _price_in(row: Json, where: Any) -> tuple[Json, Any]:
    """Where the value itself stands: the first price, where the field is a side of a book."""
    field = row[where]
    return (field[0], 0) if isinstance(field, list) and field and isinstance(field[0], list) else (row, where)
