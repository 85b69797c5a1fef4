"""What makes pictures hard: each kind does what it says, and nothing beside."""

from dataclasses import replace

import numpy as np
import pytest

from human_pose.datasets.rendered import Recipe, hard, moment, occluders, picture
from human_pose.datasets.rendered import wardrobe as wardrobes
from human_pose.datasets.rendered.figure import Material, build
from human_pose.datasets.rendered.joints import to_32_joints
from human_pose.datasets.rendered.raycast import Hits
from human_pose.datasets.rendered.record import readme
from human_pose.datasets.rendered.solids import Solid
from human_pose.datasets.rendered.source import rendered_source
from human_pose.datasets.synthetic import subject_cameras
from human_pose.files.errors import InputError

MOMENT = (9, "Sitting", 2, 4, 3)

# Means of grey over sixteenths of each picture of `MOMENT`, before any could be hard.
EASY = """
 92.41  88.69  78.52  88.66  91.15  86.39  57.85  72.77
112.19  74.11  62.74  93.88 103.08  76.77 102.99 112.90
106.27  93.33 105.64 106.59  93.34  65.33  97.56  99.51
 66.86  52.16  55.65  67.51  64.95  58.90  62.41  65.64
230.74 212.01 155.48 170.29 175.98 172.66  84.55 131.92
107.31  80.46  67.37 101.13  99.12  80.99  84.56 100.93
133.40 136.72 114.10 111.95 152.33 146.73 181.01 186.02
158.55 121.55 143.08 186.95 182.75 174.00 138.61 170.86
"""


@pytest.fixture(scope="module")
def easy():
    return list(moment(*MOMENT))


@pytest.fixture
def always(monkeypatch):
    """Everything that may happen does."""
    monkeypatch.setattr(hard.Rates, "__init__", lambda self: None)
    monkeypatch.setattr(hard.Rates, "share", 1.1)
    monkeypatch.setattr(hard.Rates, "standing_share", 1.1)


def test_easy_pictures_are_those_of_before(easy):
    pictures = np.stack([shot.picture for shot in easy])
    means = pictures.reshape(4, 4, 56, 4, 56, 3).mean(axis=(2, 4, 5))
    expected = np.array(EASY.split(), float).reshape(4, 4, 4)
    # Other processors may round a few pixels otherwise; another random number anywhere
    # changes these by more than 1.
    np.testing.assert_allclose(means, expected, atol=0.1)


@pytest.mark.parametrize("kind", hard.KINDS)
def test_each_kind_changes_pictures_and_not_what_is_true(easy, always, kind):
    for shot, harder in zip(easy, moment(*MOMENT, (kind,)), strict=True):
        for name in ("box_px", "joints_2d_px", "joints_3d_mm"):
            np.testing.assert_array_equal(getattr(shot, name), getattr(harder, name))
        assert shot.camera == harder.camera
        assert (shot.picture != harder.picture).any()


def test_pictures_to_which_nothing_happens_stay_as_they_are(easy, monkeypatch):
    monkeypatch.setattr(hard.Rates, "__init__", lambda self: None)
    monkeypatch.setattr(hard.Rates, "share", 0.0)
    monkeypatch.setattr(hard.Rates, "standing_share", 0.0)
    for shot, same in zip(easy, moment(*MOMENT, hard.KINDS), strict=True):
        np.testing.assert_array_equal(shot.picture, same.picture)


def troubles(kinds, count=1000):
    camera, joints = subject_cameras(1, 0)[0], np.tile([0.0, 0, 900], (32, 1))
    return [
        hard.trouble(
            np.random.SeedSequence(number),
            kinds,
            camera,
            joints,
            np.random.default_rng(3),
        )
        for number in range(count)
    ]


def test_kinds_do_not_change_each_other():
    together = troubles(hard.KINDS, 30)
    for kind, field in (
        ("occluders", "things"), ("blur", "motion_px"), ("dark", "recording")
    ):  # fmt: skip
        alone = troubles((kind,), 30)
        for one, other in zip(alone, together, strict=True):
            assert repr(getattr(one, field)) == repr(getattr(other, field))
            assert hard.Trouble() == replace(
                one, **{field: getattr(hard.Trouble(), field)}
            )


def test_shares_are_those_of_the_rates():
    found = troubles(("blur", "dark"))
    shares = [
        np.mean([t.motion_px != (0, 0) for t in found]),
        np.mean([t.recording is not None for t in found]),
    ]
    np.testing.assert_allclose(shares, hard.Rates().share, atol=0.05)
    both = np.mean([t.motion_px != (0, 0) and t.recording is not None for t in found])
    np.testing.assert_allclose(both, hard.Rates().share ** 2, atol=0.04)
    lengths = [np.hypot(*t.motion_px) for t in found if t.motion_px != (0, 0)]
    assert 2.5 <= min(lengths) < 2.7 and 7.8 < max(lengths) <= 8
    gains = np.array([t.recording.gain for t in found if t.recording])
    noises = np.array([t.recording.noise for t in found if t.recording])
    assert 0.12 <= gains.min() < 0.13 and 0.34 < gains.max() <= 0.35
    np.testing.assert_allclose(gains * noises, hard.Rates().noise)


def test_standing_things_are_the_same_in_all_pictures_of_a_view(always):
    camera = subject_cameras(1, 0)[2]
    found = [occluders.standing(np.random.default_rng(4), camera) for _ in range(2)]
    assert repr(found[0]) == repr(found[1])
    joints = np.tile([0.0, 0, 900], (32, 1))
    things = [
        hard.trouble(
            np.random.SeedSequence(number),
            ("occluders",),
            *(camera, joints + 100 * number, np.random.default_rng(4)),
        ).things
        for number in (0, 1)
    ]
    share, common = np.random.default_rng(4), len(found[0])
    share.uniform()
    common = len(occluders.standing(share, camera))
    assert repr(things[0][:common]) == repr(things[1][:common])
    assert repr(things[0][common:]) != repr(things[1][common:])


