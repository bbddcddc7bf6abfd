"""The feature services: which columns a model's version reads. A version never changes; add one."""

from feast import FeatureService, FeatureView

RANKER = "ranker_v1"
COLD_START = "cold_start_v1"


def ranker_v1(user: FeatureView, session: FeatureView) -> FeatureService:
    """What a ranking reads online in one call; item counters come from the process's own table."""
    return FeatureService(
        name=RANKER, features=[user, session], description="Whole user and session state"
    )


def cold_start_v1(session: FeatureView) -> FeatureService:
    """What rules need: the intent of the session."""
    intent = ["first_s", "last_s", "counts", "recent_items", "categories", "category_weights"]
    return FeatureService(
        name=COLD_START, features=[session[intent]], description="Intent of the session"
    )
