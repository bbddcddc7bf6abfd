"""An answer in few words, for a model that reads the text and not the structure."""

from collections.abc import Iterator
from typing import Any


def told(answer: dict[str, Any]) -> str:
    """What was found, what was understood, and what was not."""
    return "\n".join(_lines(answer))


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    items = answer["items"]
    total = answer.get("total")
    of = f" of {total}" if total is not None and total != len(items) else ""
    yield f"{len(items)}{of} items." if items else "Nothing was found."
    understood = answer.get("understood") or {"wishes": [], "not_used": []}
    for wish in understood["wishes"]:
        words = f'"{wish["words"]}"'
        if wish["relaxed"]:
            yield f"Nothing meets {words}, so it was let go: these items do not all meet it."
        elif wish["required"]:
            yield f"All of them meet {words}."
        else:
            yield f"What meets {words} was lifted."
    if understood["not_used"]:
        words = "; ".join(f'"{left["words"]}" ({left["why"]})' for left in understood["not_used"])
        yield f"Not used: {words}."
    for item in items:
        yield f"{item['position']}. {_item(item)}"


def _item(item: dict[str, Any]) -> str:
    parts = [item["title"], item["brand"]]
    if item["price"] is not None:
        parts.append(" ".join(filter(None, (f"{item['price']:.2f}", item["currency"]))))
    if not item["available"]:
        parts.append("sold out")
    if item["relevance"] is not None and item.get("explanation"):
        parts.append(f"relevance {item['relevance']:.2f}")
    return f"{', '.join(filter(None, parts))} (item_id {item['item_id']})"
