"""Events are read back by TensorBoard's own reader."""

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from human_pose.runs.tensorboard import Events


def test_writes_scalars_histograms_and_pictures(tmp_path):
    with Events(tmp_path / "logger") as events:
        events.write(3, {"loss": 0.5}, {"weights": np.arange(5.0)})
        events.write(4, {"loss": 0.25})
        events.write_picture(4, "pose", np.zeros((10, 20, 3), np.uint8))
    accumulator = EventAccumulator(str(tmp_path / "logger"), {"tensors": 0})
    accumulator.Reload()
    assert set(accumulator.Tags()["tensors"]) == {"loss", "weights", "pose"}
    losses = accumulator.Tensors("loss")
    assert [event.step for event in losses] == [3, 4]
    assert [float(tf.make_ndarray(e.tensor_proto)) for e in losses] == [0.5, 0.25]
    width, height, _ = tf.make_ndarray(accumulator.Tensors("pose")[0].tensor_proto)
    assert (int(width), int(height)) == (20, 10)
