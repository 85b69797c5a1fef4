"""Learning a pose network through the lifter's minimiser: what it is worth, and why.

    ./set.sh data --images --hard=occluders,blur,dark,mirrored --data_dir=hard
    python human_pose/main.py --model=i1 --train=1 --preset=tiny --curriculum=modern \
        --iterations=6500 --data_dir=hard/images --name=tiny_hard
    python benchmarks/end_to_end.py --data_dir=hard/images \
        --check_path=results/tiny_hard/check/d16.keras --out=results/end_to_end

All arms start from one pipeline: that network, and a readout and an energy that have
learned from the same moments with the network held. Then each makes the same number of
updates from moments in the same order, a seed for each order. Errors are those of the
test subjects' joints about the hip, mm. Every outcome is a line of `outcomes.jsonl` in
the folder, so that a run that was stopped goes on, and all are drawn in `outcomes.png`;
`--parts` chooses:

gradients    joint training against training apart
outliers     the same with 5, 10 and 20 % of the detections put elsewhere (--shares)
views        the same with 2 and 3 views
derivative   the derivatives, each at the learning rates of a grid (--rates)
frozen       the energy alone, the network alone
"""

import argparse
import dataclasses
import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
from end_to_end_rows.arm import Arm, Outcome
from end_to_end_rows.moments import Moments
from end_to_end_rows.picture import draw

from human_pose.datasets.protocol import TRAIN_SUBJECTS
from human_pose.i1.network.checkpoint import load_network
from human_pose.pipeline.checkpoint import open_pipeline, save_pipeline
from human_pose.pipeline.config import LossWeights, Outliers, PipelineTrainingConfig

PARTS = ("gradients", "outliers", "views", "derivative", "frozen")
SHARES = (0.05, 0.1, 0.2)
RATES = (3e-4, 1e-3)
DAMPINGS = (1e-5, 1e-4, 1e-3, 1e-2)
NEVER = 1 << 30
# Updates of the readout and the energy before all arms.
CALIBRATING = 150
# Whom settings are chosen on.
DEV_SUBJECTS = (8,)


def main() -> None:
    """Runs what is chosen, and prints the tables of all outcomes in the folder."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data_dir", type=Path, required=True)
    options.add_argument("--check_path", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--updates", type=int, default=400)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--test", type=int, default=304, help="test moments")
    options.add_argument("--rate", type=float, default=1e-3)
    options.add_argument(
        "--damping", type=float, default=PipelineTrainingConfig.damping
    )
    options.add_argument(
        "--shares", type=float, nargs="+", default=SHARES, help="of outliers"
    )
    options.add_argument(
        "--rates", type=float, nargs="+", default=RATES, help="of the derivatives"
    )
    options.add_argument("--loss_3d", type=float, default=LossWeights().joints_3d)
    options.add_argument("--loss_network", type=float, default=LossWeights().network)
    options.add_argument(
        "--dev", action="store_true", help="to choose settings: test a training subject"
    )
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    size = load_network(chosen.check_path).input_size
    train = Moments(chosen.data_dir, "train", size)
    if chosen.dev:
        test = train.of(DEV_SUBJECTS)
        train = train.of(tuple(set(TRAIN_SUBJECTS) - set(DEV_SUBJECTS)))
    else:
        test = Moments(chosen.data_dir, "test", size, chosen.test)
    print(f"{len(train)} moments to learn from, {len(test)} to test", flush=True)
    base = PipelineTrainingConfig(
        chosen.data_dir,
        batch_size=chosen.batch,
        iterations=chosen.updates,
        learning_rate=chosen.rate,
        damping=chosen.damping,
        loss=LossWeights(chosen.loss_3d, chosen.loss_network),
    )
    outcomes = Outcomes(chosen.out / "outcomes.jsonl")
    for part in chosen.parts:
        for name, config in arms(part, base, chosen.shares, chosen.rates):
            missing = [s for s in range(chosen.seeds) if not outcomes.has(name, s)]
            if not missing:
                continue
            start = started(config, chosen.check_path, chosen.out, train, test)
            arm = Arm(
                name, dataclasses.replace(config, check_path=(start,)), train, test
            )
            for seed in missing:
                outcomes.add(arm.run(seed))
    print(outcomes.table())
    draw(outcomes.found, chosen.out / "outcomes.png")


def arms(
    part: str,
    base: PipelineTrainingConfig,
    shares: Iterable[float],
    rates: Collection[float],
) -> Iterator[tuple[str, PipelineTrainingConfig]]:
    """Names and settings of a part's arms."""
    change = dataclasses.replace
    pairs = [(word, change(base, gradients=word)) for word in ("joint", "apart")]
    if part == "gradients":
        yield from pairs
    if part == "outliers":
        for share in shares:
            for word, config in pairs:
                changed = change(config, outliers=Outliers(share))
                yield f"{word}, {share:.0%} outliers", changed
    if part == "views":
        for views in ((0, 1), (0, 1, 2)):
            for word, config in pairs:
                yield f"{word}, {len(views)} views", change(config, views=views)
    if part == "frozen":
        yield "energy alone", change(base, network_from=NEVER)
        yield "network alone", change(base, energy_from=NEVER)
    if part == "derivative":
        kinds = {
            **{f"trust region {d:g}": {"damping": d} for d in DAMPINGS},
            "trust region adaptive": {"damping": "adaptive"},
            "implicit": {"derivative": "implicit", "damping": 0.0},
            "implicit, clipped": {
                "derivative": "implicit", "damping": 0.0, "clip": 0.1,
            },
            "unrolled": {"derivative": "unrolled", "damping": 0.0},
        }  # fmt: skip
        for name, options in kinds.items():
            for rate in rates:
                yield (
                    f"{name}, rate {rate:g}",
                    change(base, learning_rate=rate, outliers=Outliers(0.1), **options),
                )


