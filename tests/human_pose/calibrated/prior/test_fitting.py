import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.embedded import embedded_motion
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.prior.fitting import fit_prior
from human_pose.calibrated.prior.pose_prior import across, retargeting
from human_pose.calibrated.prior.report import cautions, write_results
from human_pose.calibrated.prior.takes import takes_of
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import BODY_25
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import LIFTER_17

CONFIG = PriorConfig()
ONE = PriorConfig(components=1)
ROUND = {"rtol": 1e-4, "atol": 1e-2}  # poses are kept in float32


@pytest.fixture(scope="module")
def motions():
    """Invented motion of 15 actions by two people."""
    return list(embedded_motion((1, 8), 24))


@pytest.fixture(scope="module")
def fitted(motions):
    return fit_prior(motions, CONFIG)


def changed(motion, **changes):
    return dataclasses.replace(motion, **changes)


def scaled(motion, factor):
    return changed(motion, joints_3d_mm=motion.joints_3d_mm * factor)


def take_of(motion, config=CONFIG):
    (take,) = takes_of(motion, LIFTER_17, config)
    return take


@pytest.mark.parametrize("lost", [(), (2,), (0,), (8, 0, 1)])
def test_retargeting_gives_the_bones_wanted(lost):
    """Over missing joints in proportion; twice the size is twice the pose."""
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 300, (17, 3))
    old = np.linalg.norm(pose - pose[list(LIFTER_17.parents)], axis=-1)
    old[0] = 0
    there = ~np.isin(np.arange(17), lost)
    twice = retargeting(LIFTER_17, old, 2 * old, there) @ pose
    centred = pose[there] - pose[there].mean(axis=0)
    np.testing.assert_allclose(twice[there], 2 * centred, atol=1e-9)
    assert not twice[~there].any()
    new = np.where(old > 0, rng.uniform(100, 500, 17), 0)
    moved = retargeting(LIFTER_17, old, new, there) @ pose
    for joint, parent in enumerate(LIFTER_17.parents):
        if parent >= 0 and there[[joint, parent]].all():
            length = np.linalg.norm(moved[joint] - moved[parent])
            assert length == pytest.approx(new[joint])


@pytest.mark.parametrize("fps", [15.0, 24.0, 30.0, 50.0, 120.0])
def test_accelerations_are_the_same_at_any_rate(fps):
    time = np.arange(int(2 * fps)) / fps
    path = 0.5 * np.array([900.0, 0, -300]) * time[:, None] ** 2
    still = next(embedded_motion((1,), 1)).joints_3d_mm
    take = take_of(Motion(still + path[:, None], LIFTER_17, fps))
    turn = take.accelerations_mm * CONFIG.fps**2  # in the body's frame
    np.testing.assert_allclose(np.linalg.norm(turn, axis=-1), np.hypot(900, 300))
    np.testing.assert_allclose(turn[..., 2], -300)
    assert len(take.poses_mm) / time[-1] == pytest.approx(24, abs=10)


def test_poses_are_seen_in_the_bodys_frame(motions):
    motion = motions[0]
    cosine, sine = np.cos(2.0), np.sin(2.0)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    moved = motion.joints_3d_mm @ turn.T + np.array([3000, -2000, 500])
    lying = moved[..., [1, 2, 0]]  # y up
    plain = take_of(motion)
    for other in (
        changed(motion, joints_3d_mm=moved),
        changed(motion, joints_3d_mm=lying, up="y"),
    ):
        take = take_of(other)
        np.testing.assert_allclose(take.poses_mm, plain.poses_mm, atol=1e-8)
        np.testing.assert_allclose(
            take.accelerations_mm, plain.accelerations_mm, atol=1e-8
        )
    across = plain.poses_mm[:, 1] - plain.poses_mm[:, 4]
    assert (across[:, 0] > 0).all()


