/* SPDX-License-Identifier: BSD-2-Clause */
/* Enqueueing where there is no room, without waiting; tests/system/test_space.py waits. */
#include "cli/room.h"

#include "cli/cli.h"
#include "codec/request.h"
#include "codec/status.h"
#include "spool/read.h"
#include "support/cli/command.h"
#include "support/client/hand.h"

#include <wq/client.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct hand hand;
static struct said said;
static struct status_page page;

static void setup(void)
{
	hand_open(&hand);
	page = (struct status_page){
		.accepting = true, .pid = getpid(), .queue_limit = 100, .durability = "none"
	};
}

static void teardown(void)
{
	hand_close(&hand);
}

static void is_full(void)
{
	page.depth = 96;
	hand_page(&hand, &page);
}

static void assert_none_enqueued(void)
{
	COMMAND(&said, hand.path, cmd_list, "list");
	ck_assert_str_eq(said.out, "");
}

START_TEST(a_full_queue_fails_at_once_where_that_is_wanted)
{
	is_full();
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--no-block", "a=1");
	ck_assert_int_eq(said.status, 119);
	ck_assert_str_eq(said.out, "");
	ck_assert_str_eq(said.err,
		"wq: the queue is full: 96 requests wait, and queue-limit is 100; "
		"try again when some of them have been started\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--no-block", "--", "true");
	ck_assert_int_eq(said.status, 119);
	assert_none_enqueued();
}
END_TEST

START_TEST(so_does_a_file_system_without_space)
{
	page.accepting = false;
	strcpy(page.why, "no-space");
	strcpy(page.reason, "only 3M are free");
	hand_page(&hand, &page);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--no-block", "a=1");
	ck_assert_int_eq(said.status, 119);
	ck_assert_ptr_nonnull(strstr(said.err, "only 3M are free"));
	assert_none_enqueued();
}
END_TEST

/* Nobody knows whether that ends. */
START_TEST(any_other_refusal_fails_whether_it_may_wait_or_not)
{
	page.accepting = false;
	strcpy(page.why, "directory-moved");
	hand_page(&hand, &page);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "a=1");
	ck_assert_int_eq(said.status, 125);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--no-block", "a=1");
	ck_assert_int_eq(said.status, 125);
	assert_none_enqueued();
}
END_TEST

START_TEST(with_room_it_makes_no_difference)
{
	page.depth = 95;
	hand_page(&hand, &page);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--no-block", "a=1");
	ck_assert_int_eq(said.status, 0);
	ck_assert_uint_eq(strlen(said.out), WQ_ID_SIZE);
}
END_TEST

START_TEST(of_many_lines_the_first_without_room_ends_it)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "one\ntwo\n", 8), 8);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
	is_full();
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--no-block", "--each", "a={}");
	ck_assert_int_eq(said.status, 119);
	ck_assert_ptr_nonnull(strstr(said.err, "line 1: the queue is full"));
	ck_assert_ptr_nonnull(strstr(said.err, "with 0 enqueued"));
	assert_none_enqueued();
}
END_TEST

/* ---- --start-within and --keep-for ------------------------------------------------------------- */

START_TEST(durations_go_with_the_request)
{
	struct buf bytes = { 0 };
	struct request req;
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--start-within", "1.5h",
		"--keep-for=90s", "a=1");
	ck_assert_msg(said.status == 0, "%s", said.err);
	said.out[strcspn(said.out, "\n")] = '\0';
	ck_assert_int_eq(read_request(&hand.spool, SPOOL_REQUESTED, hand_id(said.out), 4096, 0,
				 &bytes, NULL, NULL),
		0);
	ck_assert_int_eq(request_decode(bytes.data, bytes.len, &req, NULL), 0);
	ck_assert_int_eq(req.start_within_ns, INT64_C(5400000000000));
	ck_assert_int_eq(req.keep_for_ns, INT64_C(90000000000));
	buf_fini(&bytes);
}
END_TEST

START_TEST(what_is_no_duration_is_refused)
{
	static const char *const bad[] = { "5", "0s", "-1s", "soon", "" };
	static const char *const options[] = { "--start-within", "--keep-for" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		for (size_t k = 0; k < 2; k++) {
			COMMAND(&said, hand.path, cmd_enqueue, "enqueue", options[k], bad[i],
				"a=1");
			ck_assert_int_eq(said.status, 125);
			ck_assert_ptr_nonnull(strstr(said.err, "is not a duration like 90s"));
		}
	assert_none_enqueued();
}
END_TEST

/* ---- status ------------------------------------------------------------------------------------ */

START_TEST(status_says_how_many_wait_and_how_many_may)
{
	is_full();
	COMMAND(&said, hand.path, cmd_status, "status");
	ck_assert_ptr_nonnull(strstr(said.out, "\nqueue        96 of at most 100 requests wait\n"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/room");
	TCase *t = tcase_create("room");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_full_queue_fails_at_once_where_that_is_wanted);
	tcase_add_test(t, so_does_a_file_system_without_space);
	tcase_add_test(t, any_other_refusal_fails_whether_it_may_wait_or_not);
	tcase_add_test(t, with_room_it_makes_no_difference);
	tcase_add_test(t, of_many_lines_the_first_without_room_ends_it);
	tcase_add_test(t, durations_go_with_the_request);
	tcase_add_test(t, what_is_no_duration_is_refused);
	tcase_add_test(t, status_says_how_many_wait_and_how_many_may);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
