/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/await.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "spool/move.h"
#include "spool/publish.h"
#include "support/spool/completing.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

enum {
	SLOT = 5
};

static struct await *aw;

static void open_await(void)
{
	tmpspool_open();
	aw = await_new();
	ck_assert_ptr_nonnull(aw);
}

static void close_await(void)
{
	await_free(aw);
	tmpspool_close();
}

static bool is_readable(const struct await *a)
{
	struct pollfd p = { .fd = await_fd(a), .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

/* Was `slot` told?  Events are there as soon as the call that makes them has returned. */
static bool was_told(struct await *a, unsigned slot)
{
	bool told = false;
	unsigned got;
	int rc;
	while ((rc = await_next(a, &got)) == 0)
		told |= got == slot;
	ck_assert_int_eq(rc, -EAGAIN);
	return told;
}

static struct reqid publish(struct await *a)
{
	struct reqid id;
	ck_assert_int_eq(publish_request(&tmpspool, "request", 7, &id, NULL), 0);
	ck_assert_int_eq(await_add(a, &tmpspool, id, SLOT), 0);
	return id;
}

START_TEST(a_result_is_told)
{
	char text[REQID_SIZE];
	tmpspool.named_tmp = _i & 1;
	tmpspool.no_exchange = _i >> 1 & 1;
	const char *reason = _i >> 2 & 1 ? "reason" : NULL;
	struct reqid id = publish(aw);
	ck_assert_int_eq(move_accept(&tmpspool, id), 0);
	ck_assert_int_eq(move_start(&tmpspool, id), 0);
	(void)was_told(aw, SLOT);

	ck_assert_int_eq(complete_all(&tmpspool, id, "result", 6, reason, 6, NULL), 0);

	ck_assert(tmpspool_has("4-complete", reqid_format(id, text)));
	ck_assert(is_readable(aw));
	ck_assert(was_told(aw, SLOT));
}
END_TEST

START_TEST(a_result_is_told_after_it_can_be_seen)
{
	const char *reason = _i ? "reason" : NULL;
	struct reqid id = publish(aw);
	ck_assert_int_eq(move_accept(&tmpspool, id), 0);
	ck_assert_int_eq(move_start(&tmpspool, id), 0);
	/* The rename to 4 fails, so all events of the steps before it can be taken first. */
	fault_on_flags("renameat2", RENAME_NOREPLACE, ENOSPC);
	ck_assert_int_eq(complete_all(&tmpspool, id, "result", 6, reason, 6, NULL), -ENOSPC);
	(void)was_told(aw, SLOT);
	fault_reset();

	ck_assert_int_eq(complete_all(&tmpspool, id, "result", 6, reason, 6, NULL), 0);

	ck_assert(was_told(aw, SLOT));
}
END_TEST

START_TEST(an_abort_that_was_carried_out_is_told)
{
	struct reqid id = publish(aw);
	(void)was_told(aw, SLOT);
	ck_assert(!is_readable(aw));
	ck_assert_int_eq(move_accept(&tmpspool, id), 0);
	ck_assert(!was_told(aw, SLOT));

	ck_assert_int_eq(move_remove(&tmpspool, id, SPOOL_PENDING), 0);

	ck_assert(was_told(aw, SLOT));
}
END_TEST

START_TEST(who_did_not_enqueue_watches_the_request_where_it_stands)
{
	static const char *const places[] = { "1-requested", "2-pending", "3-running" };
	tmpspool_put(places[_i], ID_TEXT, "request");

	ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_id, SLOT), 0);
	ck_assert(!was_told(aw, SLOT));
	ck_assert_int_eq(unlink(tmpspool_at(places[_i], ID_TEXT)), 0);

	ck_assert(was_told(aw, SLOT));
}
END_TEST

START_TEST(a_result_found_on_its_way_is_told_when_it_arrives)
{
	tmpspool_put("3-running", ID_TEXT, "result");
	ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_id, SLOT), 0);

	ck_assert_int_eq(complete_show(&tmpspool, tmpspool_id, false, NULL, 0, NULL), 0);

	ck_assert(was_told(aw, SLOT));
}
END_TEST

START_TEST(what_is_complete_or_gone_cannot_be_watched)
{
	tmpspool_put("4-complete", ID_TEXT, "result");

	ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_id, SLOT), -ENOENT);
	ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_nth(1), SLOT), -ENOENT);
}
END_TEST