@pytest.mark.parametrize("angle", [0.0, 0.6, np.pi / 2, 2.5])
@pytest.mark.parametrize("length", [2.5, 8.0])
def test_motion_spreads_a_point_evenly_over_its_path(length, angle):
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1
    along = np.array([np.cos(angle), np.sin(angle)])
    moved = picture._moved(point, tuple(length * along))[..., 1].astype(float)
    offset = np.stack(np.meshgrid(*[np.arange(41) - 20] * 2), axis=-1)
    np.testing.assert_allclose(moved.sum(), 1, atol=1e-5)
    np.testing.assert_allclose(np.tensordot(moved, offset, 2), 0, atol=1e-5)
    # A path's variance is L² / 12; sharing points among whole pixels adds to 1/4 px².
    spread = np.einsum("ij,ijk,ijl->kl", moved, offset, offset)
    added = spread - length**2 / 12 * np.outer(along, along)
    assert -0.02 * length < np.linalg.eigvalsh(added).min()
    assert np.linalg.eigvalsh(added).max() < 0.25 + 0.06 * length
    np.testing.assert_allclose(
        picture._moved(np.ones_like(point), tuple(length * along)), 1, atol=1e-5
    )


CAMERA = subject_cameras(1, 0)[0]
BOX = np.array([212.0, 212.0, 812.0, 812.0])
CLEAR = picture.Recording(blur_px=(0.0, 0.0), noise=(0.0, 0.0), gain=(1.0, 1.0))


def rendered(things, shot):
    joints = (shot.joints_3d_mm - CAMERA.translation_mm) @ CAMERA.rotation
    clothes = wardrobes.draw(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    person = build(joints, 1.0)
    return picture.render(
        person, CAMERA, shot.box_px, clothes, rng, CLEAR, things=things
    )


def at_share(share, half_mm):
    """A red box on the way from the camera to the room's middle, and beyond."""
    middle = np.array([0, 0, 900.0])
    centre = CAMERA.position_mm + share * (middle - CAMERA.position_mm)
    return Solid(centre, CAMERA.rotation, np.full(3, half_mm), np.array([1.0, 0, 0]))


def test_what_is_in_front_hides_and_what_is_behind_is_hidden():
    shot = next(moment(1, "Directions", 0, 1, 0))
    plain, cover = rendered((), shot)
    hidden, less = rendered((at_share(0.5, 120.0),), shot)
    assert 0.1 < less.sum() / cover.sum() < 0.9
    assert (less <= cover).all()
    inside = (cover == 1) & (less == 0)
    assert (hidden[inside][:, 1:] == 0).all()  # of a red thing in any light
    untouched = (cover == less) & (cover == 1)
    np.testing.assert_array_equal(hidden[untouched], plain[untouched])
    wall, same = rendered((at_share(1.8, 3000.0),), shot)
    np.testing.assert_array_equal(same, cover)
    np.testing.assert_array_equal(wall[cover == 1], plain[cover == 1])
    assert (wall[cover == 0] != plain[cover == 0]).any(axis=-1).mean() > 0.9


def test_a_back_looks_like_a_front_to_whom_clothes_are_alike():
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    normals = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=-1)
    person = build(to_32_joints(np.random.default_rng(0).normal(0, 300, (17, 3))), 1.0)
    person = replace(person, chest=np.eye(3), head=np.eye(3))
    for material in (Material.HEAD, Material.NOSE, Material.SHIRT):
        part = np.flatnonzero(person.material == material)[0]
        hits = Hits(
            *(np.arange(24), np.full(24, part), np.zeros((24, 3))),
            *(normals.astype(np.float32), np.zeros(24)),
        )
        clothes = wardrobes.draw(np.random.default_rng(1))
        seen = [
            wardrobes.colours_at(replace(clothes, alike=a), person, hits, np.eye(3))
            for a in (False, True)
        ]
        front, back = slice(1, 12), slice(23, 12, -1)  # the same sideways
        np.testing.assert_array_equal(seen[1][front], seen[1][back])
        if material != Material.NOSE:  # all of which is in front
            assert (seen[0][front] != seen[0][back]).any()
        np.testing.assert_array_equal(seen[1], np.roll(seen[1], 12, axis=0))


def test_a_recipe_knows_its_kinds():
    recipe = Recipe(hard=["dark", "occluders", "dark"])
    assert recipe.hard == ("occluders", "dark")
    with pytest.raises(InputError, match=r"^hard must be of occluders, .*; received"):
        Recipe(hard=("fog",))
    # Sets that were prepared before are still known.
    assert repr(Recipe()) == "Recipe(count=12000, seed=0, test_share=0.1)"
    sources = [rendered_source(r) for r in (Recipe(), recipe)]
    assert sources[0].source == (
        "rendered, Recipe(count=12000, seed=0, test_share=0.1), corrected, jpeg"
    )
    assert sources[1].source == f"{sources[0].source}, hard: occluders, dark"


def test_the_folder_says_what_is_hard():
    assert "hard" not in readme(300, 1)
    said = readme(300, 1, ("blur", "dark"))
    assert "Recipe(count=300, seed=1, hard=('blur', 'dark'))" in said
    assert "Some of the pictures are hard: blur, dark." in said
