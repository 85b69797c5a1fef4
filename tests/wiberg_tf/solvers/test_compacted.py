"""Batches that become smaller as their problems are done."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_SIZE = 60


@pytest.fixture(scope="module")
def problems():
    """Robust regressions of very different difficulty: features, targets, log width."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=[_SIZE, 12, 3])
    targets = np.sum(features * rng.normal(size=[_SIZE, 1, 3]), -1)
    targets += 5 * rng.normal(size=targets.shape) * (rng.uniform(size=[12]) < 0.4)
    width = np.linspace(-3, 2, _SIZE)
    return tuple(map(tf.constant, (features, targets, width)))


@pytest.fixture(scope="module")
def whole(problems):
    """What IRLS finds of the whole batch: the solution, and the gradients."""
    return _learned(wt.IRLS(), problems)


def _energy():
    return wt.ResidualEnergy(
        lambda x, f, y, _: tf.linalg.matvec(f, x) - y,
        lambda *theta: wt.losses.PseudoHuber(tf.exp(theta[-1])[:, None]),
    )


def _learned(solver, problems, mode="graph", **options):
    """The solution, and the gradients of a loss of it."""

    def run(*theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            solution = wt.argmin(
                _energy(),
                tf.zeros([tf.shape(theta[0])[0], 3], tf.float64),
                theta,
                solver=solver,
                batch_dims=1,
                **options,
            )
            sound = solution.status != int(wt.Status.NOT_FINITE)
            loss = tf.reduce_sum(tf.sin(tf.boolean_mask(solution.value, sound)))
        return solution, tape.gradient(loss, theta)

    if mode == "graph":
        run = tf.function(run)
    if mode == "unknown batch":
        signature = [tf.TensorSpec([None, *p.shape[1:]], p.dtype) for p in problems]
        run = tf.function(run, input_signature=signature)
    return run(*problems)


@pytest.mark.parametrize(
    "solver",
    [
        wt.IRLS(),
        wt.Newton(),
        pytest.param(
            wt.GaussNewton(tolerance=1e-7, steps_per_hessian=2), marks=pytest.mark.large
        ),
        pytest.param(wt.LevenbergMarquardt(), marks=pytest.mark.large),
        pytest.param(wt.LBFGS(), marks=pytest.mark.large),
        pytest.param(wt.GradientDescent(max_iterations=30), marks=pytest.mark.large),
    ],
    ids=lambda solver: type(solver).__name__,
)
def test_what_comes_of_it_is_what_comes_of_the_whole_batch(solver, problems, whole):
    plain, gradients = whole if solver == wt.IRLS() else _learned(solver, problems)
    fewer, others = _learned(wt.Compacted(solver, least=3), problems)
    np.testing.assert_array_equal(fewer.status, plain.status)
    np.testing.assert_array_equal(fewer.stats.iterations, plain.stats.iterations)
    assert np.ptp(plain.stats.iterations) > 3 or isinstance(solver, wt.GradientDescent)
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11),
        (fewer.value, fewer.stats[1:3], others),
        (plain.value, plain.stats[1:3], gradients),
    )


@pytest.mark.parametrize(
    ("mode", "share"),
    [
        ("eager", 0.95),
        pytest.param("graph", 0.3, marks=pytest.mark.large),
        ("unknown batch", 0.6),
    ],
)
def test_every_way_of_calling_it(mode, share, problems, whole):
    plain, gradients = whole
    solver = wt.Compacted(wt.IRLS(), share=share, least=0)
    fewer, others = _learned(solver, problems, mode)
    np.testing.assert_array_equal(fewer.stats.iterations, plain.stats.iterations)
    np.testing.assert_allclose(fewer.value, plain.value, rtol=1e-10)
    for one, other in zip(others, gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)


def test_it_steps_only_with_those_that_go_on(problems):
    sizes = []

    class Counted(wt.IRLS):
        def step(self, problem, state):
            sizes.append(len(state.x))
            return super().step(problem, state)

    counts, _ = _learned(wt.Compacted(Counted(), share=0.5, least=4), problems, "eager")
    iterations = counts.stats.iterations.numpy()
    assert sizes[0] == _SIZE
    assert sizes[-1] <= _SIZE / 6
    assert sizes == sorted(sizes, reverse=True)
    # Never more than twice as many as go on, but for the few that stay together.
    on = [(iterations > number).sum() for number in range(len(sizes))]
    assert all(size <= max(2 * left, 4) for size, left in zip(sizes, on, strict=True))


