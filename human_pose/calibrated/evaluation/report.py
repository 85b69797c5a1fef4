"""`report.md`: what was read, how well results fit it, and what others make of it."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.calibrated.evaluation import comparison, detections, pictures
from human_pose.calibrated.evaluation.cautions import cautions
from human_pose.calibrated.evaluation.matching import in_skeleton, matched
from human_pose.calibrated.evaluation.motion_measures import height_mm
from human_pose.calibrated.evaluation.truth import SHARES
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Motion, Recording
from human_pose.files.paths import atomic
from human_pose.runs import drawing, tables

REPORT: Final = "report.md"
IMAGES: Final = "images"
OURS: Final = comparison.OURS

_LOG: Final = logging.getLogger(__name__)

_MEANING: Final = """\
- Reprojection: distance in the image between a detection and the 3D joint's image.
  Detections that were not believed count too: their errors are what shows them. By view
  and by joint, swapped sides are those after undoing the swaps, and views that show all
  beside its place (see the cautions) are moved; beside other methods both are as
  detected.
- Predicted: what the joints' covariances imply in the image; the detections' own errors
  are not in it, so the actual ones are larger. Their order should agree.
- Missing: share without a detection; by view, of the joints that some view ever
  shows. Outliers: share of detections not believed.
- Bones: standard deviation by mean of each long bone's length, their mean; 0 in a body.
  Jerk: mean size of the third derivative of the joints; noise makes it large.
- Left out: the method gets some cameras, and its joints are compared with detections
  surer than 0.8 in the others; mean over the choices of cameras. Part of the error is
  the detections' own. Near: within 50 px.\
"""


@dataclass(frozen=True)
class Findings:
    """What a report is about.

    Attributes:
      poses: the results.
      recording: what they were found from: one person, with cameras, the views and
        frames of the results.
      method: the lifter, for cameras left out: recordings of fewer views to joints of
        the results; None leaves that out for ours.
      truth: known 3D joints, or None.
      people: how many were found in the recording, or None.
      cautions: of the readers and the lifter, one sentence each.
      made: how the recording was made, in Markdown.
    """

    poses: Poses
    recording: Recording
    method: comparison.Method | None = None
    truth: Motion | None = None
    people: int | None = None
    cautions: Sequence[str] = ()
    made: str = ""


def write_report(
    folder: str | os.PathLike[str],
    findings: Findings,
    baselines: Mapping[str, comparison.Method] = comparison.BASELINES,
) -> Path:
    """Writes `report.md`, and the pictures that it shows into `images/`.

    Args:
      folder: of the session's results; made if need be.
      findings: what to report.
      baselines: methods to stand beside ours; none leaves the comparison out.

    Returns:
      The report's path.

    Raises:
      InputError: if results and recording are not of the same views, joints and frames,
        or a file cannot be written.
    """
    poses, recording = findings.poses, matched(findings.poses, findings.recording)
    compared = comparison.compare(
        poses, recording, baselines, findings.method, findings.truth
    )
    # What ours knows beside the detector's joints is seen in no view.
    text = _text(poses, in_skeleton(recording, poses.skeleton), findings, compared)
    folder = Path(folder)
    figures = {
        "reprojection": pictures.reprojection_figure(poses),
        "bones": pictures.bones_figure(
            poses, compared.beside(len(poses)), recording.skeleton
        ),
    }
    for name, figure in figures.items():
        drawing.save(figure, folder / IMAGES / f"{name}.png")
    with atomic(folder / REPORT) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return folder / REPORT


def _text(
    poses: Poses,
    recording: Recording,
    findings: Findings,
    compared: comparison.Comparison,
) -> str:
    predicted = detections.predicted_px(poses, recording)
    offsets = detections.offsets_px(poses, recording)
    notes = [*findings.cautions, *cautions(poses, recording, offsets)]
    for note in notes:
        _LOG.warning("%s: %s", recording.source, note)
    notes += compared.notes
    sections = {
        "Cautions": "\n".join(f"- {note}" for note in notes) or "None.",
        "What was read": _read(poses, recording, findings.people),
        "How it was made": findings.made,
        "By view": _views(poses, predicted, offsets),
        "Swapped sides": _swaps(poses),
        "By joint": _joints(poses, predicted),
        "Beside other methods": compared.table(),
        "Errors to the truth": _truth(compared),
        "Over time": "![Reprojection](images/reprojection.png)\n\n"
        "Bars below 0: frames in which the view's sides were swapped.\n\n"
        "![Bones](images/bones.png)\n\n"
        f"Ours dark, left solid and right dashed{compared.paler()}.",
        "What the numbers mean": _MEANING,
    }
    shown = (f"\n## {title}\n\n{text}\n" for title, text in sections.items() if text)
    return "# Report\n" + "".join(shown)


