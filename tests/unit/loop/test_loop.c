/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop/loop.h"

#include "base/time.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

static struct loop *loop;

/* What callbacks saw, in order. */
static int seen[64];
static int n_seen;

static void setup(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	n_seen = 0;
}

static void teardown(void)
{
	loop_free(loop);
}

static void note(int what)
{
	ck_assert_int_lt(n_seen, 64);
	seen[n_seen++] = what;
}

/* A pipe in the loop; `victim` is removed when it is called. */
struct channel {
	int number;
	int fd[2];
	struct loop_fd *src;
	struct channel *victim;
	uint32_t events;
};

static void channel_called(void *arg, uint32_t events)
{
	struct channel *c = arg;
	c->events = events;
	note(c->number);
	if (c->victim && c->victim->src) {
		loop_del_fd(loop, c->victim->src);
		c->victim->src = NULL;
	}
}

static void channel_open(struct channel *c, int number)
{
	*c = (struct channel){ .number = number };
	ck_assert_int_eq(pipe2(c->fd, O_CLOEXEC | O_NONBLOCK), 0);
	c->src = loop_add_fd(loop, c->fd[0], EPOLLIN, channel_called, c);
	ck_assert_ptr_nonnull(c->src);
}

static void channel_write(const struct channel *c)
{
	ck_assert_int_eq(write(c->fd[1], "x", 1), 1);
}

static void channel_close(struct channel *c)
{
	loop_del_fd(loop, c->src);
	close(c->fd[0]);
	close(c->fd[1]);
}

static void run(void)
{
	ck_assert_int_eq(loop_run_once(loop, 0), 0);
}

START_TEST(a_descriptor_is_called_while_it_is_ready)
{
	struct channel c;
	channel_open(&c, 1);

	run();
	ck_assert_int_eq(n_seen, 0);
	channel_write(&c);
	run();
	run();
	ck_assert_int_eq(n_seen, 2);
	ck_assert_uint_eq(c.events, EPOLLIN);
	char byte;
	ck_assert_int_eq(read(c.fd[0], &byte, 1), 1);
	run();

	ck_assert_int_eq(n_seen, 2);
	channel_close(&c);
}
END_TEST

START_TEST(a_change_of_events_holds_from_the_next_round)
{
	struct channel c;
	channel_open(&c, 1);
	channel_write(&c);

	ck_assert_int_eq(loop_mod_fd(loop, c.src, 0), 0);
	run();
	ck_assert_int_eq(n_seen, 0);
	ck_assert_int_eq(loop_mod_fd(loop, c.src, EPOLLIN), 0);
	run();

	ck_assert_int_eq(n_seen, 1);
	channel_close(&c);
}
END_TEST

START_TEST(a_hang_up_is_told_unasked)
{
	struct channel c;
	channel_open(&c, 1);

	close(c.fd[1]);
	run();

	ck_assert_int_eq(n_seen, 1);
	ck_assert_uint_eq(c.events, EPOLLHUP);
	loop_del_fd(loop, c.src);
	close(c.fd[0]);
}
END_TEST

START_TEST(a_callback_may_remove_itself)
{
	struct channel c;
	channel_open(&c, 1);
	c.victim = &c;
	channel_write(&c);

	run();
	run();

	ck_assert_int_eq(n_seen, 1);
	channel_close(&c);
}
END_TEST

START_TEST(a_source_that_is_removed_in_a_round_is_not_called_in_it)
{
	struct channel a, b;
	channel_open(&a, 1);
	channel_open(&b, 2);
	a.victim = &b;
	b.victim = &a;
	channel_write(&a);
	channel_write(&b);

	run();

	/* Which of the two comes first is the kernel's choice; the other one must stay silent. */
	ck_assert_int_eq(n_seen, 1);
	channel_close(&a);
	channel_close(&b);
}
END_TEST

static void add_another(void *arg, uint32_t events)
{
	struct channel *c = arg;
	(void)events;
	note(9);
	if (!c->src)
		channel_open(c, 2);
	channel_write(c);
}

START_TEST(a_callback_may_add_a_source)
{
	struct channel a, b = { 0 };
	channel_open(&a, 1);
	loop_del_fd(loop, a.src);
	a.src = loop_add_fd(loop, a.fd[0], EPOLLIN, add_another, &b);
	channel_write(&a);

	run();
	ck_assert_int_eq(n_seen, 1);
	run();

	ck_assert_int_eq(n_seen, 3);
	channel_close(&a);
	channel_close(&b);
}
END_TEST

START_TEST(more_ready_descriptors_than_a_round_takes_are_all_served)
{
	enum {
		MANY = 150
	};
	static struct channel c[MANY];
	for (int i = 0; i < MANY; i++) {
		channel_open(&c[i], i);
		channel_write(&c[i]);
	}

	for (int round = 0; round < 8; round++) {
		n_seen = 0;
		run();
	}

	for (int i = 0; i < MANY; i++) {
		ck_assert_msg(c[i].events == EPOLLIN, "descriptor %d was never served", i);
		channel_close(&c[i]);
	}
}
END_TEST

