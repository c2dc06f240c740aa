/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/server/rig.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/spool/fault.h"

#define TMP ".wq/tmp"
#define Q   ".wq/quarantine"

/* ---- what a crash left: the rows of wq-spool(7), RECOVERY ---------------------------------------
 */

static void put_request(unsigned n, const char *place)
{
	rig_plant_request(n, place, "quick");
}

static void put_neither(unsigned n, const char *place)
{
	tmpspool_put(place, rig_name(n), "neither");
}

static void link_to(unsigned n, const char *from, const char *to)
{
	char path[2 * PATH_MAX];
	snprintf(path, sizeof path, "%s", tmpspool_at(from, rig_name(n)));
	ck_assert_int_eq(link(path, tmpspool_at(to, rig_name(n))), 0);
}

static void plant_1(unsigned n)
{
	put_request(n, "1-requested");
}

static void plant_2(unsigned n)
{
	put_request(n, "2-pending");
}

static void plant_3(unsigned n)
{
	put_request(n, "3-running");
}

static void plant_3_tmp_result(unsigned n)
{
	put_request(n, "3-running");
	rig_plant_result(n, TMP);
}

static void plant_3_tmp_neither(unsigned n)
{
	put_request(n, "3-running");
	put_neither(n, TMP);
}

static void plant_3_result(unsigned n)
{
	rig_plant_result(n, "3-running");
}

static void plant_3_result_tmp(unsigned n)
{
	rig_plant_result(n, "3-running");
	put_request(n, TMP);
}

static void plant_3_neither(unsigned n)
{
	put_neither(n, "3-running");
}

static void plant_3_neither_tmp(unsigned n)
{
	put_neither(n, "3-running");
	put_request(n, TMP);
}

static void plant_tmp(unsigned n)
{
	put_request(n, TMP);
}

static void plant_5_1(unsigned n)
{
	put_request(n, "1-requested");
	rig_abort(n);
}

static void plant_5_2(unsigned n)
{
	put_request(n, "2-pending");
	rig_abort(n);
}

static void plant_5_3_tmp(unsigned n)
{
	plant_3_result_tmp(n);
	rig_abort(n);
}

static void plant_5(unsigned n)
{
	rig_abort(n);
}

static void plant_1_2_same(unsigned n)
{
	put_request(n, "1-requested");
	link_to(n, "1-requested", "2-pending");
}

static void plant_2_3_same(unsigned n)
{
	put_request(n, "2-pending");
	link_to(n, "2-pending", "3-running");
}

static void plant_2_3(unsigned n)
{
	put_request(n, "2-pending");
	put_request(n, "3-running");
}

static void plant_1_3(unsigned n)
{
	put_request(n, "1-requested");
	put_request(n, "3-running");
}

static void plant_2_4(unsigned n)
{
	put_request(n, "2-pending");
	rig_plant_result(n, "4-complete");
}

static void plant_4_neither_3(unsigned n)
{
	put_neither(n, "4-complete");
	put_request(n, "3-running");
}

static void plant_4_neither_3_result(unsigned n)
{
	put_neither(n, "4-complete");
	rig_plant_result(n, "3-running");
}

static void plant_4_neither_tmp(unsigned n)
{
	put_neither(n, "4-complete");
	put_request(n, TMP);
}

enum {
	NO_RESULT = -1
};

static const struct {
	void (*plant)(unsigned n);
	int status; /* of its result in the end */
	int starts;
	const char *kept; /* the bytes that quarantine holds in the end, "" for a request */
} states[] = {
	/* In these two, tmp and 3 change places. */
	{ plant_3_tmp_result, RESULT_OK, 0, NULL },
	{ plant_3_neither_tmp, RESULT_LOST, 0, NULL },
	{ plant_1, RESULT_OK, 1, NULL },
	{ plant_2, RESULT_OK, 1, NULL },
	{ plant_3, RESULT_LOST, 0, NULL },
	{ plant_3_tmp_neither, RESULT_LOST, 0, NULL },
	{ plant_3_result, RESULT_OK, 0, NULL },
	{ plant_3_result_tmp, RESULT_OK, 0, NULL },
	{ plant_3_neither, RESULT_LOST, 0, "neither" },
	{ plant_tmp, NO_RESULT, 0, NULL },
	{ plant_5_1, NO_RESULT, 0, NULL },
	{ plant_5_2, NO_RESULT, 0, NULL },
	{ plant_5_3_tmp, NO_RESULT, 0, NULL },
	{ plant_5, NO_RESULT, 0, NULL },
	{ plant_1_2_same, RESULT_OK, 1, NULL },
	{ plant_2_3_same, RESULT_LOST, 0, NULL },
	{ plant_2_3, RESULT_LOST, 0, "" },
	{ plant_1_3, RESULT_LOST, 0, "" },
	{ plant_2_4, RESULT_OK, 0, NULL },
	{ plant_4_neither_3, RESULT_LOST, 0, "neither" },
	{ plant_4_neither_3_result, RESULT_OK, 0, "neither" },
	{ plant_4_neither_tmp, RESULT_LOST, 0, "neither" },
};
enum {
	N_STATES = sizeof states / sizeof *states,
	N_EXCHANGED = 2,
	ID = 7
};