def test_bounds_of_each_problem(problems):
    rng = np.random.default_rng(1)
    options = {"bounds": (tf.constant(-rng.uniform(size=[_SIZE, 3])), 0.2)}
    plain, gradients = _learned(wt.LevenbergMarquardt(), problems, **options)
    solver = wt.Compacted(wt.LevenbergMarquardt(), least=2)
    fewer, others = _learned(solver, problems, **options)
    np.testing.assert_allclose(fewer.value, plain.value, rtol=1e-9, atol=1e-12)
    for one, other in zip(others, gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("seeded", [False, True])
def test_equality_and_seeds(seeded):
    theta = tf.constant(np.linspace(-9, 9, _SIZE)[:, None] * [1.0, 0.5])
    row = tf.ones([1, 2], tf.float64)
    options = {} if seeded else {"equality": (row, row[:, 0])}

    @tf.function
    def run(solver):
        return wt.argmin(
            lambda x, t: tf.reduce_sum(tf.exp(x - t) + (x - t) ** 2, -1),
            tf.zeros_like(theta),
            (theta,),
            solver=wt.GridSeeds([[0.0, 0.0], [3.0, 1.0]])(solver) if seeded else solver,
            batch_dims=1,
            **options,
        )

    plain, fewer = run(wt.Newton()), run(wt.Compacted(wt.Newton(), least=2))
    np.testing.assert_allclose(fewer.value, plain.value, rtol=1e-10)
    np.testing.assert_array_equal(fewer.stats.iterations, plain.stats.iterations)
    assert np.ptp(plain.stats.iterations) > 1


def test_a_problem_alone():
    alone = wt.argmin(
        lambda x: tf.reduce_sum((x - 2) ** 2),
        tf.zeros(3),
        solver=wt.Compacted(wt.Newton()),
    )
    np.testing.assert_allclose(alone.value, [2, 2, 2], rtol=1e-6)


def test_what_all_share_stays_whole(problems):
    features, _, _ = problems
    mean = tf.reduce_mean(features, [0, 1])
    batch = tf.constant(np.linspace(-4, 4, _SIZE)[:, None] * np.ones(3))
    # One that begins with another size, and one that has an axis before it.
    pull = tf.constant(np.linspace(0, 1, _SIZE))[None]

    def energy(x, t, shared, pull, nothing):
        assert nothing is None
        drawn = tf.reduce_mean(tf.exp(0.1 * pull * x[:, :1]), -1)
        return tf.reduce_sum((x - t * shared) ** 4, -1) + drawn

    def run(solver):
        return wt.argmin(
            energy, batch + 1, (batch, mean, pull, None), solver=solver, batch_dims=1
        )

    plain, fewer = run(wt.Newton()), run(wt.Compacted(wt.Newton(), least=1))
    np.testing.assert_allclose(fewer.value, plain.value, rtol=1e-9)
    np.testing.assert_array_equal(fewer.status, plain.status)


@pytest.mark.parametrize("views", [pytest.param(2, marks=pytest.mark.large), 3])
def test_what_all_share_keeps_its_sizes_where_the_batch_is_of_any(views):
    """Energies reshape by sizes that are known beforehand."""
    shared = tf.constant(np.linspace(1, 2, 2 * views).reshape(views, 2))
    targets = tf.constant(np.linspace(-4, 4, _SIZE)[:, None] * np.ones(2))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float64),
            tf.TensorSpec([views, 2], tf.float64),
        ]
    )
    def run(targets, shared):
        def energy(x, targets, shared):
            seen = (x - targets)[:, None] * shared
            flat = tf.reshape(seen, [-1, 2 * seen.shape[1]])
            return tf.reduce_sum(flat**4 + flat**2, -1)

        return wt.argmin(
            energy,
            tf.zeros_like(targets),
            (targets, shared),
            solver=wt.Compacted(wt.Newton(), least=3),
            batch_dims=1,
        )

    found = run(targets, shared)
    found.raise_if_failed()
    np.testing.assert_allclose(found.value, targets, atol=1e-7)


@pytest.mark.parametrize(
    "mode", [pytest.param("graph", marks=pytest.mark.large), "unknown batch"]
)
def test_a_lost_problem_and_an_endless_one_stay_their_own(mode, problems):
    features, targets, width = problems
    targets = targets.numpy()
    targets[5] = np.nan
    lost = features, tf.constant(targets), width
    solver = wt.IRLS(max_iterations=9)
    plain, gradients = _learned(solver, lost, mode)
    fewer, others = _learned(wt.Compacted(solver, least=2), lost, mode)
    assert fewer.status[5] == wt.Status.NOT_FINITE
    assert wt.Status.MAX_ITERATIONS in fewer.status.numpy()
    np.testing.assert_array_equal(fewer.status, plain.status)
    np.testing.assert_allclose(fewer.value, plain.value, rtol=1e-10)
    np.testing.assert_allclose(others[-1], gradients[-1], rtol=1e-8)