START_TEST(several_slots_of_one_request_are_all_told)
{
	tmpspool_put("2-pending", ID_TEXT, "request");
	for (unsigned slot = 0; slot < 3; slot++)
		ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_id, slot), 0);
	await_drop(aw, 1);

	ck_assert_int_eq(unlink(tmpspool_at("2-pending", ID_TEXT)), 0);

	bool told[3] = { false };
	unsigned slot;
	while (await_next(aw, &slot) == 0)
		told[slot] = true;
	ck_assert(told[0] && !told[1] && told[2]);
}
END_TEST

START_TEST(a_dropped_slot_is_never_told_and_may_be_used_again)
{
	tmpspool_put("2-pending", ID_TEXT, "request");
	ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_id, SLOT), 0);
	ck_assert_int_eq(unlink(tmpspool_at("2-pending", ID_TEXT)), 0);

	await_drop(aw, SLOT);
	await_drop(aw, SLOT);
	await_drop(aw, 12345);
	ck_assert(!was_told(aw, SLOT));

	tmpspool_put("2-pending", ID_TEXT, "again");
	ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_id, SLOT), 0);
	ck_assert_int_eq(unlink(tmpspool_at("2-pending", ID_TEXT)), 0);
	ck_assert(was_told(aw, SLOT));
}
END_TEST

START_TEST(many_slots_are_all_told)
{
	enum {
		N = 1500
	};
	static unsigned told[N];
	for (unsigned i = 0; i < N; i++) {
		char text[REQID_SIZE];
		tmpspool_put("2-pending", reqid_format(tmpspool_nth(i), text), "request");
		ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_nth(i), i), 0);
	}
	for (unsigned i = 0; i < N; i++) {
		char text[REQID_SIZE];
		ck_assert_int_eq(
			unlink(tmpspool_at("2-pending", reqid_format(tmpspool_nth(i), text))), 0);
	}

	unsigned slot;
	while (await_next(aw, &slot) == 0)
		told[slot]++;

	for (unsigned i = 0; i < N; i++)
		ck_assert_uint_ge(told[i], 1);
}
END_TEST

START_TEST(without_inotify_nothing_can_be_watched_and_nothing_else_fails)
{
	struct rlimit limit;
	unsigned slot;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	struct rlimit none = { .rlim_cur = 0, .rlim_max = limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	struct await *deaf = await_new();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_ptr_nonnull(deaf);

	tmpspool_put("2-pending", ID_TEXT, "request");
	ck_assert_int_eq(await_fd(deaf), -1);
	ck_assert_int_eq(await_add(deaf, &tmpspool, tmpspool_id, SLOT), -EMFILE);
	ck_assert_int_eq(await_next(deaf, &slot), -EAGAIN);
	await_drop(deaf, SLOT);
	await_free(deaf);
}
END_TEST

START_TEST(a_slot_out_of_bounds_is_refused)
{
	tmpspool_put("2-pending", ID_TEXT, "request");
	ck_assert_int_eq(await_add(aw, &tmpspool, tmpspool_id, AWAIT_MAX_SLOTS), -EINVAL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/await");
	TCase *tc = tcase_create("await");
	tcase_add_checked_fixture(tc, open_await, close_await);
	tcase_add_loop_test(tc, a_result_is_told, 0, 8);
	tcase_add_loop_test(tc, a_result_is_told_after_it_can_be_seen, 0, 2);
	tcase_add_test(tc, an_abort_that_was_carried_out_is_told);
	tcase_add_loop_test(tc, who_did_not_enqueue_watches_the_request_where_it_stands, 0, 3);
	tcase_add_test(tc, a_result_found_on_its_way_is_told_when_it_arrives);
	tcase_add_test(tc, what_is_complete_or_gone_cannot_be_watched);
	tcase_add_test(tc, several_slots_of_one_request_are_all_told);
	tcase_add_test(tc, a_dropped_slot_is_never_told_and_may_be_used_again);
	tcase_add_test(tc, many_slots_are_all_told);
	tcase_add_test(tc, without_inotify_nothing_can_be_watched_and_nothing_else_fails);
	tcase_add_test(tc, a_slot_out_of_bounds_is_refused);
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