def _read(poses: Poses, recording: Recording, people: int | None) -> str:
    height = height_mm(poses.joints_3d_mm, poses.skeleton)
    takes = len(np.unique(poses.sequence))
    rate = "unknown" if poses.fps is None else f"{poses.fps:g} frames a second"
    lines = {
        "Source": f"`{recording.source}`",
        "Views": f"{len(poses.view_names)}: {', '.join(poses.view_names)}",
        "Frames": f"{len(poses)} in {takes} take{'s' if takes != 1 else ''}, {rate}",
        "Joints": f"{len(poses.skeleton)}",
        "People": "not counted" if people is None else _people(people),
        "Units": "mm, world, z up; image points in px",
        "Body height implied by the bones": f"{height / 1000:.2f} m"
        if np.isfinite(height)
        else "unknown",
    }
    return "\n".join(f"- {word}: {text}" for word, text in lines.items())


def _people(count: int) -> str:
    return "1" if count == 1 else f"{count}, one of them lifted"


_COLUMNS: Final = (
    *("median (px)", "mean (px)", "95 % (px)", "predicted (px)"),
    *("missing (%)", "outliers (%)"),
)


def _cells(agreement: detections.Agreement) -> list[str]:
    return tables.cells(
        np.array(
            [
                *(agreement.median, agreement.mean, agreement.ninety_five),
                *(agreement.predicted, 100 * agreement.missing),
                100 * agreement.outliers,
            ]
        )
    )


def _views(poses: Poses, predicted: np.ndarray, offsets: np.ndarray) -> str:
    lines = [
        [name, *_cells(agreement), f"{x:+.1f}, {y:+.1f}"]
        for name, agreement, (x, y) in zip(
            poses.view_names, detections.by_view(poses, predicted), offsets, strict=True
        )
    ]
    rank = detections.rank_correlation(poses, predicted)
    said = "-" if np.isnan(rank) else f"{rank:.2f}"
    head = ["view", *_COLUMNS, "mean offset x, y (px)"]
    return (
        f"{tables.markdown(head, lines)}\n\n"
        f"Rank correlation of predicted and actual errors: {said}."
    )


def _joints(poses: Poses, predicted: np.ndarray) -> str:
    found = np.isfinite(poses.joints_3d_mm).all(axis=-1).mean(axis=0)
    lines = [
        [name, *_cells(agreement), f"{100 * share:.1f}"]
        for name, agreement, share in zip(
            poses.skeleton.names,
            detections.by_joint(poses, predicted),
            found,
            strict=True,
        )
    ]
    return tables.markdown(["joint", *_COLUMNS, "in 3D (%)"], lines)


def _swaps(poses: Poses) -> str:
    lines = [
        f"- {view}, {limbs}: frames {_ranges(runs)} "
        f"({int(poses.swapped[:, v, s].sum())} in all)"
        for view, by_limbs in detections.swap_ranges(poses).items()
        for limbs, runs in by_limbs.items()
        for v, s in [(poses.view_names.index(view), poses.swap_names.index(limbs))]
    ]
    return "\n".join(lines) or "None found."


_MOST_RANGES: Final = 12


def _ranges(runs: Sequence[tuple[int, int]]) -> str:
    words = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:_MOST_RANGES]]
    more = len(runs) - len(words)
    return ", ".join(words) + (f" and {more} more runs" if more > 0 else "")


def _truth(compared: comparison.Comparison) -> str:
    if not compared.truth:
        return ""
    lines = []
    for name, errors in compared.truth.items():
        shares = [100 * share for share in (errors.coverage, *errors.ellipsoids)]
        millimetres = [errors.mean, errors.hip_centred, errors.procrustes]
        lines.append([name, *tables.cells(np.array([*millimetres, *shares]))])
    head = [
        *("method", "mean (mm)", "hip-centred (mm)", "Procrustes (mm)"),
        *("found (%)", *(f"in the {100 * s:.0f} % ellipsoid (%)" for s in SHARES)),
    ]
    return tables.markdown(head, lines)