@pytest.mark.parametrize("graph", [False, True])
def test_an_energy_that_shares_what_begins_with_the_batch_is_refused(graph):
    start = tf.constant(np.linspace(-9, 9, _SIZE)[:, None])

    def run(energy, theta=()):
        call = tf.function(wt.argmin) if graph else wt.argmin
        return call(
            energy,
            start,
            theta,
            solver=wt.Compacted(wt.Newton(), least=2),
            batch_dims=1,
        )

    def steep(x):
        return tf.reduce_sum(tf.exp(x) + x**2, -1)

    shared = tf.constant(np.linspace(0, 1, _SIZE))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="an axis of size 1 before"
    ):
        run(lambda x, s: steep(x) + tf.reduce_sum((x - s) ** 2, -1), (shared,))
    with pytest.raises(ValueError, match=r"among `parameters`, not captured"):
        run(lambda x: steep(x) + tf.reduce_sum((x - shared[:, None]) ** 2, -1))


def test_round_off_is_no_other_energy():
    """Where energies end at 0, another order of sums changes all digits of them."""
    start = tf.constant(np.linspace(-9, 9, _SIZE)[:, None])

    def energy(x):
        round_off = 1e-17 * tf.cast(tf.shape(x)[0], x.dtype)
        return tf.reduce_sum(tf.cosh(x) - 1, -1) + round_off

    solver = wt.Compacted(wt.Newton(), least=2)
    found = wt.argmin(energy, start, solver=solver, batch_dims=1)
    np.testing.assert_allclose(found.value, 0, atol=1e-6)
    found.raise_if_failed()


def test_what_it_cannot_do_is_refused(problems):
    with pytest.raises(ValueError, match="no steps to differentiate through"):
        _learned(wt.Compacted(wt.IRLS()), problems, derivative=wt.Unrolled())
    with pytest.raises(ValueError, match=r"`batch_dims` must be 0 or 1.*received 2"):
        wt.argmin(
            lambda x: tf.reduce_sum(x**2, -1),
            tf.zeros([2, 3, 1]),
            solver=wt.Compacted(wt.Newton()),
            batch_dims=2,
        )
    with pytest.raises(TypeError, match="must be a solver of steps"):
        wt.Compacted(wt.given)
    with pytest.raises(ValueError, match="`share` must be > 0 and < 1; received 1"):
        wt.Compacted(wt.Newton(), share=1)
    with pytest.raises(ValueError, match="`least` must be >= 0; received -1"):
        wt.Compacted(wt.Newton(), least=-1)
    with pytest.raises(ValueError, match=r"one damping .*\(2,\)"):
        wt.Compacted(wt.Newton(damping=tf.ones(2)))
    with pytest.raises(ValueError, match="_Unbounded does not take `bounds`"):
        wt.argmin(
            lambda x: tf.reduce_sum(x**2, -1),
            tf.zeros([2, 1]),
            solver=wt.Compacted(_Unbounded()),
            bounds=(0, 1),
            batch_dims=1,
        )


def test_xla_is_refused_and_does_not_end_the_process():
    theta = tf.constant(np.linspace(-9, 9, _SIZE)[:, None])

    def run(theta):
        return wt.argmin(
            lambda x, t: tf.reduce_sum(tf.exp(x - t) + (x - t) ** 2, -1),
            tf.zeros_like(theta),
            (theta,),
            solver=wt.Compacted(wt.Newton(), least=2),
            batch_dims=1,
        ).value

    with pytest.raises(ValueError, match="does not go with jit_compile=True"):
        tf.function(run, jit_compile=True)(theta)
    # A trace that was made without XLA.
    inner = tf.function(run)
    inner(theta)
    with pytest.raises(tf.errors.InvalidArgumentError, match="unsupported operations"):
        tf.function(lambda t: inner(t), jit_compile=True, autograph=False)(theta)


class _Unbounded(wt.Newton):
    takes_bounds = False


@pytest.mark.parametrize("far", [1e3, 1e7])
def test_energies_of_far_starts_do_not_hide_another_energy(far):
    # As many shared points as problems, of whose mean each is near.
    points = tf.constant(np.random.default_rng(0).normal(size=48))
    stiffness = tf.constant(np.linspace(1, 90, 48))

    def energy(x, stiffness, points):
        kept = tf.reduce_mean(tf.math.log(1 + tf.square(x / far)), -1)
        return tf.reduce_mean((x - points[None, :]) ** 2, -1) * stiffness + kept

    with pytest.raises(tf.errors.InvalidArgumentError, match="another energy"):
        wt.argmin(
            energy,
            tf.constant(np.linspace(far, 2 * far, 48)[:, None]),
            (stiffness, points),
            solver=wt.Compacted(wt.GradientDescent(max_iterations=99), least=2),
            batch_dims=1,
        )
