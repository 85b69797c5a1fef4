"""The run that fits a prior: from files of motion to the folder of its results."""

import os
from collections.abc import Iterable
from pathlib import Path

from absl import logging
from tqdm import tqdm

from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.files import NAME
from human_pose.calibrated.prior.fitting import fit_prior
from human_pose.calibrated.prior.report import (
    REPORT,
    cautions,
    held_out_table,
    write_results,
)
from human_pose.exchange.recording import Motion
from human_pose.runs.folder import RunFolder
from human_pose.runs.lock import locked

__all__ = ["REPORT", "run"]


def run(
    folder: str | os.PathLike[str],
    motions: Iterable[Motion],
    count: int,
    config: PriorConfig,
    *,
    overwrite: bool,
) -> str:
    """Fits a prior and writes `prior.npz`, `prior.md` and a picture.

    Progress bars are shown where the error stream is a terminal.

    Args:
      folder: of the run.
      motions: to fit to; read once.
      count: of them.
      config: of the fit.
      overwrite: whether an earlier prior is replaced.

    Returns:
      The table of held-out takes.

    Raises:
      InputError: if there is a prior already, the folder cannot be written, or as
        `fit_prior`.
    """
    folder = Path(folder)
    place = RunFolder(folder)
    place.check_writable()
    place.check_result(NAME, overwrite=overwrite)
    with locked(folder, "fitting"):
        # Another one may have ended in between.
        place.check_result(NAME, overwrite=overwrite)
        with tqdm(unit="fit", disable=None, leave=False) as bar:

            def show(what: str, done: int, total: int) -> None:
                bar.set_description(f"fitting {what}", refresh=False)
                bar.total = total
                bar.update(done - bar.n)
                bar.refresh()

            read = tqdm(
                motions, "reading", count, unit="file", disable=None, leave=False
            )
            fit = fit_prior(read, config, progress=show)
        write_results(folder, fit)
    for caution in cautions(fit.prior):
        logging.warning("%s: %s", folder / NAME, caution)
    return "\n".join(held_out_table(fit))
