"""Caffe's files: round trips, both generations, what does not fit, garbled bytes."""

import json
import struct
import zlib

import keras
import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.i1 import build_network
from human_pose.i1.caffe import caffemodel, messages
from human_pose.i1.caffe.convert import convert
from human_pose.i1.caffe.protobuf import field, varint
from human_pose.i1.network.checkpoint import load_network

INNER_BLOBS = (
    "pooling", "residual_4", "hourglass1_branch1_res3", "hourglass1_upsampling",
    "hourglass1", "eltwise", "hourglass2",
)  # fmt: skip


@pytest.fixture(scope="module")
def network():
    return build_network(4, input_size=64, preset="tiny")


@pytest.fixture(scope="module")
def blobs(network):
    """Random blobs of the network's shapes; the scale factor is not 1."""
    random = np.random.default_rng(0)
    made = {}
    for name, arrays in caffemodel.export(network).items():
        if name.endswith("upsampling"):
            made[name] = arrays
        else:
            made[name] = [random.uniform(0.5, 1.5, a.shape) for a in arrays]
    return made


def test_reads_what_it_writes(tmp_path, blobs):
    path = tmp_path / "net.caffemodel"
    caffemodel.write(path, blobs)
    found = caffemodel.read(path)
    assert list(found) == list(blobs)
    for name, arrays in blobs.items():
        for array, other in zip(arrays, found[name], strict=True):
            assert other.dtype == np.float32
            np.testing.assert_array_equal(other, array.astype(np.float32))


def test_assigns_by_caffes_conventions(network, blobs):
    assert caffemodel.assign(network, blobs) == ()
    kernel, bias = network.get_layer("conv_1").get_weights()
    np.testing.assert_allclose(kernel[1, 2, 0, 3], blobs["conv_1"][0][3, 0, 1, 2])
    np.testing.assert_allclose(bias, blobs["conv_1"][1], rtol=1e-6)
    gamma, beta, mean, variance, _ = network.get_layer("bn_1").get_weights()
    np.testing.assert_allclose(gamma, blobs["scale_1"][0], rtol=1e-6)
    np.testing.assert_allclose(beta, blobs["scale_1"][1], rtol=1e-6)
    np.testing.assert_allclose(mean, blobs["bn_1"][0] / blobs["bn_1"][2], rtol=1e-6)
    np.testing.assert_allclose(variance, blobs["bn_1"][1] / blobs["bn_1"][2], rtol=1e-6)
    again = caffemodel.export(network)
    for name, arrays in blobs.items():
        for array, other in zip(arrays, again[name], strict=True):
            np.testing.assert_allclose(other, array, rtol=1e-5)


def test_a_factor_of_zero_means_no_statistics(network, blobs):
    mean, variance, factor = blobs["bn_1"]
    caffemodel.assign(network, blobs | {"bn_1": [mean, variance, 0 * factor]})
    assert not network.get_layer("bn_1").moving_mean.numpy().any()


def legacy(name, arrays):
    """A layer of the older generation: `layers`, legacy sizes, single floats."""
    content = field(4, name.encode())
    for array in arrays:
        sizes = [1] * (4 - array.ndim) + list(array.shape)
        blob = b"".join(varint(n << 3) + varint(s) for n, s in enumerate(sizes, 1))
        if array.ndim == 1:  # unpacked, one key for each number
            blob += b"".join(varint(5 << 3 | 5) + struct.pack("<f", x) for x in array)
        else:  # double precision, packed
            blob += field(8, array.astype("<f8").tobytes())
        content += field(6, blob)
    return field(2, content)


