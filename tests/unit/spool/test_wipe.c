/* SPDX-License-Identifier: BSD-2-Clause */
/* spool_wipe: what goes with `on-start = wipe`, and what stays. */
#include "spool/spool.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

static struct wq_err err;

static void make_dir(const char *name)
{
	ck_assert_int_eq(mkdir(tmpspool_at(".", name), 0700), 0);
}

START_TEST(a_wipe_takes_ids_and_our_own_names_and_nothing_else)
{
	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++) {
		tmpspool_put(spool_state_name(s), ID_TEXT, "bytes");
		tmpspool_put(spool_state_name(s), "notes.txt", "bytes");
	}
	tmpspool_put("1-requested", ".t0k3v9q2m7t1dh", "half");
	tmpspool_put(".wq/tmp", ID_TEXT, "bytes");
	tmpspool_put(".wq/quarantine", "x y", "bytes");
	tmpspool_put(".wq/quarantine", "x y.why", "bytes");
	tmpspool_put("finished", ID_TEXT, "bytes");
	tmpspool_put("finished", "notes.txt", "bytes");
	tmpspool_put(".wq/handles", ID_TEXT ".1", "bytes");
	tmpspool_put(".wq/attempts", ID_TEXT ".2", "");
	tmpspool_put(".wq/run", "a-record", "bytes");
	make_dir("work/" ID_TEXT ".2");
	tmpspool_put("work", ID_TEXT ".2/stdout", "bytes");
	make_dir("work/" ID_TEXT);
	tmpspool_put("work", ID_TEXT "/notes", "bytes");

	ck_assert_int_eq(spool_wipe(&tmpspool, &err), 5 + 1 + 1 + 2 + 1 + 1 + 1 + 1);

	for (enum spool_state s = 0; s < SPOOL_STATE_MAX; s++) {
		ck_assert(tmpspool_has(spool_state_name(s), "notes.txt"));
		ck_assert_int_eq(tmpspool_count(spool_state_name(s)), 1);
	}
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/quarantine"), 0);
	ck_assert_int_eq(tmpspool_count("finished"), 1);
	ck_assert(tmpspool_has("finished", "notes.txt"));
	ck_assert_int_eq(tmpspool_count(".wq/handles"), 0);
	ck_assert_int_eq(tmpspool_count(".wq/attempts"), 0);
	ck_assert(tmpspool_has(".wq/run", "a-record")); /* the shepherd's */
	ck_assert_int_eq(tmpspool_count("work"), 1);
	ck_assert(tmpspool_has("work", ID_TEXT "/notes"));
	ck_assert_int_eq(spool_wipe(&tmpspool, &err), 0);
}
END_TEST

START_TEST(a_wipe_descends_into_work_directories_alone_and_never_follows)
{
	static const struct reqid other = { UINT64_C(1511472984123457), 1 };
	char text[REQID_SIZE], link[4200];
	make_dir("2-pending/" ID_TEXT);
	tmpspool_put("2-pending", ID_TEXT "/" ID_TEXT, "bytes");
	make_dir(".wq/quarantine/d");
	tmpspool_put(".wq/quarantine", "d/inner", "bytes");
	make_dir("finished/" ID_TEXT);
	tmpspool_put("finished", ID_TEXT "/" ID_TEXT, "bytes");
	make_dir("outside");
	tmpspool_put("outside", ID_TEXT, "bytes");
	ck_assert_int_eq(symlink("../outside", tmpspool_at("work", ID_TEXT ".1")), 0);
	snprintf(link, sizeof link, "%s/outside", tmpspool_path);
	ck_assert_int_eq(symlink(link, tmpspool_at("2-pending", reqid_format(other, text))), 0);

	ck_assert_int_eq(spool_wipe(&tmpspool, &err), 2);

	ck_assert(!tmpspool_has("2-pending", text));
	ck_assert(!tmpspool_has("work", ID_TEXT ".1"));
	ck_assert(tmpspool_has("finished", ID_TEXT "/" ID_TEXT));
	ck_assert(tmpspool_has("2-pending", ID_TEXT "/" ID_TEXT));
	ck_assert(tmpspool_has(".wq/quarantine", "d/inner"));
	ck_assert(tmpspool_has("outside", ID_TEXT));
}
END_TEST

START_TEST(a_wipe_that_fails_says_where)
{
	tmpspool_put("2-pending", ID_TEXT, "bytes");
	fault_on("unlinkat", EROFS, 1);

	ck_assert_int_eq(spool_wipe(&tmpspool, &err), -EROFS);
	ck_assert_ptr_nonnull(strstr(err.text, "2-pending"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spool/wipe");
	TCase *tc = tcase_create("wipe");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, a_wipe_takes_ids_and_our_own_names_and_nothing_else);
	tcase_add_test(tc, a_wipe_descends_into_work_directories_alone_and_never_follows);
	tcase_add_test(tc, a_wipe_that_fails_says_where);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
