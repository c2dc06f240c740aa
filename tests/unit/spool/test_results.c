/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/results.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/work.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

enum {
	STEPS_MAX = 100000
};

static struct results results;
static int history; /* the directory that is kept within bounds */

static void setup(void)
{
	tmpspool_open();
	history = tmpspool.finished_fd;
}

static void teardown(void)
{
	results_fini(&results, &tmpspool);
	tmpspool_close();
}

static const char *text_of(unsigned n)
{
	static char text[REQID_SIZE];
	return reqid_format(tmpspool_nth(n), text);
}

static const char *work_of(unsigned n)
{
	static char name[WORK_NAME_SIZE];
	return work_name(tmpspool_nth(n), 1, name);
}

/* A result of this time that says of itself "keep-us attempt". */
static void put(unsigned n, int64_t since_us, int64_t keep_us, unsigned attempt)
{
	char text[64];
	snprintf(text, sizeof text, "%lld %u", (long long)keep_us, attempt);
	tmpspool_put("finished", text_of(n), text);
	const struct timespec times[2] = { { since_us / 1000000, since_us % 1000000 * 1000 },
		{ since_us / 1000000, since_us % 1000000 * 1000 } };
	ck_assert_int_eq(utimensat(AT_FDCWD, tmpspool_at("finished", text_of(n)), times, 0), 0);
}

static void put_many(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		put(i, 1000000 + i, 0, 0);
}

static bool about(const void *bytes, size_t len, struct results_about *ret)
{
	char text[64] = "";
	long long keep_us;
	memcpy(text, bytes, len < 63 ? len : 63);
	if (sscanf(text, "%lld %u", &keep_us, &ret->attempt) != 2)
		return false;
	ret->keep_us = keep_us;
	return true;
}

/* All that is there is known. */
static void look(bool with_work)
{
	int rc = 1;
	results_again(&results);
	for (int i = 0; rc == 1 && i < STEPS_MAX; i++)
		rc = results_step(&results, &tmpspool, history, with_work, about);
	ck_assert_int_eq(rc, 0);
}

static int prune(const struct results_limits *limits, int64_t now_us, size_t max)
{
	struct reqid *ids = calloc(max + 1, sizeof *ids);
	int removed = 0;
	look(limits->bytes > 0);
	size_t n = results_excess(&results, limits, now_us, ids, max);
	ck_assert_uint_le(n, max);
	for (size_t i = 0; i < n; i++) {
		int rc = results_remove(&results, &tmpspool, history, ids[i]);
		ck_assert_int_ge(rc, 0);
		removed += rc;
	}
	free(ids);
	return removed;
}

/* Which of the first `n` are there: bit i for the i-th. */
static unsigned set_of(unsigned n)
{
	unsigned set = 0;
	for (unsigned i = 0; i < n; i++)
		set |= (unsigned)tmpspool_has("finished", text_of(i)) << i;
	return set;
}

/* ---- number ------------------------------------------------------------------------------------ */

START_TEST(the_oldest_beyond_the_number_go)
{
	put_many(0, 10);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 7 }, 0, 100), 3);
	ck_assert_uint_eq(set_of(10), 0x3f8);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 7 }, 0, 100), 0);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 0 }, 0, 100), 7);
	ck_assert_int_eq(tmpspool_count("finished"), 0);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 0 }, 0, 100), 0);
}
END_TEST

/* The first was made last. */
START_TEST(the_oldest_are_those_written_first_or_those_of_the_smallest_ids)
{
	for (unsigned i = 0; i < 10; i++)
		put(i, 2000000 - i, 0, 0);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 7 }, 0, 100), 3);
	ck_assert_uint_eq(set_of(10), 0x07f);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 5, .by_id = true }, 0, 100), 2);
	ck_assert_uint_eq(set_of(10), 0x07c);
}
END_TEST