def test_takes_end_at_cuts(motions):
    first = motions[0].joints_3d_mm
    near, far = (first[::-1] + np.array([step, 0, 0]) for step in (140, 160))

    def lengths(joints, **changes):
        motion = Motion(np.concatenate(joints), LIFTER_17, 25.0, **changes)
        return [len(t.poses_mm) for t in takes_of(motion, LIFTER_17, CONFIG)]

    assert lengths([first, far]) == [24, 24]
    assert lengths([first, near]) == [48]
    assert lengths([first, near], sequence=np.repeat([0, 1], 24)) == [24, 24]
    gap = np.r_[0:30, 31:49]
    assert lengths([first, near], frames=gap) == [30, 18]
    # Of a file that was thinned, or numbered by milliseconds.
    for step in (2.5, 10 / 3, 1000 / 24):
        frames = np.rint(step * np.arange(49)).astype(int)
        assert lengths([first, near], frames=frames[:48]) == [48]
        assert lengths([first, near], frames=frames[gap]) == [30, 18]
    assert lengths([first, near], frames=np.tile(np.arange(24), 2)) == [24, 24]
    assert lengths([first], frames=np.zeros(24, int)) == [1] * 24


def test_accelerations_that_nobody_has_are_left_out(motions):
    first = motions[0].joints_3d_mm
    config = dataclasses.replace(CONFIG, cut_mm=1e4)
    for step, count in ((140, 46), (250, 44)):
        joints = np.concatenate([first, first[::-1] + np.array([0, 0, step])])
        take = take_of(Motion(joints, LIFTER_17, 25.0), config)
        assert len(take.accelerations_mm) == count


def test_another_skeletons_joints_are_found_by_name(motions):
    """BODY_25 has no spine and no head's top; a pelvis is between the hips."""
    joints = convert(motions[0].joints_3d_mm, LIFTER_17, BODY_25)
    joints[:, BODY_25.names.index("pelvis")] = np.nan
    take = take_of(Motion(joints, BODY_25, 25.0))
    lost = np.isnan(take.poses_mm[..., 0])
    assert lost.any(axis=0).tolist() == [
        name in ("spine", "neck", "head_top") for name in LIFTER_17.names
    ]
    plain = take_of(motions[0])
    bones = [1, 2, 3, 4, 5, 6, 12, 13, 15, 16]
    np.testing.assert_allclose(take.lengths_mm[bones], plain.lengths_mm[bones])


@pytest.mark.parametrize("factors", [(2.0, 2.0), (1.0, 2.0)])
def test_bodies_of_all_sizes_give_the_mean_bodys_prior(motions, factors):
    motions = motions[:4]
    config = dataclasses.replace(ONE, wild_mm=400.0, freedom=1e9)
    plain = fit_prior(motions, config).prior
    other = fit_prior(
        [scaled(motion, factor) for factor in factors for motion in motions],
        config,
    ).prior
    size = np.mean(factors)
    np.testing.assert_allclose(other.lengths_mm, size * plain.lengths_mm, **ROUND)
    np.testing.assert_allclose(other.means_mm, size * plain.means_mm, **ROUND)
    np.testing.assert_allclose(
        other.covariances_mm2, size**2 * plain.covariances_mm2, rtol=1e-3, atol=1
    )
    np.testing.assert_allclose(
        other.acceleration_mm2, size**2 * plain.acceleration_mm2, rtol=1e-3, atol=0.1
    )


def test_a_prior_is_the_same_for_mirrored_people(fitted):
    prior = fitted.prior
    flip = np.asarray(LIFTER_17.flip_order)
    mean = np.einsum("m,mkc->kc", prior.shares, prior.means_mm)
    np.testing.assert_allclose(mean[flip] * [-1, 1, 1], mean, atol=0.1)
    assert prior.lengths_mm[flip].tolist() == prior.lengths_mm.tolist()
    np.linalg.cholesky(prior.acceleration_mm2)
    assert prior.shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(prior.means_mm.mean(axis=1), 0, atol=1e-3)


