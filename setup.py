"""Puts the committed files of data/ and results/ into a wheel; setup.cfg has the rest.

In a checkout the commands read them where they are; an installed package has them in
`human_pose/embedded/`, laid out alike (`human_pose.files.paths.PROJECT_ROOT`).
"""

import os

from setuptools import setup
from setuptools.command.build_py import build_py

COMMITTED = (
    "data/avg_cameras.h5",
    "data/model_parameters.h5",
    "data/pose_prior.npz",
    "data/sample.h5",
    "results/trained_model.h5",
)


class BuildWithCommittedFiles(build_py):
    """Also copies the committed files, except for an editable installation."""

    def run(self) -> None:
        """Fills the build folder."""
        super().run()
        for source, copy in self._copies().items():
            self.mkpath(os.path.dirname(copy))
            self.copy_file(source, copy, preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """The files that `run` makes."""
        return [*super().get_outputs(include_bytecode), *self._copies().values()]

    def get_source_files(self) -> list[str]:
        """The files that a source distribution needs."""
        return [*super().get_source_files(), *COMMITTED]

    def _copies(self) -> dict[str, str]:
        if self.editable_mode:
            return {}
        embedded = os.path.join(self.build_lib, "human_pose", "embedded")
        return {path: os.path.join(embedded, path) for path in COMMITTED}


setup(cmdclass={"build_py": BuildWithCommittedFiles})