START_TEST(of_many_in_any_order_it_is_the_oldest_that_go)
{
	for (unsigned i = 0; i < 200; i++)
		put(i * 77 % 200, 1000000 + i * 31 % 200, 0, 0);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 5 }, 0, 1000), 195);
	for (unsigned i = 0; i < 200; i++)
		ck_assert_int_eq(
			tmpspool_has("finished", text_of(i * 77 % 200)), i * 31 % 200 >= 195);
}
END_TEST

START_TEST(at_most_so_many_are_named_at_once_the_oldest_first)
{
	put_many(0, 10);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 2 }, 0, 3), 3);
	ck_assert_uint_eq(set_of(10), 0x3f8);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 2 }, 0, 3), 3);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 2 }, 0, 3), 2);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 2 }, 0, 3), 0);
	ck_assert_uint_eq(set_of(10), 0x300);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 0 }, 0, 0), 0);
}
END_TEST

/* ---- age --------------------------------------------------------------------------------------- */

START_TEST(what_is_older_than_the_age_goes_and_what_is_as_old_stays)
{
	const struct results_limits limits = { .keep = 100, .keep_us = 996 };
	put_many(0, 10);
	ck_assert_int_eq(prune(&limits, 1001000, 100), 4);
	ck_assert_uint_eq(set_of(10), 0x3f0);
	ck_assert_int_eq(results_due_us(&results, &limits), 1000004 + 996);
	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 100 }, INT64_MAX, 100), 0);
}
END_TEST

START_TEST(what_was_written_in_1970_is_no_older_than_its_id)
{
	const struct results_limits limits = { .keep = 100, .keep_us = 996 };
	put_many(0, 10);
	tmpspool.hwm_us = tmpspool_id.us + 6; /* the ids above are forged: they cannot be ahead */
	ck_assert_int_eq(prune(&limits, (int64_t)tmpspool_id.us + 1000, 100), 4 + 3);
	ck_assert_uint_eq(set_of(10), 0x070);
	ck_assert_int_eq(results_due_us(&results, &limits), (int64_t)tmpspool_id.us + 4 + 996);
}
END_TEST

START_TEST(by_id_age_is_that_of_the_id)
{
	const struct results_limits limits = { .keep = 100, .keep_us = 996, .by_id = true };
	put_many(0, 10); /* ids a microsecond apart, and files of the year 1970 */
	ck_assert_int_eq(prune(&limits, (int64_t)tmpspool_id.us + 1000, 100), 4);
	ck_assert_uint_eq(set_of(10), 0x3f0);
	ck_assert_int_eq(results_due_us(&results, &limits), (int64_t)tmpspool_id.us + 4 + 996);
}
END_TEST

START_TEST(one_that_asks_for_less_time_goes_before_and_for_more_it_is_not_kept)
{
	const struct results_limits limits = { .keep = 100, .keep_us = 1000 };
	put(0, 1000000, 10, 0);
	put(1, 1000000, 1, 0);
	put(2, 1000000, 0, 0);
	put(3, 1000000, INT64_MAX, 0);
	look(false);
	ck_assert_int_eq(results_due_us(&results, &limits), 1000001);
	ck_assert_int_eq(prune(&limits, 1000002, 100), 1);
	ck_assert_int_eq(prune(&limits, 1000010, 100), 0);
	ck_assert_uint_eq(set_of(4), 0xd);
	ck_assert_int_eq(prune(&limits, 1000011, 100), 1);
	ck_assert_int_eq(prune(&limits, 1001000, 100), 0);
	ck_assert_int_eq(prune(&limits, 1001001, 100), 2);
}
END_TEST

START_TEST(its_own_time_counts_where_there_is_no_other_too)
{
	const struct results_limits limits = { .keep = 100, .by_id = true };
	put(0, 1000000, 10, 0);
	put(1, 1000000, 0, 0);
	look(false);
	ck_assert_int_eq(results_due_us(&results, &limits), 1000010);
	ck_assert_int_eq(prune(&limits, 1000011, 100), 1);
	ck_assert_int_eq(results_due_us(&results, &limits), INT64_MAX);
}
END_TEST

