"""Learning the calibrated lifter's weights through its minimisers."""

import dataclasses
import random
import types

import made_up_recording
import numpy as np
import pytest
import tensorflow as tf

from human_pose.calibrated.checkpoint import NAME, load_lifter
from human_pose.calibrated.config import CalibratedConfig, SolverConfig
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.minimise import exactly
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.session import Session
from human_pose.calibrated.take import of_anybody
from human_pose.calibrated.training import run
from human_pose.calibrated.training import trainer as trainer_module
from human_pose.calibrated.training.clips import Source, solve, split
from human_pose.calibrated.training.config import FEW, WEIGHTS, CalibratedTrainingConfig
from human_pose.calibrated.training.run import REPORT, train
from human_pose.calibrated.training.trainer import Best, CalibratedTrainer
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError

TRUTH = made_up_recording.truth_mm(24)
RECORDING = made_up_recording.recording(TRUTH, noise_px=4.0, views=3)
SHORT = CalibratedTrainingConfig(
    learned=tuple(WEIGHTS), clip_frames=12, batch_frames=12, epochs=2
)


def motion(joints_mm=TRUTH, **changes):
    return Motion(joints_mm, RECORDING.skeleton, RECORDING.fps, **changes)


def source(follows, truth_mm=None):
    """A recording that is not lifted, of which only clips are wanted."""
    shows = np.ones(len(follows), bool)
    work = types.SimpleNamespace(follows=np.array(follows, float), shows=shows)
    solved = types.SimpleNamespace(work=work)
    truth = np.zeros((len(follows), 2, 3)) if truth_mm is None else truth_mm
    return Source(solved, truth, "made up")


def test_clips_follow_cuts_and_each_frame_is_in_one():
    truth = np.zeros((50, 2, 3))
    truth[30:34, 1] = np.nan
    follows = np.ones(50)
    follows[[0, 20, 21]] = 0  # takes of 20, 1 and 29 frames
    config = dataclasses.replace(SHORT, clip_frames=10, batch_frames=24, held_out=0.4)
    learned, held = split([source(follows, truth)], config)
    assert {len(batch.rows) for batch in learned + held} == {24}
    used = [batch.rows[batch.known[:, 0]] for batch in learned + held]
    assert sorted(np.concatenate(used)) == [*range(20), *range(21, 50)]
    assert sum(batch.known[:, 1].sum() for batch in learned + held) == 49 - 4
    for batch in learned + held:
        for place in np.flatnonzero(batch.inside):
            assert (np.diff(batch.rows[place - 1 : place + 2]) == 1).all()
    again = split([source(follows, truth)], config)
    assert [b.rows.tolist() for b in again[1]] == [b.rows.tolist() for b in held]


def test_clips_begin_and_end_where_they_show_something():
    """Nothing holds the frames beyond, and steps are as short as these need."""
    some = source([0.0] + [1.0] * 35)
    some.solved.work.shows[[0, 1, 5, 22, 23, *range(25, 36)]] = False
    learned, held = split([some], SHORT)
    rows = [sorted({*batch.rows.tolist()}) for batch in (*held, *learned)]
    assert sorted(rows) == [[*range(2, 12)], [*range(12, 22)]]


def test_what_is_held_out_is_learned_from_in_no_setting():
    """The recording's settings are of one motion, and show not all of it."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 60, 2, 3))
    follows = np.array([0.0] + [1.0] * 59)
    part = source(follows, one)
    part.solved.work.shows[:12] = False  # views that do not show the first clip
    later = source(follows[5:], np.append(one[6:], other[:1], axis=0))
    sources = [source(follows, one), part, later, source(follows, other)]
    for seed in range(5):
        learned, held = split(sources, dataclasses.replace(SHORT, seed=seed))
        sides = []
        for batches in (learned, held):
            shown = [(b.source.truth_mm[b.rows], b.known[:, 0]) for b in batches]
            sides.append({t.tobytes() for truth, k in shown for t in truth[k]})
        assert not sides[0] & sides[1]
        assert {id(batch.source) for batch in learned} >= {*map(id, sources[:2])}
        assert {id(sources[0]), id(sources[3])} <= {id(b.source) for b in held}


def test_the_order_of_clips_is_the_seeds_alone(tmp_path, monkeypatch):
    """Keras shuffles by Python's generator, which nobody seeds."""
    orders = []

    class Trainer(CalibratedTrainer):
        def train_step(self, data):
            orders[-1].append(int(trainer_module._number(data)))
            return dict.fromkeys(("loss", "gradient_norm"), tf.constant(1.0))

    monkeypatch.setattr(run, "CalibratedTrainer", Trainer)
    monkeypatch.setattr(Trainer, "mean_errors", lambda self, held: np.zeros(2))
    lifter = CalibratedLifter(load_prior(), RECORDING.skeleton)
    learned, held = split([source([0.0] + [1.0] * 119)], SHORT)
    for seed in range(3):
        random.seed(seed)
        orders.append([])
        run._fit(lifter, learned, held, SHORT, tmp_path)
    assert orders[0] == orders[1] == orders[2]
    assert len(orders[0]) == SHORT.epochs * len(learned) > 10


