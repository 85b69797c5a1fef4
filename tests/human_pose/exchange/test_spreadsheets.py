"""Tables as spreadsheets save them."""

import made_up_detections as made_up
import numpy as np
import pytest

from human_pose.exchange import deeplabcut, formats, plain_csv
from human_pose.exchange.recording import Motion
from human_pose.geometry.known_skeletons import COCO_17


def same(read, recording):
    np.testing.assert_array_equal(read.joints_2d_px, recording.joints_2d_px)
    np.testing.assert_array_equal(read.confidence, recording.confidence)
    assert read.view_names == recording.view_names
    assert read.skeleton.names == recording.skeleton.names


@pytest.mark.parametrize("mark", [";", "\t"])
def test_tables_of_spreadsheets_with_decimal_commas(mark, tmp_path):
    """As Excel saves them where the comma is the decimal point."""

    def saved(path):
        text = path.read_text().replace(",", mark).replace(".", ",")
        path.write_text("\ufeff" + text, encoding="utf-8")
        return path

    recording = made_up.recording()
    plain_csv.write(tmp_path / "a.csv", recording)
    same(formats.read_recording(saved(tmp_path / "a.csv")), recording)
    labels = made_up.write_deeplabcut_csv(tmp_path / "cam1DLC_net.csv", ("me",))
    before = deeplabcut.FORMATS[1].read(labels)
    same(formats.read_recording(saved(labels)), before)
    motion = Motion(recording.joints_2d_px[:, 0, 0].repeat(2, -1)[..., :3], COCO_17)
    formats.write(tmp_path / "m.csv", motion)
    read = formats.read_motion(saved(tmp_path / "m.csv"), units="mm")
    np.testing.assert_allclose(read.joints_3d_mm, motion.joints_3d_mm, atol=1e-5)
