from human_pose.datasets.h36m.names import Recording, recordings
from human_pose.datasets.protocol import TEST_SUBJECTS, TRAIN_SUBJECTS


def test_published_names_are_the_originals_254_renames(shared):
    lines = (shared / "reference/set_sh_moves.tsv").read_text().splitlines()
    renames = [tuple(line.split("\t")) for line in lines]
    ours = [
        (f"h36m/{file.published}", f"h36m/{file.uniform}")
        for recording in recordings(TRAIN_SUBJECTS + TEST_SUBJECTS)
        for file in recording.files
        if file.published != file.uniform
    ]
    assert len(renames) == 254
    assert sorted(ours) == sorted(renames)


def test_takes_are_told_apart():
    files = [
        file
        for recording in recordings(TRAIN_SUBJECTS + TEST_SUBJECTS)
        for file in recording.files
    ]
    # 7 subjects, 15 actions, 2 takes, 5 files each, but for the damaged recording.
    assert len(files) == 7 * 15 * 2 * 5 - 5
    assert len({file.published for file in files}) == len(files)
    assert len({file.uniform for file in files}) == len(files)


def test_numbers_are_set_off_by_a_space_in_3d_only():
    recording = Recording(5, "Discussion", 1)
    assert recording.positions.published == "S5/MyPoses/3D_positions/Discussion 3.h5"
    assert recording.positions.uniform == "S5/MyPoses/3D_positions/Discussion_1.h5"
    second_view = recording.detections[1]
    assert second_view.published == "S5/StackedHourglass/Discussion_3.55011271.h5"
    assert second_view.uniform == "S5/StackedHourglass/Discussion_1.55011271.h5"


def test_order_is_first_takes_of_all_actions_by_subject():
    names = [(r.take, r.action, r.subject) for r in recordings((9, 11))]
    assert names[:3] == [
        (0, "Directions", 9),  # S11's is damaged
        (0, "Discussion", 9),
        (0, "Discussion", 11),
    ]
    assert names[29:31] == [(1, "Directions", 9), (1, "Directions", 11)]
