from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratelimit.limiter import MinimumGap, SlidingWindow, WindowRunning
from tests.ratelimit.conftest import HandClock

#: Binary fractions of a second: sums and differences of them are exact. Mostly short ones: windows of 2 s must overlap.
steps = st.one_of(st.integers(0, 7), st.integers(0, 24)).map(lambda number: number / 8)


class TestMinimumGap:
    def test_a_key_is_free_until_it_is_taken_and_again_when_its_window_ends(self, clock):
        gap = MinimumGap(2, clock)
        assert gap.remaining("a") == 0.0
        gap.take("a", 7)
        assert gap.remaining("a") == 2.0
        clock.advance(1.5)
        assert gap.remaining("a") == 0.5
        clock.advance(0.5)
        assert gap.remaining("a") == 0.0

    def test_a_second_take_in_the_window_is_refused_even_without_asking_first(self, clock):
        gap = MinimumGap(2, clock)
        gap.take("a", 1)
        clock.advance(1.875)
        with pytest.raises(WindowRunning):
            gap.take("a", 2)
        assert gap.tag("a") == 1

    def test_keys_do_not_know_of_each_other(self, clock):
        gap = MinimumGap(2, clock)
        gap.take(("attempt", 1), 1)
        assert gap.remaining(("attempt", 2)) == 0.0

    def test_the_tag_belongs_to_the_running_window(self, clock):
        gap = MinimumGap(2, clock)
        assert gap.tag("a") is None
        gap.take("a", "first")
        assert gap.tag("a") == "first"
        clock.advance(2)
        assert gap.tag("a") is None

    def test_given_back_it_is_free_at_once(self, clock):
        gap = MinimumGap(2, clock)
        gap.take("a", 1)
        gap.give_back("a")
        assert gap.remaining("a") == 0.0
        gap.take("a", 2)
        gap.give_back("never taken")
        assert gap.tag("a") == 2

    def test_given_back_from_the_older_generation_it_is_free_as_well(self, clock):
        gap = MinimumGap(2, clock)
        clock.advance(1.75)
        gap.take("a", 1)
        clock.advance(0.5)
        gap.take("b", 1)  # rotates
        gap.give_back("a")
        assert gap.remaining("a") == 0.0
        assert gap.remaining("b") == 2.0

    def test_a_write_that_fails_late_does_not_free_the_window_of_the_next(self, clock):
        gap = MinimumGap(2, clock)
        gap.take("a", 1)
        clock.advance(2)
        gap.take("a", 2)
        gap.give_back("a", tag=1)
        assert gap.remaining("a") == 2.0
        gap.give_back("a", tag=2)
        assert gap.remaining("a") == 0.0

    @pytest.mark.parametrize("taken", [False, True])
    def test_hold_sets_what_the_database_said(self, clock, taken):
        gap = MinimumGap(2, clock)
        if taken:
            gap.take("a", 1)
        gap.hold("a", 0.75, 9)
        assert gap.remaining("a") == 0.75
        assert gap.tag("a") == 9
        clock.advance(0.75)
        assert gap.remaining("a") == 0.0

    def test_hold_is_never_longer_than_the_gap(self, clock):
        gap = MinimumGap(2, clock)
        gap.hold("a", 60, 1)
        assert gap.remaining("a") == 2.0

    def test_hold_with_nothing_left_frees_the_key(self, clock):
        gap = MinimumGap(2, clock)
        gap.take("a", 1)
        gap.hold("a", 0.0, 2)
        assert gap.remaining("a") == 0.0

    def test_ended_windows_are_forgotten(self, clock):
        gap = MinimumGap(2, clock)
        for number in range(10_000):
            clock.advance(1 / 64)
            gap.take(number, None)
        # 128 keys fall into 2 s, and two generations are held.
        assert len(gap) <= 2 * 128 + 1

    def test_no_window_is_forgotten_while_it_runs(self, clock):
        gap = MinimumGap(2, clock)
        for number in range(200):  # eight new keys a second, and rotations wherever they fall
            gap.take(number, None)
            for age in range(min(number + 1, 16)):
                assert gap.remaining(number - age) == 2 - age / 8
            clock.advance(1 / 8)

    def test_after_a_quiet_time_nothing_is_kept(self, clock):
        gap = MinimumGap(2, clock)
        for number in range(1000):
            gap.take(number, None)
        clock.advance(60)
        gap.take("a", None)
        assert len(gap) == 1

    def test_a_flood_of_keys_is_bounded_and_drops_the_oldest(self, clock):
        gap = MinimumGap(2, clock, max_keys=100)
        for number in range(1000):
            gap.take(number, None)
            assert len(gap) <= 100
        assert gap.remaining(0) == 0.0
        assert gap.remaining(999) == 2.0

    @pytest.mark.parametrize(("seconds", "max_keys"), [(0, 10), (-1, 10), (2, 1)])
    def test_impossible_sizes_are_refused(self, clock, seconds, max_keys):
        with pytest.raises(ValueError, match="must be"):
            MinimumGap(seconds, clock, max_keys=max_keys)

    @given(
        st.lists(
            st.tuples(steps, st.sampled_from(["take", "give_back", "hold"]), st.integers(0, 3), steps), max_size=60
        )
    )
    def test_it_agrees_with_a_table_that_never_forgets(self, moves):
        clock = HandClock()
        gap = MinimumGap(2, clock)
        ends: dict[int, tuple[float, Any]] = {}
        for number, (step, move, key, seconds) in enumerate(moves):
            clock.advance(step)
            left = max(0.0, ends.get(key, (0.0, None))[0] - clock.now)
            assert gap.remaining(key) == left
            assert gap.tag(key) == (ends[key][1] if left else None)
            if move == "give_back":
                gap.give_back(key)
                ends.pop(key, None)
            elif move == "hold":
                gap.hold(key, seconds, number)
                ends[key] = (clock.now + min(seconds, 2), number)
            elif left:
                with pytest.raises(WindowRunning):
                    gap.take(key, number)
            else:
                gap.take(key, number)
                ends[key] = (clock.now + 2, number)


