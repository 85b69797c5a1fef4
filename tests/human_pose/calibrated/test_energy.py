"""The energy's terms, the steps' matrices, and the systems of sequences."""

import numpy as np
import pytest
import tensorflow as tf
from near_a_minimiser import COUNT, Problem
from scipy import linalg, stats
from scipy.spatial.transform import Rotation

from human_pose.calibrated import chains, energy, frames
from human_pose.calibrated.energy import Unknowns


@pytest.fixture(scope="module")
def problem():
    return Problem()


@pytest.fixture(scope="module")
def directed():
    return Problem(directed=True)


def flat(x):
    """Unknowns of all frames, joints first, in one vector."""
    return np.concatenate([np.asarray(part).reshape(COUNT, -1) for part in x], -1)


STEP = 1e-3


def slopes(of, x):
    """The compiled gradient of a scalar, of and as unknowns in one array `[F, n]`."""

    @tf.function
    def slope(packed):
        with tf.GradientTape() as tape:
            tape.watch(packed)
            joints, turn = packed[:, :-3], packed[:, -3:]
            value = of(Unknowns(tf.reshape(joints, x.joints_mm.shape), turn))
        return tape.gradient(value, packed)

    return lambda packed: slope(tf.constant(packed)).numpy()


def hessians(of, x):
    """Second derivatives of frames by themselves, `[F, n, n]`."""
    slope, here = slopes(of, x), flat(x)
    moves = STEP * np.eye(here.shape[1])[:, None]
    columns = [slope(here + move) - slope(here - move) for move in moves]
    return np.stack(columns, -1) / (2 * STEP)


def coupled_hessian(of, x):
    """Second derivatives by the joints of all frames, `[Fm, Fm]`, m joints' numbers."""
    slope, here = slopes(of, x), flat(x)
    columns = []
    for frame, number in np.ndindex(COUNT, here.shape[1] - 3):
        move = np.zeros_like(here)
        move[frame, number] = STEP
        change = slope(here + move) - slope(here - move)
        columns.append(change[:, :-3].ravel() / (2 * STEP))
    return np.stack(columns, -1)


@pytest.mark.parametrize("name", ["problem", "directed"])
def test_detections_are_a_mixture(name, request):
    """Of a narrow and a wide Gaussian, and of exchanged sides."""
    problem = request.getfixturevalue(name)
    found = energy.detection_energy(
        problem.x.joints_mm, problem.observed, problem.weights, problem.layout
    ).numpy()
    images, depth = energy.project(problem.x.joints_mm, problem.observed.projection)
    assert (depth.numpy() > 1000).all()
    images, seen = images.numpy(), problem.observed.seen.numpy()
    points, sigma = problem.observed.points_px.numpy(), problem.observed.sigma_px
    tau = problem.observed.outlier_px.numpy()[:, None]
    share = float(problem.weights.outlier_share)

    def density(images):
        narrow, wide = sigma.numpy(), np.hypot(sigma.numpy(), tau)
        off = points - images
        outer = stats.norm.pdf(off / wide[..., None]).prod(-1) / wide**2
        if name == "directed":
            off = np.einsum("fvjab,fvjb->fvja", problem.observed.whitening, off)
        inner = stats.norm.pdf(off / narrow[..., None]).prod(-1) / narrow**2
        return np.where(seen > 0, (1 - share) * inner + share * outer, 1.0)

    straight = density(images)
    crossed = density(images[:, :, list(problem.layout.counterpart)])
    total = sum(
        float(p) * np.where(members, crossed, straight).prod(-1)
        for p, members in zip(
            problem.weights.swaps, problem.layout.exchanges, strict=True
        )
    )
    np.testing.assert_allclose(found, -np.log(total).sum(-1), rtol=1e-9)


def test_bones_leaning_and_poses(problem):
    joints = problem.x.joints_mm.numpy()
    parents, children = np.array(problem.layout.bones).T
    lengths = np.linalg.norm(joints[:, parents] - joints[:, children], axis=-1)
    off = lengths - problem.body.lengths_mm.numpy()
    variance = float(problem.weights.bone_mm) ** 2 + 25
    found = energy.bone_energy(
        problem.x.joints_mm, problem.body, problem.weights, problem.layout
    )
    np.testing.assert_allclose(found, 0.5 * (off**2 / variance).sum(-1))

    lean = energy.rotation(tf.constant([[0.2, 0.0, 0.0]], tf.float64))
    chord = 2 * np.sin(0.1) / float(problem.weights.tilt_rad)
    np.testing.assert_allclose(
        energy.tilt_energy(lean, problem.weights), [2.5 * np.log1p(chord**2 / 3)]
    )

    poses = energy.in_body(problem.x, problem.start)
    nu = float(problem.weights.prior_freedom)
    off = poses.numpy().reshape(COUNT, 1, -1) - problem.body.means_mm.numpy().reshape(
        1, -1, 3 * problem.joints
    )
    squared = np.einsum("fmi,mij,fmj->fm", off, problem.body.precisions, off)
    free = 3 * problem.joints - 3
    logs = problem.body.log_shares - 0.5 * (nu + free) * np.log1p(squared / nu)
    expected = -float(problem.weights.prior) * np.log(np.exp(logs).sum(-1))
    found = energy.prior_energy(poses, problem.body, problem.weights)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_accelerations_are_a_students_t(problem):
    alone = energy.frame_energy(problem.x, *problem.alone()).numpy()
    found = chains.sequence_energy(problem.x, *problem.together()).numpy()
    joints = problem.x.joints_mm.numpy()
    second = (joints[:-2] - 2 * joints[1:-1] + joints[2:]) @ problem.start[1:-1].numpy()
    second = second.reshape(COUNT - 2, -1)
    squared = np.einsum("fi,ij,fj->f", second, problem.body.acceleration, second)
    nu, size = float(problem.weights.time_freedom), second.shape[1]
    tails = 0.5 * (nu + size) * np.log1p(squared / nu)
    expected = float(problem.weights.time) * tails.sum()
    np.testing.assert_allclose(found - alone.sum(), expected, rtol=1e-9)


