/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The link against a shepherd that the test plays itself, on a raw socket.
 */
#include "shepherd/link.h"

#include "base/err.h"
#include "base/time.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATIENCE_S = 20,
	NEWS_MAX = 64,
	BIG = 3 * 1024 * 1024,
	NOBODY = 65534
};

static char dir[256];
static int own_fd = -1, listen_fd = -1, peer_fd = -1;
static struct loop *loop;
static struct link *l;
static struct buf got; /* what the peer has read and not taken */

/* ---- what the link says ---- */

static struct {
	uint32_t n_up, n_down, n_room, n_known, n_ended;
	struct frame_hello hello;
	char why[WQ_ERR_TEXT_SIZE];
	struct frame_child known[NEWS_MAX];
	char ended[NEWS_MAX][FRAME_NAME_MAX + 1];
	struct wq_child_end end; /* the last; its texts are gone */
	char end_error[WQ_ERR_NAME_SIZE];
} news;

static bool inside; /* a function of the link runs: nothing may be called */

static void on_known(void *arg, const struct frame_child *child)
{
	ck_assert_ptr_eq(arg, &news);
	ck_assert(!inside);
	ck_assert(!link_is_up(l));
	ck_assert_uint_lt(news.n_known, NEWS_MAX);
	news.known[news.n_known++] = *child;
}

static void on_up(void *arg, const struct frame_hello *hello)
{
	(void)arg;
	ck_assert(!inside);
	ck_assert(link_is_up(l));
	news.n_up++;
	news.hello = *hello;
}

static void on_down(void *arg, const char *why)
{
	(void)arg;
	ck_assert(!inside);
	ck_assert(!link_is_up(l));
	news.n_down++;
	snprintf(news.why, sizeof news.why, "%s", why);
}

static void on_ended(void *arg, const char *name, const struct wq_child_end *end)
{
	(void)arg;
	ck_assert(!inside);
	ck_assert(link_is_up(l));
	ck_assert_uint_lt(news.n_ended, NEWS_MAX);
	strcpy(news.ended[news.n_ended++], name);
	snprintf(news.end_error, sizeof news.end_error, "%s", end->error ? end->error : "");
	news.end = *end;
}

static void on_room(void *arg)
{
	(void)arg;
	ck_assert(!inside);
	news.n_room++;
}

/* ---- the ground ---- */

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/wq-link.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	own_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(own_fd, 0);
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
	static const char *const names[] = { "shepherd.sock" };

	link_free(l, true);
	l = NULL;
	loop_free(loop);
	if (peer_fd >= 0)
		close(peer_fd);
	if (listen_fd >= 0)
		close(listen_fd);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlinkat(own_fd, names[i], 0);
	close(own_fd);
	ck_assert_int_eq(rmdir(dir), 0);
	buf_fini(&got);
}

static void begin(const char *program, const char *root)
{
	const struct link_place place = {
		.own_fd = own_fd,
		.root = root,
		.uuid = "0b0e7a52",
		.program = program,
		.linger_ns = 1500 * NS_PER_MS,
	};
	const struct link_events events = { &news, on_known, on_up, on_down, on_ended, on_room };
	struct wq_err err = { 0 };

	inside = true;
	ck_assert_int_eq(link_new(&l, loop, &place, &events, &err), 0);
	inside = false;
}

static int64_t deadline(void)
{
	return time_mono_ns() + PATIENCE_S * NS_PER_S;
}

#define RUN_UNTIL(cond)                                                                            \
	do {                                                                                       \
		for (int64_t end_ = deadline(); !(cond);) {                                        \
			ck_assert_msg(time_mono_ns() < end_, "'%s' does not come", #cond);         \
			ck_assert_int_eq(loop_run_once(loop, 20 * NS_PER_MS), 0);                  \
		}                                                                                  \
	} while (0)

/* ---- the shepherd, played ---- */

static int listen_in(int at_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof addr.sun_path, "/proc/self/fd/%d/shepherd.sock", at_fd);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 4) < 0)
		return -1;
	return fd;
}

