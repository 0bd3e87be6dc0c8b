"""Ask venues for what is wanted, all at once, within a deadline.

Every wanted (venue, dataset) comes back with envelopes, with reasons for a gap, or with both when only a part
could be had. A venue that fails never raises.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ingestion.envelopes import Envelope
from ingestion.records import Instrument
from ingestion.transports.base import CaptureFailed, Transport
from ingestion.venues import VENUES
from ingestion.venues.base import Endpoint, Plan, Refused, Request, Venue

MAX_PAGES = 1_000

Pair = tuple[str, str]  # (venue, dataset)


@dataclass
class Captured:
    """What came, in the order it was asked for, and why the rest did not."""

    envelopes: dict[Pair, list[Envelope]] = field(default_factory=dict)
    gaps: dict[Pair, list[str]] = field(default_factory=dict)


@dataclass
class _Question:
    """One request of one endpoint; the answer fills in page by page, so a deadline keeps what had come."""

    venue: Venue
    endpoint: Endpoint
    request: Request
    answers: list[Envelope] = field(default_factory=list)
    failure: str | None = None

    @property
    def pair(self) -> Pair:
        return self.venue.name, self.endpoint.dataset


async def capture_sweep(
    transport: Transport,
    wanted: Collection[Pair],
    plan: Plan,
    deadline_s: float,
    venues: Mapping[str, Venue] = VENUES,
) -> Captured:
    """One look at what exists only now.

    Instruments first, because the rest is asked by symbol; then the references of all venues together, and
    their derivatives together, so that prices compared with one another are of nearly one instant.
    Archived endpoints are left to `capture_archived`.
    """
    sweep = _Sweep(transport, plan, deadline_s)
    chosen = _chosen(wanted, venues, lambda endpoint: not endpoint.is_archived)
    await sweep.ask([(v, e) for v, e in chosen if e.dataset == "instruments"])
    sweep.learn_listings()
    await sweep.ask([(v, e) for v, e in chosen if e.is_reference and e.dataset != "instruments"])
    await sweep.ask([(v, e) for v, e in chosen if not e.is_reference and e.dataset != "instruments"])
    return sweep.captured()


async def capture_archived(
    transport: Transport,
    wanted: Collection[Pair],
    plan: Plan,
    deadline_s: float,
    venues: Mapping[str, Venue] = VENUES,
) -> Captured:
    """What a venue keeps of [plan.start_ts, plan.end_ts), page after page."""
    sweep = _Sweep(transport, plan, deadline_s)
    await sweep.ask(_chosen(wanted, venues, lambda endpoint: endpoint.is_archived))
    return sweep.captured()


def _chosen(
    wanted: Collection[Pair], venues: Mapping[str, Venue], is_meant: Callable[[Endpoint], bool]
) -> list[tuple[Venue, Endpoint]]:
    chosen = []
    for name, dataset in sorted(set(wanted)):
        if name not in venues:
            raise ValueError(f"venue {name!r}: unknown (expected one of {', '.join(sorted(venues))})")
        venue = venues[name]
        if dataset not in venue.datasets:
            raise ValueError(f"{name} {dataset!r}: unknown (expected one of {', '.join(venue.datasets)})")
        endpoints = [e for e in venue.endpoints if e.dataset == dataset and e.requests is not None]
        chosen += [(venue, endpoint) for endpoint in endpoints if is_meant(endpoint)]
    return chosen


class _Sweep:
    """The questions of one capture, asked in phases against one deadline."""

    def __init__(self, transport: Transport, plan: Plan, deadline_s: float) -> None:
        self._transport = transport
        self._plan = plan
        self._deadline_s = deadline_s
        self._ends_at = asyncio.get_running_loop().time() + deadline_s
        self._questions: list[_Question] = []
        self._idle: set[Pair] = set()  # some endpoint had nothing to ask
        self._refused: dict[Pair, list[str]] = {}  # why an endpoint could not say what to ask

    async def ask(self, endpoints: Sequence[tuple[Venue, Endpoint]]) -> None:
        """Ask all these endpoints concurrently; return when all have answered, or at the deadline."""
        questions = []
        for venue, endpoint in endpoints:
            requests = self._requests(venue, endpoint)
            questions += [_Question(venue, endpoint, request) for request in requests]
        self._questions += questions
        tasks = {asyncio.create_task(self._answer(question)): question for question in questions}
        if not tasks:
            return
        try:
            left_s = max(0.0, self._ends_at - asyncio.get_running_loop().time())
            done, late = await asyncio.wait(tasks, timeout=left_s)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in late:
            tasks[task].failure = f"deadline of {self._deadline_s:g} s passed"
        for task in done:
            task.result()

    def learn_listings(self) -> None:
        """Read the instruments that were answered.

        A venue's whole fresh listing replaces what the plan brought, so that what was delisted is gone; of a
        partial one, what came is added.
        """
        partial = {q.venue.name for q in self._questions if q.failure is not None}
        fresh = {q.venue.name for q in self._questions} - partial
        listed = {(i.venue, i.kind, i.symbol): i for i in self._plan.listed if i.venue not in fresh}
        for question in self._questions:
            try:
                for envelope in question.answers:
                    for row in question.venue.parse(envelope.reply()):
                        if isinstance(row, Instrument):
                            listed[row.venue, row.kind, row.symbol] = row
            except Refused as refused:
                question.failure = f"refused: {refused.reason}"
        self._plan = replace(self._plan, listed=tuple(listed.values()))

    def captured(self) -> Captured:
        captured = Captured()
        failed: dict[Pair, list[_Question]] = {}
        for question in self._questions:
            if question.answers:
                captured.envelopes.setdefault(question.pair, []).extend(question.answers)
            if question.failure is not None:
                failed.setdefault(question.pair, []).append(question)
        captured.gaps = {pair: _reasons(questions) for pair, questions in failed.items()}
        for pair, reasons in self._refused.items():
            captured.gaps.setdefault(pair, []).extend(reasons)
        nothing = f"nothing to ask: no instrument of {', '.join(self._plan.underlyings)} is known"
        for pair in self._idle - captured.envelopes.keys() - captured.gaps.keys():
            captured.gaps[pair] = [nothing]
        return captured

    def _requests(self, venue: Venue, endpoint: Endpoint) -> Sequence[Request]:
        pair = venue.name, endpoint.dataset
        try:
            requests = endpoint.requests(self._plan.of(venue.name)) if endpoint.requests is not None else ()
        except Refused as refused:
            self._refused.setdefault(pair, []).append(f"refused: {refused.reason}")
            return ()
        if not requests:
            self._idle.add(pair)
        return requests

    async def _answer(self, question: _Question) -> None:
        try:
            await self._pages(question)
        except CaptureFailed as failed:
            question.failure = failed.reason
        except Refused as refused:
            question.failure = f"refused: {refused.reason}"

    async def _pages(self, question: _Question) -> None:
        endpoint = question.endpoint
        request: Request | None = question.request
        seen: set[Request] = set()
        while request is not None:
            if len(seen) == MAX_PAGES:
                question.failure = f"too many pages: over {MAX_PAGES}"
                return
            if request in seen:
                question.failure = f"page {request.query_string} follows itself"
                return
            seen.add(request)
            envelope = await self._transport.get(question.venue, request, endpoint.weight)
            question.answers.append(envelope)
            request = endpoint.follow(request, envelope.reply()) if endpoint.follow else None


def _reasons(questions: Sequence[_Question]) -> list[str]:
    """One line for each path and cause: a hundred symbols that fail alike say so once."""
    alike: dict[tuple[str, str], list[Request]] = {}
    for question in questions:
        alike.setdefault((question.request.path, question.failure or ""), []).append(question.request)
    lines = []
    for (path, failure), requests in alike.items():
        asked = f"{path}?{requests[0].query_string}" if requests[0].query else path
        others = f" (and {len(requests) - 1} more like it)" if len(requests) > 1 else ""
        lines.append(f"{asked}: {failure}{others}")
    return lines
