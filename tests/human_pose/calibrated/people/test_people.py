"""Everybody's detections end with the person who they are of."""

import made_up_people
import numpy as np
import pytest

from human_pose.calibrated.people import Exchange, choose, evidence, joining, tell_apart
from human_pose.calibrated.people.detections import CHUNK, Times, usable
from human_pose.exchange.numbering import moments
from human_pose.files.errors import InputError


def truth(recording, who, person):
    """The detections of a person, `[F, V, J, 2]`."""
    place = (who == person).argmax(axis=2)[..., None, None, None]
    own = np.take_along_axis(recording.joints_2d_px, place, axis=2)[:, :, 0]
    return np.where((who == person).any(axis=2)[..., None, None], own, np.nan)


def matched(people, recording, who):
    """For each recording whose it is; fails if a detection is another's, or lost."""
    persons = range(who.max() + 1)
    owners = []
    for found in people.recordings:
        shown = found.joints_2d_px[:, :, 0]
        same = [
            np.array_equal(shown, truth(recording, who, p), equal_nan=True)
            for p in persons
        ]
        assert sum(same) == 1
        owners.append(same.index(True))
    assert sorted(owners) == list(persons)
    return owners


@pytest.mark.parametrize(
    ("people", "views", "more"),
    [
        (3, 4, {}),
        (3, 4, {"tracks": True}),
        (3, 4, {"fps": 5.0}),
        (2, 4, {"seed": 1}),
        (3, 2, {}),
        (5, 3, {"frames": 60}),
    ],
)
def test_every_detection_ends_with_its_person(people, views, more):
    recording, who = made_up_people.crowd(people=people, views=views, **more)
    found = tell_apart(recording)
    owners = matched(found, recording, who)
    assert owners[-1] == 0  # who was hidden is seen least
    assert not found.exchanges
    assert "too short" in found.report[-1]


def test_exchanged_sides_are_still_the_same_person():
    recording, who = made_up_people.crowd(people=2)
    joints = np.array(recording.joints_2d_px)
    part = joints[20:60, 1]
    joints[20:60, 1] = part[:, :, list(recording.skeleton.flip_order)]
    recording = recording.replace(joints_2d_px=joints)
    matched(tell_apart(recording), recording, who)


def test_in_a_single_view_people_are_followed():
    recording, who = made_up_people.crowd(people=2, views=1)
    matched(tell_apart(recording.replace(cameras=())), recording, who)


def test_order_of_views_and_places_changes_nothing():
    recording, _ = made_up_people.crowd()
    first = tell_apart(recording)
    views = [2, 0, 3, 1]
    other = recording.of_views([recording.view_names[v] for v in views])
    other = other.replace(
        joints_2d_px=other.joints_2d_px[:, :, ::-1],
        confidence=other.confidence[:, :, ::-1],
    )
    second = tell_apart(other)
    found = {each.joints_2d_px[:, views].tobytes() for each in first.recordings}
    assert found == {each.joints_2d_px.tobytes() for each in second.recordings}


def test_exchanged_tracks_are_found_and_undone():
    recording, who = made_up_people.crowd(tracks=True)
    tracks = np.array(recording.tracks)
    part = tracks[40:70, 2]
    tracks[40:70, 2] = np.choose(part + 1, [-1, 2, 1, 0])
    recording = recording.replace(tracks=tracks, frames=1000 + np.arange(100))
    people = tell_apart(recording)
    owners = matched(people, recording, who)
    pair = {owners.index(0), owners.index(2)}
    (found,) = people.exchanges
    assert found == Exchange("c2", 1040, 1069, found.persons)
    assert set(found.persons) == pair
    assert any("view c2, frames 1040 to 1069" in line for line in people.report)


