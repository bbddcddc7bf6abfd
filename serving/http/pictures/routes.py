"""The picture of an item: brought as bytes, told of, taken back."""

from base64 import b64decode
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response

from features.arrays import FloatArray
from features.pictures.store import UPLOADED, PictureState, Row
from serving.errors import (
    BodyTooLargeError,
    InvalidRequestError,
    NoPictureError,
    PicturesOffError,
    RankingError,
    RequestError,
    UnknownItemError,
)
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import PathId, Scoped
from serving.http.openapi import gives, takes
from serving.http.schemas.items import ImageIn, PictureOut
from serving.pictures.problems import PictureError, PictureProblem
from serving.shops.pictures.shop_pictures import ShopPictures
from serving.shops.shop import Shop, Shops

_NOBODY = "nobody looks at pictures of this shop"


def add_pictures(app: FastAPI, shops: Shops, keys: Keyring) -> None:
    """Register the endpoints; a key needs the scope `items`."""
    items = Depends(Scoped(keys, Scope.ITEMS))

    @app.put(
        "/v1/items/{item_id:id}/image",
        status_code=202,
        openapi_extra=takes(ImageIn, PictureOut, 202),
    )
    async def put_image(
        request: Request, item_id: PathId, caller: Annotated[Any, items]
    ) -> Response:
        """Bring the picture of an item.

        It counts before `image_url`, and is kept as small as it is looked at.
        """
        body = await read_body(request, ImageIn)
        shop = shops.of(caller.shop)
        pictures = pictures_of(shop)
        if await shop.upkeep.get(item_id) is None:
            raise UnknownItemError("item_id: the catalogue has no such item")
        try:
            row = await pictures.put(item_id, content_of(body.image))
        except PictureError as error:
            raise refusal("image", error) from None
        return json_response(_shown(row, pictures), 202)

    @app.get("/v1/items/{item_id:id}/image", openapi_extra=gives(PictureOut))
    async def get_image(item_id: PathId, caller: Annotated[Any, items]) -> Response:
        """What became of the picture of an item."""
        pictures = pictures_of(shops.of(caller.shop))
        row = await pictures.get(item_id)
        if row is None:
            raise NoPictureError("item_id: no picture of this item is known")
        return json_response(_shown(row, pictures))

    @app.delete("/v1/items/{item_id:id}/image", status_code=204)
    async def delete_image(item_id: PathId, caller: Annotated[Any, items]) -> Response:
        """Forget the bytes that were brought; `image_url` counts again."""
        shop = shops.of(caller.shop)
        pictures, item = pictures_of(shop), await shop.upkeep.get(item_id)
        await pictures.take_back(item_id, item.image_url if item else "")
        return Response(status_code=204)


def pictures_of(shop: Shop) -> ShopPictures:
    """The shop's; raises PicturesOffError."""
    if shop.pictures is None:
        raise PicturesOffError(_NOBODY)
    return shop.pictures


def content_of(image: str) -> bytes:
    """The bytes of base64 or of a data URL; raises InvalidRequestError."""
    try:
        return b64decode(image.partition(";base64,")[2] or image, validate=True)
    except ValueError:
        raise InvalidRequestError("image: not base64") from None


async def looks_of(shop: Shop, image: str, budget_s: float, has_words: bool) -> FloatArray | None:
    """The vector (d,) of a picture that is searched with; None: its model is down, and there are
    words to go on with."""
    pictures = shop.pictures
    if pictures is None:
        raise InvalidRequestError(f"image: {_NOBODY}")
    try:
        return await pictures.vector(content_of(image), budget_s)
    except PictureError as error:
        raise refusal("image", error) from None
    except RankingError:
        if not has_words:
            raise
        return None


def refusal(field: str, error: PictureError) -> RequestError:
    """A picture that cannot be used, as an error that names the field."""
    kind = (
        BodyTooLargeError if error.problem is PictureProblem.TOO_MANY_BYTES else InvalidRequestError
    )
    return kind(f"{field}: {error}")


def _shown(row: Row, pictures: ShopPictures) -> dict[str, Any]:
    return {
        "reading": _reading(row) if pictures.reads else None,
        "state": row.state.value,
        "origin": "bytes" if row.origin == UPLOADED else row.origin,
        "problem": row.problem or None,
        "tries": row.tries,
    }


def _reading(row: Row) -> dict[str, Any]:
    reading = row.reading
    if row.state is PictureState.FAILED and not reading.by:  # it cannot be had, so nobody reads it
        return {"state": "failed", "text": None, "problem": row.problem or None}
    waits = not reading.by or reading.due_s > 0
    state = "waiting" if waits else "failed" if reading.problem else "read"
    return {"state": state, "text": reading.text or None, "problem": reading.problem or None}
