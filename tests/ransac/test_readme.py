import re

from absl import flags

from human_pose.files.paths import PROJECT_ROOT
from ransac import settings
from ransac.learning import Outcome

README = (PROJECT_ROOT / "ransac" / "README.md").read_text()


def test_flags_that_it_names_exist():
    flag_values = flags.FlagValues()
    settings.define_flags(flag_values)
    assert set(re.findall(r"--([a-z]\w*)", README)) <= {*flag_values, "help"}


def test_it_explains_every_outcome():
    named = re.findall(r"^\| (\d) (\w+) \|", README, re.MULTILINE)
    assert named == [(str(int(o)), o.name) for o in Outcome]