START_TEST(of_age_and_number_the_narrower_holds)
{
	put_many(0, 10);
	ck_assert_int_eq(
		prune(&(struct results_limits){ .keep = 4, .keep_us = 998 }, 1001000, 100), 6);
	ck_assert_uint_eq(set_of(10), 0x3c0);
	ck_assert_int_eq(
		prune(&(struct results_limits){ .keep = 4, .keep_us = 992 }, 1001000, 100), 2);
	ck_assert_uint_eq(set_of(10), 0x300);
}
END_TEST

/* ---- bytes ------------------------------------------------------------------------------------- */

static void put_work(unsigned n, size_t len)
{
	char name[WORK_NAME_SIZE + 16];
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_nth(n), 1), 0);
	snprintf(name, sizeof name, "%s/stdout", work_of(n));
	tmpspool_put("work", name, "");
	int fd = open(tmpspool_at("work", name), O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	char *bytes = calloc(1, len + 1);
	memset(bytes, 'x', len);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(fsync(fd), 0);
	free(bytes);
	close(fd);
}

START_TEST(work_directories_count_and_the_oldest_go_with_theirs)
{
	enum {
		LEN = 200000
	};
	for (unsigned i = 0; i < 4; i++) {
		put(i, 1000000 + i, 0, 1);
		put_work(i, LEN);
	}
	struct results_limits limits = { .keep = 100, .bytes = 5 * LEN, .by_id = true };
	ck_assert_int_eq(prune(&limits, 0, 100), 0);
	limits.bytes = 2 * LEN + LEN / 2;
	ck_assert_int_eq(prune(&limits, 0, 100), 2);
	ck_assert_uint_eq(set_of(4), 0xc);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(tmpspool_has("work", work_of(i)), i >= 2);
	limits.bytes = 1;
	ck_assert_int_eq(prune(&limits, 0, 100), 2);
	ck_assert_int_eq(tmpspool_count("work"), 0);
}
END_TEST

START_TEST(all_that_a_work_directory_holds_is_measured)
{
	char name[WORK_NAME_SIZE + 32];
	put_work(0, 100000);
	uint64_t one = work_measure(&tmpspool, tmpspool_nth(0), 1);
	ck_assert_uint_ge(one, 100000);
	ck_assert_uint_le(one, 100000 + 64 * 1024);
	snprintf(name, sizeof name, "%s/a", work_of(0));
	ck_assert_int_eq(mkdir(tmpspool_at("work", name), 0700), 0);
	snprintf(name, sizeof name, "%s/a/b", work_of(0));
	char *big = malloc(300001);
	memset(big, 'y', 300000);
	big[300000] = '\0';
	tmpspool_put("work", name, big);
	free(big);
	ck_assert_uint_ge(work_measure(&tmpspool, tmpspool_nth(0), 1), one + 300000);
	/* A link takes nothing of what it leads to. */
	snprintf(name, sizeof name, "%s/link", work_of(0));
	uint64_t before = work_measure(&tmpspool, tmpspool_nth(0), 1);
	ck_assert_int_eq(symlink("/", tmpspool_at("work", name)), 0);
	ck_assert_uint_le(work_measure(&tmpspool, tmpspool_nth(0), 1), before + 4096);
	ck_assert_uint_eq(work_measure(&tmpspool, tmpspool_nth(1), 1), 0);
}
END_TEST

START_TEST(a_work_directory_with_very_many_names_is_not_looked_through)
{
	char name[WORK_NAME_SIZE + 32];
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_nth(0), 1), 0);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "%s/%d", work_of(0), i);
		ck_assert_int_eq(mknod(tmpspool_at("work", name), S_IFREG | 0600, 0), 0);
	}
	fault_reset();
	(void)work_measure(&tmpspool, tmpspool_nth(0), 1);
	ck_assert_int_le(fault_calls, 17000);
}
END_TEST

/* ---- from listing to listing ------------------------------------------------------------------- */

