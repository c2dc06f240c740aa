/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/publish.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

#define NOON_US (UINT64_C(1700000000) * 1000000)

static struct spool client;

static void open_client(void)
{
	struct wq_err err = { 0 };
	tmpspool_open();
	int rc = spool_open_client(&client, tmpspool_path, &fault_io, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static void close_client(void)
{
	spool_close(&client);
	tmpspool_close();
}

START_TEST(a_published_request_stands_whole_under_its_id)
{
	struct reqid id;
	char text[REQID_SIZE];
	struct stat st;
	client.named_tmp = _i;
	fault_max_bytes = 3;
	mode_t old = umask(0777);

	ck_assert_int_eq(publish_request(&client, "hello, world", 12, &id, NULL), 0);

	umask(old);
	ck_assert(tmpspool_holds("1-requested", reqid_format(id, text), "hello, world"));
	ck_assert_int_eq(tmpspool_count("1-requested"), 1);
	ck_assert_int_eq(stat(tmpspool_at("1-requested", text), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(st.st_nlink, 1);
}
END_TEST

START_TEST(the_id_is_never_before_the_clock_the_mark_or_the_last_one)
{
	struct reqid first, second, third, fourth;
	fault_clock = NOON_US;

	ck_assert_int_eq(publish_request(&client, "a", 1, &first, NULL), 0);
	ck_assert_int_eq(publish_request(&client, "b", 1, &second, NULL), 0);
	client.hwm_us = NOON_US + 500;
	ck_assert_int_eq(publish_request(&client, "c", 1, &third, NULL), 0);
	fault_clock = NOON_US - 3600 * UINT64_C(1000000);
	ck_assert_int_eq(publish_request(&client, "d", 1, &fourth, NULL), 0);

	ck_assert_uint_eq(first.us, NOON_US);
	ck_assert_uint_eq(second.us, NOON_US + 1);
	ck_assert_uint_eq(third.us, NOON_US + 501);
	ck_assert_uint_eq(fourth.us, NOON_US + 502);
}
END_TEST

START_TEST(after_the_last_id_there_is_an_error_and_no_request)
{
	struct reqid id;
	fault_clock = REQID_US_MAX + 1;

	ck_assert_int_eq(publish_request(&client, "a", 1, &id, NULL), -EOVERFLOW);
	ck_assert_int_eq(tmpspool_count("1-requested"), 0);
}
END_TEST

/* ---- collisions ------------------------------------------------------------------------------- */

enum {
	CLIENTS = 8
};

static uint64_t frozen_us(void)
{
	return NOON_US;
}

/* All clients draw the same. */
static int same_random(void *bytes, size_t len)
{
	memset(bytes, 0x11, len);
	return 0;
}

static struct spool_io same_io;

struct one {
	pthread_t thread;
	char bytes[2];
	struct reqid id;
	int rc;
};

static void *publish_one(void *arg)
{
	struct one *one = arg;
	struct spool sp;
	one->rc = spool_open_client(&sp, tmpspool_path, &same_io, NULL);
	if (one->rc < 0)
		return NULL;
	one->rc = publish_request(&sp, one->bytes, 1, &one->id, NULL);
	spool_close(&sp);
	return NULL;
}

static int by_id(const void *a, const void *b)
{
	const struct one *x = a, *y = b;
	return reqid_cmp(x->id, y->id);
}

START_TEST(clients_that_draw_the_same_id_get_different_ones_and_lose_nothing)
{
	struct one all[CLIENTS] = { 0 };
	same_io = spool_io_real;
	same_io.wall_us = frozen_us;
	same_io.random = same_random;
	for (int i = 0; i < CLIENTS; i++) {
		all[i].bytes[0] = (char)('a' + i);
		ck_assert_int_eq(pthread_create(&all[i].thread, NULL, publish_one, &all[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(all[i].thread, NULL);

	qsort(all, CLIENTS, sizeof *all, by_id);
	ck_assert_int_eq(tmpspool_count("1-requested"), CLIENTS);
	for (int i = 0; i < CLIENTS; i++) {
		char text[REQID_SIZE];
		ck_assert_int_eq(all[i].rc, 0);
		ck_assert_uint_eq(all[i].id.us, NOON_US + (unsigned)i);
		ck_assert(
			tmpspool_holds("1-requested", reqid_format(all[i].id, text), all[i].bytes));
	}
}
END_TEST

START_TEST(an_id_that_stands_already_is_never_replaced)
{
	struct reqid id;
	char text[REQID_SIZE];
	client.named_tmp = _i;
	fault_clock = NOON_US;
	fault_suffix = 5;
	tmpspool_put("1-requested", reqid_format((struct reqid){ NOON_US, 5 }, text), "first");

	ck_assert_int_eq(publish_request(&client, "second", 6, &id, NULL), 0);

	ck_assert_uint_eq(id.us, NOON_US + 1);
	ck_assert(tmpspool_holds("1-requested", text, "first"));
	ck_assert(tmpspool_holds("1-requested", reqid_format(id, text), "second"));
}
END_TEST

START_TEST(nine_collisions_are_an_error_and_leave_nothing_behind)
{
	struct reqid id;
	client.named_tmp = _i;
	fault_on(_i ? "renameat2" : "linkat", EEXIST, 9);

	ck_assert_int_eq(publish_request(&client, "x", 1, &id, NULL), -EEXIST);
	ck_assert_int_eq(tmpspool_count("1-requested"), 0);
}
END_TEST

/* ---- what can fail ---------------------------------------------------------------------------- */

static const int fatal[] = { ENOSPC, EIO, EACCES, EROFS };

static void fail_each_step(bool named, int error)
{
	int failures = 0;
	for (int k = 1; k < 100; k++) {
		struct reqid id;
		char text[REQID_SIZE];
		struct wq_err err = { 0 };
		int fds = tmpspool_open_fds();
		client.named_tmp = named;
		fault_at(k, error);

		int rc = publish_request(&client, "x", 1, &id, &err);

		int calls = fault_calls;
		fault_reset();
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		if (rc == 0) {
			ck_assert_int_eq(tmpspool_count("1-requested"), 1);
			ck_assert(tmpspool_holds("1-requested", reqid_format(id, text), "x"));
			ck_assert_int_eq(unlink(tmpspool_at("1-requested", text)), 0);
		} else {
			failures++;
			ck_assert_int_eq(rc, -error);
			ck_assert_int_eq(err.code, -error);
			ck_assert_int_eq(tmpspool_count("1-requested"), 0);
		}
		if (calls < k)
			break;
	}
	/* Open, mode, write, random, name at the least. */
	ck_assert_int_ge(failures, 5);
}

START_TEST(a_failure_at_any_step_leaves_nothing_visible)
{
	fail_each_step(false, fatal[_i]);
	fail_each_step(true, fatal[_i]);
}
END_TEST

static const struct {
	const char *call;
	int error;
} lacking[] = {
	{ "openat", EOPNOTSUPP },
	{ "openat", EISDIR },
	{ "openat", EINVAL },
	{ "linkat", ENOENT },
};

START_TEST(without_unnamed_files_or_proc_a_named_draft_is_used_from_then_on)
{
	struct reqid id;
	char text[REQID_SIZE];
	client.named_tmp = false;
	fault_on(lacking[_i].call, lacking[_i].error, 1);

	ck_assert_int_eq(publish_request(&client, "x", 1, &id, NULL), 0);

	ck_assert(client.named_tmp);
	ck_assert(tmpspool_holds("1-requested", reqid_format(id, text), "x"));
	ck_assert_int_eq(tmpspool_count("1-requested"), 1);
}
END_TEST

START_TEST(a_removed_directory_is_an_error)
{
	struct reqid id;
	ck_assert_int_eq(rmdir(tmpspool_at("1-requested", "")), 0);

	ck_assert_int_lt(publish_request(&client, "x", 1, &id, NULL), 0);
}
END_TEST

/* ---- abort ------------------------------------------------------------------------------------ */

START_TEST(an_abort_is_an_empty_file_and_may_be_asked_for_twice)
{
	ck_assert_int_eq(publish_abort(&client, tmpspool_id, NULL), 0);
	ck_assert_int_eq(publish_abort(&client, tmpspool_id, NULL), 0);

	ck_assert(tmpspool_holds("5-aborting", ID_TEXT, ""));
	ck_assert_int_eq(tmpspool_count("5-aborting"), 1);
}
END_TEST

START_TEST(an_abort_that_cannot_be_asked_for_says_so)
{
	struct wq_err err = { 0 };
	fault_on("openat", ENOSPC, 1);

	ck_assert_int_eq(publish_abort(&client, tmpspool_id, &err), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, ID_TEXT));
}
END_TEST

/* ---- strict ------------------------------------------------------------------------------------ */

START_TEST(only_at_strict_is_anything_synced)
{
	static const enum spool_durability below[] = { SPOOL_DURABILITY_NONE,
		SPOOL_DURABILITY_BATCH };
	struct reqid id;
	client.named_tmp = _i % 2;
	client.durability = below[_i / 2];
	fault_on("fsync", EIO, 100);

	ck_assert_int_eq(publish_request(&client, "bytes", 5, &id, NULL), 0);
	ck_assert_int_eq(publish_abort(&client, id, NULL), 0);
}
END_TEST

START_TEST(a_request_that_cannot_be_brought_to_disk_is_not_published)
{
	struct reqid id;
	struct wq_err err = { 0 };
	client.named_tmp = _i % 2;
	client.durability = SPOOL_DURABILITY_STRICT;
	/* Its bytes; or its name. */
	fault_after("fsync", EIO, _i / 2);

	ck_assert_int_eq(publish_request(&client, "bytes", 5, &id, &err), -EIO);

	ck_assert_int_eq(tmpspool_count("1-requested"), 0);
	ck_assert_str_ne(err.name, "not-durable");
}
END_TEST

START_TEST(one_that_was_moved_meanwhile_is_told_to_be_published)
{
	struct reqid id;
	struct wq_err err = { 0 };
	client.named_tmp = _i;
	client.durability = SPOOL_DURABILITY_STRICT;
	fault_after("fsync", EIO, 1);
	fault_on("unlinkat", ENOENT, 1);

	ck_assert_int_eq(publish_request(&client, "bytes", 5, &id, &err), -EIO);

	ck_assert_str_eq(err.name, "not-durable");
	ck_assert(tmpspool_has("1-requested", reqid_format(id, (char[REQID_SIZE]){ 0 })));
}
END_TEST

START_TEST(a_marker_that_cannot_be_brought_to_disk_is_an_error)
{
	client.durability = SPOOL_DURABILITY_STRICT;
	fault_on("fsync", EIO, 1);
	ck_assert_int_eq(publish_abort(&client, tmpspool_nth(1), NULL), -EIO);
	/* One that somebody else has left, too. */
	fault_on("fsync", EIO, 1);
	ck_assert_int_eq(publish_abort(&client, tmpspool_nth(1), NULL), -EIO);
	ck_assert_int_eq(publish_abort(&client, tmpspool_nth(1), NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spool/publish");
	TCase *tc = tcase_create("publish");
	tcase_add_checked_fixture(tc, open_client, close_client);
	tcase_add_loop_test(tc, a_published_request_stands_whole_under_its_id, 0, 2);
	tcase_add_test(tc, the_id_is_never_before_the_clock_the_mark_or_the_last_one);
	tcase_add_test(tc, after_the_last_id_there_is_an_error_and_no_request);
	tcase_add_test(tc, clients_that_draw_the_same_id_get_different_ones_and_lose_nothing);
	tcase_add_loop_test(tc, an_id_that_stands_already_is_never_replaced, 0, 2);
	tcase_add_loop_test(tc, nine_collisions_are_an_error_and_leave_nothing_behind, 0, 2);
	tcase_add_loop_test(
		tc, a_failure_at_any_step_leaves_nothing_visible, 0, sizeof fatal / sizeof *fatal);
	tcase_add_loop_test(tc, without_unnamed_files_or_proc_a_named_draft_is_used_from_then_on, 0,
		sizeof lacking / sizeof *lacking);
	tcase_add_test(tc, a_removed_directory_is_an_error);
	tcase_add_test(tc, an_abort_is_an_empty_file_and_may_be_asked_for_twice);
	tcase_add_test(tc, an_abort_that_cannot_be_asked_for_says_so);
	tcase_add_loop_test(tc, only_at_strict_is_anything_synced, 0, 4);
	tcase_add_loop_test(tc, a_request_that_cannot_be_brought_to_disk_is_not_published, 0, 4);
	tcase_add_loop_test(tc, one_that_was_moved_meanwhile_is_told_to_be_published, 0, 2);
	tcase_add_test(tc, a_marker_that_cannot_be_brought_to_disk_is_an_error);
	suite_add_tcase(suite, tc);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