def at_start(problem):
    """The unknowns with their turns made part of the start."""
    turn = problem.start @ energy.rotation(problem.x.turn_rad)
    return Unknowns(problem.x.joints_mm, tf.zeros_like(problem.x.turn_rad)), turn


def dense(found):
    """Matrices of joints in the world, and turns, `[F, n + 3, n + 3]`."""
    joints = found.matrix.shape[-1] // 3
    turn = np.einsum("ij,fab->fiajb", np.eye(joints), found.turn.numpy())
    turn = turn.reshape(COUNT, 3 * joints, 3 * joints)
    cross = turn @ found.cross.numpy()
    matrix = turn @ found.matrix.numpy() @ turn.swapaxes(-1, -2)
    return np.block([[matrix, cross], [cross.swapaxes(-1, -2), found.corner.numpy()]])


def test_the_priors_part_majorises_its_second_derivatives(problem):
    poses = energy.in_body(problem.x, problem.start)
    with tf.GradientTape() as outer:
        outer.watch(poses)
        with tf.GradientTape() as inner:
            inner.watch(poses)
            value = energy.prior_energy(poses, problem.body, problem.weights)
        slope = inner.gradient(value, poses)
    true = outer.batch_jacobian(slope, poses).numpy()
    size = 3 * problem.joints
    found = frames.prior_precision(poses, problem.body, problem.weights).numpy()
    gap = np.linalg.eigvalsh(found - true.reshape(COUNT, size, size))
    assert gap.min() > -1e-9 * np.abs(found).max()


@pytest.mark.large
def test_a_frames_matrix_is_near_its_second_derivatives(problem):
    """At a minimiser; it lacks the curvature of images, bones and turns alone."""
    x, start = at_start(problem)
    rest = problem.alone()[1:]
    nothing = tf.zeros([COUNT], tf.float64)

    @tf.function
    def step(x, start):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = energy.frame_energy(x, start, *rest)
        slope = tape.gradient(value, x)
        move = frames.solve_frames(x, start, *rest, nothing, slope)
        turn = start @ energy.rotation(-move.turn_rad)
        return Unknowns(x.joints_mm - move.joints_mm, x.turn_rad), turn, slope

    for _ in range(30):
        x, start, slope = step(x, start)
    assert np.abs(flat(slope)).max() < 1e-4
    own = dense(frames.system(x, start, *rest))
    true = hessians(lambda y: tf.reduce_sum(energy.frame_energy(y, start, *rest)), x)
    for frame in range(COUNT):
        shares = linalg.eigh(true[frame], own[frame], eigvals_only=True)
        assert 0.3 < shares[0] and shares[-1] < 1.5


