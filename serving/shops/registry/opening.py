"""A shop's stores and indexes on a replica, opened for it, and closed when it is gone."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from features.behavior.neighbor_file import NeighborFile
from features.controls.shops import DEFAULT_SHOP, Registered
from features.store.backends import open_catalog, open_controls, open_event_log, open_log_space
from features.store.feature_store import open_current, open_store
from features.store.online import OnlineFeatures
from features.store.settings import SPACES, StoreSettings
from features.store.shops import shop_store
from serving.models.connection import served_versions
from serving.models.contract import MAX_TOKENS
from serving.models.settings import ModelSettings
from serving.models.tokenizer import Tokenizer
from serving.search.relevance import RelevanceModels
from serving.search.retrieval import Retrieval
from serving.search.settings import RetrievalSettings
from serving.search.suggest.suggestions import Suggestions
from serving.search.vectors import BlockingEncoder, StoredVectors
from serving.search.words.analysis import Analyzer
from serving.search.words.synonyms import meanings
from serving.shops.alerts.settings import AlertSettings
from serving.shops.alerts.watch import Watch
from serving.shops.alerts.webhook import Webhook
from serving.shops.answers.answers import Answers
from serving.shops.answers.kept import KeptAnswers
from serving.shops.choices.following import ShoppersChoices
from serving.shops.intake import Intake
from serving.shops.items import ItemCache
from serving.shops.labels.classifiers import Classifiers
from serving.shops.labels.counting import LabelCounts
from serving.shops.pictures.feed import PictureFeed
from serving.shops.pictures.kept import kept_spaces
from serving.shops.pictures.shop_pictures import ShopPictures
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.refresh import Refresher
from serving.shops.registry.definition import ShopDefinition
from serving.shops.reserve import Reserve
from serving.shops.rights.audit import Audit
from serving.shops.rights.erasures import Erasures
from serving.shops.rules import Rules
from serving.shops.shop import Shop
from serving.shops.steering.steering import Steering
from serving.shops.upkeep import Upkeep

_LIMITS_S = 1.0  # patience with a model server that is asked for its versions
_THREADS = 2  # that write for one of many shops


@dataclass(frozen=True, slots=True)
class OpenShop:
    """A shop and what keeps it up to date; `refresher` and `steering` are not started yet."""

    shop: Shop
    refresher: Refresher
    store: StoreSettings
    pictures: PictureFeed | None = None  # None: nobody looks at any
    _closing: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Load what is there, and follow it with threads of its own."""
        self.shop.choices.start()
        self.refresher.start()
        self.shop.steering.start()
        self.shop.answers.start()
        self.shop.alerts.start()
        if self.pictures is not None:
            self.pictures.start()

    def load(self) -> None:
        """Load what is there; somebody else follows."""
        self.shop.choices.follow()
        self.refresher.load()
        self.shop.steering.follow()
        self.shop.answers.load()
        if self.pictures is not None:
            self.pictures.follow()
        self.shop.alerts.start()

    def close(self) -> None:
        """Give back files, connections and threads; nobody may use the shop then."""
        self.refresher.stop()
        self.shop.steering.stop()
        self.shop.choices.stop()
        self.shop.audit.close()
        self.shop.erasures.close()
        self.shop.answers.stop()
        self.shop.alerts.stop()
        if self.pictures is not None:
            self.pictures.stop()
        self._closing.close()

    def refuse(self) -> None:
        """Let nobody write any more: the shop was removed, and what is kept is being deleted."""
        self.shop.intake.close()
        self.shop.upkeep.close()
        self.shop.answers.close()

    def forget(self) -> None:
        """Delete what this replica alone has kept of a shop that was removed."""
        if self.store.space and self.store.kind == "redis":  # files of a shop are ingest's to end
            shutil.rmtree(self.store.state, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens the shops of one replica. What they share knows nothing of any: the tokenizer, and the
    encoder, whose vectors depend on a text alone.

    pictures: makes those of a shop, from its store; None: nobody looks at any
    """

    installation: StoreSettings
    model: ModelSettings
    retrieval: RetrievalSettings
    pseudonyms: Pseudonyms
    alerts: AlertSettings
    interval_s: float
    tokenizer: Tokenizer
    encoder: BlockingEncoder
    pictures: Callable[[StoreSettings], ShopPictures] | None = None

    def default(self, rules: Rules) -> OpenShop:
        """The one that the settings configure."""
        store, retrieval = self.installation, self.retrieval
        paths = retrieval.vectors_path, retrieval.neighbors_path
        return self._open(DEFAULT_SHOP, store, rules, retrieval.language, self.pseudonyms, paths)

    def registered(self, entry: Registered) -> OpenShop:
        """Another one; raises ValidationError for a definition that cannot be used."""
        definition = ShopDefinition.model_validate(entry.definition)
        rules = Rules.model_validate(definition.rules)
        store = shop_store(self.installation, entry)
        paths = tuple(
            path.parent / SPACES / entry.space / path.name
            for path in (self.retrieval.vectors_path, self.retrieval.neighbors_path)
        )
        names = self.pseudonyms.of_shop(entry.space)
        return self._open(
            entry.name, store, rules, definition.language, names, (paths[0], paths[1])
        )

    def _open(
        self,
        name: str,
        store: StoreSettings,
        rules: Rules,
        language: str,
        pseudonyms: Pseudonyms,
        paths: tuple[Path, Path],
    ) -> OpenShop:
        """paths: of vectors and of neighbour tables."""
        with ExitStack() as opened:
            log = opened.enter_context(closing(open_event_log(store)))
            catalog = opened.enter_context(closing(open_catalog(store)))
            space = opened.enter_context(closing(open_log_space(store)))
            controls = opened.enter_context(closing(open_controls(store)))
            if store.space:
                # Snapshots are ingest's: their folder need not be one that a replica may write to.
                features = open_current(store.model_copy(update={"offline": None}))
            else:
                features = open_store(store)
            online = opened.enter_context(closing(OnlineFeatures(features)))
            reserve = Reserve(space)
            several = {"n_threads": _THREADS} if store.space else {}
            intake = opened.enter_context(closing(Intake(log, reserve, **several)))
            upkeep = opened.enter_context(closing(Upkeep(catalog, reserve, **several)))
            pictures = None if self.pictures is None else self.pictures(store)
            if pictures is not None:
                opened.callback(pictures.close)
            items = ItemCache(self.tokenizer, MAX_TOKENS, store.prices)
            profile, model = self.model.encoder_profile, self.model
            retrieval = Retrieval(
                items,
                StoredVectors(paths[0], self.encoder, profile),
                Analyzer(language),
                RelevanceModels.of_profile(profile),
                synonyms=meanings(
                    rules.synonyms, [(way.asked, way.means) for way in rules.one_way]
                ),
                pictures=pictures is not None,
                reads_pictures=pictures is not None and pictures.reads,
            )
            suggestions = Suggestions(items, language)
            refresher = Refresher(
                catalog,
                log,
                online,
                items,
                retrieval,
                suggestions,
                NeighborFile(paths[1]),
                self.interval_s,
                shop=name,
            )
            offered = partial(
                served_versions, model.grpc_address, model.ranker, model.tls, _LIMITS_S
            )
            shop = Shop(
                name=name,
                items=items,
                retrieval=retrieval,
                suggestions=suggestions,
                pseudonyms=pseudonyms,
                shoppers=online,
                log=log,
                reserve=reserve,
                intake=intake,
                upkeep=upkeep,
                answers=Answers(
                    KeptAnswers(controls),
                    reserve,
                    StoredVectors(
                        paths[0].with_name(f"answers_{paths[0].name}"), self.encoder, profile
                    ),
                    profile,
                    Analyzer(language),
                ),
                controls=controls,
                choices=ShoppersChoices(controls),
                audit=Audit(controls),
                erasures=Erasures(controls, pseudonyms, log.offset),
                steering=Steering(rules, controls, offered=offered, shop=name),
                classifiers=Classifiers(controls, profile),
                label_counts=LabelCounts(controls),
                pictures=pictures,
                space=store.space or "",
                language=language,
                alerts=Watch(
                    name,
                    rules.alerts,
                    controls,
                    Webhook.of(rules.alerts.webhook, self.alerts),
                ),
            )
            feed = None
            if pictures is not None:
                feed = PictureFeed(
                    pictures.stored, kept_spaces(controls), items, retrieval, profile,
                    self.interval_s, pictures.reads,
                )  # fmt: skip
            return OpenShop(shop, refresher, store, feed, opened.pop_all())
