"""Pictures in a folder whose name is no text."""

import pytest

from human_pose.datasets.images import open_dataset
from human_pose.i1.input import Stream, batches


@pytest.mark.parametrize("augment", [None, "modern"])
def test_pictures_may_lie_in_any_folder(root, augment):
    odd = root / "of $ 中 \udcff"
    odd.mkdir()
    for part in [part for part in root.iterdir() if part != odd]:
        part.rename(odd / part.name)
    dataset = open_dataset(odd, "corrected", "train")
    stream = Stream(2, augment, input_size=64, repeat=augment is not None)
    batch = next(iter(batches(dataset, stream)))
    assert batch["image"].shape == (2, 64, 64, 3)