def test_parts_of_any_size_give_the_same(motions, fitted):
    small = fit_prior(iter(motions), dataclasses.replace(CONFIG, chunk=50))
    np.testing.assert_allclose(small.prior.means_mm, fitted.prior.means_mm, **ROUND)
    np.testing.assert_allclose(
        small.prior.acceleration_mm2, fitted.prior.acceleration_mm2, **ROUND
    )
    np.testing.assert_allclose(small.held_out, fitted.held_out, **ROUND)
    # Takes of another action say less of a held-out one than its own.
    assert all(each.unseen < each.seen for each in fitted.held_out)


@pytest.mark.large
def test_memory_does_not_grow_with_the_motion():
    """Poses of ten times as many files would be 3 MB more."""
    frames = np.random.default_rng(0).normal((0, 0, 900), 300, (800, 17, 3))
    config = dataclasses.replace(ONE, chunk=200, wild_mm=1e4, cut_mm=1e4, steps=2)

    def peak(files):
        tracemalloc.start()
        fit_prior(
            (Motion(frames, LIFTER_17, 24.0) for _ in range(files)),
            dataclasses.replace(config, start_poses=200),
            hold_out=False,
        )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(10) - peak(1) < 1e6


@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.parametrize("shrinkage", [0.0, 1000.0])
def test_covariances_of_ppca_are_alike_beyond_the_rank(motions, components, shrinkage):
    config = dataclasses.replace(
        ONE, components=components, covariance="ppca", rank=4, shrinkage=shrinkage
    )
    prior = fit_prior(motions[:4], config, hold_out=False).prior
    values = np.linalg.eigvalsh(prior.covariances_mm2)[:, 3:]  # without translations
    np.testing.assert_allclose(values[:, :-4], values[:, :1] * np.ones(44), rtol=1e-6)
    assert (values[:, -4:] > 2 * values[:, :1]).all()


def test_missing_joints_change_little(motions):
    motions = motions[:10]
    rng = np.random.default_rng(0)
    holes = []
    for motion in motions:
        joints = motion.joints_3d_mm.copy()
        joints[rng.uniform(size=joints.shape[:2]) < 0.1] = np.nan
        holes.append(changed(motion, joints_3d_mm=joints))
    config = dataclasses.replace(ONE, steps=5)
    fit = fit_prior(holes, config, hold_out=False)
    whole = fit_prior(motions, config, hold_out=False).prior
    np.testing.assert_allclose(fit.prior.lengths_mm, whole.lengths_mm, rtol=1e-3)
    np.testing.assert_allclose(fit.prior.means_mm, whole.means_mm, atol=4)
    large = np.abs(whole.covariances_mm2).max()
    np.testing.assert_allclose(
        fit.prior.covariances_mm2, whole.covariances_mm2, atol=0.02 * large
    )
    assert 0.05 < np.mean([s.missing.mean() for s in fit.sources]) < 0.12


def test_motion_of_legs_alone_moves_no_body_beside_them(motions):
    """Their mean lies at the knees; hips some millimetres off must not explain that."""
    upper = [j for j, name in enumerate(LIFTER_17.names) if not _of_legs(name)]
    legs = []
    for motion in motions[:4]:
        joints = motion.joints_3d_mm.copy()
        joints[:, upper] = np.nan
        joints[:, LIFTER_17.names.index("pelvis"), 2] += 4
        legs.append(changed(motion, joints_3d_mm=joints))
    alone = fit_prior(motions[:4], ONE, hold_out=False).prior
    both = fit_prior([*motions[:4], *legs], ONE, hold_out=False).prior
    np.testing.assert_allclose(both.means_mm, alone.means_mm, atol=10)


def _of_legs(name):
    return any(word in name for word in ("pelvis", "hip", "knee", "ankle"))


