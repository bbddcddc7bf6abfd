"""What a run is judged by: ratios of figures of that one run."""

from loadtests.bench.measurements import LOADS, MAIN
from loadtests.bench.report import Json


def bars(report: Json) -> Json:
    """The ratios that count, each within this one run, and what they should be."""
    cells = {(c["who"], c["candidates"], c["clients"]): c for c in report["http"]}
    rank = cells["vitrine", MAIN, 1]["p50_ms"]
    constant = [c for c in report["http"] if c["who"] == "vitrine, constant scores"]
    ratios: dict[str, tuple[float, str, float]] = {
        "throughput of scoring 100, times the plain int8 cross-encoder's": (
            next(row["times"] for row in report["kernel"] if row["candidates"] == MAIN), ">=", 30),
        "/v1/rank of 100, one client, p50 ms": (rank, "<=", 25),
        "Infinity's p50 of 100 over ours": (
            cells["infinity", MAIN, 1]["p50_ms"] / rank, ">=", 40),
        "platform's share, p50 ms": (constant[0]["p50_ms"], "<=", 5),
        "rankings/s with constant scores": (max(c["per_s"] for c in constant), ">=", 500),
    }  # fmt: skip
    for row in report["load"]:
        if row["share"] == LOADS[0]:
            ratios["p99 at 70 % of the peak over the idle p50"] = (row["p99_ms"] / rank, "<=", 4)
        if row["share"] == LOADS[-1]:
            peak = row["asked_per_s"] / row["share"]
            ratios["good answers at 200 % of the peak, share of the peak"] = (
                row["good_per_s"] / peak,
                ">=",
                0.9,
            )
    if ("vitrine", 1_000, 1) in cells:
        thousand = cells["vitrine", 1_000, 1]["p50_ms"]
        ratios["/v1/rank of 1,000 over 100"] = (thousand / rank, "<=", 5)
    if "catalogue" in report:
        small, large = report["catalogue"][0], report["catalogue"][-1]
        started = ("item_states_s", "catalogue_s", "lexical_index_s")
        ratios["item states of 200,000 items, MiB"] = (large["item_states_mib"], "<=", 400)
        ratios["start with 200,000 items, seconds more than with 2,000"] = (
            sum(large[name] - small[name] for name in started), "<=", 60)  # fmt: skip
    return {
        name: {
            "value": value,
            "bar": f"{sign} {limit}",
            "met": value <= limit if sign == "<=" else value >= limit,
        }
        for name, (value, sign, limit) in ratios.items()
    }
