"""Faults on request: which replies to break, how, and how many were broken.

A rule is written `venue:path expression:kind:how often`, for instance `deribit:/get_order_book:crossed:0.1`.
How often is a share (with a point: `0.1`, `1.0`) or a count of first requests (`3`). Whether a request is hit
depends on the seed, its path and query and how many times it was asked, not on what else is asked meanwhile.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ingestion.sandbox import damage

KINDS: Final = {
    "429": "too many requests, with Retry-After",
    "418": "banned, with Retry-After",
    "500": "the venue's error",
    "503": "the venue is away",
    "html": "a maintenance page with status 200",
    "crossed": "the best bid above the best ask",
    "shifted": "a book dearer than it is, so that it can be sold against any other",
    "missing_field": "one row without a field that it needs",
    "nan": "one row with NaN for a number",
    "late": "all clocks three hours back",
    "truncated": "half of the body",
    "retyped": "one row with an object where a value was",
    "duplicate_rows": "every row twice",
    "empty": "no rows",
}
FORM: Final = "venue:path expression:kind:share with a point, or count"
RETRY_AFTER_S: Final = {"429": "2", "418": "120"}
MAINTENANCE: Final = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon</body></html>"


@dataclass(frozen=True, slots=True)
class Served:
    """One HTTP reply as it leaves the exchange."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Rule:
    """Break replies of `venue` (`*`: any) whose path holds `path`, a regular expression searched for."""

    venue: str
    path: re.Pattern[str]
    kind: str
    share: float | None = None
    count: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """Read `deribit:/get_order_book:crossed:0.1`; `ValueError` names what is wrong."""
        try:
            venue, rest = text.split(":", 1)
            path, kind, often = rest.rsplit(":", 2)
        except ValueError as error:
            raise ValueError(f"fault {text!r}: expected {FORM}") from error
        if kind not in KINDS:
            raise ValueError(f"fault {text!r}: kind {kind!r}, expected one of {', '.join(KINDS)}")
        try:
            pattern = re.compile(path)
        except re.error as error:
            raise ValueError(f"fault {text!r}: path {path!r} is no regular expression: {error}") from error
        if re.fullmatch(r"[0-9]+", often):
            return cls(venue, pattern, kind, count=int(often))
        if not re.fullmatch(r"[0-9]*\.[0-9]+|1\.", often) or not 0 <= float(often) <= 1:
            raise ValueError(f"fault {text!r}: {often!r}, expected a share such as 0.1 or a count such as 3")
        return cls(venue, pattern, kind, share=float(often))


@dataclass
class Faults:
    """A list of rules and what they did: `injected` counts replies by (venue, kind)."""

    rules: list[Rule]
    seed: int = 0
    injected: Counter[tuple[str, str]] = field(default_factory=Counter)
    _asked: Counter[tuple[int, str]] = field(default_factory=Counter, repr=False)
    _spent: Counter[int] = field(default_factory=Counter, repr=False)

    @classmethod
    def parse(cls, texts: Iterable[str], seed: int = 0) -> "Faults":
        return cls([Rule.parse(text) for text in texts], seed)

    def apply(self, venue: str, path: str, query: str, served: Served, now_ms: int) -> Served:
        """The reply after every rule that hits it; what finds nothing to break is not counted."""
        for number, rule in enumerate(self.rules):
            if rule.venue not in ("*", venue) or not rule.path.search(path):
                continue
            draw = self._draw(number, f"{path}?{query}")
            if not self._hits(number, rule, draw):
                continue
            broken = break_reply(rule.kind, venue, served, now_ms, draw)
            if broken is not None:
                served = broken
                self.injected[venue, rule.kind] += 1
                self._spent[number] += 1
        return served

    def _draw(self, number: int, asked: str) -> float:
        self._asked[number, asked] += 1
        text = f"{self.seed} {number} {asked} {self._asked[number, asked]}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64

    def _hits(self, number: int, rule: Rule, draw: float) -> bool:
        if rule.count is not None:
            return self._spent[number] < rule.count
        return rule.share is not None and draw < rule.share


def break_reply(kind: str, venue: str, served: Served, now_ms: int, draw: float) -> Served | None:
    """The reply broken in one way; none where it holds nothing that this kind could break."""
    if kind in ("429", "418", "500", "503"):
        waiting = {"Retry-After": RETRY_AFTER_S[kind]} if kind in RETRY_AFTER_S else {}
        return Served(int(kind), served.headers | waiting, damage.error_body(venue, kind))
    if served.status != 200:
        return None
    if kind == "html":
        return Served(200, served.headers | {"content-type": "text/html"}, MAINTENANCE)
    if kind == "truncated":
        return Served(200, served.headers, served.body[: max(1, len(served.body) // 2)])
    is_late = kind == "late"
    body = damage.late(served.body, now_ms) if is_late else damage.broken_json(kind, served.body, draw)
    return None if body is None else Served(200, served.headers, body)