def test_reads_the_older_generation(tmp_path, network, blobs):
    path = tmp_path / "old.caffemodel"
    path.write_bytes(
        field(1, b"net") + b"".join(legacy(name, a) for name, a in blobs.items())
    )
    found = caffemodel.read(path)
    assert found["conv_1"][1].shape == (1, 1, 1, *blobs["conv_1"][1].shape)
    caffemodel.assign(network, found)
    bias = network.get_layer("conv_1").get_weights()[1]
    np.testing.assert_allclose(bias, blobs["conv_1"][1], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "dtype", "rtol"), [(0, "<f8", 0), (1, "<f4", 0), (2, "<f2", 1e-3)]
)
def test_reads_nvidias_bytes_of_a_named_type(tmp_path, kind, dtype, rtol):
    values = np.linspace(-3, 5, 6, dtype=np.float32).reshape(2, 3)
    shape = field(7, field(1, varint(2) + varint(3)))
    raw_type = varint(10 << 3) + varint(kind)
    blob = shape + raw_type + field(12, values.astype(dtype).tobytes())
    layer = field(1, b"conv") + field(7, blob)
    (tmp_path / "nv.caffemodel").write_bytes(field(100, layer))
    (found,) = caffemodel.read(tmp_path / "nv.caffemodel")["conv"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values, rtol=rtol)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "is a snapshot in HDF5.*BINARYPROTO"),
        (
            field(100, field(1, b"a") + field(7, field(10, bytes(4)))),
            "a fork of Caffe's, with half_data",
        ),
        (
            field(
                100, field(1, b"a") + field(7, varint(80) + varint(3) + field(12, b""))
            ),
            "raw_data of type 3; read are double, float and half",
        ),
    ],
)
def test_names_dialects_that_are_not_read(tmp_path, content, words):
    (tmp_path / "a.caffemodel").write_bytes(content)
    with pytest.raises(InputError, match=words):
        caffemodel.read(tmp_path / "a.caffemodel")


def test_lists_what_does_not_fit_and_changes_nothing(network, blobs):
    before = network.get_weights()
    last = blobs["conv_5_d4"]
    other = {n: a for n, a in blobs.items() if n not in ("conv_5_d4", "fc_1")}
    other |= {"conv_5_d8": last, "fc_2": [blobs["fc_2"][0][:3], blobs["fc_2"][1]]}
    with pytest.raises(InputError) as raised:
        caffemodel.assign(network, other)
    message = str(raised.value)
    out, into, *_ = blobs["fc_2"][0].shape
    shapes = f"fc_2 has 3x{into}x1x1, {out} instead of {out}x{into}x1x1, {out}"
    for part in (
        "2 missing: fc_1, conv_5_d4",
        "1 left over: conv_5_d8",
        f"1 of another shape: {shapes}",
        "for 8 depth bins",
    ):
        assert part in message
    for weight, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_partial_keeps_what_the_file_has_not(network, blobs):
    kept = network.get_layer("conv_5_d4").get_weights()[0]
    other = {n: a for n, a in blobs.items() if n != "conv_5_d4"} | {"extra": [kept]}
    assert caffemodel.assign(network, other, partial=True) == ("conv_5_d4",)
    np.testing.assert_array_equal(network.get_layer("conv_5_d4").get_weights()[0], kept)


def test_refuses_another_upsampling(network, blobs):
    name = next(n for n in blobs if n.endswith("upsampling"))
    with pytest.raises(InputError, match="not the fixed bilinear upsampling"):
        caffemodel.assign(network, blobs | {name: [blobs[name][0] * 1.1]})


def test_refuses_an_upsampling_without_numbers(network, blobs):
    name = next(n for n in blobs if n.endswith("upsampling"))
    for blob in (np.zeros((0, 1, 4, 4)), np.full_like(blobs[name][0], np.nan)):
        with pytest.raises(InputError, match="not the fixed bilinear upsampling"):
            caffemodel.assign(network, blobs | {name: [blob]})


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize(
    ("layer", "blob", "value"),
    [
        ("conv_1", 0, np.nan),
        ("conv_1", 1, np.inf),
        ("scale_1", 1, -np.inf),
        ("bn_1", 0, np.nan),
        ("bn_1", 2, 1e-45),  # a factor whose inverse is infinite
        ("bn_1", 2, np.nan),
    ],
)
def test_refuses_weights_that_are_not_finite(
    network, blobs, layer, blob, value, partial
):
    arrays = [array.astype(np.float32) for array in blobs[layer]]
    arrays[blob].flat[0] = value
    name = layer.replace("scale", "bn")
    with pytest.raises(InputError, match=f"layers 1 not finite: {name}$"):
        caffemodel.assign(network, blobs | {layer: arrays}, partial=partial)


def test_names_the_file_of_weights_that_are_not_finite(tmp_path, blobs):
    path = tmp_path / "net.caffemodel"
    kernel, bias = blobs["conv_1"]
    double = field(7, field(1, varint(bias.size))) + field(
        8, np.full(bias.size, 1e300, "<f8").tobytes()
    )
    caffemodel.write(path, {n: a for n, a in blobs.items() if n != "conv_1"})
    single = messages.encoded(kernel)
    content = field(1, b"conv_1") + field(7, single) + field(7, double)
    path.write_bytes(path.read_bytes() + field(100, content))
    with pytest.raises(InputError, match=r"net.caffemodel: .* 1 not finite: conv_1$"):
        convert(path, tmp_path / "d4.keras", 4, preset="tiny")


