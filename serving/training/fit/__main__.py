"""Train a bundle: `python -m serving.training.fit --data grocery --out build/bundles/grocery`."""

import sys

from serving.training.fit.command import parser_of, run
from serving.training.fit.forest import ForestOptions
from serving.training.fit.head import HeadOptions
from serving.training.fit.training import TrainingOptions, train
from serving.training.fit.tuning import TuningOptions


def main(arguments: list[str] | None = None) -> int:
    """The command line; 2 when the data set cannot be used."""
    parser = parser_of(__doc__)
    parser.add_argument("--data", required=True, help="grocery, simulated, or a folder")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--slates", type=int, default=TrainingOptions().n_train)
    parser.add_argument("--hidden", type=float, default=TrainingOptions().hidden_share)
    parser.add_argument("--steps", type=int, default=TuningOptions().steps)
    parser.add_argument(
        "--units", type=int, nargs=2, default=HeadOptions().units, help="of the head's two layers"
    )
    parser.add_argument("--dropout", type=float, default=HeadOptions().dropout)
    given = parser.parse_args(arguments)
    options = TrainingOptions(
        seed=given.seed,
        n_train=given.slates,
        hidden_share=given.hidden,
        tuning=TuningOptions(steps=given.steps),
        head=HeadOptions(units=tuple(given.units), dropout=given.dropout),
        forest=ForestOptions(threads=given.threads),
    )
    return run(
        given,
        [given.data],
        lambda datasets, objective, progress: train(
            datasets[0], given.out, options, progress, objective
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
