"""One rule of relative paths for every command; what is made where nothing is."""

import filecmp
import os
from pathlib import Path

import pytest
from absl import flags

from human_pose.commands import flags as settings
from human_pose.commands import make_pictures, make_poses, places, prepare_h36m, release
from human_pose.datasets.synthetic import Recipe, data_files, generate
from human_pose.files import paths
from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT

TINY = Recipe(train_frames=5, test_frames=5)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """As if the package came from a wheel; the folder of its embedded files."""
    embedded = tmp_path / "site-packages" / "human_pose" / "embedded"
    for name in ("data/model_parameters.h5", "data/avg_cameras.h5", "data/sample.h5"):
        (embedded / name).parent.mkdir(parents=True, exist_ok=True)
        (embedded / name).touch()
    (embedded / "results").mkdir()
    (embedded / "results" / "trained_model.h5").touch()
    for module in (paths, places):
        monkeypatch.setattr(module, "PROJECT_ROOT", embedded)
        monkeypatch.setattr(module, "IN_CHECKOUT", False)
    return embedded


@pytest.fixture
def quick(monkeypatch):
    """Makes the embedded data of a few frames."""
    from human_pose.datasets import synthetic

    monkeypatch.setattr(synthetic, "generate", lambda made: generate(made, TINY))


def parse(define_flags, *arguments):
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    flag_values(["command", *arguments])
    return flag_values


def main_settings(*arguments):
    return settings.main_settings(parse(settings.define_main_flags, *arguments))


def files_under(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


class TestResults:
    @pytest.mark.parametrize("given", ["results", "mine/of today", "../beside"])
    def test_are_the_current_folders(self, folder, given):
        flag_values = parse(settings.define_main_flags, f"--results_dir={given}")
        assert places.results_dir(flag_values) == folder / given

    def test_home_and_absolute_paths(self, folder, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        for given in ("~/out", tmp_path / "out"):
            flag_values = parse(settings.define_main_flags, f"--results_dir={given}")
            assert places.results_dir(flag_values) == tmp_path / "out"

    @pytest.mark.parametrize("command", [make_poses, make_pictures])
    def test_so_is_what_is_made(self, folder, monkeypatch, command):
        places_made = []

        def note(place, *arguments, **options):
            places_made.append(place)

        monkeypatch.setattr(command, "generate", note)
        monkeypatch.setattr("signal.signal", lambda number, handler: None)
        for arguments in ([], ["--data_dir=mine"]):
            command.work(parse(command.define_flags, *arguments))
        kind = "images" if command is make_pictures else ""
        assert places_made == [folder / "data" / kind, folder / "mine" / kind]

    def test_so_is_human36m(self, folder):
        for arguments, place in ([], "data/h36m"), (["--data_dir=mine"], "mine"):
            flag_values = parse(prepare_h36m.define_flags, *arguments)
            assert prepare_h36m._config(flag_values).folder == folder / place

    def test_so_is_a_release(self, folder, monkeypatch):
        asked = []
        monkeypatch.setattr(
            release, "release", lambda *places, train: asked.extend(places)
        )
        release._work(parse(release.define_flags))
        assert asked == [folder / "data", folder / "results"]


class TestChecked:
    """`--check_path`: the current folder first, and under `--results_dir`."""

    def check_path(self, *arguments):
        return places.checkpoint(parse(settings.define_main_flags, *arguments))

    def test_a_run_of_the_current_folder(self, folder):
        path = folder / "results/x/check/epoch_0.h5"
        path.parent.mkdir(parents=True)
        path.touch()
        for given in ("x/check/epoch_0.h5", "results/x/check/epoch_0.h5"):
            assert self.check_path(f"--check_path={given}") == path

    def test_the_trained_model_is_found_from_anywhere(self, folder):
        expected = PROJECT_ROOT / "results" / "trained_model.h5"
        for given in ("results/trained_model.h5", "trained_model.h5"):
            assert self.check_path(f"--check_path={given}") == expected

    def test_of_an_installed_package(self, folder, installed):
        for given in ("results/trained_model.h5", "trained_model.h5"):
            found = self.check_path(f"--check_path={given}")
            assert found == installed / "results" / "trained_model.h5"
        mine = folder / "results" / "trained_model.h5"
        mine.parent.mkdir()
        mine.touch()
        assert self.check_path("--check_path=results/trained_model.h5") == mine


class TestInstalled:
    def test_the_sample_needs_no_file(self, folder, installed):
        chosen = settings.sample_settings(parse(settings.define_sample_flags))
        assert chosen.input_path == installed / "data" / "sample.h5"
        assert chosen.lifter.check_path == installed / "results" / "trained_model.h5"
        assert chosen.lifter.mixture_path.parent == installed / "data"
        assert chosen.picture_path == folder / "results" / "sample" / "frame_0.png"

    def test_ones_own_files_come_first(self, folder, installed):
        (folder / "data").mkdir()
        (folder / "data" / "sample.h5").touch()
        chosen = settings.sample_settings(parse(settings.define_sample_flags))
        assert chosen.input_path == folder / "data" / "sample.h5"

    @pytest.mark.parametrize("arguments", [["--train"], []])
    def test_missing_data_are_made(self, folder, installed, quick, capsys, arguments):
        task = main_settings(*arguments).task
        assert files_under(folder) == sorted(data_files(folder / "data"))
        said = capsys.readouterr().out
        assert said == f"No data found: making the embedded data in {folder}/data\n"
        if arguments:
            assert task.input_path == folder / "data" / "train_sh.h5"
        else:
            assert task.data_dir == folder / "data"
        main_settings(*arguments)
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--train", "--data_dir=mine", "--parameters_dir=data"],
            ["--train", "--input_path=mine.h5"],
            ["--data_dir=mine", "--parameters_dir=data"],
        ],
    )
    def test_no_data_are_made_in_place_of_the_users(self, folder, installed, arguments):
        with pytest.raises(InputError, match=r"mine.*\(human-pose-data makes the"):
            main_settings(*arguments)
        assert not list(folder.iterdir())

    def test_pictures_are_not_made_unasked(self, folder, installed):
        flag_values = parse(settings.define_main_flags, "--model=i1", "--train")
        with pytest.raises(InputError, match=r"\(human-pose-data --images makes the"):
            settings.image_settings(flag_values)
        assert not list(folder.iterdir())