static void peer_listen(void)
{
	listen_fd = listen_in(own_fd);
	ck_assert_int_ge(listen_fd, 0);
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void peer_accept(void)
{
	RUN_UNTIL(is_readable(listen_fd));
	peer_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(peer_fd, 0);
}

static void peer_close(void)
{
	close(peer_fd);
	peer_fd = -1;
	got.len = 0;
}

/* Read what is there.  False at the end of all. */
static bool peer_read(void)
{
	ck_assert_int_eq(buf_reserve(&got, 1 << 20), 0);
	ssize_t n = recv(peer_fd, got.data + got.len, 1 << 20, MSG_DONTWAIT);

	if (n > 0)
		got.len += (size_t)n;
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool peer_take(struct frame *ret)
{
	struct wq_err err = { 0 };
	int64_t size = frame_take(got.data, got.len, ret, &err);

	ck_assert_msg(size >= 0, "the link says what cannot be understood: %s", err.text);
	if (size > 0)
		memmove(got.data, got.data + size, got.len - (size_t)size);
	got.len -= (size_t)size;
	return size > 0;
}

/* The next frame from the link; it is of this kind. */
static struct frame peer_gets(enum frame_kind kind)
{
	struct frame frame;

	RUN_UNTIL(peer_take(&frame) || !peer_read());
	ck_assert_int_eq(frame.kind, kind);
	return frame;
}

static void peer_gets_name(enum frame_kind kind, const char *name)
{
	struct frame frame = peer_gets(kind);

	ck_assert_str_eq(frame.name, name);
	frame_spawn_fini(&frame.spawn);
}

static void peer_writes(const void *bytes, size_t len)
{
	ck_assert_int_eq(send(peer_fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void peer_says(struct buf *b)
{
	peer_writes(b->data, b->len);
	buf_fini(b);
}

static const struct frame_hello shepherds_hello = {
	.major = FRAME_MAJOR,
	.minor = FRAME_MINOR,
	.pid = 77,
	.containment = "best effort",
	.version = "9.9",
	.same_boot = true,
};

static void put_hello(struct buf *b, uint32_t major)
{
	struct frame_hello hello = shepherds_hello;

	hello.major = major;
	ck_assert_int_eq(frame_put_hello(b, &hello), 0);
}

static void put_child(struct buf *b, const char *name, int64_t pid)
{
	struct frame_child child = { .pid = pid, .began_us = 5 };

	strcpy(child.name, name);
	ck_assert_int_eq(frame_put_child(b, &child), 0);
}

static void put_ended(struct buf *b, const char *name, int32_t code)
{
	struct wq_child_end end = { .struct_size = sizeof end, .how = WQ_CHILD_EXITED };

	end.code = code;
	ck_assert_int_eq(frame_put_ended(b, name, &end), 0);
}

/* From the accepted connection to `up`, with no children. */
static void peer_greets(void)
{
	struct buf b = { 0 };

	peer_gets(FRAME_HELLO);
	peer_gets(FRAME_LIST);
	put_hello(&b, FRAME_MAJOR);
	ck_assert_int_eq(frame_put_simple(&b, FRAME_LISTED), 0);
	peer_says(&b);
	uint32_t n_up = news.n_up;
	RUN_UNTIL(news.n_up > n_up);
}

static void connect_all(void)
{
	peer_listen();
	begin("/nonexistent", "/spool");
	peer_accept();
	peer_greets();
}

/* ---- orders ---- */

static int spawn(const char *name, size_t input)
{
	static const char *const argv[] = { "true", NULL };
	static char bytes[FRAME_MAX + 1];
	struct frame_spawn s = {
		.work_dir = "/w",
		.out_name = "stdout",
		.err_name = "stderr",
		.what = { .struct_size = sizeof s.what,
			.argv = argv,
			.input = { .ptr = bytes, .len = input } },
	};
	struct wq_err err = { 0 };

	strcpy(s.name, name);
	strcpy(s.tag, name);
	inside = true;
	int rc = link_spawn(l, &s, &err);
	inside = false;
	ck_assert(rc >= 0 || err.text[0]);
	return rc;
}

static int ack(const char *name)
{
	inside = true;
	int rc = link_ack(l, name);
	inside = false;
	return rc;
}

static int end(const char *name)
{
	inside = true;
	int rc = link_end(l, name, WQ_TERM_GRACEFUL, 250);
	inside = false;
	return rc;
}

/* ---- greeting ---- */

START_TEST(hello_goes_first_and_then_list)
{
	peer_listen();
	begin("/nonexistent", "/spool");
	peer_accept();

	struct frame frame = peer_gets(FRAME_HELLO);
	ck_assert_uint_eq(frame.hello.major, FRAME_MAJOR);
	ck_assert_uint_eq(frame.hello.minor, FRAME_MINOR);
	ck_assert_int_eq(frame.hello.linger_ms, 1500);
	ck_assert_int_eq(frame.hello.pid, getpid());
	peer_gets(FRAME_LIST);
	ck_assert_uint_eq(news.n_up, 0);
}
END_TEST

START_TEST(each_child_is_told_and_then_that_it_is_up_and_then_the_ends)
{
	struct buf b = { 0 };

	peer_listen();
	begin("/nonexistent", "/spool");
	peer_accept();
	put_hello(&b, FRAME_MAJOR);
	put_child(&b, "u.1.1", 4711);
	put_child(&b, "u.2.1.copy", 0);
	put_ended(&b, "u.2.1.copy", 9); /* too early: it will be told again */
	peer_says(&b);
	RUN_UNTIL(news.n_known == 2);
	ck_assert(!link_is_up(l));
	ck_assert_str_eq(link_containment(l), "");

	ck_assert_int_eq(frame_put_simple(&b, FRAME_LISTED), 0);
	put_ended(&b, "u.2.1.copy", 3);
	peer_says(&b);
	RUN_UNTIL(news.n_ended == 1);
	ck_assert_uint_eq(news.n_up, 1);
	ck_assert_str_eq(news.known[0].name, "u.1.1");
	ck_assert_int_eq(news.known[0].pid, 4711);
	ck_assert_str_eq(news.known[1].name, "u.2.1.copy");
	ck_assert_str_eq(news.ended[0], "u.2.1.copy");
	ck_assert_int_eq(news.end.code, 3);
	ck_assert_int_eq(news.hello.pid, 77);
	ck_assert(news.hello.same_boot);
	ck_assert_str_eq(link_containment(l), "best effort");
	ck_assert_uint_eq(news.n_down, 0);
}
END_TEST

START_TEST(news_that_come_byte_by_byte_are_put_together)
{
	struct buf b = { 0 };

	peer_listen();
	begin("/nonexistent", "/spool");
	peer_accept();
	put_hello(&b, FRAME_MAJOR);
	put_child(&b, "u.1.1", 4711);
	ck_assert_int_eq(frame_put_simple(&b, FRAME_LISTED), 0);
	for (size_t i = 0; i < b.len; i++) {
		peer_writes(b.data + i, 1);
		ck_assert_int_eq(loop_run_once(loop, 0), 0);
		ck_assert_int_eq(loop_run_once(loop, 0), 0);
	}
	buf_fini(&b);
	RUN_UNTIL(news.n_up == 1);
	ck_assert_uint_eq(news.n_known, 1);
}
END_TEST

START_TEST(what_a_newer_shepherd_says_besides_is_passed_over)
{
	/* { "frame": "news" } of RFC 8949. */
	static const uint8_t unknown[] = "\0\0\0\x0c\xa1\x65"
					 "frame\x64"
					 "news";
	struct buf b = { 0 };

	peer_listen();
	begin("/nonexistent", "/spool");
	peer_accept();
	peer_writes(unknown, sizeof unknown - 1);
	put_hello(&b, FRAME_MAJOR);
	ck_assert_int_eq(buf_add(&b, unknown, sizeof unknown - 1), 0);
	ck_assert_int_eq(frame_put_simple(&b, FRAME_LISTED), 0);
	ck_assert_int_eq(buf_add(&b, unknown, sizeof unknown - 1), 0);
	put_ended(&b, "u.1.1", 0);
	peer_says(&b);
	RUN_UNTIL(news.n_ended == 1);
	ck_assert_uint_eq(news.n_down, 0);
}
END_TEST

START_TEST(one_of_another_major_is_told_to_quit_and_waited_for)
{
	struct buf b = { 0 };

	peer_listen();
	begin("/nonexistent", "/spool");
	peer_accept();
	put_hello(&b, FRAME_MAJOR + 1);
	peer_says(&b);
	RUN_UNTIL(news.n_down == 1);
	ck_assert_ptr_nonnull(strstr(news.why, "version 2"));
	peer_gets(FRAME_HELLO);
	peer_gets(FRAME_LIST);
	peer_gets(FRAME_QUIT);
	peer_close();

	/* It comes again, and people are not told again. */
	peer_accept();
	put_hello(&b, FRAME_MAJOR + 1);
	peer_says(&b);
	peer_gets(FRAME_HELLO);
	peer_gets(FRAME_LIST);
	peer_gets(FRAME_QUIT);
	peer_close();
	ck_assert_uint_eq(news.n_down, 1);

	peer_accept();
	peer_greets();
	ck_assert_uint_eq(news.n_up, 1);
}
END_TEST

START_TEST(one_that_does_not_say_hello_first_is_given_up)
{
	struct buf b = { 0 };

	peer_listen();
	begin("/nonexistent", "/spool");
	peer_accept();
	put_ended(&b, "u.1.1", 0);
	peer_says(&b);
	RUN_UNTIL(news.n_down == 1);
	ck_assert_ptr_nonnull(strstr(news.why, "hello"));
	peer_close();
	peer_accept();
	peer_greets();
}
END_TEST

START_TEST(one_that_talks_nonsense_is_given_up)
{
	connect_all();
	peer_writes("\xff\xff\xff\xff", 4);
	RUN_UNTIL(news.n_down == 1);
	ck_assert_ptr_nonnull(strstr(news.why, "cannot be understood"));
	peer_close();
	peer_accept();
	peer_greets();
}
END_TEST

START_TEST(a_stranger_who_listens_is_not_talked_to)
{
	int ready[2];

	if (geteuid() != 0)
		return; /* only root can be someone else */
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(PATIENCE_S);
		int ok = setgid(NOBODY) == 0 && setuid(NOBODY) == 0 && listen_in(own_fd) >= 0;
		if (write(ready[1], "x", (size_t)ok) == 1)
			pause();
		_exit(1);
	}
	char x;
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &x, 1), 1);
	begin("/nonexistent", "/spool");
	RUN_UNTIL(news.n_down == 1);
	ck_assert_ptr_nonnull(strstr(news.why, "not ours"));
	ck_assert_ptr_nonnull(strstr(news.why, "65534"));
	ck_assert_uint_eq(news.n_up, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
}
END_TEST

/* ---- orders ---- */

START_TEST(orders_arrive_as_they_were_given)
{
	connect_all();
	ck_assert_int_eq(spawn("u.1.1", 1000), WQ_OK);
	ck_assert_int_eq(end("u.1.1"), 0);
	ck_assert_int_eq(ack("u.1.1"), 0);

	struct frame frame = peer_gets(FRAME_SPAWN);
	ck_assert_str_eq(frame.name, "u.1.1");
	ck_assert_str_eq(frame.spawn.what.argv[0], "true");
	ck_assert_uint_eq(frame.spawn.what.input.len, 1000);
	frame_spawn_fini(&frame.spawn);
	frame = peer_gets(FRAME_END);
	ck_assert_str_eq(frame.name, "u.1.1");
	ck_assert_uint_eq(frame.end.how, WQ_TERM_GRACEFUL);
	ck_assert_uint_eq(frame.end.grace_ms, 250);
	peer_gets_name(FRAME_ACK, "u.1.1");
}
END_TEST

START_TEST(it_is_busy_until_it_is_up)
{
	peer_listen();
	begin("/nonexistent", "/spool");
	ck_assert_int_eq(spawn("u.1.1", 0), WQ_BUSY);
	ck_assert_int_eq(ack("u.1.1"), 0);
	peer_accept();
	peer_gets(FRAME_HELLO);
	ck_assert_int_eq(spawn("u.1.1", 0), WQ_BUSY);
	peer_gets(FRAME_LIST);
}
END_TEST

START_TEST(it_is_busy_while_a_spawn_waits_and_says_when_it_no_longer_is)
{
	connect_all();
	ck_assert_int_eq(spawn("u.1.1", BIG), WQ_OK);
	ck_assert_int_eq(spawn("u.2.1", 0), WQ_BUSY);
	/* Short orders go behind it all the same. */
	ck_assert_int_eq(end("u.1.1"), 0);
	ck_assert_int_eq(ack("u.3.1"), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_run_once(loop, 0), 0);
	ck_assert_uint_eq(news.n_room, 0);
	ck_assert_int_eq(spawn("u.2.1", 0), WQ_BUSY);

	struct frame frame = peer_gets(FRAME_SPAWN);
	ck_assert_uint_eq(frame.spawn.what.input.len, BIG);
	frame_spawn_fini(&frame.spawn);
	peer_gets_name(FRAME_END, "u.1.1");
	peer_gets_name(FRAME_ACK, "u.3.1");
	RUN_UNTIL(news.n_room == 1);

	ck_assert_int_eq(spawn("u.2.1", 0), WQ_OK);
	peer_gets_name(FRAME_SPAWN, "u.2.1");
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_run_once(loop, 0), 0);
	ck_assert_uint_eq(news.n_room, 1);
}
END_TEST

/* A short order may push the rest out; the word still comes from the loop. */
START_TEST(room_is_told_though_an_order_made_it)
{
	connect_all();
	ck_assert_int_eq(spawn("u.1.1", 400 * 1000), WQ_OK);
	ck_assert_int_eq(spawn("u.2.1", 0), WQ_BUSY);
	for (int i = 0; i < 2000 && got.len < 400 * 1000; i++) {
		ck_assert(peer_read());
		ck_assert_int_eq(ack("u.9.1"), 0);
	}
	ck_assert_uint_eq(news.n_room, 0);
	RUN_UNTIL(news.n_room == 1);
	ck_assert_int_eq(spawn("u.2.1", 0), WQ_OK);
}
END_TEST

START_TEST(what_is_too_much_for_a_frame_is_refused_and_nothing_else_suffers)
{
	connect_all();
	ck_assert_int_eq(spawn("u.1.1", FRAME_MAX), -WQ_E_LIMIT);
	ck_assert_int_eq(spawn("u.2.1", 10), WQ_OK);
	peer_gets_name(FRAME_SPAWN, "u.2.1");
}
END_TEST

START_TEST(many_orders_that_nobody_reads_all_arrive)
{
	enum {
		MANY = 20000
	};
	char name[32];

	connect_all();
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "u.%d.1", i);
		ck_assert_int_eq(ack(name), 0);
	}
	for (int i = 0; i < MANY; i++) {
		struct frame frame;
		snprintf(name, sizeof name, "u.%d.1", i);
		while (!peer_take(&frame)) {
			peer_read();
			loop_run_once(loop, 0);
		}
		if (frame.kind != FRAME_ACK || strcmp(frame.name, name) != 0)
			ck_abort_msg("%s did not arrive in its place", name);
	}
}
END_TEST

