"""Batches from tf.data services on this host are those that are made here."""

import contextlib
import socket
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from made_up_shards import write_shards

from human_pose.datasets.images import open_sharded
from human_pose.files.errors import InputError, LostWorker
from human_pose.i1.input import Stream, batches
from human_pose.i1.input.service import watched


@contextlib.contextmanager
def service(workers=1):
    """The address of a dispatcher with some workers."""
    server = tf.data.experimental.service
    dispatcher = server.DispatchServer()
    address = dispatcher.target.removeprefix("grpc://")
    kept = [
        server.WorkerServer(server.WorkerConfig(dispatcher_address=address))
        for _ in range(workers)
    ]
    yield f"grpc://{address}"
    for worker in kept:
        worker._stop()
    dispatcher._stop()


@pytest.fixture
def dataset(root, tmp_path):
    return open_sharded(write_shards(root, tmp_path / "shards"))


def assert_equal(one, other):
    for mine, theirs in zip(one, other, strict=True):
        for name, values in mine.items():
            np.testing.assert_array_equal(values, theirs[name], name)


@pytest.mark.parametrize(
    "augment", [pytest.param("published", marks=pytest.mark.large), "modern"]
)
def test_gives_the_batches_in_their_order(dataset, augment):
    stream = Stream(2, augment, shuffle=True, repeat=True, seed=2, start_step=3)
    with service() as address:
        found = batches(dataset, stream, services=[address])
        assert found.cardinality() == tf.data.INFINITE_CARDINALITY
        assert_equal(found.take(12), batches(dataset, stream).take(12))


def test_several_services_share_every_batch(dataset):
    stream = Stream(4, "mild", shuffle=True, input_size=32)
    with service() as one, service() as other:
        for whole in (stream, replace(stream, batch_size=8, workers=2, worker=1)):
            found = batches(dataset, whole, services=[one, other])
            assert_equal(found, batches(dataset, whole))
        with pytest.raises(InputError, match=r"^batch_size must be a multiple of 2, o"):
            batches(dataset, replace(stream, batch_size=3), services=[one, other])


def test_a_service_of_several_workers_is_refused(dataset):
    stream = Stream(1, "mild", input_size=32, repeat=True)
    with (
        service(2) as address,
        pytest.raises(tf.errors.InvalidArgumentError, match="a service of one worker"),
    ):
        # The second may be late.
        list(batches(dataset, stream, services=[address]).take(5000))


def test_a_service_of_several_workers_is_told_in_one_line(dataset):
    stream = Stream(1, "mild", input_size=32, repeat=True)
    with (
        service(2) as address,
        pytest.raises(InputError, match=r"^data_service grpc.*must each have one work"),
        watched([address]),
    ):
        list(batches(dataset, stream, services=[address]).take(5000))


@pytest.mark.large
def test_a_service_that_is_started_again_is_lost(dataset):
    """Another dispatcher at the address knows nothing of the stream."""
    program = (
        "import sys, tensorflow as tf\n"
        "server = tf.data.experimental.service\n"
        "port = int(sys.argv[1])\n"
        "held = server.DispatchServer(server.DispatcherConfig(port=port))\n"
        "address = f'localhost:{port}'\n"
        "config = server.WorkerConfig(dispatcher_address=address)\n"
        "worker = server.WorkerServer(config)\n"
        "print('up', flush=True)\n"
        "worker.join()\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    @contextlib.contextmanager
    def started():
        words = [sys.executable, "-c", program, str(port)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "up\n"
            yield process
            process.kill()

    address = f"grpc://localhost:{port}"
    stream = Stream(2, "mild", input_size=32, repeat=True)
    with started() as first:
        found = iter(batches(dataset, stream, services=[address]))
        next(found)
        first.kill()
    with (
        started(),
        pytest.raises(LostWorker, match=r"localhost:.* was started again while it"),
        watched([address]),
    ):
        for _ in range(5000):
            next(found)


def test_a_service_that_is_gone_ends_the_process():
    """What waits for its batches waits in TensorFlow, and hears nothing."""
    program = (
        "import time\n"
        "from human_pose.i1.input import service\n"
        "service._LOOK_S, service._AWAY_S = 0.1, 0.3\n"
        "with service.watched([]):\n"
        "    time.sleep(1)\n"
        "with service.watched(['grpc://127.0.0.1:1']):\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == LostWorker.EXIT_CODE, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "data_service must be reachable" in last and "when it is resumed" in last


def test_addresses_must_be_answered(dataset):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"grpc://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(
        InputError, match=r"^data_service must be reachable, which it is"
    ):
        batches(dataset, Stream(2), services=[address])
    with pytest.raises(InputError, match=r"^data_service must be grpc://host:port; "):
        batches(dataset, Stream(2), services=["localhost:5000"])
    for none in ("a..b", "x" * 70):  # names that no host can have
        with pytest.raises(InputError, match=r"^data_service must be reachable, which"):
            batches(dataset, Stream(2), services=[f"grpc://{none}:80"])