/* ---- what must be true --------------------------------------------------------------------------
 */

static bool is_aborted(int which)
{
	return states[which].status == NO_RESULT && states[which].plant != plant_tmp;
}

/* At any time: what was aborted has its marker or is gone; what can be seen in 4 is a result. */
static void expect_sane(int which)
{
	if (is_aborted(which) && !rig_stands(ID, "5-aborting"))
		for (enum spool_state s = SPOOL_REQUESTED; s <= SPOOL_COMPLETE; s++)
			ck_assert(!rig_stands(ID, spool_state_name(s)));
	if (rig_stands(ID, "4-complete") && !tmpspool_holds("4-complete", rig_name(ID), "neither"))
		rig_assert_result(ID, (enum result_status)states[which].status);
}

static void expect_end(int which)
{
	const char *kept = states[which].kept;
	expect_sane(which);
	rig_assert_idle();
	ck_assert_int_eq(tmpspool_count("4-complete"), states[which].status != NO_RESULT);
	ck_assert_int_eq(rig_n_started(), states[which].starts);
	if (states[which].status != NO_RESULT)
		rig_assert_result(ID, (enum result_status)states[which].status);
	/* Once taken back to 3 this one is 3X and tmp Q, of which nothing is kept. */
	if (states[which].plant != plant_4_neither_tmp)
		ck_assert(rig_stands(ID, Q) == (kept != NULL));
	if (kept && kept[0] && rig_stands(ID, Q))
		ck_assert(tmpspool_holds(Q, rig_name(ID), kept));
}

/* A spool that a server made and left. */
static void make_state(int which)
{
	struct spool sp;
	rig_setup_spool();
	ck_assert_int_eq(spool_open_server(&sp, tmpspool_path, &spool_io_real, NULL), 0);
	spool_close(&sp);
	states[which].plant(ID);
}

static void open_with(bool exchange)
{
	rig_open(RIG_QUICK);
	rig.spool.no_exchange = !exchange;
}

static void serve(void)
{
	look_list(&rig);
	rig_run();
	rig_run_later();
}

START_TEST(each_state_comes_to_its_end)
{
	make_state(_i);
	open_with(true);
	ck_assert_int_eq(rig_recover(), 0);
	serve();

	expect_end(_i);
	rig_teardown();
}
END_TEST

static void fail_at_each_call(int which, bool exchange)
{
	bool failed_once = false, done = false;
	for (int k = 1; !done; k++) {
		make_state(which);
		open_with(exchange);
		fault_at(k, EIO);
		int rc = rig_recover();
		done = fault_calls < k;
		failed_once |= rc < 0;
		fault_reset();
		expect_sane(which);
		/* Where it went on, it left nothing that a second one would treat otherwise. */
		rig_close();
		open_with(exchange);
		ck_assert_int_eq(rig_recover(), 0);
		serve();
		expect_end(which);
		rig_teardown();
	}
	ck_assert(failed_once);
}

START_TEST(recovery_that_fails_at_any_call_is_carried_on_by_the_next_start)
{
	fail_at_each_call(_i, true);
}
END_TEST

START_TEST(the_same_where_the_file_system_cannot_exchange)
{
	fail_at_each_call(_i, false);
}
END_TEST

static void publish_and_abort(void)
{
	rig_request(0, "quick");
	rig_abort(0);
}

/* And then the server is killed before it has heard of either. */
START_TEST(what_is_published_and_aborted_between_two_listings_does_not_run)
{
	rig_setup_spool();
	rig_open(RIG_QUICK);
	rig_watch();
	rig_when_listed(_i, publish_and_abort);
	ck_assert_int_eq(rig_recover(), 0);
	rig_close();

	rig_start(RIG_QUICK);
	rig_run();
	ck_assert_int_eq(rig_n_started(), 0);
	ck_assert(!rig_stands(0, "4-complete"));
	rig_assert_idle();
	rig_teardown();
}
END_TEST

START_TEST(recovery_may_fail_at_each_call_in_turn)
{
	int n = 0, rc;
	make_state(_i);
	do {
		open_with(true);
		fault_at(++n, EMFILE);
		rc = rig_recover();
		fault_reset();
		expect_sane(_i);
		if (rc < 0)
			rig_close();
	} while (rc < 0);
	serve();
	expect_end(_i);
	rig_teardown();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/recover");
	TCase *tc = tcase_create("recover");
	tcase_add_loop_test(tc, each_state_comes_to_its_end, 0, N_STATES);
	tcase_add_loop_test(
		tc, recovery_that_fails_at_any_call_is_carried_on_by_the_next_start, 0, N_STATES);
	tcase_add_loop_test(tc, the_same_where_the_file_system_cannot_exchange, 0, N_EXCHANGED);
	tcase_add_loop_test(tc, recovery_may_fail_at_each_call_in_turn, 0, N_STATES);
	tcase_add_loop_test(tc, what_is_published_and_aborted_between_two_listings_does_not_run, 0,
		SPOOL_STATE_MAX);
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