@pytest.mark.parametrize("rounded", [0.0, 0.5])
def test_takes_that_are_there_already_count_once(motions, rounded, caplog):
    """Also as BVH has them, whose joints are moved; another's like poses do not."""
    named = [changed(m, source=f"{n}.trc") for n, m in enumerate(motions[:4])]
    rng = np.random.default_rng(0)
    moved = named[2].joints_3d_mm
    moved = moved + rng.normal(0, rounded, moved.shape)
    again = changed(named[2], joints_3d_mm=moved, source="2.c3d")
    other = changed(named[1], joints_3d_mm=named[1].joints_3d_mm * 1.2, source="other")
    fit = fit_prior([*named, other], ONE)
    twice = fit_prior([*named, again, other], ONE)
    assert [source.takes for source in twice.sources] == [1, 1, 1, 1, 0, 1]
    assert twice.held_out == fit.held_out
    np.testing.assert_array_equal(twice.prior.means_mm, fit.prior.means_mm)
    assert "2.c3d: 1 of its 1 takes are those of 2.trc again" in caplog.text


@pytest.mark.parametrize("last", ["write_prior", "draw_means", "report"])
def test_no_report_stands_beside_another_prior(motions, fitted, tmp_path, last):
    """Killed anywhere while an earlier prior is replaced."""

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    write_results(tmp_path, fitted)
    other = fit_prior(motions[:4], ONE, hold_out=False)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(f"human_pose.calibrated.prior.report.{last}", killed)
        write_results(tmp_path, other)
    assert not [*tmp_path.glob("*.md"), *tmp_path.glob(".*")]
    assert load_prior(tmp_path).shares.size == (3 if last == "write_prior" else 1)
    write_results(tmp_path, other)
    assert "components: 1;" in (tmp_path / "prior.md").read_text()


def test_priors_of_somebody_who_stands_still_are_told(fitted):
    assert not any("hardly differ" in caution for caution in cautions(fitted.prior))
    still = dataclasses.replace(
        fitted.prior,
        means_mm=fitted.prior.means_mm[[0, 0, 0]],
        covariances_mm2=fitted.prior.covariances_mm2 / 1000,
        acceleration_mm2=0.01 * np.eye(51),
    )
    poses, motion = cautions(still)
    assert "Poses hardly differ" in poses and "stands still" in motion
    # Components that are apart are poses that differ.
    apart = np.stack([still.means_mm[0] * factor for factor in (0.5, 1.0, 1.5)])
    (only,) = cautions(dataclasses.replace(still, means_mm=apart))
    assert only == motion


def test_a_take_that_shows_hips_alone_does_no_harm(motions):
    """Before a gap, as while somebody comes in; 22 cm are nobody's size."""
    joints = motions[0].joints_3d_mm.copy()
    hips = [LIFTER_17.names.index(f"{side}_hip") for side in ("left", "right")]
    joints[:3, [j for j in range(17) if j not in hips]] = np.nan
    coming = changed(motions[0], joints_3d_mm=joints, frames=np.r_[0:3, 9:30])
    takes = takes_of(coming, LIFTER_17, CONFIG)
    assert [len(take.poses_mm) for take in takes] == [3, 21]
    with pytest.raises(InputError, match="must be millimetres"):
        takes_of(scaled(coming, 0.001), LIFTER_17, CONFIG)


def test_motion_that_adds_nothing_is_told(motions, caplog):
    joints = motions[4].joints_3d_mm.copy()
    names = ("left_hip", "left_shoulder")
    joints[:, [LIFTER_17.names.index(name) for name in names]] = np.nan
    half = changed(motions[4], joints_3d_mm=joints, source="right.trc")
    fit = fit_prior([*motions[:4], half], ONE, hold_out=False)
    assert fit.sources[-1].poses == 0
    assert "right.trc: adds nothing: no frame shows hips or shoulders" in caplog.text


def test_takes_that_come_again_are_told_in_their_order(motions, caplog):
    named = [changed(m, source=f"{n}.trc") for n, m in enumerate(motions[:6])]
    joints = np.concatenate([motion.joints_3d_mm for motion in named])
    numbers = {"frames": np.tile(np.arange(24), 6), "sequence": np.repeat(range(6), 24)}
    both = Motion(joints, LIFTER_17, 25.0, source="all.npz", **numbers)
    fit_prior([*named, both], ONE, hold_out=False)
    names = ", ".join(motion.source for motion in named)
    assert f"all.npz: 6 of its 6 takes are those of {names} again" in caplog.text


