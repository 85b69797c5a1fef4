"""The commands: the only room with flags. Needs what the extra `[pose]` installs."""

from human_pose.commands.requirements import insist

# Before any command's own imports, so that what is missing is one line.
insist()
