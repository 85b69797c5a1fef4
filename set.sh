#!/usr/bin/env bash
# The one set-up script. Makes and reuses .venv beside it; see usage below.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly root
readonly venv="$root/.venv"
readonly python="$venv/bin/python"
# Optional dependencies to install, as named in setup.cfg.
readonly extras="${EXTRAS:-test}"

usage() {
    cat <<'EOF'
Usage: ./set.sh COMMAND

  demo             make the embedded data, lift a sample, train briefly, evaluate
  recording        make a recording of four cameras, lift it to 3D, draw it
  test [ARGS]      run the tests; ARGS go to pytest (--large runs the slow ones too)
  data [ARGS]      make the embedded data in data/ (--help lists ARGS)
  data --images [ARGS]
                   render pictures of the embedded people in data/images/
  data --recording [ARGS]
                   make a recording of four cameras in data/recording/
  h36m [ARGS]      prepare Human3.6M in data/h36m/ (--help lists ARGS;
                   --archive=FILE uses a local h36m.zip)
  detector         make the environment of the detector BlazePose, for videos
  env              only make or refresh the Python environment

Relative paths in ARGS are of the folder that you are in. Every command first makes
.venv, or refreshes it when setup.cfg or setup.py has changed.

Environment: PYTHON  the Python to make .venv with (default: python3; 3.10 or newer)
             EXTRAS  optional dependencies of setup.cfg (default: test; dev, gpu), which
                     come beside those of the commands (pose)
EOF
}

say() { printf '\n== %s\n' "$*"; }

fail() {
    printf 'set.sh: %s\n' "$*" >&2
    exit 1
}

check_host_python() {
    local host="$1"
    command -v "$host" >/dev/null ||
        fail "$host not found; install Python 3.10 or newer, or name one: PYTHON=/path/to/python3 ./set.sh ..."
    "$host" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$host must be Python 3.10 or newer; it is $("$host" --version 2>&1)"
    "$host" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$host lacks the venv module; install it (Debian, Ubuntu: apt install python3-venv)"
}

# What decides what is installed.
recipe() { cat "$root/setup.cfg" "$root/setup.py"; }

# .venv with this project and its dependencies, installed again only when its recipe has
# changed since. One stamp per choice of extras: installing one removes no other.
make_environment() {
    local stamp="$venv/installed-$extras.cfg"
    if ! "$python" -c '' 2>/dev/null; then
        local host="${PYTHON:-python3}"
        check_host_python "$host"
        say "Making $venv"
        "$host" -m venv --clear "$venv"
    fi
    if ! recipe | cmp -s - "$stamp"; then
        say "Installing into $venv (some minutes)"
        "$python" -m pip install --quiet --editable "${root}[pose,$extras]" ||
            fail "$("$python" --version) could not install the dependencies into $venv; if TensorFlow does not support it, take another: rm -r .venv; PYTHON=python3.12 ./set.sh ..."
        recipe >"$stamp"
    fi
}

# Up to four processes with one thread each: a third less work than threads that wait for
# each other, and half the time. One more than cores, since some tests wait for others'
# processes. A file stays with one of them, so that what its tests share is made once.
run_tests() {
    cd "$root"
    local cores
    cores="$("$python" -c 'import os; print(os.cpu_count() or 1)')"
    TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OPENBLAS_NUM_THREADS=1 \
        "$python" -m pytest --numprocesses="$((cores < 4 ? cores + 1 : 4))" --dist=loadfile "$@"
}

# Paths in the arguments are the caller's, so both stay in the caller's folder.
make_data() { "$python" -m human_pose.commands.make_data --data_dir="$root/data" "$@"; }
prepare_h36m() {
    "$python" -m human_pose.commands.prepare_h36m --data_dir="$root/data/h36m" "$@"
}

run_demo() {
    local run=results/demo
    cd "$root"
    say "Making the embedded data (data/)"
    make_data
    say "Lifting one frame: four 2D poses to one 3D pose"
    "$python" human_pose/Sample.py --show=0
    say "Training for one epoch ($run)"
    "$python" human_pose/main.py --train=1 --name=demo --overwrite --epochs=1
    say "Evaluating it ($run)"
    "$python" human_pose/main.py --name=demo --check_path="$run/check/epoch_0.h5"
    say "Done: embedded data in data/, a sample lifted, one epoch trained, evaluated"
    cat <<EOF
Pictures:  $root/results/sample, $root/$run/images
Report:    $root/$run/evaluations/report.md
Curves:    .venv/bin/tensorboard --logdir $run/logger
Next:      source .venv/bin/activate; python human_pose/main.py --help
EOF
}

run_recording() {
    local run=results/recording
    cd "$root"
    say "Making the embedded recording (data/recording)"
    make_data --recording
    say "Lifting it: four cameras' 2D detections to 3D motion ($run)"
    "$python" human_pose/main.py --model=calibrated --name=recording \
        --recording=data/recording/detections.npz \
        --cameras=data/recording/calibration.toml --truth=data/recording/truth.npz
    say "Done"
    cat <<EOF
Viewer:    $root/$run/viewer.html
Report:    $root/$run/report.md
Your own:  source .venv/bin/activate; human-pose --model=calibrated --recording=FOLDER
EOF
}

main() {
    local command="${1:-}"
    case "$command" in
        demo | recording | test | data | h36m | detector | env) shift ;;
        help | -h | --help) usage && return ;;
        '') usage >&2 && exit 2 ;;
        *)
            usage >&2
            fail "unknown command: $command"
            ;;
    esac
    [[ ! $command =~ ^(demo|recording|detector|env)$ ]] || (($# == 0)) ||
        fail "$command takes no arguments; received: $*"
    make_environment
    case "$command" in
        demo) run_demo ;;
        recording) run_recording ;;
        test) run_tests "$@" ;;
        data) make_data "$@" ;;
        h36m) prepare_h36m "$@" ;;
        detector) "$python" -m human_pose.commands.make_detector ;;
        env) ;;
    esac
}

main "$@"
