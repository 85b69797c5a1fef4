"""Which flags of `main.py` exclude or need each other, whatever the task."""

from collections.abc import Callable

from absl import flags


def check_together(flag_values: flags.FlagValues) -> None:
    """Refuses flags that would have no effect."""

    def register(names: list[str], rule: Callable[..., bool], message: str) -> None:
        flags.register_multi_flags_validator(
            names, lambda values: rule(**values), message, flag_values
        )

    register(
        ["resume", "overwrite", "resume_or_start"],
        lambda **given: sum(map(bool, given.values())) <= 1,
        "--resume, --resume_or_start and --overwrite exclude each other",
    )
    register(
        ["dataset", "input_path"],
        lambda dataset, input_path: (
            dataset is None or not flag_values["input_path"].present
        ),
        "--dataset and --input_path exclude each other",
    )
    register(
        ["distribute", "jit"],
        lambda distribute, jit: not jit or distribute == "none",
        "--jit needs --distribute=none: XLA compiles no step that devices share",
    )
    register(
        ["model", "train", "resume", "overwrite", "convert_caffemodel"],
        lambda model, train, resume, overwrite, convert_caffemodel: (
            model in ("prior", "calibrated")
            or train
            or not (resume or (overwrite and convert_caffemodel is None))
        ),
        "--resume and --overwrite need --train",
    )
