/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/quarantine.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

#define Q ".wq/quarantine"

static int put(const char *name, const char *why)
{
	return quarantine_put(
		&tmpspool, tmpspool.dir_fd[SPOOL_REQUESTED], name, why, why ? strlen(why) : 0);
}

START_TEST(a_thing_is_kept_with_its_reason_beside_it)
{
	tmpspool_put("1-requested", "no id", "bytes");

	ck_assert_int_eq(put("no id", "reason"), 0);

	ck_assert(!tmpspool_has("1-requested", "no id"));
	ck_assert(tmpspool_holds(Q, "no id", "bytes"));
	ck_assert(tmpspool_holds(Q, "no id.why", "reason"));
}
END_TEST

/* True: it came to its end. */
static bool put_until_killed(int k)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		fault_kill_at(k);
		_exit(put(ID_TEXT, "reason") == 0 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

START_TEST(a_put_that_was_cut_short_and_came_again_is_one)
{
	bool whole = false;
	for (int k = 1; !whole; k++) {
		tmpspool_put("1-requested", ID_TEXT, "bytes");
		whole = put_until_killed(k);
		if (tmpspool_has("1-requested", ID_TEXT))
			ck_assert_int_eq(put(ID_TEXT, "reason"), 0);

		ck_assert(tmpspool_holds(Q, ID_TEXT, "bytes"));
		ck_assert(tmpspool_holds(Q, ID_TEXT ".why", "reason"));
		ck_assert_int_eq(tmpspool_count(Q), 2);
		ck_assert_int_eq(unlink(tmpspool_at(Q, ID_TEXT)), 0);
		ck_assert_int_eq(unlink(tmpspool_at(Q, ID_TEXT ".why")), 0);
	}
}
END_TEST

START_TEST(a_reason_is_never_that_of_another_thing)
{
	tmpspool_put("1-requested", ID_TEXT, "bytes");
	tmpspool_put(Q, ID_TEXT ".why", "a thing, or an older reason");

	ck_assert_int_eq(put(ID_TEXT, "reason"), 0);

	ck_assert(tmpspool_holds(Q, ID_TEXT ".1", "bytes"));
	ck_assert(tmpspool_holds(Q, ID_TEXT ".1.why", "reason"));
	ck_assert(tmpspool_holds(Q, ID_TEXT ".why", "a thing, or an older reason"));
}
END_TEST

START_TEST(what_is_gone_already_is_enoent)
{
	ck_assert_int_eq(put("nothing", "reason"), -ENOENT);
	ck_assert_int_eq(tmpspool_count(Q), 0);
}
END_TEST

START_TEST(the_time_of_the_file_stays)
{
	struct stat st;
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	tmpspool_put("1-requested", "a", "bytes");
	ck_assert_int_eq(utimensat(AT_FDCWD, tmpspool_at("1-requested", "a"), old, 0), 0);

	ck_assert_int_eq(put("a", NULL), 0);

	ck_assert_int_eq(stat(tmpspool_at(Q, "a"), &st), 0);
	ck_assert_int_eq(st.st_mtim.tv_sec, 2000);
}
END_TEST

START_TEST(a_link_is_taken_and_never_followed)
{
	struct stat before, after;
	tmpspool_put(".", "victim", "bytes");
	ck_assert_int_eq(stat(tmpspool_at(".", "victim"), &before), 0);
	ck_assert_int_eq(symlink("../victim", tmpspool_at("1-requested", "link")), 0);

	ck_assert_int_eq(put("link", "reason"), 0);

	ck_assert(tmpspool_has(Q, "link"));
	ck_assert_int_eq(stat(tmpspool_at(".", "victim"), &after), 0);
	ck_assert_int_eq(memcmp(&before, &after, sizeof before), 0);
}
END_TEST

START_TEST(a_name_that_is_there_already_gets_a_number)
{
	for (int i = 0; i < 3; i++) {
		char text[8];
		snprintf(text, sizeof text, "%d", i);
		tmpspool_put("1-requested", ID_TEXT, text);
		ck_assert_int_eq(put(ID_TEXT, text), 0);
	}

	ck_assert(tmpspool_holds(Q, ID_TEXT, "0"));
	ck_assert(tmpspool_holds(Q, ID_TEXT ".1", "1"));
	ck_assert(tmpspool_holds(Q, ID_TEXT ".2", "2"));
	ck_assert(tmpspool_holds(Q, ID_TEXT ".2.why", "2"));
}
END_TEST

START_TEST(a_name_of_the_greatest_length_is_taken_too)
{
	char name[NAME_MAX + 1];
	memset(name, 'a', NAME_MAX);
	name[NAME_MAX] = '\0';
	for (int i = 0; i < 2; i++) {
		tmpspool_put("1-requested", name, "bytes");
		ck_assert_int_eq(put(name, "reason"), 0);
	}

	ck_assert(!tmpspool_has("1-requested", name));
	ck_assert_int_eq(tmpspool_count(Q), 4);
}
END_TEST

START_TEST(a_directory_is_taken_whole)
{
	ck_assert_int_eq(mkdir(tmpspool_at("1-requested", "d"), 0700), 0);
	tmpspool_put("1-requested", "d/inner", "bytes");

	ck_assert_int_eq(put("d", NULL), 0);
	ck_assert(tmpspool_holds(Q, "d/inner", "bytes"));
}
END_TEST

START_TEST(that_the_reason_cannot_be_written_is_no_failure)
{
	tmpspool_put("1-requested", "a", "bytes");
	fault_on("write", ENOSPC, 1);

	ck_assert_int_eq(put("a", "reason"), 0);
	ck_assert(tmpspool_holds(Q, "a", "bytes"));
	ck_assert_int_eq(tmpspool_count(Q), 1);
}
END_TEST

START_TEST(a_failure_leaves_the_thing_where_it_was)
{
	tmpspool_put("1-requested", "a", "bytes");
	if (_i == 0)
		fault_on("renameat2", ENOSPC, 2);
	else
		fault_after("renameat2", ENOSPC, 1); /* the reason is there by then */

	ck_assert_int_eq(put("a", "reason"), -ENOSPC);
	ck_assert(tmpspool_holds("1-requested", "a", "bytes"));
	ck_assert_int_eq(tmpspool_count(Q), 0);
}
END_TEST

static void fill(int n)
{
	for (int i = 0; i < n; i++) {
		char name[16];
		snprintf(name, sizeof name, "%04d", i);
		tmpspool_put("1-requested", name, "");
		ck_assert_int_eq(put(name, NULL), 0);
	}
}

START_TEST(quarantine_is_bounded_and_the_oldest_goes_first)
{
	fill(QUARANTINE_MAX_FILES);
	ck_assert_int_le(tmpspool_count(Q), QUARANTINE_MAX_FILES);

	tmpspool_put("1-requested", "newest", "bytes");
	ck_assert_int_eq(put("newest", "reason"), 0);

	ck_assert_int_le(tmpspool_count(Q), QUARANTINE_MAX_FILES);
	ck_assert(!tmpspool_has(Q, "0000"));
	ck_assert(tmpspool_has(Q, "0999"));
	ck_assert(tmpspool_holds(Q, "newest", "bytes"));
	ck_assert(tmpspool_holds(Q, "newest.why", "reason"));
}
END_TEST

START_TEST(of_directories_only_empty_ones_go)
{
	ck_assert_int_eq(mkdir(tmpspool_at(Q, "empty"), 0700), 0);
	ck_assert_int_eq(mkdir(tmpspool_at(Q, "full"), 0700), 0);
	ck_assert_int_eq(mkdir(tmpspool_at(Q, "full/inner"), 0700), 0);

	fill(QUARANTINE_MAX_FILES);

	ck_assert(!tmpspool_has(Q, "empty"));
	ck_assert(tmpspool_has(Q, "full/inner"));
	ck_assert_int_le(tmpspool_count(Q), QUARANTINE_MAX_FILES);
}
END_TEST

START_TEST(when_nothing_can_go_nothing_comes)
{
	for (int i = 0; i < QUARANTINE_MAX_FILES; i++) {
		char name[32];
		snprintf(name, sizeof name, "%d", i);
		ck_assert_int_eq(mkdir(tmpspool_at(Q, name), 0700), 0);
		snprintf(name, sizeof name, "%d/inner", i);
		ck_assert_int_eq(mkdir(tmpspool_at(Q, name), 0700), 0);
	}
	tmpspool_put("1-requested", "a", "bytes");

	ck_assert_int_eq(put("a", "reason"), -ENOSPC);
	ck_assert(tmpspool_holds("1-requested", "a", "bytes"));
	ck_assert_int_eq(tmpspool_count(Q), QUARANTINE_MAX_FILES);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/quarantine");
	TCase *tc = tcase_create("quarantine");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, a_thing_is_kept_with_its_reason_beside_it);
	tcase_add_test(tc, a_put_that_was_cut_short_and_came_again_is_one);
	tcase_add_test(tc, a_reason_is_never_that_of_another_thing);
	tcase_add_test(tc, what_is_gone_already_is_enoent);
	tcase_add_test(tc, the_time_of_the_file_stays);
	tcase_add_test(tc, a_link_is_taken_and_never_followed);
	tcase_add_test(tc, a_name_that_is_there_already_gets_a_number);
	tcase_add_test(tc, a_name_of_the_greatest_length_is_taken_too);
	tcase_add_test(tc, a_directory_is_taken_whole);
	tcase_add_test(tc, that_the_reason_cannot_be_written_is_no_failure);
	tcase_add_loop_test(tc, a_failure_leaves_the_thing_where_it_was, 0, 2);
	tcase_add_test(tc, quarantine_is_bounded_and_the_oldest_goes_first);
	tcase_add_test(tc, of_directories_only_empty_ones_go);
	tcase_add_test(tc, when_nothing_can_go_nothing_comes);
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
