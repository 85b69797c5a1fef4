"""What the fit of a prior leaves in a run's folder: `prior.md` and a picture."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from human_pose.calibrated.prior.files import NAME, write_prior
from human_pose.calibrated.prior.fitting import Fit
from human_pose.calibrated.prior.pose_prior import PosePrior
from human_pose.files.paths import atomic
from human_pose.runs.drawing import AZIMUTHS_DEG, ROOM_LOOK, draw_poses, plain, save

# A recording's report, in a folder of the same name, is another file.
REPORT: Final = "prior.md"
PICTURE: Final = "mean_poses.png"
_SHOWN: Final = 50  # files in the report's table
_COLUMNS: Final = 5  # of the picture
_SIDE_IN: Final = 3.2
# What takes of daily motion have is above: poses, all components together, deviate by
# 100 to 220 mm a joint, and accelerations by 3 to 10 mm a frame².
_STILL_MM: Final = 30.0
_STEADY_MM: Final = 1.0


def write_results(folder: str | os.PathLike[str], fit: Fit) -> None:
    """Writes `prior.npz`, `mean_poses.png` and `prior.md`.

    The report of an earlier prior goes first, and the new one comes last: what stands
    beside a prior is its own, wherever a run is killed.

    Raises:
      InputError: if one cannot be written.
    """
    folder = Path(folder)
    for name in (REPORT, PICTURE):
        (folder / name).unlink(missing_ok=True)
    write_prior(folder / NAME, fit.prior)
    draw_means(folder / PICTURE, fit.prior)
    with atomic(folder / REPORT) as temporary:
        temporary.write_text(report(fit), encoding="utf-8", errors="backslashreplace")


def report(fit: Fit) -> str:
    """The report, in Markdown."""
    return "\n".join(
        [
            "# Prior\n",
            *(f"> {caution}\n" for caution in cautions(fit.prior)),
            *_settings(fit),
            "\n## Motion\n",
            *_motion(fit),
            "\n## Held-out takes\n",
            *_held_out(fit),
            "\n## Components\n",
            *_components(fit.prior),
            f"\n![mean poses]({PICTURE})",
            "\n## Mean body\n",
            *_body(fit),
            "",
        ]
    )


def cautions(prior: PosePrior) -> Iterator[str]:
    """Says where a prior is surer of poses, or of motion, than of anybody's."""
    means = prior.means_mm.reshape(len(prior.shares), -1)
    away = means - prior.shares @ means
    squares = np.trace(prior.covariances_mm2, axis1=1, axis2=2) + (away**2).sum(axis=1)
    pose = np.sqrt(prior.shares @ squares / len(prior.skeleton))
    if pose < _STILL_MM:
        yield (
            f"Poses hardly differ: by {pose:.1f} mm a joint, where people's do by 100 "
            "and more. What is lifted with this prior is drawn to them."
        )
    if (rough := _rough(prior).mean()) < _STEADY_MM:
        yield (
            f"Most of the motion stands still: accelerations are {rough:.1f} mm a "
            "frame², where people's are 3 to 10. Fast motion is smoothed away by it."
        )


def _rough(prior: PosePrior) -> np.ndarray:
    """Deviations of accelerations, `[K]`, mm a frame²."""
    variances = np.diag(prior.acceleration_mm2).reshape(-1, 3).sum(axis=1)
    return np.asarray(np.sqrt(variances))


def table(*rows: tuple[Any, ...]) -> Iterator[str]:
    """The lines of a Markdown table; the first row names the columns."""
    for number, row in enumerate(rows):
        yield f"| {' | '.join(map(str, row))} |"
        if number == 0:
            yield "|" + " --- |" + " ---: |" * (len(row) - 1)


def held_out_table(fit: Fit) -> list[str]:
    """Log-likelihoods of takes that fits of 1 to M components saw, and did not."""
    return [
        *table(
            ("components", "nats a pose, fitted takes", "nats a pose, held-out takes"),
            *((n, f"{seen:.2f}", f"{unseen:.2f}") for n, seen, unseen in fit.held_out),
        )
    ]


