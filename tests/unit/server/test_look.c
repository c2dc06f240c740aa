/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <unistd.h>

#include "base/time.h"
#include "codec/status.h"
#include "spool/status.h"

/* How a listing can fail; of 1, which is listed first, or of 5. */
static const struct {
	const char *call;
	int place, error, times;
} troubles[] = {
	{ "list", SPOOL_REQUESTED, EMFILE, 1 },
	{ "list", SPOOL_REQUESTED, ENFILE, 3 },
	{ "list", SPOOL_ABORTING, EMFILE, 2 },
	{ "getdents", RIG_ANY, EIO, 1 },
	{ "getdents", RIG_ANY, EIO, 3 },
};
enum {
	N_TROUBLES = sizeof troubles / sizeof *troubles
};

/* As after events were lost: what stands there was not told. */
static void swallow_events(void)
{
	loop_del_fd(rig.loop, rig.watch_source);
	watch_close(rig.watch);
	rig_watch();
}

START_TEST(a_listing_that_fails_is_due_again_until_one_succeeds)
{
	rig_request(1, "quick");
	rig_plant_result(2, "4-complete");
	rig_abort(2);
	swallow_events();
	rig_fail(troubles[_i].call, troubles[_i].place, RIG_ANY, troubles[_i].error,
		troubles[_i].times);

	look_list(&rig);
	rig_run();
	for (int i = 0; i < troubles[_i].times; i++) {
		ck_assert_int_eq(rig_failed(), i + 1);
		ck_assert_int_ne(rig.rescan_at_ns, TIME_NEVER);
		ck_assert(rig_stands(2, "5-aborting"));
		rig_run_later();
	}

	ck_assert_int_eq(rig.rescan_at_ns, TIME_NEVER);
	rig_assert_result(1, RESULT_OK);
	ck_assert_int_eq(rig_n_started(), 1);
	ck_assert_int_eq(tmpspool_count("4-complete"), 1);
	rig_assert_idle();
	rig_assert_quarantine(0);
}
END_TEST

START_TEST(a_status_page_that_cannot_be_written_is_written_at_the_next_pass)
{
	struct buf bytes = { 0 };
	rig_run();
	rig_fail("pwrite", RIG_STATUS, RIG_ANY, ENOSPC, 1);
	rig.directory_moved = rig.page_changed = true;

	server_pass(&rig);
	ck_assert_int_eq(rig_failed(), 1);
	ck_assert(rig.page_changed);
	server_pass(&rig);

	struct status_page page = { 0 };
	ck_assert(!rig.page_changed);
	ck_assert_int_eq(status_read(&rig.spool, &bytes), 0);
	ck_assert_int_eq(status_page_decode(bytes.data, bytes.len, &page, NULL), 0);
	ck_assert(!page.accepting);
	buf_fini(&bytes);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/look");
	TCase *tc = tcase_create("look");
	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_loop_test(
		tc, a_listing_that_fails_is_due_again_until_one_succeeds, 0, N_TROUBLES);
	tcase_add_test(tc, a_status_page_that_cannot_be_written_is_written_at_the_next_pass);
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