/* ---- coming and going ---- */

START_TEST(when_the_connection_ends_it_is_made_again_and_all_is_told_again)
{
	struct buf b = { 0 };

	connect_all();
	ck_assert_int_eq(spawn("u.1.1", BIG), WQ_OK);
	peer_close();
	RUN_UNTIL(news.n_down == 1);
	ck_assert_ptr_nonnull(strstr(news.why, "wq-shepherd"));
	ck_assert_str_eq(link_containment(l), "");
	ck_assert_int_eq(spawn("u.2.1", 0), WQ_BUSY);

	peer_accept();
	peer_gets(FRAME_HELLO); /* nothing of before is left in front of it */
	peer_gets(FRAME_LIST);
	put_hello(&b, FRAME_MAJOR);
	put_child(&b, "u.1.1", 99);
	ck_assert_int_eq(frame_put_simple(&b, FRAME_LISTED), 0);
	peer_says(&b);
	RUN_UNTIL(news.n_up == 2);
	ck_assert_uint_eq(news.n_known, 1);
	ck_assert_int_eq(spawn("u.2.1", 0), WQ_OK);
	peer_gets_name(FRAME_SPAWN, "u.2.1");
	ck_assert_uint_eq(news.n_down, 1);
}
END_TEST

START_TEST(news_that_came_before_the_connection_broke_are_told)
{
	struct buf b = { 0 };

	connect_all();
	put_ended(&b, "u.1.1", 1);
	put_ended(&b, "u.2.1", 2);
	peer_says(&b);
	peer_close();
	RUN_UNTIL(news.n_down == 1);
	ck_assert_uint_eq(news.n_ended, 2);
}
END_TEST

