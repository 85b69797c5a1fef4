"""Python within an energy, through which TensorFlow's derivatives are not right.

`tf.numpy_function` has no derivative, and a tape says nothing of what it misses.
`tf.py_function` has a first one, but the derivative of that is wrong. Both can be seen
in a graph alone.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from wiberg_tf._operations import captured, is_differentiable

# Operations, and what callers know them by.
_NO_DERIVATIVE = {
    "PyFunc": "tf.numpy_function",
    "PyFuncStateless": "tf.numpy_function",
}
_FIRST_ONLY = {"EagerPyFunc": "tf.py_function"}
# Through which no derivative goes.
_STOPS = {"StopGradient", "PreventGradient", "ZerosLike", "OnesLike"}
_STOPS |= {"Shape", "ShapeN", "Size", "Rank", "ArgMin", "ArgMax", "Sign", "Floor"}
_STOPS |= {"Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual"}
# Of which the first input is no argument of the functions that they call.
_BRANCHES = {"If", "StatelessIf", "Case", "StatelessCase"}
_LOOPS = {"While", "StatelessWhile"}


class _Node(NamedTuple):
    """An operation of a graph, or of a function in its library.

    Attributes:
      kind: its type.
      inputs: names of tensors; in a function, of what computes them.
      outputs: names likewise, of what may have a derivative.
      functions: names of the functions that it calls.
      own: whether its derivative is one written by hand.
    """

    kind: str
    inputs: list[str]
    outputs: list[str]
    functions: list[str]
    own: bool


def refuse_python(
    before: int,
    sources: Iterable[tf.Tensor],
    targets: Iterable[tf.Tensor],
    name: str,
    order: int,
) -> None:
    """Refuses Python between what may be differentiated and what comes of it.

    What a `tf.custom_gradient` or a `tf.stop_gradient` is around is the caller's.

    Args:
      before: how many operations the graph that is being made had.
      sources: tensors that derivatives are taken by; what is captured is one, too.
      targets: what is differentiated.
      name: of the function that computes it, for the error.
      order: how often it is differentiated, 1 or 2.

    Raises:
      ValueError: for an operation that has no right derivative of the order.
    """
    if tf.executing_eagerly():
        return
    graph = tf.compat.v1.get_default_graph()
    made = graph.get_operations()[before:]
    refused = {**_NO_DERIVATIVE, **(_FIRST_ONLY if order > 1 else {})}
    nodes = [_of_graph(operation) for operation in made]
    calls = any(node.functions for node in nodes)
    if not calls and not any(node.kind in refused for node in nodes):
        return
    library = graph.as_graph_def().library.function if calls else []
    moving = [*sources, *(captured(before, []) or ())]
    moved = {tensor.name for tensor in moving if is_differentiable(tensor.dtype)}
    functions = {function.signature.name: function for function in library}
    wanted = {tensor.name for tensor in targets}
    kind = _search(nodes, moved, wanted, functions, refused)
    if kind in _FIRST_ONLY:
        raise ValueError(
            f"`{name}` must not call Python where it is differentiated more than once, "
            "as minimisers' derivatives and most solvers need: TensorFlow is right "
            f"once at most; received {_FIRST_ONLY[kind]}"
        )
    if kind is not None:
        raise ValueError(
            f"`{name}` must not call Python, which has no derivative, with what it is "
            "differentiated by: use tf.stop_gradient or tf.custom_gradient if that is "
            f"meant; received {_NO_DERIVATIVE[kind]}"
        )


def _search(
    nodes: list[_Node],
    moved: set[str],
    wanted: set[str],
    library: Mapping[str, Any],
    refused: Collection[str],
) -> str | None:
    """The kind of the first node that is refused on a way.

    Args:
      nodes: in an order in which they may be computed.
      moved: where ways begin; what they reach is added.
      wanted: where ways end.
      library: functions by their names.
      refused: kinds of nodes.
    """
    wanted = set(wanted)
    for node in reversed(nodes):
        if not node.own and wanted.intersection(node.outputs):
            wanted.update(node.inputs)
    for node in nodes:
        if node.kind in _STOPS or not moved.intersection(node.inputs):
            continue
        moved.update(node.outputs)
        if not wanted.intersection(node.outputs):
            continue
        if node.kind in refused:
            return node.kind
        given = node.inputs[node.kind in _BRANCHES :]
        places = [place for place, entry in enumerate(given) if entry in moved]
        for called in node.functions:
            if called in library:
                found = _search_in(called, places, node.kind, library, refused)
                if found is not None:
                    return found
    return None


def _search_in(
    called: str,
    places: list[int],
    by: str,
    library: Mapping[str, Any],
    refused: Collection[str],
) -> str | None:
    """As `_search`, of a function some of whose arguments move; `by` calls it."""
    function = library[called]
    nodes = [_of_function(definition) for definition in function.node_def]
    arguments = [argument.name for argument in function.signature.input_arg]
    ends = [_computed_by(function.ret[r.name]) for r in function.signature.output_arg]
    begun = {arguments[place] for place in places if place < len(arguments)}
    while True:
        moved = set(begun)
        found = _search(nodes, moved, set(ends), library, refused)
        # The body of a loop hands its results on as its arguments.
        if found is not None or by not in _LOOPS or len(ends) != len(arguments):
            return found
        pairs = zip(arguments, ends, strict=True)
        further = begun | {argument for argument, end in pairs if end in moved}
        if further == begun:
            return None
        begun = further


def _of_graph(operation: tf.Operation) -> _Node:
    attributes = operation.node_def.attr
    return _Node(
        operation.type,
        [entry.name for entry in operation.inputs],
        [entry.name for entry in operation.outputs if is_differentiable(entry.dtype)],
        _functions_of(attributes),
        "_gradient_op_type" in attributes,
    )


def _of_function(definition: Any) -> _Node:
    attributes = definition.attr
    to = attributes["DstT"].type if definition.op == "Cast" else None
    return _Node(
        definition.op,
        [_computed_by(entry) for entry in definition.input if entry[0] != "^"],
        [] if to and not is_differentiable(tf.as_dtype(to)) else [definition.name],
        _functions_of(attributes),
        "_gradient_op_type" in attributes,
    )


def _computed_by(entry: str) -> str:
    """The node or argument of an input in a function, "node:result:0"."""
    return entry.partition(":")[0]


def _functions_of(attributes: Any) -> list[str]:
    single = [a.func.name for a in attributes.values() if a.HasField("func")]
    return single + [f.name for a in attributes.values() for f in a.list.func]
