"""What the OpenAPI document tells of: its models, its groups of endpoints, examples and headers."""

from pydantic import BaseModel

from serving.http.answers import schemas as of_answers
from serving.http.labels import examples as label_examples
from serving.http.labels import schemas as labels
from serving.http.pictures import examples as picture_examples
from serving.http.problems import Problem
from serving.http.rights import examples as right_examples
from serving.http.rights import schemas as rights
from serving.http.schemas import (
    events,
    examples,
    experiments,
    items,
    kinds,
    operations,
    rankings,
    readings,
    rerank,
    suggest,
    users,
)
from serving.http.schemas.operator import shops
from serving.http.schemas.pages import page, placements
from serving.http.transparency import examples as transparency_examples
from serving.http.transparency import schemas as transparency
from serving.shops.experiments import Experiment
from serving.shops.labels.classifier import Classifier
from serving.shops.registry.definition import ShopDefinition

MODELS: tuple[type[BaseModel], ...] = (
    rankings.RankRequest,
    rankings.SearchRequest,
    rankings.RecommendRequest,
    rankings.RankResponse,
    rankings.SearchResponse,
    kinds.BrandsRequest,
    kinds.CategoriesRequest,
    kinds.LikedResponse,
    page.PageRequest,
    page.PageResponse,
    suggest.SuggestResponse,
    *of_answers.MODELS,
    events.EventsResponse,
    events.EventsImported,
    items.ItemsPut,
    items.ItemsPatch,
    items.ItemsResponse,
    items.ImportResponse,
    items.ItemPatch,
    items.ItemOut,
    items.ItemPage,
    items.ImageIn,
    items.PictureOut,
    users.MergeRequest,
    users.UserFeatures,
    *rights.MODELS,
    rerank.TextsRerank,
    rerank.DocumentsRerank,
    rerank.TextScore,
    rerank.CohereAnswer,
    rerank.VoyageAnswer,
    experiments.ExperimentsOut,
    experiments.ExperimentOut,
    readings.ReadingOut,
    experiments.VersionsOut,
    placements.PlacementsOut,
    transparency.TransparencyOut,
    experiments.DecisionIn,
    Experiment,
    labels.ClassifyRequest,
    labels.ClassifyResponse,
    labels.StreamRequest,
    labels.StreamResponse,
    Classifier,
    labels.ClassifierOut,
    labels.ClassifierWhole,
    labels.ClassifiersOut,
    labels.AlertsOut,
    shops.ShopsOut,
    shops.ShopOut,
    shops.KeyIn,
    shops.KeyMade,
    ShopDefinition,
    operations.Home,
    operations.Health,
    operations.Ready,
    operations.ShopStatus,
    operations.Accepted,
    Problem,
)
EXAMPLES = {
    **examples.EXAMPLES,
    **label_examples.EXAMPLES,
    **picture_examples.EXAMPLES,
    **right_examples.EXAMPLES,
    **transparency_examples.EXAMPLES,
}
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
    "Pages": ("All shelves of a page at once. Scope `rank`.", ("/v1/pages/{name}",)),
    "Suggestions": ("What somebody is typing. Scope `rank`.", ("/v1/suggest",)),
    "Rerank": (
        "Free texts against a query, for existing clients. Scope `rank`.",
        ("/rerank", "/v1/rerank", "/v2/rerank"),
    ),
    "Answers": (
        "A customer's question and the shop's answers. Scope `rank`; the collection: `items`.",
        ("/v1/answers/rank", "/v1/answers", "/v1/answers/{answer_id}"),
    ),
    "Labels": (
        "Labels for texts, and alerts when one rises. Scope `rank`; for streams `events`, else "
        "`admin`.",
        (
            "/v1/classify",
            "/v1/texts",
            "/v1/classifiers",
            "/v1/classifiers/{name}",
            "/v1/alerts",
        ),
    ),
    "Events": (
        "What shoppers do. Scope `events`.",
        ("/v1/events", "/v1/events/import", "/v1/users/{user_id}/merge"),
    ),
    "Items": (
        "The catalogue. Scope `items`.",
        ("/v1/items", "/v1/items/import", "/v1/items/{item_id}", "/v1/items/{item_id}/image"),
    ),
    "Shoppers": (
        "What is known of a shopper, what became of an erasure, who looked. Scope `admin`.",
        (
            "/v1/users/{user_id}",
            "/v1/users/{user_id}/features",
            "/v1/erasures/{receipt}",
            "/v1/audit",
        ),
    ),
    "Rights": (
        "What a shopper may ask for and decide. Scope `shoppers`.",
        (
            "/v1/users/{user_id}/preferences",
            "/v1/sessions/{session_id}/preferences",
            "/v1/users/{user_id}/export",
        ),
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
    "Placements": ("What the rules show where. Scope `admin`.", ("/v1/placements",)),
    "Transparency": (
        "What counts in a ranking and how much, for shoppers and sellers. Scope `rank`.",
        ("/v1/transparency",),
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
