"""A request's source as its placement has it."""

from dataclasses import replace

from serving.errors import InvalidRequestError
from serving.ranking.request import Given, Recommend, Search, Source
from serving.search.filters import Filters
from serving.shops.placements.placement import CandidateRules, Placement, Strategy

_PATHS: dict[type[Source], str] = {
    Given: "/v1/rank", Search: "/v1/search", Recommend: "/v1/recommend",
}  # fmt: skip


def placed(source: Source, name: str, placement: Placement) -> Source:
    """`source` with the placement's candidates and filters.

    Raises InvalidRequestError, which names the field, for what the placement cannot be asked.
    """
    rules = placement.candidates
    wanted = _kind(rules.strategy)
    if wanted is not None and not isinstance(source, wanted):
        raise InvalidRequestError(
            f"placement: {name!r} is asked for by {_PATHS[wanted]}, for its candidates are "
            f"{rules.strategy}"
        )
    if isinstance(source, Search):
        source = replace(source, query=source.query or rules.query or "")
    elif isinstance(source, Recommend):
        source = _recommended(source, name, rules)
    filters = both(source.filters, rules.filters.filters)
    return source if filters is source.filters else replace(source, filters=filters)


def both(asked: Filters | None, declared: Filters | None) -> Filters | None:
    """What satisfies both; the same object where only the request asks for any."""
    if declared is None or asked is None:
        return asked or declared
    # Whether what is sold out shows is the request's to say.
    return asked.within(replace(declared, available=None))


def _kind(strategy: Strategy | None) -> type[Source] | None:
    match strategy:
        case None:
            return None
        case Strategy.GIVEN:
            return Given
        case Strategy.SEARCH:
            return Search
        case _:
            return Recommend


def _recommended(source: Recommend, name: str, rules: CandidateRules) -> Recommend:
    if rules.strategy is None:
        return source
    for field, strategy in (("seed_item_ids", Strategy.SIMILAR), ("cart_item_ids", Strategy.CART)):
        given = bool(getattr(source, field))
        if given and rules.strategy is not strategy:
            raise InvalidRequestError(f"{field}: {name!r} has candidates that are {rules.strategy}")
        if not given and rules.strategy is strategy:
            raise InvalidRequestError(f"{field}: {name!r} needs some, to be {rules.strategy}")
    return replace(source, strategy=rules.strategy, of=rules.of, at_most=rules.at_most)
