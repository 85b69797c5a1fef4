"""Linear equality constraints, against the closed form of quadratic programmes."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_MODES = [lambda function: function, tf.function]


def _programme(rng, batch=(), constraint=None, size=5, rows=2, dtype=tf.float64):
    """P, q, A and b, the latter two with batch axes `constraint`."""
    constraint = batch if constraint is None else constraint
    root = rng.normal(size=(*batch, size, size))
    values = (
        root @ np.swapaxes(root, -1, -2) + np.eye(size),
        rng.normal(size=(*batch, size)),
        rng.normal(size=(*constraint, rows, size)),
        rng.normal(size=(*constraint, rows)),
    )
    return [tf.constant(value, dtype) for value in values]


def _energy(x, matrix, linear):
    bent = tf.linalg.matvec(matrix, x)
    return tf.reduce_sum(x * (0.5 * bent - linear), -1)


def _symmetric(matrix):
    """What the energy knows of it."""
    return 0.5 * (matrix + tf.linalg.matrix_transpose(matrix))


def _by_kkt(matrix, linear, equality, right):
    """The minimiser by the system of Karush, Kuhn and Tucker."""
    batch, rows = linear.shape[:-1], right.shape[-1]
    equality = tf.broadcast_to(equality, [*batch, *equality.shape[-2:]])
    right = tf.broadcast_to(right, [*batch, rows])
    zero = tf.zeros([*batch, rows, rows], matrix.dtype)
    matrix = _symmetric(matrix)
    upper = tf.concat([matrix, tf.linalg.matrix_transpose(equality)], -1)
    system = tf.concat([upper, tf.concat([equality, zero], -1)], -2)
    sides = tf.concat([linear, right], -1)
    return tf.linalg.solve(system, sides[..., None])[..., : linear.shape[-1], 0]


def _gradients(minimise, inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        x = minimise(*inputs)
        loss = tf.reduce_sum(tf.sin(x))
    return x, *tape.gradient(loss, inputs)


def _minimiser(solver=None, derivative=None, start=None, **options):
    def minimise(matrix, linear, equality, right):
        return wt.argmin(
            _energy,
            tf.ones_like(linear) if start is None else start,
            (matrix, linear),
            solver=solver,
            derivative=derivative,
            batch_dims=linear.shape.rank - 1,
            equality=(equality, right),
            **options,
        ).value

    return minimise


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize(
    ("batch", "constraint"), [((), ()), ((3,), ()), ((2, 3), (2, 3))]
)
def test_minimiser_and_all_gradients_are_those_of_the_closed_form(
    rng, mode, batch, constraint
):
    inputs = _programme(rng, batch, constraint)
    expected = _gradients(_by_kkt, inputs)
    actual = mode(lambda inputs: _gradients(_minimiser(), inputs))(inputs)
    for one, other in zip(expected, actual, strict=True):
        assert np.abs(one).max() > 1e-2
        np.testing.assert_allclose(other, one, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("solver", "derivative"),
    [
        (wt.LBFGS(rtol=1e-12), wt.Implicit()),
        (wt.LBFGS(rtol=1e-12), wt.Implicit("cg")),
        (wt.GradientDescent(rtol=1e-12, max_iterations=5000), wt.Implicit("minres")),
        (wt.Newton(), wt.Unrolled()),
        (wt.Newton(), wt.Unrolled(checkpoint=True)),
    ],
)
def test_any_solver_and_derivative(rng, solver, derivative):
    inputs = _programme(rng, (2,))
    expected = _gradients(_by_kkt, inputs)
    actual = _gradients(_minimiser(solver, derivative), inputs)
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("solver", "by_name"),
    [
        (wt.LevenbergMarquardt(rtol=1e-11), False),
        (wt.GaussNewton(rtol=1e-11), True),
    ],
)
def test_residuals_stay_residuals(rng, slope, solver, by_name):
    """Against finite differences of the whole solve."""
    sizes = (2, 4), (), (2, 2, 4), (2, 2)
    data, width, equality, right = (tf.constant(rng.normal(size=s)) for s in sizes)
    inputs = [data, width, equality, right]
    along = [tf.constant(rng.normal(size=s)) for s in sizes]
    energy = wt.ResidualEnergy(
        lambda x, data, width: tf.concat([x - data, 0.3 * x**2], -1),
        lambda data, width: wt.losses.PseudoHuber(width),
    )

    @tf.function
    def loss(data, width, equality, right):
        solution = wt.argmin(
            energy,
            tf.zeros_like(data),
            {"data": data, "width": width} if by_name else (data, width),
            solver=solver,
            batch_dims=1,
            equality=(equality, right),
        ).raise_if_failed()
        tf.debugging.assert_near(tf.linalg.matvec(equality, solution.value), right)
        return tf.reduce_sum(tf.sin(solution.value))

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = loss(*inputs)
    gradients = tape.gradient(found, inputs)
    for k, gradient in enumerate(gradients):
        one = [d if i == k else tf.zeros_like(d) for i, d in enumerate(along)]
        expected = slope(loss, inputs, one)
        assert abs(expected) > 1e-4
        actual = tf.reduce_sum(gradient * along[k])
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-8)


def test_unrolled_steps_before_convergence_are_projected_gradient_steps(rng):
    """By hand, with its first and second derivatives: the start counts too."""
    inputs = [*_programme(rng, (2,)), tf.constant(rng.normal(size=(2, 5)))]

    def by_hand(matrix, linear, equality, right, start):
        gram = tf.linalg.inv(tf.matmul(equality, equality, transpose_b=True))
        pseudo = tf.matmul(equality, gram, transpose_a=True)
        projector = tf.eye(5, dtype=tf.float64) - tf.matmul(pseudo, equality)
        missing = right - tf.linalg.matvec(equality, start)
        x = start + tf.linalg.matvec(pseudo, missing)
        for _ in range(2):
            slope = tf.linalg.matvec(_symmetric(matrix), x) - linear
            x -= 0.05 * tf.linalg.matvec(projector, slope)
        return x

    def unrolled(matrix, linear, equality, right, start):
        steps = wt.GradientDescent(rate=0.05, max_iterations=2)
        minimise = _minimiser(steps, wt.Unrolled(), start)
        return minimise(matrix, linear, equality, right)

    def both(minimise):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            x, *first = _gradients(minimise, inputs)
            length = tf.add_n([tf.reduce_sum(tf.sin(entry)) for entry in first])
        return x, *first, *tape.gradient(length, inputs)

    for one, other in zip(both(by_hand), both(unrolled), strict=True):
        assert np.abs(one).max() > 1e-2
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-10)


def test_units_of_the_rows_and_a_given_minimiser(rng):
    inputs = _programme(rng, (2,))
    matrix, linear, equality, right = inputs
    expected = _by_kkt(*inputs)
    scale = tf.constant([1e-9, 1e9], tf.float64)
    scaled = [matrix, linear, equality * scale[:, None], right * scale]
    np.testing.assert_allclose(_minimiser()(*scaled), expected, rtol=1e-8)
    actual = _gradients(_minimiser(wt.given, start=expected), inputs)
    for one, other in zip(_gradients(_by_kkt, inputs), actual, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-8, atol=1e-9)


def test_figures_aux_and_none_beside_a_constraint():
    # Least on x0 + x1 = 2 at (1, 1), where the curvature along (1, −1)/√2 is 4.
    solution = wt.argmin(
        lambda x, none: (tf.reduce_sum(x**4) / 3, {"square": x**2}),
        tf.constant([3.0, 0.0]),
        (None,),
        equality=([[1, 1]], [2]),
        has_aux=True,
        smallest_eigenvalue=True,
    ).raise_if_failed()
    np.testing.assert_allclose(solution.value, [1, 1], rtol=1e-5)
    np.testing.assert_allclose(solution.aux["square"], [1, 1], rtol=1e-5)
    np.testing.assert_allclose(solution.stats.smallest_eigenvalue, 4, rtol=1e-4)
    np.testing.assert_allclose(solution.stats.energy, 2 / 3, rtol=1e-5)
    np.testing.assert_allclose(solution.stats.gradient_norm, 0, atol=1e-4)


def test_compiled_and_forward(rng):
    inputs = _programme(rng, (2,))
    compiled = tf.function(
        lambda *inputs: _minimiser(wt.Newton(max_iterations=1))(*inputs),
        jit_compile=True,
    )
    np.testing.assert_allclose(compiled(*inputs), _by_kkt(*inputs), rtol=1e-8)
    right = inputs[3]
    moves = tf.ones_like(right)
    with tf.autodiff.ForwardAccumulator(right, moves) as accumulator:
        found = _minimiser()(*inputs)
    with tf.autodiff.ForwardAccumulator(right, moves) as expected:
        closed = _by_kkt(*inputs)
    np.testing.assert_allclose(
        accumulator.jvp(found), expected.jvp(closed), rtol=1e-8, atol=1e-10
    )


def _own_solve(x, parameters, damping, right):
    return right


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"equality": [[1.0, 1.0, 1.0]]}, r"a tuple \(A, b\); received"),
        ({"equality": ([1.0, 1.0, 1.0], [1.0])}, r"have A of shape .* received \(3,\)"),
        ({"equality": ([[1.0, 1.0]], [1.0])}, r"have A of shape \(1, 3\)"),
        ({"equality": ([[1.0, 1.0, 1.0]], 1.0)}, r"have b of shape \(1,\) or"),
        ({"equality": (np.eye(3), [1.0] * 3)}, "fewer rows than x has unknowns"),
        ({"equality": (np.ones([4, 3]), [1.0] * 4)}, "fewer rows than x has unknowns"),
        ({"equality": (np.ones([0, 3]), [])}, "fewer rows than x has unknowns"),
        (
            {"equality": (tf.ones([1, 3], tf.float64), [1.0])},
            "A of x's dtype float32; received float64",
        ),
        ({"initial": {"x": tf.zeros(3)}}, "one tensor .* received a nest"),
        ({"initial": tf.zeros([1, 3])}, r"of rank .* = 1, .* received shape \(1, 3\)"),
        ({"bounds": (0.0, 1.0)}, "`bounds` do not go with `equality`"),
        ({"solver": wt.GridSeeds([[0.0] * 3])(wt.Newton())}, "GridSeeds does not go"),
        ({"solver": wt.Newton(linear_solve=_own_solve)}, "of your own does not go"),
        ({"derivative": wt.Implicit(_own_solve)}, "of your own does not go"),
    ],
)
def test_mistakes_are_named(options, message):
    arguments = {"equality": ([[1.0, 1.0, 1.0]], [1.0]), "initial": tf.zeros(3)}
    with pytest.raises(ValueError, match=message):
        wt.argmin(lambda x: tf.reduce_sum(x**2, -1), **{**arguments, **options})


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("second", [[2.0, 2.0, 4.0], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("right", [[1.0, 2.0], [1.0, 5.0]])
def test_dependent_rows_are_refused(mode, second, right):
    """Whether they contradict each other or not."""

    @mode
    def minimise():
        equality = tf.constant([[1.0, 1.0, 2.0], second], tf.float64)
        return wt.argmin(
            lambda x: tf.reduce_sum(x**2, -1),
            tf.zeros(3, tf.float64),
            equality=(equality, tf.constant(right, tf.float64)),
        ).value

    with pytest.raises(tf.errors.InvalidArgumentError, match="rows of A in `equality`"):
        minimise()


def _projected(samples, matrix, right):
    """The minimiser of |x - s|² with A x = b."""
    missing = right - samples @ matrix.T
    return samples + missing @ np.linalg.inv(matrix @ matrix.T) @ matrix


@pytest.mark.parametrize("mode", _MODES)
def test_a_shared_constraint_of_as_many_unknowns_as_problems(mode):
    """Of which one is lost."""
    samples = np.array([[1.0, 2.0, 5.0], [np.nan, 1.0, 0.0], [3.0, 4.0, 1.0]])
    matrix, right = np.ones([1, 3]), np.ones([1])

    @mode
    def gradient(scale):
        with tf.GradientTape() as tape:
            tape.watch(scale)
            x = wt.argmin(
                lambda x, s, t: tf.reduce_sum((x - t * s) ** 2, -1),
                tf.zeros([3, 3], tf.float64),
                (samples, scale),
                batch_dims=1,
                equality=(matrix, right),
            ).value
            loss = tf.reduce_sum(tf.gather(x, [0, 2]) * [1.0, 2.0, 3.0])
        return tape.gradient(loss, scale)

    # x is linear in the samples.
    moved = _projected(samples[[0, 2]], matrix, 0 * right) @ [1.0, 2.0, 3.0]
    found = gradient(tf.constant(2.0, tf.float64))
    np.testing.assert_allclose(found, moved.sum(), rtol=1e-9)


def test_a_shared_constraint_in_a_batch_that_becomes_smaller(rng):
    samples, matrix = rng.normal(size=(9, 9)), rng.normal(size=(2, 9))
    right = np.array([1.0, 2.0])
    found, expected = (
        wt.argmin(
            lambda x, s: tf.reduce_sum(tf.cosh(x - s), -1),
            tf.zeros([9, 9], tf.float64),
            (3 * samples,),
            batch_dims=1,
            equality=(matrix, right),
            solver=solver,
        )
        for solver in (wt.Compacted(wt.Newton(), least=2), wt.Newton())
    )
    assert (found.status.numpy() == wt.Status.CONVERGED).all()
    assert len(set(found.stats.iterations.numpy())) > 1
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-8)
