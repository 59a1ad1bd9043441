from __future__ import annotations

import multiprocessing
import threading
import time

import pytest

from ratelimit.deadline import BoundedCaller, DeadlineExceeded


@pytest.fixture
def caller() -> BoundedCaller:
    return BoundedCaller(workers=2, name="test")


def test_it_returns_what_the_job_returns(caller):
    assert caller.call(lambda: 7, timeout_seconds=5) == 7


def test_it_raises_what_the_job_raises(caller):
    with pytest.raises(ZeroDivisionError):
        caller.call(lambda: 1 // 0, timeout_seconds=5)
    assert caller.call(lambda: 7, timeout_seconds=5) == 7


def test_a_time_out_of_the_job_itself_stays_what_it_is(caller):
    def job():
        raise TimeoutError("the socket's")

    with pytest.raises(TimeoutError, match="the socket's"):
        caller.call(job, timeout_seconds=5)


def test_a_job_that_never_ends_is_left_alone_in_time(caller):
    release = threading.Event()
    before = time.perf_counter()
    with pytest.raises(DeadlineExceeded):
        caller.call(release.wait, timeout_seconds=0.05)
    assert time.perf_counter() - before < 1
    # The other thread serves on.
    assert caller.call(lambda: 7, timeout_seconds=5) == 7
    release.set()


def test_with_all_threads_held_a_job_is_not_started_late(caller):
    release, started = threading.Event(), []
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            caller.call(release.wait, timeout_seconds=0.01)
    with pytest.raises(DeadlineExceeded):
        caller.call(lambda: started.append("late"), timeout_seconds=0.01)
    release.set()
    assert caller.call(lambda: 7, timeout_seconds=5) == 7
    assert started == []


def test_threads_are_used_again_and_never_more_than_allowed(caller):
    threads = {caller.call(threading.current_thread, timeout_seconds=5) for _ in range(50)}
    assert len(threads) <= 2
    assert all(thread.daemon for thread in threads)


def test_it_works_again_in_a_forked_process():
    caller = BoundedCaller(workers=1, name="test")
    assert caller.call(lambda: 7, timeout_seconds=5) == 7
    # The child has the parent's counts of threads, and none of the threads.
    child = multiprocessing.get_context("fork").Process(target=caller.call, args=(int,), kwargs={"timeout_seconds": 5})
    child.start()
    child.join()
    assert child.exitcode == 0
