"""Networks in ONNX files, run by onnxruntime."""

import hashlib
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.files.errors import InputError, one_line
from human_pose.files.extras import needed
from human_pose.files.paths import read_bytes

# What one file of protobuf can have.
_MOST_BYTES: Final = 1 << 31
_PROVIDERS: Final = ("CUDAExecutionProvider", "CPUExecutionProvider")
# Of onnxruntime's log: what it raises is told once, by us.
_FATAL: Final = 4


class OnnxModel:
    """A network from one picture to several arrays.

    Attributes:
      path: of its file.
      digest: of the file's content.
      width_px: of the picture that it takes.
      height_px: of that picture.
      outputs: names of what it gives.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Reads the network.

        Args:
          path: a `.onnx` file whose only input is float32 `[1 or any, 3, H, W]`.

        Raises:
          InputError: if onnxruntime is missing, the file cannot be read, or the network
            takes something else.
        """
        self.path = Path(path)
        runtime = needed("onnxruntime", str(path), "rtmpose")
        content = read_bytes(path, _MOST_BYTES)
        self.digest = hashlib.sha256(content).hexdigest()[:16]
        self._session = _session(runtime, self.path, content)
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape) if len(inputs) == 1 else []
        sides = [side for side in shape[2:] if isinstance(side, int) and side > 0]
        fits = len(shape) == 4 and shape[1] == 3 and len(sides) == 2
        # A name in place of the number: any.
        fits = fits and (shape[0] == 1 or not isinstance(shape[0], int))
        if not fits or inputs[0].type != "tensor(float)":
            has = ", ".join(f"{each.name} {each.type}{each.shape}" for each in inputs)
            raise self.refused("one input, float32 [1, 3, height, width]", has)
        self._input = inputs[0].name
        self.height_px, self.width_px = sides
        self.outputs = tuple(each.name for each in self._session.get_outputs())

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """What the network gives, by name.

        Args:
          pixels: float32 `[H, W, 3]`, of the network's size.

        Raises:
          InputError: if it fails.
        """
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
        try:
            given = self._session.run(None, {self._input: planes})
        # onnxruntime's errors have no common class.
        except Exception as error:
            raise InputError(
                f"{self.path}: cannot be run; {one_line(error)}"
            ) from error
        return dict(zip(self.outputs, given, strict=True))

    def refused(self, rule: str, has: str) -> InputError:
        """The error for a network that must have something else."""
        return InputError(f"{self.path}: must be a network with {rule}; it has {has}")


def _session(runtime: Any, path: Path, content: bytes) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = _FATAL
    there = runtime.get_available_providers()
    providers = [each for each in _PROVIDERS if each in there]
    try:
        # With one provider there is nothing to fall back to, which it would print.
        return runtime.InferenceSession(
            content, options, providers=providers, enable_fallback=len(providers) > 1
        )
    # onnxruntime's errors have no common class.
    except Exception as error:
        raise InputError(
            f"{path}: is no ONNX network that can be read; {one_line(error)}"
        ) from error