def test_says_what_a_solver_state_is(tmp_path):
    path = tmp_path / "net_iter_5.solverstate"
    path.write_bytes(varint(1 << 3) + varint(5) + field(2, b"net_iter_5.caffemodel"))
    with pytest.raises(InputError, match=r"history .* not used.*net_iter_5.caffemodel"):
        caffemodel.read(path)


def test_tells_a_folder_from_a_missing_file(tmp_path):
    folder = tmp_path / "net.keras"
    folder.mkdir()
    for read in (caffemodel.read, load_network):
        with pytest.raises(InputError, match=r"net.keras: must be a file; it is a fol"):
            read(folder)
        with pytest.raises(InputError, match=r"gone.keras: no such file"):
            read(tmp_path / "gone.keras")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x08", "is no Caffe model"),
        (field(1, b"net"), "no Caffe model, or has no weights"),
        (b"\xff" * 40, "is no Caffe model"),
        (
            field(100, field(7, field(7, field(1, b"\x03")))),
            "is no Caffe model .a blob of shape .3. has 0 numbers",
        ),
        (
            field(100, field(7, field(7, field(1, varint(0) + varint(2**62))))),
            "is no Caffe model .a blob of shape .0, 4611686018427387904. has 0 numbers",
        ),
        (
            field(100, field(7, field(7, field(1, varint(0) + 3 * varint(2**31 - 1))))),
            "is no Caffe model .a blob of shape .0, 2147483647, .* has 0 numbers",
        ),
        (
            field(100, field(7, field(7, field(1, 70 * b"\x01")) + field(5, bytes(4)))),
            "is no Caffe model .a blob has more axes than Caffe's, which have 32",
        ),
    ],
)
def test_refuses_other_files(tmp_path, content, message):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        caffemodel.read(path)
    assert str(path) in str(raised.value)


def blob_of(content):
    return field(100, field(1, b"a") + field(7, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # Five bytes a number, none packed; a blob in a blob in a blob; axes.
        (blob_of(300_000 * (varint(5 << 3 | 5) + bytes(4))), "than 250000 fields"),
        (300_000 * (varint(9 << 3) + varint(1)), "than 250000 fields"),
        (300_000 * field(100, b""), "than 250000 fields"),
        (blob_of(field(7, field(1, 20_000_000 * b"\x01"))), "more axes than"),
        (blob_of(field(7, 300_000 * b"\x08\x01")), "more axes than"),
    ],
)
def test_files_that_would_take_minutes_are_refused_in_seconds(
    tmp_path, content, message
):
    """Counted, not timed: what is looked at one by one is bounded."""
    path = tmp_path / "net.caffemodel"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"is no Caffe model .*{message}"):
        caffemodel.read(path)


