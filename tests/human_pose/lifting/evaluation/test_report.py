"""The numbers in the report and the printed table are those of the scores."""

from pathlib import Path

import numpy as np
import pytest

from human_pose.datasets.pose_files import PoseSet
from human_pose.datasets.protocol import ACTIONS
from human_pose.files.paths import PROJECT_ROOT
from human_pose.lifting.config import LifterConfig
from human_pose.lifting.evaluation import report
from human_pose.lifting.evaluation.frames import ActionFrames
from human_pose.lifting.evaluation.scores import score
from human_pose.runs import tables
from human_pose.runs.measures import COMMON_MEASURES

COUNTS = {"Directions": 2, "Posing": 5, "WalkTogether": 1}  # frames by action


@pytest.fixture(scope="module")
def frames():
    total = sum(COUNTS.values())
    return ActionFrames(
        poses=PoseSet(
            np.zeros((total, 4, 17, 2)),
            np.zeros((total, 17, 3)),
            np.zeros((total, 4, 3, 3)),
        ),
        actions=np.repeat([ACTIONS.index(a) for a in COUNTS], list(COUNTS.values())),
        files=tuple(f"{action}_sh.h5" for action in COUNTS),
        file_indices=np.repeat(range(3), list(COUNTS.values())),
        frame_numbers=np.arange(total) * 5,
        missing=("Eating_sh.h5",),
    )


@pytest.fixture(scope="module")
def scores(frames):
    truth, noise = np.random.default_rng(0).normal(0, 200, (2, len(frames), 17, 3))
    return score(frames.actions, truth, truth + 0.3 * noise)


@pytest.fixture(scope="module")
def text(frames, scores):
    return report.markdown(
        frames,
        scores,
        metric=1,
        subsample=5,
        lifter={"Checkpoint": "somewhere.h5"},
        pictures={"best": 3, "worst": 7},
    )


def read_tables(text):
    """The report's tables, each from row label to cells."""
    found, rows = [], {}
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            label, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            rows[label] = cells
        elif rows:
            found.append(rows)
            rows = {}
    return found


def numbers(cells):
    return [float(cell) for cell in cells]


def test_every_table_has_the_means_of_its_scores(text, frames, scores):
    arrays = (scores.training_errors_mm, scores.common_16, scores.common_17)
    found = read_tables(text)
    assert len(found) == len(arrays)
    for rows, values in zip(found, arrays, strict=True):
        action_means = []
        for action, count in COUNTS.items():
            own = values[frames.actions == ACTIONS.index(action)]
            action_means.append(own.mean(axis=0))
            assert rows[action][0] == str(count)
            np.testing.assert_allclose(
                numbers(rows[action][1:]), action_means[-1], atol=0.005001
            )
        np.testing.assert_allclose(
            numbers(rows[tables.FRAME_MEAN]),
            [8, *values.mean(axis=0)],
            atol=0.005001,
        )
        np.testing.assert_allclose(
            numbers(rows[tables.ACTION_MEAN]),
            [8, *np.mean(action_means, axis=0)],
            atol=0.005001,
        )
        assert set(rows["Eating"][1:]) == {"-"}
        assert [label for label in rows if label in ACTIONS] == list(ACTIONS)
    assert rows["action"][1:] == [f"{m.name} ({m.unit})" for m in COMMON_MEASURES]


def test_the_protocol_is_spelled_out(text):
    for words in (
        "8, frames [::5] of each of 3 files",
        "Eating_sh.h5",
        "metric 1",
        "Checkpoint: somewhere.h5",
        "S9 and S11",
        "Procrustes",
        "without joint 9",
        "150 mm",
    ):
        assert words in text


def test_frames_of_note_are_named_with_their_errors(text, scores):
    assert "Best: Posing_sh.h5, frame 15" in text
    assert "Worst: WalkTogether_sh.h5, frame 35" in text
    assert "![worst](../images/worst.png)" in text
    for metric, error in enumerate(scores.training_errors_mm[7]):
        assert f"metric {metric} {error:.2f} mm" in text


def test_the_printed_table_marks_the_stored_metric(scores):
    lines = report.table(scores, metric=1).splitlines()
    assert lines[0].split()[:2] == ["mm", "frames"]
    assert "metric 1*" in lines[0]
    assert "metric 2*" not in lines[0]
    assert len({len(line) for line in lines}) == 1  # aligned
    directions = next(line for line in lines if line.startswith("Directions"))
    np.testing.assert_allclose(
        numbers(directions.split()[1:]),
        [2, *scores.training_errors_mm[:2].mean(axis=0)],
        atol=0.005001,
    )


def config(**changes):
    values = {
        "models": 3,
        "solver": "huber",
        "derivative": "trust_region",
        "damping": 0.0,
        "dtype": "float64",
        "mixture_path": PROJECT_ROOT / "data" / "model_parameters.h5",
        "cameras_path": Path("/elsewhere/avg_cameras.h5"),
        "check_path": None,
        "as_published": False,
    }
    return LifterConfig(**{**values, **changes})


def test_a_lifter_is_described_by_its_files():
    words = report.describe(config())
    assert "default parameters" in words["Checkpoint"]
    assert words["Mixture"] == "`data/model_parameters.h5`, 3 models"
    assert words["Cameras"].startswith("`/elsewhere/avg_cameras.h5`")
    loaded = report.describe(
        config(check_path=PROJECT_ROOT / "results" / "a.h5", as_published=True)
    )
    assert loaded["Checkpoint"].startswith("`results/a.h5`")
    assert "left at 1" in loaded["Checkpoint"]
    assert "as published" in words["Models weigh by"]
    full = report.describe(config(evidence="full"))
    assert full["Models weigh by"] == "their full evidence"
