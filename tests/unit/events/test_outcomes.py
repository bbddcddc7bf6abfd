"""Click-through by route and by arm: events find their ranking, made-up ids find nothing."""

from collections.abc import Sequence

from prometheus_client import REGISTRY

from features.events.event import BehaviorEvent, EventType
from features.events.log import RankingRoute
from features.events.outcomes import SETTLE_S, Outcomes

NOW_S = 1_700_000_000.0


class Rankings:
    """A log that learns of a ranking when the test says so."""

    def __init__(self) -> None:
        self.known: dict[str, RankingRoute] = {}
        self.asked = 0

    def routes(self, ranking_ids: Sequence[str]) -> dict[str, RankingRoute]:
        self.asked += 1
        return {each: self.known[each] for each in ranking_ids if each in self.known}


def click(number: int, ranking_id: str | None) -> BehaviorEvent:
    return BehaviorEvent(f"e{number}", EventType.CLICK, NOW_S, item_id="i", ranking_id=ranking_id)


def counted(route: str, version: str) -> float:
    labels = {"type": "click", "route": route, "model_version": version}
    return REGISTRY.get_sample_value("vitrine_outcomes_total", labels) or 0.0


def test_an_event_that_is_faster_than_its_ranking_s_record_still_finds_it() -> None:
    rankings = Rankings()
    outcomes = Outcomes(rankings, "default")
    before = counted("model", "7")
    outcomes.take([click(1, "r1")], NOW_S)
    outcomes.settle(NOW_S + SETTLE_S / 2)
    rankings.known["r1"] = RankingRoute("model", "7")
    outcomes.settle(NOW_S + SETTLE_S)
    assert counted("model", "7") == before + 1


def test_a_ranking_is_looked_up_once() -> None:
    rankings = Rankings()
    rankings.known["r1"] = RankingRoute("fallback", None)
    outcomes = Outcomes(rankings, "default")
    before = counted("fallback", "none")
    for number in range(5):
        outcomes.take([click(number, "r1")], NOW_S)
        outcomes.settle(NOW_S + SETTLE_S)
    assert (rankings.asked, counted("fallback", "none")) == (1, before + 5)


def test_made_up_rankings_count_as_unknown_and_no_label_is_theirs() -> None:
    outcomes = Outcomes(Rankings(), "default")
    before = counted("unknown", "none")
    outcomes.take([click(n, f"made-up-{n}") for n in range(2_500)] + [click(0, None)], NOW_S)
    outcomes.settle(NOW_S + SETTLE_S)
    assert counted("unknown", "none") == before + 2_501


def test_versions_of_the_label_are_bounded() -> None:
    rankings = Rankings()
    rankings.known = {f"r{n}": RankingRoute("model", f"v{n}") for n in range(50)}
    outcomes = Outcomes(rankings, "default")
    outcomes.take([click(n, f"r{n}") for n in range(50)], NOW_S)
    outcomes.settle(NOW_S + SETTLE_S)
    assert counted("model", "other") == 30


def of_arm(experiment: str, variant: str, shop: str = "default") -> float:
    labels = {"shop": shop, "experiment": experiment, "variant": variant, "type": "click"}
    return REGISTRY.get_sample_value("vitrine_experiment_outcomes_total", labels) or 0.0


def test_an_event_counts_for_each_arm_of_its_ranking_and_without_one_for_none() -> None:
    rankings = Rankings()
    arms = (("wider", "spread"), ("ranker", "new"))
    rankings.known = {"r1": RankingRoute("model", "7", arms), "r2": RankingRoute("model", "7")}
    outcomes = Outcomes(rankings, "default")
    before = [of_arm(*arm) for arm in arms]
    outcomes.take([click(1, "r1"), click(2, "r1"), click(3, "r2"), click(4, "made-up")], NOW_S)
    outcomes.settle(NOW_S + SETTLE_S)
    assert [of_arm(*arm) for arm in arms] == [count + 2 for count in before]


def test_arms_of_the_label_are_bounded() -> None:
    rankings = Rankings()
    rankings.known = {
        f"r{n}": RankingRoute("model", "7", ((f"experiment-{n // 2}", f"arm-{n % 2}"),))
        for n in range(250)
    }
    outcomes = Outcomes(rankings, "default")
    outcomes.take([click(n, f"r{n}") for n in range(250)], NOW_S)
    outcomes.settle(NOW_S + SETTLE_S)
    assert of_arm("other", "other") == 50
    assert of_arm("experiment-99", "arm-1") == 1
    assert of_arm("experiment-100", "arm-0") == 0


def at_placement(name: str, shop: str = "default") -> float:
    labels = {"shop": shop, "placement": name, "type": "click"}
    return REGISTRY.get_sample_value("vitrine_placement_outcomes_total", labels) or 0.0


def test_an_event_counts_for_the_placement_of_its_ranking_and_placements_are_bounded() -> None:
    rankings = Rankings()
    rankings.known = {f"r{n}": RankingRoute("model", "7", (), f"p{n}") for n in range(120)}
    rankings.known["r120"] = RankingRoute("model", "7")
    outcomes = Outcomes(rankings, "default")
    outcomes.take([click(n, f"r{n}") for n in range(121)], NOW_S)
    outcomes.settle(NOW_S + SETTLE_S)
    assert (at_placement("p0"), at_placement("other")) == (1, 20)


def test_shops_with_an_experiment_and_a_placement_of_one_name_are_counted_apart() -> None:
    rankings = Rankings()
    rankings.known = {"r1": RankingRoute("model", "7", (("shared", "new"),), "home")}
    for shop, n in (("one", 3), ("other", 2)):
        outcomes = Outcomes(rankings, shop)
        outcomes.take([click(number, "r1") for number in range(n)], NOW_S)
        outcomes.settle(NOW_S + SETTLE_S)
    assert [of_arm("shared", "new", shop) for shop in ("one", "other")] == [3, 2]
    assert [at_placement("home", shop) for shop in ("one", "other")] == [3, 2]