class TestMaking:
    def test_ones_own_training_file_is_left_alone(self, folder, quick):
        mine = folder / "data" / "train_sh.h5"
        mine.parent.mkdir()
        mine.write_text("mine")
        places.make_embedded_data(folder / "data")
        assert files_under(folder) == [mine]
        assert mine.read_text() == "mine"

    def test_other_files_stay(self, folder, quick):
        mine = folder / "data" / "images" / "1.png"
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")
        places.make_embedded_data(folder / "data")
        assert mine.read_text() == "mine"
        assert len(files_under(folder)) == 1 + len(data_files("data"))

    def test_an_interrupt_leaves_nothing(self, folder, monkeypatch):
        from human_pose.datasets import synthetic

        def interrupted(made):
            Path(made, "train_sh.h5").touch()
            raise KeyboardInterrupt

        monkeypatch.setattr(synthetic, "generate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            places.make_embedded_data(folder / "data")
        assert files_under(folder) == []

    def test_another_process_may_be_faster(self, folder, monkeypatch):
        from human_pose.datasets import synthetic

        def both(made):
            generate(made, TINY)
            generate(folder / "data", TINY)

        monkeypatch.setattr(synthetic, "generate", both)
        places.make_embedded_data(folder / "data")
        assert files_under(folder) == sorted(data_files(folder / "data"))

    def test_equals_what_the_command_makes(self, folder, quick):
        places.make_embedded_data(folder / "data")
        generate(folder / "other", TINY)
        made = data_files(folder / "data")
        for path, other in zip(made, data_files(folder / "other"), strict=True):
            assert filecmp.cmp(path, other, shallow=False)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_that_cannot_be_written_is_named(self, folder):
        folder.chmod(0o500)
        with pytest.raises(InputError, match=r"data: cannot be written: Permission"):
            places.make_embedded_data(folder / "data")

    def test_a_file_in_its_place_is_named(self, folder, capsys):
        (folder / "data").touch()
        with pytest.raises(InputError, match=r"data: cannot be written: "):
            places.make_embedded_data(folder / "data")
        assert capsys.readouterr().out == ""


class TestCommandInMessages:
    def test_in_the_project(self, monkeypatch):
        monkeypatch.chdir(PROJECT_ROOT)
        assert places.data_command() == "./set.sh data"

    def test_outside_of_it(self, folder):
        assert places.data_command() == f"{PROJECT_ROOT}/set.sh data"

    def test_without_a_project(self, folder, installed):
        assert places.data_command() == "human-pose-data"
