import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from ransac.learning import Record, Variant
from ransac.summaries import WINDOW, Summaries, curves

VARIANTS = [Variant("implicit", 0.0, 0.5), Variant("trust region", 0.1, 0.5)]


def write(folder):
    values = np.arange(1.0, 2 * WINDOW + 6).reshape(-1, 1, 1) * [[[1, -2]]]
    with Summaries(folder, VARIANTS) as summaries:
        for part in (slice(0, WINDOW), slice(WINDOW, None)):
            piece = values[part]
            record = Record(piece, piece, piece, piece, piece)
            summaries.write((part.stop or len(values)), record)


def curve(folder, tag):
    events = EventAccumulator(str(folder)).Reload()
    return {
        event.step: float(tensor_util.make_ndarray(event.tensor_proto))
        for event in events.Tensors(tag)
    }


def test_each_variant_has_its_curves(tmp_path):
    write(tmp_path)
    own = tmp_path / "trust_region"
    assert curve(own, "sigma_squared") == {
        0: 4.0,
        WINDOW: (2.0 * (WINDOW + 1)) ** 2,
        2 * WINDOW: (2.0 * (2 * WINDOW + 1)) ** 2,
    }
    assert curve(own, "gradient_largest") == {
        0: 2.0 * WINDOW,
        WINDOW: 4.0 * WINDOW,
        2 * WINDOW: 2.0 * (2 * WINDOW + 5),
    }
    assert curve(tmp_path / "implicit", "loss_mean")[2 * WINDOW] == 2 * WINDOW + 3


def test_the_files_of_curves_are_known(tmp_path):
    assert curves(tmp_path / "none") == []
    write(tmp_path)
    (tmp_path / "implicit" / "notes.txt").touch()
    assert [path.parent.name for path in curves(tmp_path)] == [
        "implicit",
        "trust_region",
    ]


def test_a_folder_of_any_name_is_written_to(tmp_path):
    folder = tmp_path / "r\udcff"
    write(folder)
    assert len(list((folder / "implicit").glob("events.out.tfevents.*"))) == 1
