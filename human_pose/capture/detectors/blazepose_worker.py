"""Runs MediaPipe's BlazePose in a Python of its own; see `blazepose`.

MediaPipe needs an older protobuf than TensorFlow does, so that the two cannot be loaded
together. This file is run as a script, imports nothing of the project, and answers on
its standard output what it is asked on its standard input. Pictures are in a file that
both sides have in memory: through a pipe they would take a quarter of the time.

  arguments: the network's complexity, whether videos have one picture each (0 or 1),
    the file of the pictures.
  request: int32 height, width and offset of the pixels, uint8 and red first, in the
    file; 0 0 0 for a new video.
  answer: float32 `[33, 3]`: x and y in px, visibility; NaN where nobody was found.
"""

import mmap
import os
import struct
import sys
from typing import Any

import mediapipe
import numpy as np

JOINTS = 33
REQUEST = struct.Struct("<iii")


def main(complexity: int, single: bool, path: str) -> None:
    """Answers until the input ends."""
    # Libraries print to the standard output, too; the answers have it for themselves.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    pose = None
    shared = None
    with open(path, "rb") as file:
        while request := sys.stdin.buffer.read(REQUEST.size):
            height, width, offset = REQUEST.unpack(request)
            if not height:
                # Nobody is tracked from the last video; in single pictures nobody is.
                pose = pose if single else None
                continue
            size = os.fstat(file.fileno()).st_size
            if shared is None or len(shared) != size:
                shared = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
            if pose is None:
                pose = mediapipe.solutions.pose.Pose(
                    static_image_mode=single,
                    model_complexity=complexity,
                    smooth_landmarks=False,
                )
            pixels = np.frombuffer(shared, np.uint8, height * width * 3, offset)
            found = pose.process(pixels.reshape(height, width, 3))
            answers.write(joints(found, width, height).tobytes())


def joints(found: Any, width: int, height: int) -> np.ndarray:
    """What MediaPipe found, as px and visibility."""
    if found.pose_landmarks is None:
        return np.full((JOINTS, 3), np.nan, np.float32)
    marks = found.pose_landmarks.landmark
    rows = [(mark.x * width, mark.y * height, mark.visibility) for mark in marks]
    return np.array(rows, np.float32)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3])
