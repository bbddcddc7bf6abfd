"""What was measured as one picture, where matplotlib is installed."""

from pathlib import Path

from loadtests.gpu.check.latency import LATENCY
from loadtests.gpu.check.report import Report
from loadtests.gpu.check.throughput import TOWER


def draw(report: Report, path: Path) -> str:
    """Write `path`; returns what to say of it."""
    try:
        import matplotlib as mpl
    except ImportError:
        return "no picture: matplotlib is not here"
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (batches, texts) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
    for name, points in _series(report, LATENCY, ("runs", "precision", "mode"), "requests").items():
        batches.plot(*zip(*points, strict=True), "o-", label=name)
    batches.set(title="latency of a batch", xlabel="requests", ylabel="ms")
    lengths = sorted({row["length"] for row in report.rows(TOWER)} - {"real"})
    length = lengths[len(lengths) // 2] if lengths else 0
    for name, points in _series(report, TOWER, ("precision", "mode"), "batch", length).items():
        texts.plot(*zip(*points, strict=True), "o-", label=name)
    texts.set(title=f"tower, texts of {length} tokens", xlabel="texts in a run", ylabel="texts/s")
    for axes in (batches, texts):
        axes.set(xscale="log", yscale="log")
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=7)
    about = report.content["about"]
    figure.suptitle("rehearsal on the CPU" if about["rehearsal"] else about["device"])
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return f"picture: {path}"


def _series(
    report: Report, part: str, names: tuple[str, ...], x: str, length: int | None = None
) -> dict[str, list[tuple[float, float]]]:
    y = "texts_per_s" if part == TOWER else "ms"
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in report.rows(part):
        if length is None or row["length"] == length:
            name = ", ".join(str(row[each]) for each in names)
            lines.setdefault(name, []).append((row[x], row[y]))
    return lines