def test_no_message_is_larger_than_protobufs(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(blob_of(b"")[:1] + varint(1 << 39))
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # without blocks on the disk
    with pytest.raises(InputError, match="it has 1099511627776 bytes; messages have"):
        caffemodel.read(path)


def test_garbled_files_give_no_other_error(tmp_path):
    """Cut and flipped bytes: read, or refused by an `InputError`."""
    random = np.random.default_rng(0)
    path = tmp_path / "net.caffemodel"
    small = {"a": [np.ones((2, 3)), np.ones(2)], "b": [np.zeros((1, 2, 2, 1))]}
    caffemodel.write(path, small)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    refused = 0
    for _ in range(500):
        changed = content[: random.integers(1, len(content) + 1)].copy()
        places = random.integers(0, len(changed), 3)
        changed[places] = random.integers(0, 256, 3)
        path.write_bytes(changed.tobytes())
        try:
            caffemodel.read(path)
        except InputError:
            refused += 1
    assert 100 < refused < 500


def test_converts_to_a_checkpoint(tmp_path, blobs):
    source, target = tmp_path / "net.caffemodel", tmp_path / "run" / "d4.keras"
    caffemodel.write(source, blobs)
    convert(source, target, 4, preset="tiny")
    network = load_network(target)
    kernel = network.get_layer("conv_1").get_weights()[0]
    np.testing.assert_allclose(kernel[1, 2, 0, 3], blobs["conv_1"][0][3, 0, 1, 2])


@pytest.mark.parametrize("depth_bins", [8, 10**12])
def test_converts_to_no_other_depth(tmp_path, blobs, depth_bins):
    source, target = tmp_path / "net.caffemodel", tmp_path / "other.keras"
    caffemodel.write(source, blobs)
    message = rf"^depth_bins must be .*net.caffemodel, 4; received {depth_bins}$"
    with pytest.raises(InputError, match=message):
        convert(source, target, depth_bins, preset="tiny")
    caffemodel.write(source, blobs | {f"conv_5_d{depth_bins}": blobs["conv_5_d4"]})
    with pytest.raises(
        InputError, match=f"net.caffemodel: .* must have {16 * depth_bins} biases; .*64"
    ):
        convert(source, target, depth_bins, preset="tiny")
    assert not target.exists()


@pytest.mark.large
def test_a_conversion_replaces_only_what_it_may(tmp_path, blobs):
    source, target = tmp_path / "net.caffemodel", tmp_path / "d4.keras"
    caffemodel.write(source, blobs)
    target.write_bytes(b"trained for weeks")
    with pytest.raises(InputError, match=r"d4.keras exists already; `overwrite`"):
        convert(source, target, 4, preset="tiny")
    assert target.read_bytes() == b"trained for weeks"
    convert(source, target, 4, preset="tiny", overwrite=True)
    load_network(target)


_GAINS = {"conv_2_n": 1 / 32, "conv_3_n": 32, "conv_5_d8": 1 / 256}


def reference_blob(name, kind, shape, blob):
    """The rule of ../shared/reference/README.md, in Caffe's own shapes."""
    r = np.random.default_rng(zlib.crc32(f"dev/{name}/{blob}".encode()))
    if kind == "Convolution":
        std = _GAINS.get(name, 1) / np.sqrt(np.prod(shape[1:])) if blob == 0 else 0.01
        return r.normal(0, std, shape)
    if kind == "BatchNorm":
        if blob == 2:
            return np.ones(1)
        return r.uniform(0.5, 1.5, shape) if blob else r.normal(0, 1, shape) * 0.1
    if kind == "Deconvolution":
        taps = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25])
        return np.broadcast_to(taps, shape)
    return r.normal(0, 1, shape) * 0.1 + (blob == 0)


@pytest.mark.large
def test_the_converted_reference_network_agrees_with_the_original(shared, tmp_path):
    """Weights by rule, through a file and a checkpoint, to the original's numbers."""
    layers = json.loads((shared / "reference" / "i1net_layers.json").read_text())
    golden = np.load(shared / "reference" / "i1net_dev.npz")
    blobs = {}
    for layer in layers:
        name, shapes = layer["name"], layer["blob_shapes"]
        if name == "conv_5_d4":
            name, shapes = "conv_5_d8", [[128, 256, 1, 1], [128]]
        if shapes:
            blobs[name] = [
                reference_blob(name, layer["type"], shape, blob)
                for blob, shape in enumerate(shapes)
            ]
    path = tmp_path / "d8.caffemodel"
    caffemodel.write(path, blobs)
    convert(path, tmp_path / "d8.keras", 8)
    assert_reference(load_network(tmp_path / "d8.keras"), golden, "batch", 2e-4)
    network = build_network(8, batch_norm="moving")
    assert caffemodel.assign(network, caffemodel.read(path)) == ()
    assert_reference(network, golden, "global", 2e-5)


def assert_reference(network, golden, statistics, tolerance):
    """Outputs and inner blobs within a part of the largest golden number."""
    outputs = network.output | {
        name: network.get_layer(name).output for name in INNER_BLOBS
    }
    image = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 3, 256, 256))
    image = np.moveaxis(image.astype(np.float32), 1, -1)
    found = keras.Model(network.input, outputs)(image)
    found = {name: np.moveaxis(v.numpy(), -1, 1) for name, v in found.items()}
    parts = {
        f"heatmap_{statistics}": found["heatmap"],
        f"heatmap2_{statistics}": found["heatmap2"][:, :, ::2, ::2],
    }
    for name in INNER_BLOBS:
        grid = np.arange(4) * (found[name].shape[-1] - 1) // 3
        grid4 = found[name][:, :, grid][..., grid]
        parts[f"{name}_{statistics}_grid4"] = grid4
    for name, actual in parts.items():
        expected = golden[name]
        error = np.max(np.abs(actual - expected)) / np.max(np.abs(expected))
        assert error < tolerance, (name, error)