def test_too_little_to_learn_from_is_told(tmp_path):
    with pytest.raises(InputError, match="made up: must have 24 frames"):
        split([source([0, 1, 1, 0, 1])], SHORT)
    lifter = CalibratedLifter(load_prior(), RECORDING.skeleton)
    wrong = dataclasses.replace(SHORT, learned=("time", "tide"))
    with pytest.raises(InputError, match=r"learned must be of .*; received .'tide'"):
        train(lifter, RECORDING, motion(), wrong, tmp_path / "run")
    with pytest.raises(InputError, match="must have frames of the recording's"):
        late = motion(frames=np.arange(24) + 100)
        train(lifter, RECORDING, late, SHORT, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / NAME).touch()
    with pytest.raises(InputError, match=r"already holds lifter\.npz; `overwrite`"):
        train(lifter, RECORDING, motion(), SHORT, tmp_path)


def test_a_truth_that_counts_frames_otherwise_is_told(caplog):
    joints = types.SimpleNamespace(skeleton=RECORDING.skeleton)
    session = types.SimpleNamespace(
        lifter=types.SimpleNamespace(joints=joints),
        solved=lambda recording: types.SimpleNamespace(joints_mm=TRUTH),
    )
    solve(session, RECORDING, motion())
    assert not caplog.text
    solve(session, RECORDING, motion(frames=np.arange(24) + 1))
    assert "fits better where it is taken from 1 frame later" in caplog.text


def test_a_group_at_no_minimum_leaves_the_others_their_derivative():
    curved = tf.constant([[2.0, 5.0], [-1.0, 3.0], [4.0, 0.5]], tf.float64)
    solver = exactly(
        lambda x, c: 0.5 * tf.reduce_sum(c * x * x),
        lambda x, parameters, damping, right: right,
        lambda parameters: tf.range(3),
    )
    right = tf.ones([3, 2], tf.float64)
    damping = tf.constant(0.0, tf.float64)
    found = solver(tf.ones_like(right), (curved,), damping, right).numpy()
    assert found[[0, 2]] == pytest.approx(1 / curved.numpy()[[0, 2]])
    assert np.isfinite(found).all()


def test_no_report_stands_beside_another_lifter(tmp_path, monkeypatch):
    """Where a training that overwrites is killed as it writes."""

    def killed(*_):
        raise KeyboardInterrupt

    (tmp_path / REPORT).write_text("of an earlier training")
    (tmp_path / NAME).write_text("its lifter")
    monkeypatch.setattr(run, "_prepare", lambda *_: ([], []))
    for name in ("_fit", "_report"):
        monkeypatch.setattr(run, name, lambda *_: "")
    monkeypatch.setattr(run, "save_lifter", killed)
    with pytest.raises(KeyboardInterrupt):
        config = dataclasses.replace(SHORT, overwrite=True)
        run.train_on(None, [], config, tmp_path)
    assert (tmp_path / NAME).exists() and not (tmp_path / REPORT).exists()


def test_weights_are_shown_as_they_act():
    lifter = CalibratedLifter(load_prior(), RECORDING.skeleton)
    rng = np.random.default_rng(0)
    for name in ("log_swaps", "log_shares", "log_sigma", "log_lasting"):
        variable = lifter.weight(name)
        variable.assign_add(rng.normal(0, 1, variable.shape))

    def shown(name):
        said = run._shown(name, lifter.weight(name).numpy())
        return np.array(said.split(), float)

    take = of_anybody(load_prior(), np.ones((1, len(lifter.joints))))
    terms = lifter.terms(take, temporal=False)
    np.testing.assert_allclose(shown("log_swaps"), terms.swaps, rtol=1e-3)
    np.testing.assert_allclose(shown("log_sigma"), lifter.sigma_px(take)[0], rtol=1e-3)
    assert shown("log_shares").sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(
        shown("log_outlier_share"), terms.outlier_share.numpy(), rtol=1e-3
    )
    share = 0.1 * shown("log_lasting")[0]
    some = float(lifter.terms(take._replace(lasting=0.1), temporal=True).prior)
    expected = 0.05 ** (1 - share) * 0.5**share
    assert some == pytest.approx(expected, rel=1e-3)


