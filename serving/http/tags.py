"""What the OpenAPI document says of the whole, of each group of operations, and of headers."""

ABOUT = """\
Ranking for storefronts: search, recommendations and the order of what you offer.

Send a key as `Authorization: Bearer <key>`; each group names the scope that it needs. Every answer
has `x-request-id`. Errors are RFC 9457 problem documents, and `code` says what is wrong.
"""
TAGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Rankings": (
        "What to show, in which order. Scope `rank`.",
        (
            "/v1/rank",
            "/v1/search",
            "/v1/recommend",
            "/v1/recommend/brands",
            "/v1/recommend/categories",
            "/v1/items/{item_id}/similar",
        ),
    ),
    "Suggestions": ("What somebody is typing. Scope `rank`.", ("/v1/suggest",)),
    "Rerank": (
        "Free texts against a query, for existing clients. Scope `rank`.",
        ("/rerank", "/v1/rerank", "/v2/rerank"),
    ),
    "Events": (
        "What shoppers do. Scope `events`.",
        ("/v1/events", "/v1/events/import", "/v1/users/{user_id}/merge"),
    ),
    "Items": (
        "The catalogue. Scope `items`.",
        ("/v1/items", "/v1/items/import", "/v1/items/{item_id}"),
    ),
    "Shoppers": (
        "What is known of a shopper. Scope `admin`.",
        ("/v1/users/{user_id}", "/v1/users/{user_id}/features"),
    ),
    "Experiments": (
        "What the shop tries, and by which versions of the ranker. Scope `admin`.",
        (
            "/v1/experiments",
            "/v1/experiments/{key}",
            "/v1/experiments/{key}/decision",
            "/v1/experiments/{key}/reading",
            "/v1/versions",
        ),
    ),
    "Shops": (
        "The shops of an installation. Scope `shops`, which sees nothing in a shop.",
        (
            "/v1/shops",
            "/v1/shops/{name}",
            "/v1/shops/{name}/keys/{key_name}",
        ),
    ),
    "Operations": (
        "For operators. No key, but for `/v1/status` (scope `rank`).",
        ("/", "/healthz", "/readyz", "/metrics", "/v1/status"),
    ),
}
HEADERS = {
    "Rankings": {"x-vitrine-variant": "What the request was ranked by."},
    "Rerank": {
        "x-vitrine-route": "`model`, or `fallback`: by words.",
        "x-vitrine-truncated": "Places of texts that were cut; left out when none was.",
    },
}