def test_pieces_are_cut_where_the_person_changes():
    """A track that silently went over to somebody else and back."""
    recording, who = made_up_people.crowd()
    detections, _ = usable(recording)
    pieces = np.where(who < 0, -1, who + 3 * np.arange(4)[:, None])
    own = pieces[30:50, 0]
    pieces[30:50, 0] = np.choose(own + 1, [-1, 1, 0, 2])
    persons = np.where(pieces < 0, -1, pieces % 3)
    cut, last = evidence.split(detections, recording.cameras, pieces, persons)
    for piece in np.unique(cut[cut >= 0]):
        row, view, place = np.nonzero(cut == piece)
        assert len(np.unique(who[row, view, place])) == 1
    assert (cut[:30] == pieces[:30]).all()
    ends = [np.unique(cut[50:, 0][who[50:, 0] == p]).tolist() for p in (0, 1)]
    assert ends == [[last[0]], [last[1]]]


def test_pieces_stay_cut_in_the_few_frames_that_are_left_over():
    """Frames are judged by hundreds, and of the last one alone nothing can be said."""
    recording, who = made_up_people.crowd(frames=CHUNK + 1, people=2)
    detections, _ = usable(recording)
    pieces = np.where(who < 0, -1, who + 2 * np.arange(4)[:, None])
    late = pieces[CHUNK - 100 :, 0]
    pieces[CHUNK - 100 :, 0] = np.choose(late + 1, [-1, 1, 0])
    persons = np.where(pieces < 0, -1, pieces % 2)
    cut, last = evidence.split(detections, recording.cameras, pieces, persons)
    for piece in np.unique(cut[cut >= 0]):
        assert len(np.unique(who[cut == piece])) == 1
    ends = [cut[-1, 0][who[-1, 0] == p].tolist() for p in (1, 0)]
    assert ends == [[last[0]], [last[1]]]


def test_doubles_are_left_out_and_the_surest_kept():
    recording, who = made_up_people.crowd(frames=30, people=2)
    doubles = recording.joints_2d_px[:, :, :] + 2.0
    both = recording.replace(
        joints_2d_px=np.concatenate([doubles, recording.joints_2d_px], axis=2),
        confidence=np.concatenate(
            [recording.confidence / 2, recording.confidence], axis=2
        ),
    )
    people = tell_apart(both)
    matched(people, recording, who)
    assert any("a second time" in line for line in people.report)


