"""Versions come into use, and go back, one at a time."""

from pathlib import Path

import pytest

from serving.training.publish.__main__ import main
from serving.training.publish.repository import (
    PublishError,
    rollback,
    version_in_use,
    versions,
)
from tests.support.tiny_repository import publish_again


def test_rollback_goes_back_a_version_at_a_time_and_then_says_that_it_cannot(
    repository: Path,
) -> None:
    assert [rollback(repository, "ranker") for _ in range(2)] == [4, 3]
    assert version_in_use(repository, "ranker") == 3
    with pytest.raises(PublishError, match="no version before 3"):
        rollback(repository, "ranker")


def test_publishing_after_a_rollback_reuses_no_number_and_keeps_what_was_in_use(
    repository: Path,
) -> None:
    rollback(repository, "ranker")
    assert publish_again(repository) == 6
    assert versions(repository, "ranker") == [4, 5, 6]
    assert main(["rollback", "--repository", str(repository)]) == 0
    assert version_in_use(repository, "ranker") == 5


def test_rollback_to_a_damaged_version_is_refused(repository: Path) -> None:
    (repository / "ranker" / "4" / "head.onnx").unlink()
    with pytest.raises(PublishError, match=r"head.onnx is missing"):
        rollback(repository, "ranker")
    assert version_in_use(repository, "ranker") == 5


def test_a_version_that_a_server_does_not_take_is_taken_back(repository: Path) -> None:
    with pytest.raises(PublishError, match="did not answer"):
        publish_again(repository, ["http://127.0.0.1:9"])
    assert version_in_use(repository, "ranker") == 5
    assert versions(repository, "ranker") == [3, 4, 5]