def test_the_best_epoch_is_kept_and_the_first_may_be_it():
    errors = iter([[3.0, 9.0], [2.0, 9.0], [2.5, 9.0], [2.1, 9.0]])
    weight = tf.Variable(0.0)
    model = types.SimpleNamespace(
        learned=[weight],
        mean_errors=lambda held: np.array(next(errors)),
        loss_of=lambda e: e[0],
        stop_training=False,
    )
    told = []
    best = Best([], 2, lambda epoch, error: told.append(epoch))
    best.set_model(model)
    best.on_train_begin()
    for epoch in range(3):
        assert not model.stop_training
        weight.assign(epoch + 1.0)
        best.on_epoch_end(epoch)
    best.restore()
    assert (best.epoch, float(weight), told) == (1, 1.0, [0, 1, 2, 3])
    assert model.stop_training
    with pytest.raises(FloatingPointError, match="training diverged: loss is nan"):
        best.on_train_batch_end(0, {"loss": np.nan, "gradient_norm": 1.0})


def test_a_minimiser_that_is_none_ends_the_training_in_one_line(tmp_path, monkeypatch):
    class Trainer(CalibratedTrainer):
        def train_step(self, data):
            tf.debugging.Assert(False, ["Hessian at the minimiser is not finite"])

    monkeypatch.setattr(run, "CalibratedTrainer", Trainer)
    monkeypatch.setattr(Trainer, "mean_errors", lambda self, held: np.zeros(2))
    lifter = CalibratedLifter(load_prior(), RECORDING.skeleton)
    learned, held = split([source([0.0] + [1.0] * 47)], SHORT)
    with pytest.raises(FloatingPointError, match="training diverged: after step 0"):
        run._fit(lifter, learned, held, SHORT, tmp_path)


@pytest.fixture(scope="module")
def lifter():
    solver = SolverConfig(
        frame_iterations=60, sequence_iterations=60, rtol=1e-12, noise_rounds=2
    )
    config = CalibratedConfig(solver=solver)
    return CalibratedLifter(load_prior(), RECORDING.skeleton, config)


@pytest.fixture(scope="module")
def trainer(lifter):
    found = solve(Session(lifter), RECORDING, motion())
    work = found.solved.work
    work.take = work.take._replace(lasting=0.4)
    learned, _ = split([found], SHORT)
    return CalibratedTrainer(lifter, learned, SHORT), learned[0]


@pytest.mark.large
# By exchanges, of which there are none, and components, of which one counts, joints
# hardly move.
@pytest.mark.parametrize("name", [n for n in WEIGHTS if n not in ("swaps", "shares")])
def test_gradients_are_those_of_finite_differences(trainer, name):
    model, batch = trainer
    variable = model.lifter.weight(WEIGHTS[name])

    def loss():
        return model.loss_of(np.array([float(e) for e in model.errors(batch)]))

    with tf.GradientTape() as tape:
        together, alone = model.errors(batch)
        value = 0.9 * together + 0.1 * alone
    gradient = tape.gradient(value, variable.value).numpy()
    start = variable.numpy()
    size = (np.abs(start).mean() or 1.0) if start.ndim else 1.0
    direction = size * np.random.default_rng(1).normal(size=start.shape)
    # Accelerations of a few mm are bent more by it.
    step = (2e-3 if name == "acceleration" else 1e-2) / np.abs(direction).max()
    values = []
    for share in (-2, -1, 1, 2):
        variable.assign(start + share * step * direction)
        values.append(loss())
    variable.assign(start)
    slope = np.dot([1, -8, 8, -1], values) / (12 * step)
    # What is left is the energies' rounding, by which the minimisers move.
    assert np.sum(gradient * direction) == pytest.approx(slope, rel=2e-6, abs=1e-9)


@pytest.mark.large
def test_training_lowers_the_error_and_leaves_a_lifter(tmp_path):
    truth = made_up_recording.truth_mm(96)
    seen = made_up_recording.recording(truth, noise_px=6.0, views=3)
    lifter = CalibratedLifter(load_prior(), seen.skeleton)
    lifter.weight("log_time").assign_sub(4.0)  # far too rough
    config = CalibratedTrainingConfig(
        learned=FEW, clip_frames=24, batch_frames=48, epochs=4, learning_rate=0.3,
        stay_mm=0.0, settings=("as it is",),
    )  # fmt: skip
    table = train(lifter, seen, motion(truth), config, tmp_path / "run")
    before, after = (float(cell) for cell in table.splitlines()[-1].split("|")[2:4])
    assert after < 0.9 * before
    report = (tmp_path / "run" / REPORT).read_text()
    assert table in report and "| time |" in report
    assert list((tmp_path / "run" / "logger").glob("events.*"))
    found = load_lifter(tmp_path / "run", seen.skeleton)
    one, other = (Session(model).lift(seen).poses for model in (lifter, found))
    assert np.array_equal(one.joints_3d_mm, other.joints_3d_mm)
    assert np.array_equal(one.covariance_mm2, other.covariance_mm2)
