"""ONNX networks in place of RTMPose and YOLOX, of which is known what they see."""

from pathlib import Path

import numpy as np
import onnx

WIDTH, HEIGHT = 48, 64
SIDE = 64  # of YOLOX's pictures


def save(path, nodes, constants, inputs, outputs):
    """Writes a network; inputs by their shapes."""
    make = onnx.helper
    floats = onnx.TensorProto.FLOAT
    graph = make.make_graph(
        [make.make_node(op, i, o, **more) for op, i, o, more in nodes],
        "made up",
        [make.make_tensor_value_info(n, floats, s) for n, s in inputs.items()],
        [make.make_tensor_value_info(n, t, None) for n, t in outputs.items()],
        [onnx.numpy_helper.from_array(v, n) for n, v in constants.items()],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return Path(path)


def rtmpose(path, joints=17, batch="batch", names=("simcc_x", "simcc_y"), bins=2):
    """Joint 0 and every third are the brightest red pixel, the others the green one."""
    channels = np.array([j % 3 != 0 for j in range(joints)], np.int64)
    nodes, constants = [], {"channels": channels}
    nodes.append(("Gather", ["input", "channels"], ["planes"], {"axis": 1}))
    for name, axis, size in zip(names, (2, 3), (WIDTH, HEIGHT), strict=True):
        constants[f"{name} index"] = np.arange(size * bins) // bins
        flat = {"axes": [axis], "keepdims": 0}
        nodes.append(("ReduceMax", ["planes"], [f"{name} line"], flat))
        lines = [f"{name} line", f"{name} index"]
        nodes.append(("Gather", lines, [name], {"axis": 2}))
    floats = dict.fromkeys(names, onnx.TensorProto.FLOAT)
    return save(path, nodes, constants, {"input": [batch, 3, HEIGHT, WIDTH]}, floats)


def sorted_out(path, boxes, labels):
    """YOLOX as mmdeploy writes it; all scores are the most blue there is."""
    count = len(boxes)
    nodes = [
        ("Gather", ["input", "first"], ["blue"], {"axis": 1}),
        ("ReduceMax", ["blue"], ["most"], {"axes": [2, 3], "keepdims": 0}),
        ("Div", ["most", "white"], ["score"], {}),
        ("Reshape", ["score", "one"], ["scores one"], {}),
        ("Expand", ["scores one", "each"], ["scores"], {}),
        ("Concat", ["boxes", "scores"], ["dets"], {"axis": 2}),
        ("Identity", ["all"], ["labels"], {}),
    ]
    constants = {
        "first": np.array([0]),
        "white": np.array(255, np.float32),
        "one": np.array([1, 1, 1]),
        "each": np.array([1, count, 1]),
        "boxes": np.array([boxes], np.float32),
        "all": np.array([labels], np.int64),
    }
    kinds = {"dets": onnx.TensorProto.FLOAT, "labels": onnx.TensorProto.INT64}
    return save(path, nodes, constants, {"input": [1, 3, SIDE, SIDE]}, kinds)


def raw(path, rows):
    """YOLOX's own: cells' numbers and what they say; the others say nothing."""
    cells = 8 * 8 + 4 * 4 + 2 * 2
    said = np.zeros((1, cells, 7), np.float32)
    for number, row in rows.items():
        said[0, number] = row
    nodes = [("Identity", ["said"], ["output"], {})]
    kinds = {"output": onnx.TensorProto.FLOAT}
    return save(path, nodes, {"said": said}, {"images": [1, 3, SIDE, SIDE]}, kinds)
