"""Experiments stand in the file of the rules, and a mistake names its place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.shops.experiments import model_versions
from serving.shops.rules import Rules, RulesError, read_rules

TWO: list[dict[str, Any]] = [{"key": "a"}, {"key": "b"}]


def one(**fields: Any) -> dict[str, Any]:
    return {"key": "rows", "arms": TWO, "status": "running", **fields}


def shadow(**fields: Any) -> dict[str, Any]:
    arms = [{"key": "new", "model_version": "8"}]
    return {"key": "try", "kind": "shadow", "arms": arms, **fields}


def interleave(*arms: dict[str, Any], **fields: Any) -> dict[str, Any]:
    given = list(arms) or [{"key": "old"}, {"key": "new", "model_version": "8"}]
    return {"key": "both", "kind": "interleave", "status": "running", "arms": given, **fields}


def changing(key: str, **rules: Any) -> dict[str, Any]:
    return one(key=key, arms=[{"key": "a"}, {"key": "b", "rules": rules}])


@pytest.mark.parametrize(
    ("experiments", "named"),
    [
        ([one(coverge=0.1)], "experiments.0.coverge"),
        ([one(coverage=1.1)], "experiments.0.coverage"),
        ([one(key="No Spaces")], "experiments.0.key"),
        ([one(key="holdout")], "'holdout' has a meaning of its own"),
        ([one(arms=TWO[:1])], "experiments.0: Value error, arms: a comparison needs two"),
        ([one(arms=[*TWO, {"key": "a"}])], "arms: two have one key"),
        (
            [one(arms=[{"key": "a", "weight": 0.5}, {"key": "b"}])],
            "arms: give every weight or none",
        ),
        ([one(arms=[{"key": n, "weight": 0.6} for n in "ab"])], "together they are 1"),
        ([one(arms=[*TWO, {"key": "c", "model_version": "new"}])], "arms.2.model_version"),
        ([one(namespace={"id": "n", "range": [0.5, 0.5]})], "experiments.0.namespace"),
        ([one(min_bucket_version=1)], "min_bucket_version: is above bucket_version"),
        ([one(targeting={"requests": ["browse"]})], "experiments.0.targeting.requests.0"),
        ([one(targeting={"shoppers": "old"})], "experiments.0.targeting.shoppers"),
        ([one(), one()], "two have the key 'rows'"),
        ([shadow(arms=TWO)], "a shadow has one"),
        ([shadow(namespace={"id": "n", "range": [0, 1]})], "a shadow draws requests"),
        ([interleave(*TWO, {"key": "c"})], "arms: an interleave has two, not 3"),
        ([interleave(*TWO)], "arms: the two are alike"),
        ([interleave() | {"promote": {"when": "better", "after_days": 7}}], "an A/B promotes"),
        ([one(arms=[{"key": "a"}, {"key": "interleaved"}])], "'interleaved' has a meaning"),
        (
            [interleave(*({**arm, "weight": 0.5} for arm in TWO))],
            "arms.0.weight: interleaved arms share each slate evenly",
        ),
        *(
            (
                [interleave({"key": "a"}, {"key": "b", "rules": {section: {}}})],
                f"experiments.0: Value error, arms.1.rules.{section}: cannot differ between",
            )
            for section in ("pins", "buries", "diversity", "exploration", "synonyms", "bosts")
        ),
        (
            [interleave({"key": "a"}, {"key": "b", "rules": {"fatigue": {"strngth": 1}}})],
            "experiments.0.arms.1.rules.fatigue.strngth",
        ),
        (
            [interleave(), one(key="x", arms=[{"key": "a"}, {"key": "b", "model_version": "9"}])],
            "'both' and 'x' both change model_version",
        ),
        (
            [interleave(), changing("x", exploration={"share": 0.5})],
            "'both' and 'x' both change exploration",
        ),
        (
            [
                interleave(),
                interleave({"key": "a"}, {"key": "b", "rules": {"boosts": []}}, key="x"),
            ],
            "'both' and 'x' both change exploration",
        ),
        ([changing("x", diversity={"windw": 3})], "experiments.0.arms.1.rules.diversity.windw"),
        ([changing("x", exploration={"share": 2})], "arms.1.rules.exploration.share"),
        ([changing("x", synonyms=[["a", "b"]])], "arms.1.rules.synonyms: is the shop's"),
        ([changing("x", experiments=[])], "arms.1.rules.experiments: is the shop's"),
        (
            [changing("x", diversity={"depth": 1}), changing("y", diversity={"depth": 2})],
            "'x' and 'y' both change diversity",
        ),
        (
            [
                one(key="x", namespace={"id": "n", "range": [0, 0.6]}),
                one(key="y", namespace={"id": "n", "range": [0.5, 1]}),
            ],
            "'x' and 'y' overlap in the namespace 'n'",
        ),
    ],
)
def test_a_mistake_names_its_place(
    tmp_path: Path, experiments: list[dict[str, Any]], named: str
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"experiments": experiments}))
    with pytest.raises(RulesError, match=r"rules\.yaml") as caught:
        read_rules(path)
    assert named in str(caught.value)


def test_what_never_meets_may_change_the_same() -> None:
    spaces = [{"namespace": {"id": "n", "range": share}} for share in ([0, 0.5], [0.5, 1])]
    both = [changing("x", fatigue={"strength": 1}), changing("y", fatigue={"strength": 2})]
    apart = [{**each, **space} for each, space in zip(both, spaces, strict=True)]
    assert len(Rules.model_validate({"experiments": apart}).experiments) == 2
    drafts = [{**each, "status": "draft"} for each in both]
    assert len(Rules.model_validate({"experiments": drafts}).experiments) == 2


def test_an_interleave_may_meet_what_changes_neither_its_arms_nor_exploration() -> None:
    rules = {"cold_start": {"newness_days": 3}, "boosts": []}
    both = interleave({"key": "a"}, {"key": "b", "rules": rules})
    declared = [both, changing("x", diversity={"depth": 1}, pins=[])]
    found = Rules.model_validate({"experiments": declared}).experiments
    assert [each.draws for each in found] == [True, True]
    assert found[0].changes == {"cold_start", "boosts", "exploration"}


def test_weights_written_with_few_digits_are_one_together() -> None:
    weights = {"a": 0.333, "b": 0.333, "c": 0.334}
    arms = [{"key": key, "weight": weight} for key, weight in weights.items()]
    (found,) = Rules.model_validate({"experiments": [one(arms=arms)]}).experiments
    assert found.weights == [0.333, 0.333, 0.334]


def test_of_a_section_what_is_named_changes_and_of_a_list_all() -> None:
    bury = {"match": {"brand": "Acme"}, "reason": "recall"}
    rules = Rules.model_validate(
        {
            "diversity": {"by": "brand", "window": 7},
            "buries": [bury],
            "synonyms": [["soda", "pop"]],
            "experiments": [one()],
        }
    )
    changed = rules.changed({"diversity": {"max_same": 1}, "buries": []})
    assert (changed.diversity.by, changed.diversity.window, changed.diversity.max_same) == (
        "brand", 7, 1,
    )  # fmt: skip
    assert changed.buries == []
    assert (changed.synonyms, changed.experiments) == (rules.synonyms, rules.experiments)


def test_the_versions_asked_for_are_those_of_running_experiments() -> None:
    arms = [{"key": "a", "model_version": "10"}, {"key": "b", "model_version": "9"}, {"key": "c"}]
    rules = Rules.model_validate(
        {
            "experiments": [
                one(arms=arms, namespace={"id": "n", "range": [0, 0.5]}),
                interleave(
                    {"key": "a", "model_version": "7"}, {"key": "b", "model_version": "8"},
                    namespace={"id": "n", "range": [0.5, 1]},
                ),
                shadow(status="running"),
                shadow(key="later"),
            ]
        }
    )  # fmt: skip
    assert model_versions(rules.experiments) == ["7", "8", "9", "10"]
