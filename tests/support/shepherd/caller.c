/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/shepherd/caller.h"

#include "base/address.h"
#include "base/log.h"
#include "support/shepherd/place.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct loop *caller_loop;
struct serve *caller_serve;
char caller_uuid[32];
static struct wq_err err;
int caller_fd = -1;
static struct buf in;
static size_t in_at;
struct frame caller_frame;

void caller_setup(void)
{
	log_set_level(LOG_LEVEL_ERR);
	snprintf(caller_uuid, sizeof caller_uuid, "testserve%d", (int)getpid());
	place_open();
	place_mkdir("run", 0700);
	place_mkdir("work", 0700);
	err = (struct wq_err){ .struct_size = sizeof err };
	caller_loop = loop_new();
	ck_assert_ptr_nonnull(caller_loop);
	ck_assert_msg(serve_new(&caller_serve, caller_loop, place_fd, caller_uuid, &err) == 0, "%s",
		err.text);
}

void caller_teardown(void)
{
	serve_free(caller_serve);
	loop_free(caller_loop);
	buf_fini(&in);
	if (caller_fd >= 0)
		(void)close(caller_fd);
	place_close();
}

/* ---- a server -------------------------------------------------------------------------------- */

int caller_connect(void)
{
	struct sockaddr_un address;
	ck_assert_int_eq(address_make(&address, place_fd, "shepherd.sock"), 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

void caller_send(int fd, struct buf *b)
{
	ck_assert_int_eq(send(fd, b->data, b->len, MSG_NOSIGNAL), (ssize_t)b->len);
	buf_fini(b);
}

void caller_put_hello(struct buf *b, uint32_t major, int64_t linger_ms)
{
	struct frame_hello hello = { .major = major, .pid = getpid(), .linger_ms = linger_ms };
	ck_assert_int_eq(frame_put_hello(b, &hello), 0);
}

void caller_put_spawn_with(
	struct buf *b, const char *name, const char *script, uint32_t flags, size_t input_len)
{
	static uint8_t input[CALLER_INPUT_MAX];
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct frame_spawn s = { .work_dir = place_at("work"),
		.out_name = "stdout",
		.err_name = "stderr",
		.what = { .argv = argv,
			.out_limit = 1000,
			.err_limit = 1000,
			.grace_ms = 1000,
			.flags = flags,
			.input = { .ptr = input, .len = input_len } } };
	snprintf(s.name, sizeof s.name, "%s", name);
	snprintf(s.tag, sizeof s.tag, "%s.1", caller_uuid);
	ck_assert_int_eq(frame_put_spawn(b, &s), 0);
}

void caller_put_spawn(struct buf *b, const char *name, const char *script)
{
	caller_put_spawn_with(b, name, script, 0, 0);
}

int caller_next(int fd, int rounds)
{
	while (rounds-- != 0) {
		int64_t n = frame_take(in.data + in_at, in.len - in_at, &caller_frame, &err);
		ck_assert_int_ge(n, 0);
		if (n > 0) {
			in_at += (size_t)n;
			return 1;
		}
		if (in_at > 0)
			memmove(in.data, in.data + in_at, in.len - in_at);
		in.len -= in_at;
		in_at = 0;
		char bytes[65536];
		ssize_t got = recv(fd, bytes, sizeof bytes, 0);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return 0;
		if (got > 0)
			ck_assert_int_eq(buf_add(&in, bytes, (size_t)got), 0);
		else
			ck_assert_int_eq(loop_run_once(caller_loop, CALLER_ROUND_NS), 0);
	}
	return -1;
}

void caller_expect(enum frame_kind kind)
{
	ck_assert_int_eq(caller_next(caller_fd, -1), 1);
	ck_assert_int_eq(caller_frame.kind, kind);
}

void caller_greet(int64_t linger_ms)
{
	struct buf b = { 0 };
	caller_fd = caller_connect();
	caller_put_hello(&b, FRAME_MAJOR, linger_ms);
	caller_send(caller_fd, &b);
	caller_expect(FRAME_HELLO);
}

void caller_order(enum frame_kind kind)
{
	struct buf b = { 0 };
	ck_assert_int_eq(frame_put_simple(&b, kind), 0);
	caller_send(caller_fd, &b);
}

void caller_spawn(const char *name, const char *script)
{
	struct buf b = { 0 };
	caller_put_spawn(&b, name, script);
	caller_send(caller_fd, &b);
}

void caller_ack(const char *name)
{
	struct buf b = { 0 };
	ck_assert_int_eq(frame_put_ack(&b, name), 0);
	caller_send(caller_fd, &b);
}

void caller_become(int fd)
{
	if (caller_fd >= 0)
		(void)close(caller_fd);
	caller_fd = fd;
	in_at = in.len = 0;
}

void caller_disconnect(void)
{
	caller_become(-1);
}

void caller_run_until_done(void)
{
	while (!serve_is_done(caller_serve))
		ck_assert_int_eq(loop_run_once(caller_loop, -1), 0);
}
