"""What a network costs to search, to train and to use, and what a budget buys of several."""

from collections.abc import Sequence
from dataclasses import dataclass

from fakeface_bench.analysis.comparison import Comparison, LeaderboardEntry

#: How a price is known.
MEASURED, ESTIMATED, NOT_KNOWN = "measured", "estimated", "not known"
SECONDS_A_MINUTE = 60.0
#: Minutes of a cold start that every comparison tells what they buy.
BUDGETS = (1.0, 10.0, 60.0)


@dataclass(frozen=True, slots=True)
class Price:
    """What one thing takes; None where that is not known.

    Attributes:
        of: `search` (extraction and all trials), `one training` (extraction and the last fit), or
            `1,000 predictions` (from what was read of the pictures).
        kwh: The run's energy by this part's share of its seconds: estimated wherever it is known.
        dollars: At the machine's price; None where it has none.
    """

    entry: LeaderboardEntry
    of: str
    seconds: float | None
    kwh: float | None
    dollars: float | None

    @property
    def seconds_are(self) -> str:
        """How the seconds are known."""
        return NOT_KNOWN if self.seconds is None else MEASURED

    @property
    def kwh_is(self) -> str:
        """How the energy is known."""
        return NOT_KNOWN if self.kwh is None else ESTIMATED


def prices_of(entry: LeaderboardEntry) -> tuple[Price, Price, Price]:
    """Return the prices of searching, of one training with the options found, and of using it."""
    ledger = entry.study.ledger
    extraction = ledger.stage("extraction").seconds
    speed = ledger.other.get("predict_images_per_second")
    parts = {
        "search": extraction + ledger.search_seconds,
        "one training": extraction + ledger.stage("final_fit").seconds,
        "1,000 predictions": 1000 / speed if speed else None,
    }
    search, training, predictions = (
        Price(entry, of, seconds, _energy(entry, seconds), entry.price(seconds))
        for of, seconds in parts.items()
    )
    return search, training, predictions


def _energy(entry: LeaderboardEntry, seconds: float | None) -> float | None:
    ledger = entry.study.ledger
    energy, spent = ledger.other.get("energy_kwh"), ledger.total_warm_seconds
    return None if energy is None or seconds is None or not spent else energy * seconds / spent


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a budget buys: the most accurate study that fits, by one seed's cold seconds.

    Attributes:
        minutes: The budget.
        entry: None where none fits.
        better: The cheapest study beyond the budget that is more accurate; None where there is
            none.
    """

    minutes: float
    entry: LeaderboardEntry | None
    better: LeaderboardEntry | None

    @property
    def more_minutes(self) -> float | None:
        """What the better one takes beyond the budget."""
        if self.better is None:
            return None
        return self.better.one_seed_seconds / SECONDS_A_MINUTE - self.minutes

    @property
    def points_a_minute(self) -> float | None:
        """Points of accuracy that each further minute buys; None where nothing is better."""
        if self.better is None or self.entry is None or not self.more_minutes:
            return None
        return 100 * (self.better.accuracy.value - self.entry.accuracy.value) / self.more_minutes


def purchases(comparison: Comparison) -> list[Purchase]:
    """Return what each budget buys, the smallest first; the user's own is among them."""
    own = [comparison.budget_minutes] if comparison.budget_minutes else []
    return [_purchase(comparison.entries, minutes) for minutes in sorted({*BUDGETS, *own})]


def _purchase(entries: Sequence[LeaderboardEntry], minutes: float) -> Purchase:
    """Choose from entries that stand the most accurate first, of equals the cheaper."""
    budget = minutes * SECONDS_A_MINUTE
    bought = next((entry for entry in entries if entry.one_seed_seconds <= budget), None)
    least = bought.accuracy.value if bought else float("-inf")
    beyond = [e for e in entries if e.one_seed_seconds > budget and e.accuracy.value > least]
    better = min(beyond, key=lambda entry: entry.one_seed_seconds, default=None)
    return Purchase(minutes, bought, better)