def started(
    config: PipelineTrainingConfig,
    network: Path,
    folder: Path,
    train: Moments,
    test: Moments,
) -> Path:
    """The pipeline that arms of these views and outliers start from.

    Its readout and energy have learned with the network held, once for all arms.
    """
    share, views = config.outliers.share, len(config.views)
    path = folder / f"start_{views}_views_{share:g}_outliers.keras"
    if path.is_file():
        return path
    bare = folder / "bare.keras"
    if not bare.is_file():
        save_pipeline(open_pipeline([network]), bare)
    learning = dataclasses.replace(
        config,
        check_path=(bare,),
        derivative="trust_region",
        damping=PipelineTrainingConfig.damping,
        clip=None,
        gradients="apart",
        network_from=NEVER,
        energy_from=0,
        energy_learning_rate=0.05,
        iterations=CALIBRATING,
    )
    arm = Arm("start", learning, train, test)
    outcome = arm.run(0)
    print(
        f"start, {views} views, {share:.0%} outliers: {outcome.before_mm:.1f} mm, "
        f"calibrated {outcome.after_mm:.1f} mm",
        flush=True,
    )
    save_pipeline(arm.trainer.pipeline, path)
    return path


class Outcomes:
    """The lines of a file.

    Attributes:
      found: of all runs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.is_file() else []
        self.found = [Outcome(**json.loads(line)) for line in lines]

    def has(self, arm: str, seed: int) -> bool:
        """Whether a seed of an arm has been run."""
        return any((o.arm, o.seed) == (arm, seed) for o in self.found)

    def add(self, outcome: Outcome) -> None:
        """Keeps an outcome, and prints it."""
        self.found.append(outcome)
        with self._path.open("a") as file:
            file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
        print(
            f"{outcome.arm}, seed {outcome.seed}: {outcome.before_mm:.2f} -> "
            f"{outcome.after_mm:.2f} mm, {outcome.step_ms:.0f} ms, largest gradient "
            f"{outcome.largest_gradient:.3g}",
            flush=True,
        )

    def table(self) -> str:
        """Means over seeds of every arm, Markdown."""
        lines = [
            "| arm | seeds | before, mm | after, mm | ± | diverged | largest gradient "
            "| step, ms |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for arm in dict.fromkeys(o.arm for o in self.found):
            found = [o for o in self.found if o.arm == arm]
            after = np.array([o.after_mm for o in found])
            good = after[np.isfinite(after)]
            mean = good.mean() if len(good) else np.nan
            spread = good.std(ddof=1) if len(good) > 1 else np.nan
            lines.append(
                f"| {arm} | {len(found)} | {found[0].before_mm:.1f} | {mean:.2f} | "
                f"{spread:.2f} | {sum(o.diverged for o in found)} | "
                f"{max(o.largest_gradient for o in found):.3g} | "
                f"{np.median([o.step_ms for o in found]):.0f} |"
            )
        return "\n".join(lines)


if __name__ == "__main__":
    main()