def test_steps_of_frames(problem):
    x, start = at_start(problem)
    rest = problem.alone()[1:]
    rng = np.random.default_rng(4)
    right = Unknowns(*(tf.constant(rng.normal(size=part.shape)) for part in x))
    damping = tf.constant(rng.uniform(0, 1, COUNT))
    found = frames.solve_frames(x, start, *rest, damping, right)
    matrix = dense(frames.system(x, start, *rest))
    matrix = matrix + damping.numpy()[:, None, None] * np.eye(matrix.shape[-1])
    expected = np.linalg.solve(matrix, flat(right)[..., None])[..., 0]
    np.testing.assert_allclose(flat(found), expected, rtol=1e-6, atol=1e-9)
    size = matrix.shape[-1] - 3
    inverse = np.linalg.inv(dense(frames.system(x, start, *rest)))[:, :size, :size]
    blocks = np.einsum("fjajb->fjab", inverse.reshape(COUNT, size // 3, 3, -1, 3))
    spread = frames.covariances(x, start, *rest)
    np.testing.assert_allclose(spread, blocks, rtol=1e-6, atol=1e-6)


def whole(banded):
    """The banded matrix, dense."""
    own, pull, strength = (part.numpy() for part in banded)
    count, size = own.shape[:2]
    matrix = np.zeros((count, size, count, size))
    for frame in range(count):
        matrix[frame, :, frame] = own[frame]
    for frame in range(1, count - 1):
        # Of the acceleration by the joints of all frames.
        second = np.zeros(count)
        second[frame - 1 : frame + 2] = 1, -2, 1
        of_frame = np.einsum("f,ab,g->fagb", second, pull[frame], second)
        matrix += strength[frame] * of_frame
    return matrix.reshape(count * size, -1)


@pytest.mark.large
def test_accelerations_matrix_majorises_their_second_derivatives(problem):
    x, start = at_start(problem)
    chain, observed, *rest = problem.together()[1:]
    found = frames.system(x, start, observed, *rest)
    pull = chains.pulls(chain, problem.body)
    of_time = problem.body, problem.weights, pull
    banded = chains.matrices(x, found, chain, *of_time)
    alone = chains.Chain(tf.zeros_like(chain.inside), chain.turn)
    diagonal = chains.matrices(x, found, alone, *of_time)
    pulls = whole(banded) - whole(diagonal)
    true = coupled_hessian(
        lambda y: (
            chains.sequence_energy(y, start, chain, observed, *rest)
            - tf.reduce_sum(energy.frame_energy(y, start, observed, *rest))
        ),
        x,
    )
    assert np.linalg.eigvalsh(pulls - true).min() > -1e-6 * pulls.max()


def test_steps_of_sequences(problem):
    x, start = at_start(problem)
    chain, observed, *rest = problem.together()[1:]
    arguments = (start, chain, observed, *rest)
    found = frames.system(x, start, observed, *rest)
    size = found.matrix.shape[-1]
    # Joints of all frames, then turns.
    own = dense(found)
    pull = chains.pulls(chain, problem.body)
    of_time = problem.body, problem.weights, pull
    banded = chains.matrices(x, found, chain, *of_time)
    alone = chains.Chain(tf.zeros_like(chain.inside), chain.turn)
    diagonal = chains.matrices(x, found, alone, *of_time)
    pulls = whole(banded) - whole(diagonal)
    matrix = np.zeros((COUNT, size + 3, COUNT, size + 3))
    for frame in range(COUNT):
        matrix[frame, :, frame] = own[frame]
    matrix[:, :size, :, :size] += pulls.reshape(COUNT, size, COUNT, size)
    rng = np.random.default_rng(5)
    right = Unknowns(*(tf.constant(rng.normal(size=part.shape)) for part in x))
    expected = np.linalg.solve(
        matrix.reshape(COUNT * (size + 3), -1), flat(right).ravel()
    )
    solved = chains.solve_sequence(x, *arguments, tf.constant(2), pull, right)
    np.testing.assert_allclose(
        flat(solved).ravel(), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
    )


def random_band(count, size, rng):
    """A band of which the inverse falls off quickly."""
    own, pull = (rng.normal(size=(count, size, size)) for _ in range(2))
    strength = rng.uniform(0, 1, count)
    strength[[0, -1]] = 0
    parts = (
        own @ own.swapaxes(-1, -2) + 12 * np.eye(size),
        pull @ pull.swapaxes(-1, -2),
        strength,
    )
    return chains.Banded(*map(tf.constant, parts))


@pytest.mark.parametrize("count, overlap", [(1, 2), (2, 2), (9, 3), (400, 30)])
def test_chunks_of_a_band(count, overlap):
    """Beside the dense solution; 400 frames are four chunks."""
    rng = np.random.default_rng(count)
    banded = random_band(count, 3, rng)
    matrix, right = whole(banded), rng.normal(size=(count, 3))
    expected = np.linalg.solve(matrix, right.ravel()).reshape(count, 3)
    overlap = tf.constant(overlap)
    found = tf.function(chains.solve_banded)(banded, tf.constant(right), overlap)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    inverse = np.linalg.inv(matrix).reshape(count, 3, count, 3)
    blocks = np.einsum("fafb->fab", inverse)
    np.testing.assert_allclose(
        tf.function(chains.inverse_blocks)(banded, overlap), blocks, atol=1e-9
    )


def test_turns():
    vectors = np.array([[0.3, -1.2, 0.7], [1e-5, 0, 2e-5], [0, 0, 0]])
    expected = Rotation.from_rotvec(vectors).as_matrix()
    np.testing.assert_allclose(
        energy.rotation(tf.constant(vectors)), expected, atol=1e-15
    )


@pytest.mark.parametrize("seed", [0, 4])
def test_rounding_of_chances_takes_no_precision_below_0(problem, monkeypatch, seed):
    """A joint whose sides are surely exchanged says nothing of itself."""
    seen = np.array(problem.observed.seen)
    seen[:, :, np.array(problem.layout.counterpart) > np.arange(seen.shape[2])] = 0
    gains = np.random.default_rng(seed).normal(size=(*seen.shape[:2], 4))
    gains[..., [0, 2]] -= 1e3  # arms for sure, and perhaps legs
    monkeypatch.setattr(energy, "exchange_gains", lambda *_: tf.constant(gains))
    observed = problem.observed._replace(seen=tf.constant(seen))
    blocks = frames.detection_blocks(
        problem.x.joints_mm, observed, problem.weights, problem.layout
    )
    assert np.isfinite(blocks).all()
