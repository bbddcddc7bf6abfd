"""Ingest as one of several processes: it stands by until the lease is its own, then it leads."""

import logging
import threading
import time

from features.controls.shops import DEFAULT_SHOP
from features.events.lease import Lease, LeaseLostError
from features.ingest.loop import Ingest
from features.telemetry.ingest_metrics import EVENTS_WAITING, LEADER

STANDBY_S = 0.25  # between two attempts to get the lease
_RETRY_S = 1.0
_log = logging.getLogger(__name__)


def lead(ingest: Ingest, stop: threading.Event) -> None:
    """Take in what comes whenever the lease is ours, until `stop` is set.

    A store that fails is tried again; nothing is skipped. Who loses the lease stands by again.
    """
    LEADER.set(0)
    ingest.warm_up()
    while not stop.is_set():
        if _acquired(ingest.lease, stop):
            LEADER.set(1)
            _log.info("this ingest leads")
            try:
                _work(ingest, stop)
            except LeaseLostError:
                _log.warning("the lease was lost: this ingest stands by")
                EVENTS_WAITING.labels(DEFAULT_SHOP).set(0)  # the one that leads now counts them
            finally:
                LEADER.set(0)
                _release(ingest.lease)
        else:
            stop.wait(STANDBY_S)


def _work(ingest: Ingest, stop: threading.Event) -> None:
    ingest.begin_again()  # another one may have led meanwhile
    while not stop.is_set():
        started_s = time.monotonic()
        try:
            ingest.step(timeout_s=0.2)
        except LeaseLostError:
            raise
        except Exception:
            _log.exception("ingest failed at position %d; trying again", ingest.position)
            ingest.failed()
            stop.wait(_RETRY_S)
        # Events that arrive meanwhile share the next flush: its cost is mostly per flush.
        flush_interval_s = ingest.settings.flush_interval_s
        stop.wait(max(flush_interval_s - (time.monotonic() - started_s), 0.0))


def _acquired(lease: Lease, stop: threading.Event) -> bool:
    try:
        return lease.acquire()
    except Exception:
        _log.exception("nobody can be asked for the lease; trying again")
        stop.wait(_RETRY_S)
        return False


def _release(lease: Lease) -> None:
    try:
        lease.release()
    except Exception:
        _log.exception("the lease was not given back: it runs out")