def draw_means(path: str | os.PathLike[str], prior: PosePrior) -> None:
    """Draws the mean pose of each component from its front and its side.

    Raises:
      InputError: if the picture cannot be written.
    """
    columns = min(len(prior.shares), _COLUMNS)
    bands = -(-len(prior.shares) // columns)
    with rc_context(ROOM_LOOK):
        figure = Figure(figsize=(_SIDE_IN * columns, 2 * _SIDE_IN * bands))
        for part in range(len(prior.shares)):
            band, column = divmod(part, columns)
            for side, azimuth in enumerate(AZIMUTHS_DEG):
                place = (2 * band + side) * columns + column + 1
                axes: Any = figure.add_subplot(
                    2 * bands, columns, place, projection="3d"
                )
                draw_poses(
                    axes,
                    prior.means_mm[part],
                    skeleton=prior.skeleton,
                    azimuth_deg=azimuth,
                )
            figure.axes[-2].set_title(
                plain(f"component {part + 1}, {prior.shares[part]:.0%}"), fontsize=9
            )
        figure.subplots_adjust(0.02, 0.06, 0.98, 0.92, hspace=0.3)
        save(figure, path)


def _settings(fit: Fit) -> Iterator[str]:
    config = fit.config
    kind = "full"
    if config.covariance == "ppca":
        kind = f"PPCA of rank {config.rank}"
    yield f"* components: {config.components}; covariances: {kind}"
    yield f"* accelerations between frames at {config.fps:g} a second"
    yield f"* seed: {config.seed}"


def _motion(fit: Fit) -> Iterator[str]:
    rows: list[tuple[Any, ...]] = [
        (
            f"`{source.name}`",
            f"{source.fps:g}",
            source.takes,
            source.poses,
            f"{source.missing.mean():.1%}",
            source.accelerations,
        )
        for source in fit.sources[:_SHOWN]
    ]
    poses = sum(source.poses for source in fit.sources)
    missing = _missing(fit)
    rows.append(
        (
            f"all {len(fit.sources)}",
            "",
            sum(source.takes for source in fit.sources),
            poses,
            f"{missing.mean():.1%}",
            sum(source.accelerations for source in fit.sources),
        )
    )
    yield from table(
        ("file", "fps", "takes", "poses", "joints missing", "accelerations"), *rows
    )
    if len(fit.sources) > _SHOWN:
        yield f"\nThe first {_SHOWN} files are shown."
    yield "\nTakes end at cuts; poses are those left after thinning, not yet mirrored."


def _missing(fit: Fit) -> np.ndarray:
    """The share of poses that miss each joint, `[K]`."""
    poses = sum(source.poses for source in fit.sources)
    lost = sum(source.missing * source.poses for source in fit.sources)
    return np.asarray(lost / max(poses, 1))


def _held_out(fit: Fit) -> Iterator[str]:
    if not fit.held_out:
        yield "There is but one take: none was held out."
        return
    yield "Every fifth take was held out, or the last of fewer; the prior is of all.\n"
    yield from held_out_table(fit)


def _components(prior: PosePrior) -> Iterator[str]:
    deviations = np.sqrt(np.trace(prior.covariances_mm2, axis1=1, axis2=2))
    joints = len(prior.skeleton)
    yield from table(
        ("component", "share", "deviation of a joint, mm"),
        *(
            (n + 1, f"{share:.1%}", f"{size / np.sqrt(joints):.0f}")
            for n, (share, size) in enumerate(
                zip(prior.shares, deviations, strict=True)
            )
        ),
    )


def _body(fit: Fit) -> Iterator[str]:
    prior, missing = fit.prior, _missing(fit)
    rough = _rough(prior)
    yield from table(
        ("joint", "hangs on", "bone, mm", "missing", "acceleration, mm a frame²"),
        *(
            (
                name,
                prior.skeleton.names[parent] if parent >= 0 else "-",
                f"{length:.0f}",
                f"{lost:.1%}",
                f"{size:.1f}",
            )
            for name, parent, length, lost, size in zip(
                prior.skeleton.names,
                prior.skeleton.parents,
                prior.lengths_mm,
                missing,
                rough,
                strict=True,
            )
        ),
    )
