"""The model server's environment: what it is told of the processor."""

from pathlib import Path

import pytest

from serving.local.tritonserver import Installation, kernels

AVX2 = "flags\t\t: fpu sse sse2 avx fma avx2\n"
AVX512 = "flags\t\t: fpu sse2 fma avx2 avx512f avx512bw avx512cd avx512dq avx512vl\n"


@pytest.mark.parametrize(
    ("cpuinfo", "told"),
    [
        (AVX2, {"OPENBLAS_CORETYPE": "Haswell"}),
        (AVX512, {"OPENBLAS_CORETYPE": "SkylakeX"}),
        (AVX512.replace(" avx512vl", ""), {"OPENBLAS_CORETYPE": "Haswell"}),
        ("flags\t\t: fpu sse sse2\n", {}),
        ("Features\t: fp asimd avx2 fma\n", {}),
    ],
)
def test_openblas_is_told_the_fastest_kernels_that_the_processor_can_run(
    cpuinfo: str, told: dict[str, str]
) -> None:
    assert kernels(cpuinfo) == told


def test_kernels_that_somebody_chose_stay_chosen() -> None:
    installation = Installation(*[Path("/")] * 4)
    given = {"OPENBLAS_CORETYPE": "Sandybridge"}
    assert installation.environment(given)["OPENBLAS_CORETYPE"] == "Sandybridge"
