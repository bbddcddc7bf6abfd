"""What keeps many shops of a replica up to date: one thread a kind of work, one shop at a time."""

import logging
import threading
import time
from collections.abc import Callable

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
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(work, every_s), name=name, daemon=True)
            for name, work, every_s in (
                ("shops-refresh", self._follow, interval_s),
                ("shops-index", self._index, interval_s),
                ("shops-experiments", self._steer, _STEERED_S),
                ("shops-answers", self._answer, _STEERED_S),
                ("shops-pictures", self._look, interval_s),
            )
        ]

    def start(self) -> None:
        """Begin; there may be no shop yet."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5)

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

    def _look(self, opened: OpenShop) -> None:
        if opened.pictures is not None:
            opened.pictures.follow()

    def _repeat(self, work: Callable[[OpenShop], None], every_s: float) -> None:
        while not self._stop.wait(every_s):
            shops = self._shops
            for name, opened in shops.items():
                try:
                    work(opened)
                except Exception:
                    if self._shops.get(name) is opened:  # else it was closed meanwhile
                        _LOG.exception("%s: %s failed; trying again", name, work.__name__)
            REFRESHED_TIMESTAMP.labels(part="shops").set(time.time())
