"""Whose data may be read for anything but the shopper: training, reports, evaluation, KPIs."""

from collections.abc import Callable

from features.controls.choices import Choices
from features.store.backends import open_controls
from features.store.settings import StoreSettings

Learnt = Callable[[str | None, str | None], bool]


def learnt_from(store: StoreSettings) -> Learnt:
    """Whether a user and a session may be learnt from, by what they have chosen by now."""
    controls = open_controls(store)
    try:
        choices = Choices(controls).fresh()
    finally:
        controls.close()
    return lambda user_id, session_id: choices.of(user_id, session_id).learnt


def everybody(user_id: str | None, session_id: str | None) -> bool:
    """Of a log whose shoppers have nothing to choose by."""
    return True
