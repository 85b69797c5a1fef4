import numpy as np
import pytest

from human_pose.datasets.pose_files import PoseSet
from human_pose.lifting.training.batches import FrameBatches


def batches_of(frames, **options):
    """Frame number f holds the value f everywhere."""
    number = np.arange(frames, dtype=np.float64)[:, None, None]
    poses = PoseSet(
        np.tile(number[..., None], (1, 4, 17, 2)),
        np.tile(number, (1, 17, 3)),
        np.tile(np.eye(3), (frames, 4, 1, 1)),
    )
    return FrameBatches(poses, **options)


def frames_of(batch):
    inputs, joints_3d_mm = batch
    frames = np.asarray(joints_3d_mm)[:, 0, 0]
    np.testing.assert_array_equal(inputs["joints_2d_px"][:, 0, 0, 0], frames)
    return frames.astype(int).tolist()


def test_every_frame_once_and_a_short_last_batch():
    batches = batches_of(10, batch_size=4, seed=1)
    epoch = [frames_of(batch) for batch in batches.epoch(0)]
    assert [len(frames) for frames in epoch] == [4, 4, 2]
    assert len(batches) == 3
    assert sorted(frame for frames in epoch for frame in frames) == list(range(10))


def test_file_order_without_shuffling():
    batches = batches_of(5, batch_size=2, shuffle=False)
    for epoch in range(2):
        found = [frames_of(batch) for batch in batches.epoch(epoch)]
        assert found == [[0, 1], [2, 3], [4]]


def test_order_follows_from_seed_and_epoch():
    orders = {
        (seed, epoch): tuple(batches_of(50, batch_size=4, seed=seed).order(epoch))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == 9
    again = batches_of(50, batch_size=4, seed=2).order(1)
    assert tuple(again) == orders[2, 1]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_an_epoch_can_begin_at_any_batch(first):
    batches = batches_of(10, batch_size=4, seed=3)
    whole = [frames_of(batch) for batch in batches.epoch(5)]
    assert [frames_of(batch) for batch in batches.epoch(5, first)] == whole[first:]
    assert frames_of(batches.batch(5, first)) == whole[first]


def test_float64_survives():
    inputs, joints_3d_mm = next(iter(batches_of(4, batch_size=4).epoch(0)))
    assert inputs["joints_2d_px"].dtype == joints_3d_mm.dtype == "float64"


def test_checksum_notices_a_changed_frame():
    batches = batches_of(4, batch_size=4)
    before = batches.checksum
    assert before == batches_of(4, batch_size=2).checksum
    batches._joints_3d_mm[3, 2, 1] += 1e-12
    assert batches.checksum != before