START_TEST(a_descriptor_that_epoll_refuses_is_an_error)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);

	errno = 0;
	ck_assert_ptr_null(loop_add_fd(loop, fd, EPOLLIN, channel_called, NULL));
	ck_assert_int_eq(errno, EPERM); /* epoll_ctl(2): a regular file */
	ck_assert_ptr_null(loop_add_fd(loop, -1, EPOLLIN, channel_called, NULL));
	ck_assert_int_eq(errno, EBADF);

	close(fd);
}
END_TEST

/* ---- timers ---------------------------------------------------------------------------------- */

struct alarm_clock {
	int number;
	struct loop_timer *timer;
	struct alarm_clock *victim; /* removed when this one rings */
	struct alarm_clock *again;  /* set for now when this one rings */
};

static void rings(void *arg)
{
	struct alarm_clock *a = arg;
	note(a->number);
	if (a->again)
		loop_set_timer(loop, a->again->timer, 0);
	if (a->victim) {
		loop_del_timer(loop, a->victim->timer);
		a->victim->timer = NULL;
	}
}

static void alarm_set(struct alarm_clock *a, int number, int64_t at_ns)
{
	*a = (struct alarm_clock){ .number = number };
	a->timer = loop_add_timer(loop, rings, a);
	ck_assert_ptr_nonnull(a->timer);
	loop_set_timer(loop, a->timer, at_ns);
}

START_TEST(timers_ring_in_the_order_of_their_times)
{
	int64_t now = time_mono_ns();
	static const int order[] = { 5, 2, 9, 1, 7, 3, 8, 4, 6, 0 };
	struct alarm_clock a[10];
	for (int i = 0; i < 10; i++)
		alarm_set(&a[i], order[i], now - 1000 + order[i]);

	run();

	ck_assert_int_eq(n_seen, 10);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(seen[i], i);
}
END_TEST

START_TEST(equal_times_ring_in_the_order_of_setting)
{
	struct alarm_clock a[20];
	for (int i = 0; i < 20; i++)
		alarm_set(&a[i], i, 1);

	run();

	ck_assert_int_eq(n_seen, 20);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(seen[i], i);
}
END_TEST

START_TEST(a_timer_rings_once_and_not_before_its_time)
{
	struct alarm_clock a;
	int64_t at = time_mono_ns() + 5 * NS_PER_MS;
	alarm_set(&a, 1, at);

	run();
	ck_assert_int_eq(n_seen, 0);
	while (n_seen == 0)
		ck_assert_int_eq(loop_run_once(loop, -1), 0);
	ck_assert_int_ge(time_mono_ns(), at);
	run();

	ck_assert_int_eq(n_seen, 1);
}
END_TEST

START_TEST(never_disarms_and_set_moves)
{
	struct alarm_clock a, b;
	alarm_set(&a, 1, 0);
	alarm_set(&b, 2, time_mono_ns() + 3600 * NS_PER_S);

	loop_set_timer(loop, a.timer, TIME_NEVER);
	loop_set_timer(loop, b.timer, 0);
	run();

	ck_assert_int_eq(n_seen, 1);
	ck_assert_int_eq(seen[0], 2);
}
END_TEST

START_TEST(a_timer_set_for_now_by_a_timer_waits_for_the_next_round)
{
	struct alarm_clock a;
	alarm_set(&a, 1, 0);
	a.again = &a;

	run();
	ck_assert_int_eq(n_seen, 1);
	run();
	ck_assert_int_eq(n_seen, 2);
}
END_TEST

START_TEST(a_timer_may_remove_itself_and_one_that_is_due)
{
	struct alarm_clock a, b, c;
	alarm_set(&a, 1, 1);
	alarm_set(&b, 2, 2);
	alarm_set(&c, 3, 3);
	a.victim = &b;
	c.victim = &c;

	run();
	run();

	ck_assert_int_eq(n_seen, 2);
	ck_assert_int_eq(seen[0], 1);
	ck_assert_int_eq(seen[1], 3);
}
END_TEST

START_TEST(a_due_timer_that_is_moved_by_another_is_not_called_in_that_round)
{
	struct alarm_clock a, b;
	alarm_set(&a, 1, 1);
	alarm_set(&b, 2, 2);
	a.again = &b;

	run();
	ck_assert_int_eq(n_seen, 1);
	run();
	ck_assert_int_eq(n_seen, 2);
	ck_assert_int_eq(seen[1], 2);
}
END_TEST

static int64_t last_at;
static int n_rung;

/* Each timer knows its time; they must ring in that order. */
static void rings_in_order(void *arg)
{
	int64_t at = *(const int64_t *)arg;
	ck_assert_int_ge(at, last_at);
	last_at = at;
	n_rung++;
}

