"""What keeps many shops of a replica up to date: one thread a kind of work, one shop at a time."""

import logging
import time
from collections.abc import Callable
from functools import partial

from serving.background import Background
from serving.shops.registry.opening import OpenShop
from serving.telemetry.metrics import REFRESHED_TIMESTAMP

_LOG = logging.getLogger("vitrine.shops")
_STEERED_S = 0.5


class Rounds:
    """Follows catalogue and counters, brings indexes behind them and steers experiments, of every
    shop that was added, each `interval_s` or as soon as all others had their turn.
    """

    def __init__(self, interval_s: float) -> None:
        self._shops: dict[str, OpenShop] = {}  # replaced whole
        self._threads = [
            Background(name, partial(self._round, work), every_s, _LOG, name, first_s=every_s)
            for name, work, every_s in (
                ("shops-refresh", self._follow, interval_s),
                ("shops-index", self._index, interval_s),
                ("shops-experiments", self._steer, _STEERED_S),
                ("shops-answers", self._answer, _STEERED_S),
                ("shops-choices", self._choose, _STEERED_S),
                ("shops-pictures", self._look, interval_s),
            )
        ]

    def start(self) -> None:
        """Begin; there may be no shop yet."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End."""
        for thread in self._threads:
            thread.stop()

    def take(self, shops: dict[str, OpenShop]) -> None:
        """From now on these and no others."""
        self._shops = dict(shops)

    def _follow(self, opened: OpenShop) -> None:
        opened.refresher.follow()

    def _index(self, opened: OpenShop) -> None:
        # A piece at a time: thousands of new texts of one shop hold no other up.
        opened.refresher.index_piece()

    def _steer(self, opened: OpenShop) -> None:
        opened.shop.steering.turn()

    def _answer(self, opened: OpenShop) -> None:
        # The encoder reads a whole new collection at once: that holds no experiment up.
        opened.shop.answers.follow()

    def _choose(self, opened: OpenShop) -> None:
        opened.shop.choices.follow()

    def _round(self, work: Callable[[OpenShop], None]) -> None:
        for name, opened in self._shops.items():
            try:
                work(opened)
            except Exception:
                if self._shops.get(name) is opened:  # else it was closed meanwhile
                    _LOG.exception("%s: %s failed; trying again", name, work.__name__)
        REFRESHED_TIMESTAMP.labels(part="shops").set(time.time())

    def _look(self, opened: OpenShop) -> None:
        if opened.pictures is not None:
            opened.pictures.follow()
