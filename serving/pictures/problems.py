"""What may be wrong with a picture."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]  # (PICTURE_SIDE, PICTURE_SIDE, 3)
Page = npt.NDArray[np.uint8]  # (height, width, 3), as large as it is read


class PictureProblem(StrEnum):
    """Why a picture cannot be looked at, a closed set: it is told on the wire and in metrics."""

    NOT_A_PICTURE = "not_a_picture"  # of no known format, or broken
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    HOST_NOT_ALLOWED = "host_not_allowed"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"  # the name leads to an address of this network
    TOO_MANY_REDIRECTS = "too_many_redirects"
    NOT_FOUND = "not_found"
    REFUSED = "refused"  # another answer than 200
    UNREACHABLE = "unreachable"
    TOO_SLOW = "too_slow"
    MODEL_UNAVAILABLE = "model_unavailable"
    GAVE_UP = "gave_up"  # the worker ended over it, again and again
    UNREADABLE = "unreadable"  # the reader of texts failed or ended over it
    READER_UNAVAILABLE = "reader_unavailable"  # that reader does not start


class PictureError(Exception):
    """A picture that cannot be looked at. retry: later it may be another one."""

    def __init__(self, problem: PictureProblem, detail: str = "", retry: bool = False) -> None:
        super().__init__(detail or problem.value)
        self.problem = problem
        self.retry = retry
