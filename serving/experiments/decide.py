"""Stop an experiment of a running shop, promote an arm of it, or go on as declared.

    python -m serving.experiments.decide ranker promote --arm new --why "it earns more"

The same as POST /v1/experiments/{key}/decision.
"""

import argparse
import sys
from collections.abc import Sequence
from urllib.parse import quote

import requests

_TIMEOUT_S = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when it is decided, 1 when the shop refuses, 2 when it does not answer."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.experiments.decide",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("experiment")
    parser.add_argument("action", choices=("stop", "promote", "resume"))
    parser.add_argument("--arm", help="of promote")
    parser.add_argument("--why", default="", help="kept with the decision")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", default="dev", help="with the scope admin")
    given = parser.parse_args(arguments)
    path = f"/v1/experiments/{quote(given.experiment, safe='')}/decision"
    body = {"action": given.action, "why": given.why}
    if given.arm:
        body["arm"] = given.arm
    try:
        answer = requests.post(
            given.url.rstrip("/") + path,
            json=body,
            headers={"authorization": f"Bearer {given.key}"},
            timeout=_TIMEOUT_S,
        )
    except requests.RequestException as error:
        print(f"{given.url} does not answer: {type(error).__name__}", file=sys.stderr)
        return 2
    try:
        told = answer.json()
    except requests.JSONDecodeError:
        told = {}
    if not answer.ok:
        detail = told.get("detail", f"status {answer.status_code}")
        print(f"not decided: {detail}", file=sys.stderr)
        return 1
    decision = told["decision"]
    if decision is None:
        print(f"{told['key']}: as declared")
    else:
        arm = f" {decision['arm']}" if decision["arm"] else ""
        print(f"{told['key']}: {decision['action']}{arm}, by {decision['by']}, {decision['at']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
