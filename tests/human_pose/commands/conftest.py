"""`Sample.py` on pictures, as its tests call it."""

import pytest
from absl import flags

from human_pose import Sample
from human_pose.commands import flags as settings
from human_pose.commands import many_pictures, shell
from human_pose.i1 import build_network
from human_pose.i1.network import checkpoint


@pytest.fixture(scope="module")
def network():
    return build_network(4, input_size=64, preset="tiny", batch_norm="moving", seed=0)


@pytest.fixture
def run(network, tmp_path, monkeypatch):
    """The command, without the seconds in which a network is loaded and traced."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(many_pictures, "load_network", lambda path: network)
    monkeypatch.setattr(checkpoint, "load_network", lambda path: network)
    (tmp_path / "net.keras").touch()

    def command(*arguments):
        flag_values = flags.FlagValues()
        settings.define_sample_flags(flag_values)
        flag_values(["Sample.py", "--check_path=net.keras", "--out=out", *arguments])
        return shell.guarded(Sample.main, flag_values)

    return command