def test_who_faces_nowhere_gives_no_pose(motions):
    """Who lies on one side, his hips and shoulders above each other, was made flat."""
    joints = motions[0].joints_3d_mm.copy()
    for left, right in across(LIFTER_17):
        joints[5:8, left, :2] = joints[5:8, right, :2]
    config = dataclasses.replace(CONFIG, wild_mm=1e4)
    take = take_of(changed(motions[0], joints_3d_mm=joints), config)
    plain = take_of(motions[0], config)
    facing = [*range(5), *range(8, 24)]
    np.testing.assert_allclose(take.poses_mm, plain.poses_mm[facing])
    assert len(take.accelerations_mm) == len(plain.accelerations_mm) - 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": None}, "fps must be given: mine does not say it"),
        ({"fps": 5.0}, "motion: must have 51 frames or more that follow each other"),
        ({"joints_3d_mm": np.full((24, 17, 3), np.nan)}, "must have 3 poses or more"),
        ({"joints_3d_mm": np.zeros((24, 17, 3))}, "must have 3 poses or more"),
        ({"size": 1e-3}, "mine: joints must be millimetres.* are they metres"),
    ],
)
def test_what_cannot_be_fitted_is_refused(motions, changes, message):
    motion = motions[0]
    if size := changes.pop("size", None):
        changes["joints_3d_mm"] = size * motion.joints_3d_mm
    with pytest.raises(InputError, match=message) as raised:
        fit_prior([changed(motion, source="mine", **changes)], CONFIG)
    assert "\n" not in str(raised.value)


def test_a_joint_that_is_never_there_is_named(motions):
    joints = convert(motions[0].joints_3d_mm, LIFTER_17, BODY_25)
    motion = Motion(np.tile(joints, (5, 1, 1)), BODY_25, 25.0)
    with pytest.raises(InputError, match=r"never there: spine.*head_top"):
        fit_prior([motion], CONFIG)


@pytest.mark.parametrize(
    "wrong",
    [
        {"components": 0}, {"components": 101}, {"components": 2.5}, {"seed": -1},
        {"covariance": "round"}, {"rank": 0}, {"starts": 0}, {"steps": 0},
        {"chunk": 0}, {"fps": 0.0}, {"fps": np.nan}, {"freedom": 0.0},
        {"flat_mm": np.inf}, {"shrinkage": -1.0}, {"gain": np.nan},
    ],
)  # fmt: skip
def test_settings_are_checked(wrong):
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} must be"):
        PriorConfig(**wrong)


def test_takes_of_a_pose_or_of_nothing_do_no_harm(motions):
    """Also where fewer poses are left than there are components."""
    first = motions[0].joints_3d_mm[:1]
    one = changed(motions[0], joints_3d_mm=first, frames=[0], sequence=[0])
    nothing = changed(motions[0], joints_3d_mm=np.zeros((24, 17, 3)))
    whole = np.concatenate([motion.joints_3d_mm for motion in motions[1:4]])
    last = Motion(whole - whole[:, :1], LIFTER_17, 25.0)
    fit = fit_prior([one, nothing, last], dataclasses.replace(CONFIG, components=4))
    assert [source.takes for source in fit.sources] == [1, 0, 1]
    assert np.isfinite(fit.held_out).all()
    assert np.isfinite(fit.prior.covariances_mm2).all()


def test_a_full_disk_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(InputError, match=r"^/nowhere: temporary files cannot be"):
        fit_prior([])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
def test_a_disk_that_fills_up_is_told_in_one_line(monkeypatch, motions):
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: open("/dev/full", "w+b"))
    few = Motion(motions[0].joints_3d_mm[:5], LIFTER_17, 25.0)  # wait in the buffer
    with pytest.raises(InputError, match="written: No space left on device; the"):
        fit_prior([few])
