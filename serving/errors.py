"""The error tree. `code` and `status_code` go on the wire; the message goes to the log only.

    VitrineError
    ├── RequestError            the caller can mend it
    │   ├── InvalidRequestError         422
    │   ├── UnknownItemError            404
    │   ├── UnknownAnswerError          404
    │   ├── UnknownExperimentError      404
    │   ├── UnknownPageError            404
    │   ├── UnknownShopError            404
    │   ├── UnknownKeyError             404
    │   ├── NoReadingError              404
    │   ├── UnknownClassifierError      404
    │   ├── ConflictError               409
    │   ├── UnauthenticatedError        401
    │   ├── ForbiddenError              403
    │   │   └── ShopPausedError
    │   ├── RateLimitedError            429
    │   ├── MalformedBodyError          400
    │   └── BodyTooLargeError           413
    ├── OverloadedError         503, try again soon
    ├── LogFullError            503, try again when there is room
    ├── StoreAwayError          503, try again soon
    ├── ShopOpeningError        503, try again soon
    └── RankingError            a dependency failed; the pipeline answers with rules
        ├── ModelUnavailableError
        │   └── ModelUnreachableError
        │       └── ModelNotLoadedError
        ├── ModelOverloadedError
        ├── ModelTimeoutError
        ├── BadModelOutputError
        └── FeaturesUnavailableError

Arguments are positional and all reach `Exception.__init__`, so an error survives the pickling of a
call between replicas.
"""

from typing import ClassVar


class VitrineError(Exception):
    """Anything this service raises on purpose."""

    code: ClassVar[str] = "internal"
    status_code: ClassVar[int] = 500


class RequestError(VitrineError):
    """The request cannot be answered as it stands; the message is safe to show to the caller."""

    code = "bad_request"
    status_code = 400


class InvalidRequestError(RequestError):
    """A field has a value that cannot be used; the message names the field."""

    code = "invalid_request"
    status_code = 422


class UnknownItemError(RequestError):
    """The catalogue has no such item."""

    code = "unknown_item"
    status_code = 404


class UnknownAnswerError(RequestError):
    """The shop has no such answer."""

    code = "unknown_answer"
    status_code = 404


class NoPictureError(RequestError):
    """No picture of the item is known."""

    code = "no_picture"
    status_code = 404


class PicturesOffError(RequestError):
    """This installation looks at no pictures."""

    code = "pictures_off"
    status_code = 404


class UnknownExperimentError(RequestError):
    """No such experiment is declared."""

    code = "unknown_experiment"
    status_code = 404


class UnknownPageError(RequestError):
    """No such page is declared."""

    code = "unknown_page"
    status_code = 404


class UnknownShopError(RequestError):
    """No such shop is registered."""

    code = "unknown_shop"
    status_code = 404


class UnknownKeyError(RequestError):
    """The shop has no such key."""

    code = "unknown_key"
    status_code = 404


class NoReadingError(RequestError):
    """The experiment was not read yet."""

    code = "no_reading"
    status_code = 404


class UnknownClassifierError(RequestError):
    """The shop has no such classifier, or none for the encoder in use."""

    code = "unknown_classifier"
    status_code = 404


class ConflictError(RequestError):
    """It cannot stand beside what is there; the message names the field."""

    code = "conflict"
    status_code = 409


class UnauthenticatedError(RequestError):
    """No key, or one that is not known."""

    code = "unauthenticated"
    status_code = 401


class ForbiddenError(RequestError):
    """The key is known but may not do this."""

    code = "forbidden"
    status_code = 403


class ShopPausedError(ForbiddenError):
    """The shop is paused: it keeps everything, and answers nobody."""

    code = "shop_paused"


class RateLimitedError(RequestError):
    """The key has used up its rate."""

    code = "rate_limited"
    status_code = 429


class MalformedBodyError(RequestError):
    """The bytes of the body are not what the headers say."""

    code = "malformed_body"
    status_code = 400


class BodyTooLargeError(RequestError):
    """The request body is over the limit."""

    code = "body_too_large"
    status_code = 413


class OverloadedError(VitrineError):
    """More load than can be taken; nothing was queued."""

    code = "overloaded"
    status_code = 503


class LogFullError(VitrineError):
    """The store has no room for it, or keeps the rest for purchases; nothing was written."""

    code = "log_full"
    status_code = 503


class StoreAwayError(VitrineError):
    """A store does not answer; what was told may be there all the same, and is to come again."""

    code = "store_away"
    status_code = 503


class ShopOpeningError(VitrineError):
    """The shop is registered, and this replica is opening it."""

    code = "shop_opening"
    status_code = 503


class RankingError(VitrineError):
    """A dependency of the ranking failed."""

    code = "ranking_failed"
    status_code = 503


class ModelUnavailableError(RankingError):
    """The model server did not answer."""

    code = "model_unavailable"


class ModelUnreachableError(ModelUnavailableError):
    """Nobody took the call, or the connection broke: another try may reach another server."""


class ModelNotLoadedError(ModelUnreachableError):
    """The model server answers, and has no such model; another server may have it."""


class ModelOverloadedError(RankingError):
    """The ranker's queue is full."""

    code = "model_overloaded"


class ModelTimeoutError(RankingError):
    """The model did not answer within its budget."""

    code = "deadline"


class BadModelOutputError(RankingError):
    """The model answered with scores of the wrong number, or with some that are not finite."""

    code = "bad_model_output"


class FeaturesUnavailableError(RankingError):
    """The feature store did not answer."""

    code = "features_unavailable"