class TestSlidingWindow:
    def test_the_limit_passes_and_the_next_waits_for_the_oldest(self, clock):
        window = SlidingWindow(2, 60, clock)
        assert window.hit("a").allowed
        clock.advance(10)
        second = window.hit("a")
        assert (second.allowed, second.count, second.retry_after_seconds) == (True, 2, 0.0)
        clock.advance(10)
        refused = window.hit("a")
        assert not refused.allowed
        assert refused.retry_after_seconds == pytest.approx(40, abs=0.001)
        assert window.hit("b").allowed

    def test_waiting_as_long_as_it_says_lets_the_next_pass(self, clock):
        clock.now = 1234.56789
        window = SlidingWindow(3, 7.7, clock)
        for _ in range(3):
            assert window.hit("a").allowed
            clock.advance(0.1)
        for _ in range(100):
            refused = window.hit("a")
            assert not refused.allowed
            clock.advance(refused.retry_after_seconds)
            assert window.hit("a").allowed

    @given(st.floats(0, 10), st.floats(0, 7), st.floats(7, 100))
    @settings(max_examples=500)
    def test_however_the_numbers_are_rounded(self, start, step, period):
        clock = HandClock()
        clock.now = start
        window = SlidingWindow(1, period, clock)
        assert window.hit("a").allowed
        clock.advance(step)
        second = window.hit("a")
        if not second.allowed:
            clock.advance(second.retry_after_seconds)
            assert window.hit("a").allowed

    def test_refused_hits_are_not_counted(self, clock):
        window = SlidingWindow(1, 2, clock)
        assert window.hit("a").allowed
        for _ in range(7):
            clock.advance(0.25)
            assert not window.hit("a").allowed
        clock.advance(0.25)
        assert window.hit("a").allowed

    def test_no_hit_is_forgotten_within_its_period(self, clock):
        window = SlidingWindow(1, 2, clock)
        for number in range(200):
            assert window.hit(number).allowed
            if number >= 15:
                assert not window.hit(number - 15).allowed
            clock.advance(1 / 8)

    def test_memory_follows_the_hits_of_the_last_two_periods(self, clock):
        window = SlidingWindow(5, 2, clock)
        for number in range(10_000):
            clock.advance(1 / 64)
            window.hit(number)
        assert len(window) <= 2 * 128 + 1

    def test_a_flood_of_keys_is_bounded(self, clock):
        window = SlidingWindow(1, 60, clock, max_keys=100)
        for number in range(1000):
            window.hit(number)
            assert len(window) <= 100
        assert not window.hit(999).allowed

    def test_fifty_threads_share_one_limit_exactly(self, clock):
        window = SlidingWindow(7, 60, clock)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)  # as unlucky as it gets
        try:
            with ThreadPoolExecutor(50) as pool:
                usages = list(pool.map(lambda number: window.hit(number // 50), range(5000)))
        finally:
            sys.setswitchinterval(interval)
        assert sum(usage.allowed for usage in usages) == 7 * 100

    @pytest.mark.parametrize(("limit", "period", "max_keys"), [(0, 1, 10), (1, 0, 10), (1, 1, 1)])
    def test_impossible_sizes_are_refused(self, clock, limit, period, max_keys):
        with pytest.raises(ValueError, match="must be"):
            SlidingWindow(limit, period, clock, max_keys=max_keys)

    @given(st.integers(1, 4), st.lists(st.tuples(steps, st.integers(0, 2)), max_size=80))
    def test_it_agrees_with_a_list_of_all_hits(self, limit, moves):
        clock = HandClock()
        window = SlidingWindow(limit, 2, clock)
        passed: list[tuple[float, int]] = []
        for step, key in moves:
            clock.advance(step)
            recent = [at for at, who in passed if who == key and at + 2 > clock.now]
            usage = window.hit(key)
            assert usage.allowed == (len(recent) < limit)
            if usage.allowed:
                passed.append((clock.now, key))
