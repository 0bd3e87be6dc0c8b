"""One deployment's zones and transport, opened: what assets and commands act on. Knows no Dagster."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from ingestion.capture import Captured, Pair, capture_archived, capture_sweep
from ingestion.estimators import ESTIMATORS, Estimator
from ingestion.hours import HOUR, hour_of
from ingestion.ingest import Verdict, ingest
from ingestion.lake import Lake
from ingestion.quarantine import Quarantine
from ingestion.raw import RawZone
from ingestion.records import Instrument
from ingestion.storage import Missing, StorageError, Store
from ingestion.streams import Sampling
from ingestion.transports import LiveTransport, Transport, UnifiedTransport, VirtualClock, sandbox_transport
from ingestion.venues import VENUES
from ingestion.venues.base import Plan, Refused, Reply
from orchestration.settings import Settings
from orchestration.signalled import signalled

# Asked for with an hour's first sweep alone: lists, which are the largest replies of all and seldom change.
ONCE_AN_HOUR = frozenset({"instruments", "margin_tiers"})
ORIGIN = "origin"  # names whose replies a lake holds


@dataclass(frozen=True)
class Pipeline:
    """The main job's parts, on one lake."""

    settings: Settings

    @cached_property
    def store(self) -> Store:
        return Store.open(self.settings.lake_uri)

    @cached_property
    def raw(self) -> RawZone:
        return RawZone(self.store)

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.store)

    @cached_property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.store)

    @property
    def pairs(self) -> list[Pair]:
        """Every (venue, dataset) that this deployment asks for."""
        return [(name, dataset) for name in self.settings.venues for dataset in VENUES[name].datasets]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def claim(self, kind: str) -> None:
        """Keep simulated and real replies apart: a lake holds the one or the other. Raises `StorageError`."""
        self.store.check()
        if not self.store.put_new(ORIGIN, kind.encode()):
            held = self.store.read(ORIGIN).decode()
            if held != kind:
                raise StorageError(
                    f"{self.settings.lake_uri}: holds replies of {held} (expected {kind}; give another --lake-uri)"
                )

    def capture(self, hours: Sequence[datetime], wanted: Collection[Pair]) -> dict[Pair, int]:
        """Ask the venues about these hours and keep the replies; returns raw replies by (venue, dataset).

        A clock that can be moved is swept through each hour. Live, what exists only now is swept if this hour is
        among them, and archived datasets are asked for each closed one.
        """
        self.claim(self.origin)
        return signalled(self._capture(hours, wanted))

    @property
    def origin(self) -> str:
        """Whose replies this deployment asks for."""
        return "sandbox" if self.settings.source == "sandbox" else self.settings.base_url or "venues"

    def ingest(self, hours: Sequence[datetime], venues: Sequence[str]) -> list[Verdict]:
        """Raw to lake through gate 1, then the estimates that rest on it."""
        verdicts: list[Verdict] = []
        sampling = Sampling(self.settings.book_every_s, self.settings.book_levels)
        for name in venues:
            venue = VENUES[name]
            verdicts += ingest(venue, hours, self.raw, self.lake, self.quarantine, venue.expected, sampling)
            for hour in hours:
                for estimator in ESTIMATORS:
                    self._estimate(estimator, name, hour)
        for estimator in ESTIMATORS:
            self.lake.declare(estimator.name, estimator.schema)
        return verdicts

    def _estimate(self, estimator: Estimator, venue: str, hour: datetime) -> None:
        try:
            tables = [self.lake.read(dataset, venue, hour) for dataset in estimator.rests_on]
        except Missing:
            # An estimate does not outlive what it rests on.
            self.lake.remove(estimator.name, venue, hour)
            return
        self.lake.write(estimator.name, venue, hour, estimator.estimate(*tables))

    async def capture_through(
        self, transport: Transport, hours: Sequence[datetime], wanted: Collection[Pair]
    ) -> dict[Pair, int]:
        """As `capture`, in a running loop and through a transport that others use too."""
        counts: dict[Pair, int] = {}
        for hour in hours:
            captured = await self._capture_hour(transport, hour, wanted)
            for (venue, dataset), envelopes in captured.envelopes.items():
                # Replies arrive in any order; asked the same again, they shall be the same object.
                envelopes.sort(key=lambda envelope: (envelope.captured_ts, envelope.path, envelope.query))
                self.raw.write(venue, dataset, hour, envelopes)
                counts[venue, dataset] = counts.get((venue, dataset), 0) + len(envelopes)
            self._note_gaps(hour, captured)
        return counts

    async def _capture(self, hours: Sequence[datetime], wanted: Collection[Pair]) -> dict[Pair, int]:
        transport = self.transport(hours[0])
        try:
            return await self.capture_through(transport, hours, wanted)
        finally:
            await transport.aclose()

    def transport(self, at: datetime) -> Transport:
        """How this deployment asks: the venues, or the sandbox as of this instant; close it when done."""
        if self.settings.source == "live" or self.settings.base_url:
            live = LiveTransport(base_url=self.settings.base_url, base_urls=dict(self.settings.base_urls))
            return UnifiedTransport(live)
        # Only who asks for the simulation loads it.
        from ingestion.sandbox.faults import Faults
        from ingestion.sandbox.market import Market

        faults = Faults.parse(self.settings.sandbox_faults, seed=self.settings.sandbox_seed)
        return sandbox_transport(at, market=Market(seed=self.settings.sandbox_seed), faults=faults)

    async def _capture_hour(self, transport: Transport, hour: datetime, wanted: Collection[Pair]) -> Captured:
        plan = Plan(self.settings.underlyings, hour, hour + HOUR, self.listed(hour))
        every = timedelta(minutes=self.settings.sweep_minutes)
        now = transport.clock.now()
        moments = [now] if hour_of(now) == hour else []
        if isinstance(transport.clock, VirtualClock):
            until = min(hour + HOUR, self.now())
            moments = [hour + k * every for k in range(60 // self.settings.sweep_minutes) if hour + k * every < until]
        whole = Captured()
        for number, moment in enumerate(moments):
            if isinstance(transport.clock, VirtualClock):
                transport.clock.set(moment)
            asked = [pair for pair in wanted if number == 0 or pair[1] not in ONCE_AN_HOUR]
            swept = await capture_sweep(transport, asked, plan, self.settings.capture_deadline_s)
            if number == 0:
                plan = replace(plan, listed=_once((*plan.listed, *_instruments(swept))))
            _add(whole, swept)
        if isinstance(transport.clock, VirtualClock):
            transport.clock.set(min(hour + HOUR, self.now()))
        if transport.clock.now() >= hour + HOUR:
            _add(whole, await capture_archived(transport, wanted, plan, self.settings.capture_deadline_s))
        return whole

    def listed(self, hour: datetime) -> tuple[Instrument, ...]:
        """What this hour's sweeps have already listed."""
        listed: list[Instrument] = []
        for name in self.settings.venues:
            for key in self.raw.objects(name, hour):
                if f"/{name}/instruments/" in key:
                    for envelope in self.raw.read(key):
                        listed += _read_instruments(name, envelope.reply())
        return _once(listed)

    def _note_gaps(self, hour: datetime, captured: Captured) -> None:
        for name in {venue for venue, _ in captured.gaps}:
            noted = {dataset: list(r) for dataset, r in self.quarantine.read_capture_gaps(name, hour).items()}
            for (venue, dataset), reasons in captured.gaps.items():
                if venue == name:
                    known = noted.setdefault(dataset, [])
                    known += [reason for reason in dict.fromkeys(reasons) if reason not in known]
            self.quarantine.note_gaps(name, hour, noted)


def _add(whole: Captured, part: Captured) -> None:
    for pair, envelopes in part.envelopes.items():
        whole.envelopes.setdefault(pair, []).extend(envelopes)
    for pair, reasons in part.gaps.items():
        whole.gaps.setdefault(pair, []).extend(reasons)


def _instruments(captured: Captured) -> list[Instrument]:
    return [
        instrument
        for (venue, dataset), envelopes in captured.envelopes.items()
        if dataset == "instruments"
        for envelope in envelopes
        for instrument in _read_instruments(venue, envelope.reply())
    ]


def _once(listed: Iterable[Instrument]) -> tuple[Instrument, ...]:
    """Each instrument once, as listed last: what is listed twice would be asked about twice."""
    return tuple({(each.venue, each.kind, each.symbol): each for each in listed}.values())


def _read_instruments(venue: str, reply: Reply) -> list[Instrument]:
    try:
        return [row for row in VENUES[venue].parse(reply) if isinstance(row, Instrument)]
    except Refused:
        # Gate 1 reads the same reply again and says why it was refused.
        return []
