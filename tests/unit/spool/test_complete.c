/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/spool/completing.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "spool/classify.h"
#include "spool/move.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

#define WHY "why"

/* Every test runs twice: with exchange, and on a file system without. */
enum {
	WAYS = 2
};

static void use_way(int way)
{
	tmpspool.no_exchange = way;
}

static int complete(const char *reason, struct wq_err *err)
{
	return complete_all(
		&tmpspool, tmpspool_id, "the result", 10, reason, reason ? strlen(reason) : 0, err);
}

START_TEST(the_result_stands_in_4_and_the_request_is_gone)
{
	struct stat st;
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "the request");

	ck_assert_int_eq(complete(NULL, NULL), 0);

	ck_assert(tmpspool_holds("4-complete", ID_TEXT, "the result"));
	ck_assert_int_eq(stat(tmpspool_at("4-complete", ID_TEXT), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(tmpspool_count("3-running"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/quarantine"), 0);
}
END_TEST

START_TEST(with_a_reason_the_request_is_kept_in_quarantine)
{
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "the request");

	ck_assert_int_eq(complete(WHY, NULL), 0);

	ck_assert(tmpspool_holds("4-complete", ID_TEXT, "the result"));
	ck_assert(tmpspool_holds(".wq/quarantine", ID_TEXT, "the request"));
	ck_assert(tmpspool_holds(".wq/quarantine", ID_TEXT ".why", WHY));
	ck_assert_int_eq(tmpspool_count("3-running"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
}
END_TEST

START_TEST(nothing_in_3_is_enoent_and_shows_nothing)
{
	use_way(_i);

	ck_assert_int_eq(complete(NULL, NULL), -ENOENT);

	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
}
END_TEST

START_TEST(a_result_that_was_there_first_stays)
{
	struct wq_err err = { 0 };
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "the request");
	tmpspool_put("4-complete", ID_TEXT, "the first result");

	ck_assert_int_eq(complete(NULL, &err), -EEXIST);

	ck_assert_ptr_nonnull(strstr(err.text, ID_TEXT));
	ck_assert(tmpspool_holds("4-complete", ID_TEXT, "the first result"));
	ck_assert(tmpspool_holds(".wq/quarantine", ID_TEXT, "the result"));
	ck_assert_int_eq(tmpspool_count("3-running"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
}
END_TEST

/* ---- failures --------------------------------------------------------------------------------- */

static bool stands(const char *place, const char *text)
{
	return tmpspool_holds(place, ID_TEXT, text);
}

/* After a failed try: one id, one place; the request is kept; 4 has nothing. */
static void check_nothing_lost(void)
{
	ck_assert_int_eq(tmpspool_count("4-complete"), 0);
	ck_assert(tmpspool_has("3-running", ID_TEXT));
	ck_assert(stands("3-running", "the request") || stands(".wq/tmp", "the request") ||
		  tmpspool_holds(".wq/tmp", ID_TEXT ".aside", "the request"));
}

static void fail_each_step(const char *reason, int error)
{
	int failures = 0;
	for (int k = 1; k < 100; k++) {
		int fds = tmpspool_open_fds();
		struct wq_err err = { 0 };
		tmpspool_put("3-running", ID_TEXT, "the request");
		fault_at(k, error);

		int rc = complete(reason, &err);

		int calls = fault_calls;
		fault_reset();
		if (rc < 0) {
			failures++;
			ck_assert_int_eq(rc, -error);
			ck_assert_int_eq(err.code, -error);
			check_nothing_lost();
			ck_assert_int_eq(complete(reason, &err), 0);
		}
		ck_assert(stands("4-complete", "the result"));
		ck_assert_int_eq(tmpspool_count("3-running"), 0);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		ck_assert_int_eq(unlink(tmpspool_at("4-complete", ID_TEXT)), 0);
		/* The failed step may have been the removal of the request. */
		(void)unlink(tmpspool_at(".wq/tmp", ID_TEXT));
		ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
		(void)unlink(tmpspool_at(".wq/quarantine", ID_TEXT));
		(void)unlink(tmpspool_at(".wq/quarantine", ID_TEXT ".why"));
		ck_assert_int_eq(tmpspool_count(".wq/quarantine"), 0);
		if (calls < k)
			break;
	}
	/* Open, write, close, exchange, show at the least. */
	ck_assert_int_ge(failures, 5);
}

START_TEST(a_failure_at_any_step_loses_nothing_and_the_call_may_be_repeated)
{
	static const int errors[] = { ENOSPC, EIO, EROFS };
	use_way(_i);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		fail_each_step(NULL, errors[i]);
		fail_each_step(WHY, errors[i]);
	}
}
END_TEST

START_TEST(a_short_write_is_carried_on)
{
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "the request");
	fault_max_bytes = 3;
	fault_on("write", EINTR, 2);

	ck_assert_int_eq(complete(NULL, NULL), 0);
	ck_assert(stands("4-complete", "the result"));
}
END_TEST

START_TEST(half_a_result_of_an_earlier_try_is_replaced)
{
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "the request");
	tmpspool_put(".wq/tmp", ID_TEXT, "the re");

	ck_assert_int_eq(complete(NULL, NULL), 0);

	ck_assert(stands("4-complete", "the result"));
	ck_assert_int_eq(tmpspool_count("3-running"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
}
END_TEST

START_TEST(a_second_try_with_other_bytes_publishes_those_and_keeps_the_request)
{
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "an older result");
	tmpspool_put(".wq/tmp", ID_TEXT, "the request");

	ck_assert_int_eq(complete(NULL, NULL), 0);

	ck_assert(stands("4-complete", "the result"));
	ck_assert(stands(".wq/quarantine", "the request"));
	ck_assert_int_eq(tmpspool_count("3-running"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
}
END_TEST

START_TEST(a_request_that_quarantine_cannot_take_does_not_hold_up_its_result)
{
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "the request");
	fault_on("getdents", EIO, 2);

	ck_assert_int_eq(complete(WHY, NULL), COMPLETE_LEFT);

	ck_assert(stands("4-complete", "the result"));
	ck_assert(stands(".wq/tmp", "the request"));
	ck_assert_int_eq(
		complete_retire(&tmpspool, tmpspool_id, false, WHY, strlen(WHY), false), -EIO);
	ck_assert(stands(".wq/tmp", "the request"));
	ck_assert_int_eq(
		complete_retire(&tmpspool, tmpspool_id, false, WHY, strlen(WHY), false), 0);
	ck_assert(stands(".wq/quarantine", "the request"));
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	ck_assert_int_eq(
		complete_retire(&tmpspool, tmpspool_id, false, WHY, strlen(WHY), false), 0);
}
END_TEST

/* ---- things that are no files ----------------------------------------------------------------- */

static void put_thing(int kind)
{
	const char *path = tmpspool_at("3-running", ID_TEXT);
	int fd;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	switch (kind) {
	case 0:
		ck_assert_int_eq(mkdir(path, 0700), 0);
		break;
	case 1:
		ck_assert_int_eq(mkdir(path, 0700), 0);
		ck_assert_int_eq(mkdir(tmpspool_at("3-running", ID_TEXT "/inner"), 0700), 0);
		break;
	case 2:
		ck_assert_int_eq(symlink("/etc/passwd", path), 0);
		break;
	case 3:
		ck_assert_int_eq(mkfifo(path, 0600), 0);
		break;
	default:
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_lt(snprintf(at.sun_path, sizeof at.sun_path, "%s", path),
			(int)sizeof at.sun_path);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
		close(fd);
		break;
	}
}

static void complete_a_thing(int kind, const char *reason)
{
	struct stat st;
	put_thing(kind);
	ck_assert_int_eq(lstat(tmpspool_at("3-running", ID_TEXT), &st), 0);
	ino_t inode = st.st_ino;

	ck_assert_int_eq(complete(reason, NULL), 0);

	ck_assert(stands("4-complete", "the result"));
	ck_assert_int_eq(tmpspool_count("3-running"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	if (!reason && kind > 1)
		return;
	/* A directory is never removed, reason or not. */
	ck_assert_int_eq(lstat(tmpspool_at(".wq/quarantine", ID_TEXT), &st), 0);
	ck_assert_uint_eq(st.st_ino, inode);
	if (kind == 1)
		ck_assert(tmpspool_has(".wq/quarantine", ID_TEXT "/inner"));
}

START_TEST(a_thing_of_any_type_gets_its_answer_and_goes_to_quarantine)
{
	use_way(_i % WAYS);
	complete_a_thing(_i / WAYS, WHY);
}
END_TEST

START_TEST(a_thing_of_any_type_gets_its_answer_without_a_reason_too)
{
	use_way(_i % WAYS);
	complete_a_thing(_i / WAYS, NULL);
}
END_TEST

START_TEST(where_a_file_may_not_be_linked_its_result_is_published_all_the_same)
{
	use_way(1);
	tmpspool_put("3-running", ID_TEXT, "the request");
	fault_on("linkat", EPERM, 1);

	ck_assert_int_eq(complete(WHY, NULL), 0);

	ck_assert(stands("4-complete", "the result"));
	ck_assert(stands(".wq/quarantine", "the request"));
	ck_assert_int_eq(tmpspool_count("3-running"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
}
END_TEST

/* ---- owner ------------------------------------------------------------------------------------ */

START_TEST(a_result_belongs_to_who_asked)
{
	struct stat st;
	uid_t uid = geteuid() == 0 ? 65534 : geteuid();
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "the request");
	ck_assert_int_eq(chown(tmpspool_at("3-running", ID_TEXT), uid, (gid_t)-1), 0);

	ck_assert_int_eq(complete(NULL, NULL), 0);

	ck_assert_int_eq(stat(tmpspool_at("4-complete", ID_TEXT), &st), 0);
	ck_assert_uint_eq(st.st_uid, uid);
}
END_TEST

/* ---- recovery --------------------------------------------------------------------------------- */

START_TEST(a_result_in_3_is_published_and_its_request_unlinked)
{
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "the result");
	tmpspool_put(".wq/tmp", ID_TEXT, "the request");

	ck_assert_int_eq(complete_show(&tmpspool, tmpspool_id, false, NULL, 0, NULL), 0);

	ck_assert(stands("4-complete", "the result"));
	ck_assert_int_eq(tmpspool_count("3-running"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	ck_assert_int_eq(complete_show(&tmpspool, tmpspool_id, false, NULL, 0, NULL), -ENOENT);
}
END_TEST

/* Where three steps exchange them, a kill may come between the second and the third; or the first and
 * the second. */
START_TEST(the_next_start_ends_an_exchange_that_was_cut_off)
{
	bool result_in_place = _i;
	tmpspool_put("3-running", ID_TEXT, result_in_place ? "the result" : "the request");
	tmpspool_put(".wq/tmp", ID_TEXT ".aside", "the request");
	if (!result_in_place)
		tmpspool_put(".wq/tmp", ID_TEXT, "the result");
	tmpspool_put(".wq/tmp", "x.aside", "nobody's");

	spool_close(&tmpspool);
	ck_assert_int_eq(spool_open_server(&tmpspool, tmpspool_path, &fault_io, NULL), 0);

	ck_assert(stands(".wq/tmp", result_in_place ? "the request" : "the result"));
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 1);
}
END_TEST

START_TEST(tmp_and_3_change_places)
{
	use_way(_i);
	tmpspool_put("3-running", ID_TEXT, "torn");
	tmpspool_put(".wq/tmp", ID_TEXT, "the request");

	ck_assert_int_eq(complete_exchange(&tmpspool, tmpspool_id), 0);
	ck_assert(stands("3-running", "the request"));
	ck_assert(stands(".wq/tmp", "torn"));
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 1);

	ck_assert_int_eq(complete_drop_tmp(&tmpspool, tmpspool_id), 0);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	ck_assert_int_eq(complete_drop_tmp(&tmpspool, tmpspool_id), 0);
}
END_TEST

START_TEST(a_torn_result_in_4_can_be_replaced)
{
	use_way(_i);
	tmpspool_put("4-complete", ID_TEXT, "torn");

	ck_assert_int_eq(move_take_back(&tmpspool, tmpspool_id), 0);
	ck_assert_int_eq(complete(WHY, NULL), 0);

	ck_assert(stands("4-complete", "the result"));
	ck_assert(stands(".wq/quarantine", "torn"));
}
END_TEST

static enum finding kind_of(const char *place)
{
	if (!tmpspool_has(place, ID_TEXT))
		return FIND_NONE;
	if (stands(place, "the request"))
		return FIND_REQUEST;
	return stands(place, "the result") ? FIND_RESULT : FIND_NEITHER;
}

/* What start-up does; true when a result is out then. */
static bool recover(void)
{
	struct findings found = {
		.in_3 = kind_of("3-running"),
		.in_4 = kind_of("4-complete"),
		.in_tmp = kind_of(".wq/tmp"),
	};
	uint32_t mask = classify(&found);
	if (mask & CLASSIFY_EXCHANGE)
		ck_assert_int_eq(complete_exchange(&tmpspool, tmpspool_id), 0);
	if (mask & CLASSIFY_UNLINK_TMP)
		ck_assert_int_eq(complete_drop_tmp(&tmpspool, tmpspool_id), 0);
	if (mask & CLASSIFY_UNLINK_3)
		ck_assert_int_eq(move_remove(&tmpspool, tmpspool_id, SPOOL_RUNNING), 0);
	if (mask & CLASSIFY_PUBLISH)
		ck_assert_int_eq(complete_show(&tmpspool, tmpspool_id, false, NULL, 0, NULL), 0);
	return mask & CLASSIFY_IS_COMPLETE;
}

START_TEST(a_server_killed_at_any_step_leaves_a_request_or_a_result)
{
	int way = _i % WAYS, results = 0, requests = 0;
	const char *reason = _i / WAYS ? WHY : NULL;
	for (int k = 1; k < 100; k++) {
		int status;
		tmpspool_put("3-running", ID_TEXT, "the request");
		pid_t child = fork();
		if (child == 0) {
			use_way(way);
			fault_kill_at(k);
			_exit(complete(reason, NULL) == 0 ? 0 : 2);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		ck_assert_int_eq(tmpspool_count("3-running") + tmpspool_count("4-complete"), 1);

		/* The lock and the descriptors are those of this process. */
		spool_close(&tmpspool);
		ck_assert_int_eq(spool_open_server(&tmpspool, tmpspool_path, &fault_io, NULL), 0);
		use_way(way);
		if (recover()) {
			results++;
			ck_assert(stands("4-complete", "the result"));
			ck_assert_int_eq(tmpspool_count("3-running"), 0);
			ck_assert_int_eq(unlink(tmpspool_at("4-complete", ID_TEXT)), 0);
		} else {
			requests++;
			ck_assert(stands("3-running", "the request"));
			ck_assert_int_eq(unlink(tmpspool_at("3-running", ID_TEXT)), 0);
		}
		ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
		(void)unlink(tmpspool_at(".wq/quarantine", ID_TEXT));
		(void)unlink(tmpspool_at(".wq/quarantine", ID_TEXT ".why"));
		if (WEXITSTATUS(status) == 0)
			break;
	}
	ck_assert_int_ge(requests, 1);
	ck_assert_int_ge(results, 3);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/complete");
	TCase *tc = tcase_create("complete");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_loop_test(tc, the_result_stands_in_4_and_the_request_is_gone, 0, WAYS);
	tcase_add_loop_test(tc, with_a_reason_the_request_is_kept_in_quarantine, 0, WAYS);
	tcase_add_loop_test(tc, nothing_in_3_is_enoent_and_shows_nothing, 0, WAYS);
	tcase_add_loop_test(tc, a_result_that_was_there_first_stays, 0, WAYS);
	tcase_add_loop_test(
		tc, a_failure_at_any_step_loses_nothing_and_the_call_may_be_repeated, 0, WAYS);
	tcase_add_loop_test(tc, a_short_write_is_carried_on, 0, WAYS);
	tcase_add_loop_test(tc, half_a_result_of_an_earlier_try_is_replaced, 0, WAYS);
	tcase_add_loop_test(
		tc, a_second_try_with_other_bytes_publishes_those_and_keeps_the_request, 0, WAYS);
	tcase_add_loop_test(
		tc, a_request_that_quarantine_cannot_take_does_not_hold_up_its_result, 0, WAYS);
	tcase_add_loop_test(
		tc, a_thing_of_any_type_gets_its_answer_and_goes_to_quarantine, 0, 5 * WAYS);
	tcase_add_loop_test(
		tc, a_thing_of_any_type_gets_its_answer_without_a_reason_too, 0, 5 * WAYS);
	tcase_add_test(tc, where_a_file_may_not_be_linked_its_result_is_published_all_the_same);
	tcase_add_loop_test(tc, a_result_belongs_to_who_asked, 0, WAYS);
	tcase_add_loop_test(tc, a_result_in_3_is_published_and_its_request_unlinked, 0, WAYS);
	tcase_add_loop_test(tc, the_next_start_ends_an_exchange_that_was_cut_off, 0, 2);
	tcase_add_loop_test(tc, tmp_and_3_change_places, 0, WAYS);
	tcase_add_loop_test(
		tc, a_server_killed_at_any_step_leaves_a_request_or_a_result, 0, 2 * WAYS);
	tcase_add_loop_test(tc, a_torn_result_in_4_can_be_replaced, 0, WAYS);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *sr = srunner_create(make_suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