START_TEST(quit_is_said_when_it_is_wanted)
{
	connect_all();
	inside = true;
	link_free(l, _i == 1);
	l = NULL;
	inside = false;
	if (_i == 1)
		peer_gets(FRAME_QUIT);
	ck_assert_uint_eq(got.len, 0);
	ck_assert(!peer_read()); /* the end */
}
END_TEST

START_TEST(one_that_was_never_connected_can_be_freed)
{
	begin("/nonexistent", "/spool");
	link_free(l, true);
	l = NULL;
	link_free(NULL, true);
}
END_TEST

static Suite *link_suite(void)
{
	Suite *s = suite_create("shepherd/link");
	TCase *greeting = tcase_create("greeting"), *orders = tcase_create("orders"),
	      *going = tcase_create("coming and going");

	tcase_add_checked_fixture(greeting, setup, teardown);
	tcase_set_timeout(greeting, 2 * PATIENCE_S);
	tcase_add_test(greeting, hello_goes_first_and_then_list);
	tcase_add_test(greeting, each_child_is_told_and_then_that_it_is_up_and_then_the_ends);
	tcase_add_test(greeting, news_that_come_byte_by_byte_are_put_together);
	tcase_add_test(greeting, what_a_newer_shepherd_says_besides_is_passed_over);
	tcase_add_test(greeting, one_of_another_major_is_told_to_quit_and_waited_for);
	tcase_add_test(greeting, one_that_does_not_say_hello_first_is_given_up);
	tcase_add_test(greeting, one_that_talks_nonsense_is_given_up);
	tcase_add_test(greeting, a_stranger_who_listens_is_not_talked_to);
	suite_add_tcase(s, greeting);

	tcase_add_checked_fixture(orders, setup, teardown);
	tcase_set_timeout(orders, 2 * PATIENCE_S);
	tcase_add_test(orders, orders_arrive_as_they_were_given);
	tcase_add_test(orders, it_is_busy_until_it_is_up);
	tcase_add_test(orders, it_is_busy_while_a_spawn_waits_and_says_when_it_no_longer_is);
	tcase_add_test(orders, room_is_told_though_an_order_made_it);
	tcase_add_test(orders, what_is_too_much_for_a_frame_is_refused_and_nothing_else_suffers);
	tcase_add_test(orders, many_orders_that_nobody_reads_all_arrive);
	suite_add_tcase(s, orders);

	tcase_add_checked_fixture(going, setup, teardown);
	tcase_set_timeout(going, 2 * PATIENCE_S);
	tcase_add_test(going, when_the_connection_ends_it_is_made_again_and_all_is_told_again);
	tcase_add_test(going, news_that_came_before_the_connection_broke_are_told);
	tcase_add_loop_test(going, quit_is_said_when_it_is_wanted, 0, 2);
	tcase_add_test(going, one_that_was_never_connected_can_be_freed);
	suite_add_tcase(s, going);

	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(link_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
