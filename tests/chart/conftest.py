"""What several files of chart tests look at."""

import pytest

from tests.support.chart.rendering import PROFILES, Json, profile, render


@pytest.fixture(scope="session", params=PROFILES)
def found(request: pytest.FixtureRequest) -> list[Json]:
    """The documents of each profile."""
    return render(profile(request.param))


@pytest.fixture(scope="session")
def default() -> list[Json]:
    return render({})
