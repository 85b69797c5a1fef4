"""SIGTERM is noted, in the main thread and within the block only."""

import os
import signal
import threading

import pytest

from human_pose.runs.interruption import Leaver, Notice, noticed


def test_takes_note_and_puts_back_what_was():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(0))
    try:
        with noticed() as notice:
            assert not notice.received
            os.kill(os.getpid(), signal.SIGTERM)
            assert notice.received
        assert not seen
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [0]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_leaves_with_what_shells_expect():
    with noticed() as notice, pytest.raises(SystemExit) as raised:
        notice.leave("training_state.h5")
    assert raised.value.code == 143


def test_leaves_after_a_batch_or_after_an_epochs_last_the_epoch():
    class Saver(Leaver):
        def save(self, logs):
            saved.append(logs)
            return "training_state.h5"

    saved, notice = [], Notice()
    for callback in (Saver(notice), Leaver(notice)):
        notice.asked = False
        callback.set_params({"steps": 3})
        callback.on_train_batch_end(0, {"loss": 1.0})
        callback.on_epoch_end(0, {"loss": 1.0})
        notice.take(signal.SIGTERM, None)
        with pytest.raises(SystemExit) as raised:
            callback.on_train_batch_end(0, {"loss": 2.0})
        assert raised.value.code == 143
        callback.on_train_batch_end(2, {"loss": 2.0})
        with pytest.raises(SystemExit) as raised:
            callback.on_epoch_end(1, {"loss": 3.0})
        assert raised.value.code == 143
    assert saved == [{"loss": 1.0}, {}, {"loss": 3.0}]


def test_another_thread_gets_no_notice():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work():
        with noticed() as notice:
            seen.append((notice.received, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
