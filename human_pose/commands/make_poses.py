"""Makes the embedded synthetic data.

    python -m human_pose.commands.make_poses --data_dir=data

Writes train_sh.h5, test_sh.h5, training/ and testing/, some 20 MB, in a few seconds;
equal seeds give equal files. The committed parameters, cameras and sample beside them
are left alone (`python -m human_pose.commands.release` makes those).
"""

from pathlib import Path

from absl import flags, logging

from human_pose.commands import shell
from human_pose.commands.places import DATA_DIR
from human_pose.datasets.synthetic import Recipe, data_files, generate
from human_pose.files.paths import output_path

_REPORT_EVERY = 10  # files


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string("data_dir", DATA_DIR, "Where to.", **own)
    shell.refuse_empty(flag_values, "data_dir")
    flags.DEFINE_integer(
        "seed", Recipe().seed, "Other seeds make other motions.", lower_bound=0, **own
    )
    flags.DEFINE_boolean("overwrite", False, "Replace files made before.", **own)
    shell.show_in_help(flag_values, __name__)


def work(flag_values: flags.FlagValues) -> None:
    """Makes the data that the flags ask for, unless it is there."""
    logging.set_verbosity(logging.INFO)
    folder = output_path(flag_values.data_dir)
    if not flag_values.overwrite and all(map(Path.exists, data_files(folder))):
        print(f"The embedded data is in {folder} already; --overwrite makes it anew.")
        return
    generate(
        folder,
        Recipe(seed=flag_values.seed),
        overwrite=flag_values.overwrite,
        progress=_report,
    )
    print(f"The embedded data is in {folder}.")


def _report(path: Path, done: int, total: int) -> None:
    if done % _REPORT_EVERY == 0 or done == total:
        logging.info("%s of %s files: %s", done, total, path.name)


if __name__ == "__main__":
    shell.run(work, define_flags)