START_TEST(each_is_looked_at_once)
{
	put_many(0, 100);
	look(false);
	fault_reset();
	look(false);
	ck_assert_int_le(fault_calls, 6); /* a listing */
	put_many(100, 110);
	fault_reset();
	look(false);
	ck_assert_int_le(fault_calls, 6 + 10 * 5);
	ck_assert_uint_eq(results.n, 110);
}
END_TEST

START_TEST(a_step_is_small_however_many_there_are)
{
	enum {
		N = 5000
	};
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(mknod(tmpspool_at("finished", text_of(i)), S_IFREG | 0600, 0), 0);
	int rc = 1, steps = 0;
	for (; rc == 1; steps++) {
		fault_reset();
		rc = results_step(&results, &tmpspool, history, false, about);
		ck_assert_int_le(fault_calls, 40);
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(results.n, N);
	ck_assert_int_gt(steps, N / 40);
}
END_TEST

START_TEST(what_has_been_taken_away_counts_until_the_next_listing_at_most)
{
	put_many(0, 4);
	look(false);
	ck_assert_int_eq(unlink(tmpspool_at("finished", text_of(1))), 0);
	ck_assert_uint_eq(results_count(&results), 4);
	ck_assert_int_eq(results_remove(&results, &tmpspool, history, tmpspool_nth(1)), 0);
	ck_assert_uint_eq(results_count(&results), 3);
	look(false);
	ck_assert_uint_eq(results.n, 3);
	ck_assert_int_eq(results_remove(&results, &tmpspool, history, tmpspool_nth(1)), 0);
}
END_TEST

/* Its client was faster, and the history has both now. */
START_TEST(the_work_directory_of_one_that_has_been_taken_away_stays)
{
	put(0, 1000000, 0, 1);
	put_work(0, 10);
	look(true);
	ck_assert_int_eq(unlink(tmpspool_at("finished", text_of(0))), 0);
	ck_assert_int_eq(results_remove(&results, &tmpspool, history, tmpspool_nth(0)), 0);
	ck_assert(tmpspool_has("work", work_of(0)));
}
END_TEST

START_TEST(one_that_is_taken_away_before_it_is_looked_at_is_gone)
{
	put_many(0, 3);
	ck_assert_int_eq(results_step(&results, &tmpspool, history, false, about), 1);
	ck_assert_int_eq(results_step(&results, &tmpspool, history, false, about), 1);
	ck_assert_int_eq(unlink(tmpspool_at("finished", text_of(1))), 0);
	ck_assert_int_eq(results_step(&results, &tmpspool, history, false, about), 0);
	struct reqid ids[3];
	ck_assert_uint_eq(
		results_excess(&results, &(struct results_limits){ .keep = 2 }, 0, ids, 3), 0);
	ck_assert_uint_eq(
		results_excess(&results, &(struct results_limits){ .keep = 1 }, 0, ids, 3), 1);
	ck_assert(reqid_is(ids[0], tmpspool_nth(0)));
}
END_TEST

START_TEST(what_is_no_result_is_left_alone_or_set_aside)
{
	tmpspool_put("finished", "notes.txt", "bytes");
	tmpspool_put("finished", ".hidden", "bytes");
	ck_assert_int_eq(mkdir(tmpspool_at("finished", ID_TEXT), 0700), 0);
	tmpspool_put("finished", ID_TEXT "/inner", "bytes");
	ck_assert_int_eq(mkfifo(tmpspool_at("finished", text_of(1)), 0600), 0);
	ck_assert_int_eq(symlink("/dev/null", tmpspool_at("finished", text_of(2))), 0);

	ck_assert_int_eq(prune(&(struct results_limits){ .keep = 0 }, 0, 100), 3);

	ck_assert_int_eq(tmpspool_count("finished"), 2);
	ck_assert(tmpspool_has(".wq/quarantine", ID_TEXT "/inner"));
}
END_TEST

START_TEST(what_cannot_be_removed_is_told_once_a_listing)
{
	struct reqid ids[2];
	const struct results_limits none = { .keep = 0 };
	put_many(0, 2);
	look(false);
	fault_on("unlinkat", EIO, 1);
	ck_assert_int_eq(results_remove(&results, &tmpspool, history, tmpspool_nth(0)), -EIO);
	ck_assert_uint_eq(results_excess(&results, &none, 0, ids, 2), 1);
	look(false);
	ck_assert_uint_eq(results_excess(&results, &none, 0, ids, 2), 2);
}
END_TEST

START_TEST(after_a_failure_at_any_call_it_begins_anew_and_nothing_is_lost)
{
	int fds = tmpspool_open_fds();
	put_many(0, 20);
	for (int k = 1; k < 400; k++) {
		results_again(&results);
		fault_at(k, EIO);
		int rc = 1;
		for (int i = 0; rc == 1 && i < STEPS_MAX; i++)
			rc = results_step(&results, &tmpspool, history, false, about);
		int calls = fault_calls;
		fault_reset();
		ck_assert(rc == 0 || rc == -EIO);
		look(false);
		ck_assert_uint_eq(results.n, 20);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		if (calls < k)
			return;
		results_fini(&results, &tmpspool);
	}
	ck_abort_msg("it never succeeds");
}
END_TEST

START_TEST(one_that_ends_in_the_midst_of_a_listing_leaves_nothing_open)
{
	int fds = tmpspool_open_fds();
	put_many(0, 3);
	ck_assert_int_eq(results_step(&results, &tmpspool, history, false, about), 1);
	results_fini(&results, &tmpspool);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
}
END_TEST

static void add(Suite *suite, TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(suite, tc);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/results");
	TCase *tc = tcase_create("number");
	tcase_add_test(tc, the_oldest_beyond_the_number_go);
	tcase_add_test(tc, the_oldest_are_those_written_first_or_those_of_the_smallest_ids);
	tcase_add_test(tc, of_many_in_any_order_it_is_the_oldest_that_go);
	tcase_add_test(tc, at_most_so_many_are_named_at_once_the_oldest_first);
	add(suite, tc);
	tc = tcase_create("age");
	tcase_add_test(tc, what_is_older_than_the_age_goes_and_what_is_as_old_stays);
	tcase_add_test(tc, what_was_written_in_1970_is_no_older_than_its_id);
	tcase_add_test(tc, by_id_age_is_that_of_the_id);
	tcase_add_test(tc, one_that_asks_for_less_time_goes_before_and_for_more_it_is_not_kept);
	tcase_add_test(tc, its_own_time_counts_where_there_is_no_other_too);
	tcase_add_test(tc, of_age_and_number_the_narrower_holds);
	add(suite, tc);
	tc = tcase_create("bytes");
	tcase_set_timeout(tc, 60); /* twenty thousand files, under a sanitizer too */
	tcase_add_test(tc, work_directories_count_and_the_oldest_go_with_theirs);
	tcase_add_test(tc, all_that_a_work_directory_holds_is_measured);
	tcase_add_test(tc, a_work_directory_with_very_many_names_is_not_looked_through);
	add(suite, tc);
	tc = tcase_create("listing");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_is_looked_at_once);
	tcase_add_test(tc, a_step_is_small_however_many_there_are);
	tcase_add_test(tc, what_has_been_taken_away_counts_until_the_next_listing_at_most);
	tcase_add_test(tc, the_work_directory_of_one_that_has_been_taken_away_stays);
	tcase_add_test(tc, one_that_is_taken_away_before_it_is_looked_at_is_gone);
	tcase_add_test(tc, what_is_no_result_is_left_alone_or_set_aside);
	tcase_add_test(tc, what_cannot_be_removed_is_told_once_a_listing);
	tcase_add_test(tc, after_a_failure_at_any_call_it_begins_anew_and_nothing_is_lost);
	tcase_add_test(tc, one_that_ends_in_the_midst_of_a_listing_leaves_nothing_open);
	add(suite, tc);
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
