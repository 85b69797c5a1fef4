"""What a graph that is being made says of a computation."""

import tensorflow as tf

# Operations of these kinds.
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_CONTROL_FLOW = {"While", "If", "Case"}
_CONTROL_FLOW |= {f"Stateless{kind}" for kind in _CONTROL_FLOW}

# That look at the shape of what they are given, and whose results have shapes that
# depend on values.
_SHAPES = {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"}
_DYNAMIC = {"Where", "Unique", "UniqueV2", "UniqueWithCounts", "ListDiff", "Range"}
_DYNAMIC |= {"DynamicPartition", "NonMaxSuppressionV5", "SparseToDense", "Fill"}
# That have a state and leave it as it is.
_READS = {"ReadVariableOp", "VarHandleOp", "Placeholder"}


def count_operations() -> int:
    """How many the graph that is being made has; 0 eagerly."""
    return 0 if tf.executing_eagerly() else len(_graph().get_operations())


def is_plain(before: int) -> bool:
    """Whether a graph is being made, and has no control flow since it had `before`."""
    if tf.executing_eagerly():
        return False
    made = {operation.type for operation in _graph().get_operations()[before:]}
    if made & _CALLS:
        # Which functions are called is not asked: TensorFlow itself hides loops so.
        library = _graph().as_graph_def().library.function
        made |= {node.op for function in library for node in function.node_def}
    return not made & _CONTROL_FLOW


def depends(before: int, tensor: tf.Tensor, source: tf.Tensor) -> bool:
    """Whether a tensor of a graph may change with the values of another one.

    Or by itself, as what has a state may.

    Args:
      before: what `count_operations` said before any of it was computed.
      tensor: the one.
      source: the other.
    """
    moved = {source.name}
    for operation in _graph().get_operations()[before:]:
        if operation.op_def.is_stateful and operation.type not in _READS:
            return True
        if operation.type in _SHAPES:
            continue
        if any(entry.name in moved for entry in operation.inputs):
            if operation.type in _DYNAMIC:
                return True
            moved |= {output.name for output in operation.outputs}
    return tensor.name in moved


def captured(
    before: int, known: list[tf.Tensor], constants: bool = False
) -> list[tf.Tensor] | None:
    """What tapes may know more of than constants, in what was computed since.

    Args:
      before: what `count_operations` said.
      known: tensors that do not count.
      constants: whether constants count, as which TensorFlow takes small tensors in.

    Returns:
      Tensors of elsewhere, the handles of variables among them, that floating results
      may depend on; None eagerly, where nobody can tell.
    """
    if tf.executing_eagerly():
        return None
    made = _graph().get_operations()[before:]
    outer = {"Placeholder", "Const"} if constants else {"Placeholder"}
    here = {operation.name for operation in made if operation.type not in outer}
    here |= {tensor.op.name for tensor in known}
    entries = [entry for operation in made for entry in operation.inputs]
    found = {
        entry.name: entry
        for entry in entries
        if is_differentiable(entry.dtype)
        and (constants or entry.op.type != "Const")
        and entry.op.name not in here
    }
    return list(found.values())


def in_reach(tensor: tf.Tensor) -> bool:
    """Whether the graph that is being made is that of the tensor or within it."""
    graph = _graph()
    while graph is not None and graph is not tensor.graph:
        graph = getattr(graph, "outer_graph", None)
    return graph is not None


def is_for_xla() -> bool:
    """Whether a graph is being made that XLA shall compile, by `jit_compile=True`."""
    graph = None if tf.executing_eagerly() else _graph()
    while graph is not None:
        # TensorFlow itself tells its traces apart by this, and says it nowhere else.
        context = getattr(graph, "_get_control_flow_context", lambda: None)()
        while context is not None:
            if type(context).__name__ == "XLAControlFlowContext":
                return True
            context = context.outer_context
        graph = getattr(graph, "outer_graph", None)
    return False


def _graph() -> tf.Graph:
    return tf.compat.v1.get_default_graph()


def is_differentiable(dtype: tf.DType) -> bool:
    """Whether a tape may know what moves a tensor of the dtype.

    Variants stand for lists of tensors, resources for variables.
    """
    held = dtype in (tf.resource, tf.variant)
    return dtype.is_floating or dtype.is_complex or held