def test_who_leaves_all_views_and_comes_back_is_the_same():
    recording, who = made_up_people.crowd(people=2, seed=4)
    gone = (who == 1) & (np.arange(100)[:, None, None] // 30 == 1)
    recording = recording.replace(
        confidence=np.where(gone[..., None], 0.0, recording.confidence)
    )
    matched(tell_apart(recording), recording, np.where(gone, -1, who))


@pytest.mark.parametrize(("gap", "people"), [(2, 1), (40, 1), (100, 2)])
def test_frames_that_a_file_lacks_are_time_as_those_that_show_nobody(gap, people):
    """Else whoever comes where somebody left minutes ago is that one."""
    recording, who = made_up_people.crowd(people=2)
    numbers = np.arange(100) + gap * (np.arange(100) >= 50)
    alone = recording.replace(
        confidence=np.where((who == 1)[..., None], recording.confidence, 0.0),
        frames=5 * numbers,
    )
    rows = np.insert(np.arange(100), [50] * gap, -1)
    unseen = alone.of_frames(rows).replace(frames=5 * np.arange(100 + gap))
    hidden = (rows < 0)[:, None, None, None]
    unseen = unseen.replace(confidence=np.where(hidden, 0.0, unseen.confidence))
    found = [tell_apart(each).recordings for each in (alone, unseen)]
    assert [len(each) for each in found] == [people, people]
    for one, other in zip(*found, strict=True):
        other = other.of_frames(rows >= 0)
        np.testing.assert_array_equal(one.joints_2d_px, other.joints_2d_px)


@pytest.mark.parametrize("every", [2, 3])
def test_people_who_are_detected_in_every_other_frame_are_followed(every):
    """No two frames in a row showed anybody, so that each detection was a person."""
    recording, _ = made_up_people.crowd()
    rows = np.repeat(np.arange(100), every)
    skipped = np.arange(len(rows)) % every > 0
    hidden = skipped[:, None, None, None]
    sparse = recording.of_frames(rows).replace(
        frames=np.arange(len(rows)), fps=every * recording.fps
    )
    sparse = sparse.replace(confidence=np.where(hidden, 0.0, sparse.confidence))
    found = [tell_apart(each) for each in (sparse, recording)]
    assert len(found[0].recordings) == 3 and found[0].report[3:] == found[1].report[3:]
    for one, other in zip(*(each.recordings for each in found), strict=True):
        assert len(one) == len(rows) and not one.seen[skipped].any()
        kept = one.joints_2d_px[~skipped]
        np.testing.assert_array_equal(kept, other.joints_2d_px)


@pytest.mark.parametrize(
    ("people", "views", "fps", "axes", "share"),
    [
        (3, 2, 25.0, 2, 0.1),  # a view misses frames
        (3, 4, 25.0, 1, 0.3),  # all of them do
        (5, 1, 8.0, 1, 0.0),  # frames are few
    ],
)
def test_people_are_followed_through_each_other_where_little_shows_them(
    people, views, fps, axes, share
):
    recording, who = made_up_people.crowd(200, people, views, fps=fps, seed=1)
    confidence = np.array(recording.confidence)
    missed = np.random.default_rng(1).random(who.shape[:axes]) < share
    confidence[missed], who[missed] = 0, -1
    recording = recording.replace(confidence=confidence)
    matched(tell_apart(recording), recording, who)


def test_who_comes_is_where_the_first_frames_show_him_not_those_after_a_gap():
    recording, who = made_up_people.crowd(people=1)
    rows = np.r_[0, 50:100]
    part, own = recording.of_frames(rows), who[rows]
    times = Times(moments(part.frames, part.sequence), part.sequence, part.fps)
    (found,) = joining._persons(usable(part)[0], part.cameras, own, times)
    body = made_up_people.walkers(100, 1)[0, 0]
    np.testing.assert_allclose(found.come_mm, np.median(body, axis=0), atol=50)


def test_cuts_between_takes():
    """One person in each take is the same; of several nobody knows."""
    recording, who = made_up_people.crowd()
    sequence = np.arange(100) // 50
    apart = tell_apart(recording.replace(sequence=sequence))
    assert len(apart.recordings) == 6
    assert sum(" of take 0, " in line for line in apart.report) == 3
    assert sum(" of take 1, " in line for line in apart.report) == 3
    alone = recording.replace(
        confidence=np.where((who == 1)[..., None], recording.confidence, 0.0),
        sequence=sequence,
    )
    same = tell_apart(alone)
    matched(same, recording, np.where(who == 1, 0, -1))
    assert " of takes 0, 1, " in same.report[0]


def test_one_place_is_passed_on_untouched_and_people_are_chosen():
    recording, _ = made_up_people.crowd(frames=20, people=2)
    single = recording.replace(
        joints_2d_px=recording.joints_2d_px[:, :, :1],
        confidence=recording.confidence[:, :, :1],
    )
    people = tell_apart(single)
    assert choose(people, None) == choose(people, 0) == (single,)
    for wrong in (1, -1):
        with pytest.raises(InputError, match="person must be 0 for"):
            choose(people, wrong)
    both = tell_apart(recording)
    assert choose(both, 1) == both.recordings[1:]


def test_what_cannot_be_told_apart_is_refused():
    recording, _ = made_up_people.crowd(frames=10)
    with pytest.raises(InputError, match="up to 4 people: cameras must be given"):
        tell_apart(recording.replace(cameras=()))
    nobody = recording.replace(confidence=np.zeros(recording.confidence.shape))
    nothing = recording.replace(
        joints_2d_px=recording.joints_2d_px[:, :, :0],
        confidence=recording.confidence[:, :, :0],
    )
    for each in (nobody, nothing, recording.of_frames(slice(0, 0))):
        for cameras in ((), recording.cameras):
            with pytest.raises(InputError, match="must show somebody"):
                tell_apart(each.replace(cameras=cameras))