START_TEST(many_timers_set_moved_and_removed_at_random_ring_in_order)
{
	enum {
		MANY = 399
	};
	static struct loop_timer *t[MANY];
	static int64_t at[MANY];
	srandom(7);
	for (int i = 0; i < MANY; i++) {
		t[i] = loop_add_timer(loop, rings_in_order, &at[i]);
		loop_set_timer(loop, t[i], random() % 1000);
	}

	for (int i = 0; i < MANY; i++) {
		at[i] = random() % 1000;
		if (i % 3 == 0)
			loop_del_timer(loop, t[i]);
		else
			loop_set_timer(loop, t[i], at[i]);
	}
	run();

	ck_assert_int_eq(n_rung, MANY - MANY / 3);
}
END_TEST

START_TEST(a_time_out_ends_the_wait_without_a_call)
{
	int64_t before = time_mono_ns();

	ck_assert_int_eq(loop_run_once(loop, 3 * NS_PER_MS), 0);

	ck_assert_int_ge(time_mono_ns() - before, 3 * NS_PER_MS);
	ck_assert_int_eq(n_seen, 0);
}
END_TEST

/* ---- signals --------------------------------------------------------------------------------- */

static void nothing(int signo)
{
	(void)signo;
}

START_TEST(an_interruption_by_a_signal_is_no_error)
{
	struct sigaction sa = { .sa_handler = nothing };
	/* Again and again, as the first may come before the wait has begun. */
	struct itimerval often = { .it_value.tv_usec = 1000, .it_interval.tv_usec = 1000 };
	ck_assert_int_eq(sigaction(SIGALRM, &sa, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);

	ck_assert_int_eq(loop_run_once(loop, -1), 0);
}
END_TEST

static void got_signal(void *arg, int signo)
{
	(void)arg;
	note(signo);
}

START_TEST(caught_signals_are_calls)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	ck_assert_int_eq(loop_catch_signals(loop, &set, got_signal, NULL), 0);

	ck_assert_int_eq(raise(SIGTERM), 0);
	ck_assert_int_eq(raise(SIGHUP), 0);
	run();

	ck_assert_int_eq(n_seen, 2);
	ck_assert_int_eq(seen[0] + seen[1], SIGTERM + SIGHUP);
}
END_TEST

START_TEST(descriptors_of_the_loop_do_not_reach_programs_that_are_run)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	ck_assert_int_eq(loop_catch_signals(loop, &set, got_signal, NULL), 0);

	/* Any descriptor the loop opened, epoll and signalfd, is above stderr here. */
	int n = 0;
	for (int fd = 3; fd < 64; fd++) {
		char link[64], path[32];
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t len = readlink(path, link, sizeof link - 1);
		if (len < 0)
			continue;
		link[len] = '\0';
		if (strncmp(link, "anon_inode:", 11) != 0)
			continue;
		n++;
		ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	}

	ck_assert_int_eq(n, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop/loop");

	TCase *fds = tcase_create("descriptors");
	tcase_add_checked_fixture(fds, setup, teardown);
	tcase_add_test(fds, a_descriptor_is_called_while_it_is_ready);
	tcase_add_test(fds, a_change_of_events_holds_from_the_next_round);
	tcase_add_test(fds, a_hang_up_is_told_unasked);
	tcase_add_test(fds, a_callback_may_remove_itself);
	tcase_add_test(fds, a_source_that_is_removed_in_a_round_is_not_called_in_it);
	tcase_add_test(fds, a_callback_may_add_a_source);
	tcase_add_test(fds, more_ready_descriptors_than_a_round_takes_are_all_served);
	tcase_add_test(fds, a_descriptor_that_epoll_refuses_is_an_error);
	suite_add_tcase(s, fds);

	TCase *timers = tcase_create("timers");
	tcase_add_checked_fixture(timers, setup, teardown);
	tcase_add_test(timers, timers_ring_in_the_order_of_their_times);
	tcase_add_test(timers, equal_times_ring_in_the_order_of_setting);
	tcase_add_test(timers, a_timer_rings_once_and_not_before_its_time);
	tcase_add_test(timers, never_disarms_and_set_moves);
	tcase_add_test(timers, a_timer_set_for_now_by_a_timer_waits_for_the_next_round);
	tcase_add_test(timers, a_timer_may_remove_itself_and_one_that_is_due);
	tcase_add_test(timers, a_due_timer_that_is_moved_by_another_is_not_called_in_that_round);
	tcase_add_test(timers, many_timers_set_moved_and_removed_at_random_ring_in_order);
	tcase_add_test(timers, a_time_out_ends_the_wait_without_a_call);
	suite_add_tcase(s, timers);

	TCase *others = tcase_create("signals");
	tcase_add_checked_fixture(others, setup, teardown);
	tcase_add_test(others, an_interruption_by_a_signal_is_no_error);
	tcase_add_test(others, caught_signals_are_calls);
	tcase_add_test(others, descriptors_of_the_loop_do_not_reach_programs_that_are_run);
	suite_add_tcase(s, others);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
