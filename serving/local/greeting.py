"""What `make serve` prints once it answers: the address, and lines to paste."""

import json
import shlex
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from serving.local.state_folder import Sample

# Filled in by the shell when the line is pasted.
_ID, _TIME = "$(date +%s%N)", "$(date -u +%FT%TZ)"


def greeting(url: str, sample: Sample, key: str, plain: bool = False) -> str:
    """The address and three lines for a shell, whatever characters ids and titles have.

    plain: for a terminal that is not Unicode, in which JSON escapes what is not ASCII
    """
    text: Callable[[object], str] = partial(json.dumps, ensure_ascii=plain)
    head = f"curl -s {url}%s -H 'Authorization: Bearer {key}' -d "
    candidates = [{"item_id": item_id} for item_id in sample.item_ids]
    rank = {"user_id": sample.user_id, "candidates": candidates}
    event = {"event_id": _ID, "type": "click", "user_id": sample.user_id}
    event |= {"item_id": sample.item_ids[-1], "at": _TIME}
    click = shlex.quote(text({"events": [event]}))
    for command in (_ID, _TIME):
        click = click.replace(f'"{command}"', f"\"'{command}'\"", 1)
    search = {"query": sample.query, "user_id": sample.user_id, "limit": 5}
    return "\n".join(
        (
            f"\nVitrine answers at {url}  (Ctrl-C stops)",
            f"a shop to click in: {url}/demo#shopper={quote(sample.user_id, safe='')}   "
            f"the API: {url}/docs\n",
            "rank these items for a shopper:",
            f"  {head % '/v1/rank'}{shlex.quote(text(rank))}\n",
            "the shopper clicks the last of them (then rank again, and see it move):",
            f"  {head % '/v1/events'}{click}\n",
            "search:",
            f"  {head % '/v1/search'}{shlex.quote(text(search))}\n",
        )
    )
