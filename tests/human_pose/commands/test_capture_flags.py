import pytest
from absl import flags

from human_pose.commands import flags as settings
from human_pose.files.errors import InputError


def parse(*arguments):
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    flag_values(["main.py", "--model=capture", *arguments])
    return settings.capture_settings(flag_values).task


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("a.mp4", "b.mp4", "truth.npz", "i1.keras", "prior.npz"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_videos_and_their_clocks(folder):
    task = parse("--videos=a.mp4,b.mp4", "--sync=offsets=a:7,b:-1.5", "--frames=3:")
    assert task.videos == (folder / "a.mp4", folder / "b.mp4") and not task.alone
    assert task.offsets_frames == {"a": 7, "b": -1.5}
    assert task.frames == slice(3, None)
    for word, rule in (("a:7,a:8", "each view once; received 'a'"), ("a", "must be")):
        with pytest.raises(InputError, match=f"^sync .*{rule}"):
            parse("--videos=a.mp4,b.mp4", f"--sync=offsets={word}")


@pytest.mark.parametrize(
    "flag",
    [
        "--truth=truth.npz", "--person=1", "--sync=motion", "--refine_cameras",
        "--redo", "--prior=prior.npz", "--temporal=0",
    ],
)  # fmt: skip
def test_what_one_camera_has_no_use_for_is_refused(flag):
    """A truth, say, was never compared with anything."""
    name = flag.lstrip("-").partition("=")[0]
    with pytest.raises(InputError, match=f"^{name} has no effect on `video`"):
        parse("--video=a.mp4", "--check_path=i1.keras", flag)
    assert parse("--video=a.mp4", "--check_path=i1.keras").alone


@pytest.mark.parametrize(
    "word",
    ["--videos=a.mp4,", "--videos=,", "--videos=", "--video=", "--videos=a.mp4, "],
)
def test_no_name_is_not_the_current_folder(word):
    """All videos in it were taken, too."""
    rule = "must name a file or folder"
    with pytest.raises(flags.IllegalFlagValueError, match=rule):
        parse(word)
    given = ("--videos=a.mp4", "--detector=rtmpose", "--detector_files=a.onnx,")
    with pytest.raises(flags.IllegalFlagValueError, match=rule):
        parse(*given)
