/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/classify.h"

#include <check.h>

#define Q FIND_REQUEST
#define R FIND_RESULT
#define X FIND_NEITHER
enum {
	IS_ANY = CLASSIFY_IS_REQUESTED | CLASSIFY_IS_PENDING | CLASSIFY_IS_RUNNING |
		 CLASSIFY_IS_COMPLETE
};

/* The recovery table of docs/wq-spool.7, a line a row. */
static const struct {
	struct findings found;
	uint32_t mask;
} rows[] = {
	{ { 0 }, 0 },
	{ { .in_1 = 1 }, CLASSIFY_IS_REQUESTED },
	{ { .in_2 = 1 }, CLASSIFY_IS_PENDING },
	/* 1 and a later one */
	{ { .in_1 = 1, .in_2 = 1, .same_1 = 1 }, CLASSIFY_UNLINK_1 | CLASSIFY_IS_PENDING },
	{ { .in_1 = 1, .in_3 = Q, .same_1 = 1 }, CLASSIFY_UNLINK_1 | CLASSIFY_IS_RUNNING },
	{ { .in_1 = 1, .in_2 = 1 }, CLASSIFY_QUARANTINE_1 | CLASSIFY_IS_PENDING },
	{ { .in_1 = 1, .in_3 = Q }, CLASSIFY_QUARANTINE_1 | CLASSIFY_IS_RUNNING },
	{ { .in_1 = 1, .in_4 = R }, CLASSIFY_QUARANTINE_1 | CLASSIFY_IS_COMPLETE },
	/* 2 and a later one */
	{ { .in_2 = 1, .in_3 = Q, .same_2 = 1 }, CLASSIFY_UNLINK_2 | CLASSIFY_IS_RUNNING },
	{ { .in_2 = 1, .in_3 = Q }, CLASSIFY_QUARANTINE_2 | CLASSIFY_IS_RUNNING },
	{ { .in_2 = 1, .in_3 = R }, CLASSIFY_UNLINK_2 | CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE },
	{ { .in_2 = 1, .in_4 = R }, CLASSIFY_UNLINK_2 | CLASSIFY_IS_COMPLETE },
	/* 3 and tmp */
	{ { .in_3 = Q }, CLASSIFY_IS_RUNNING },
	{ { .in_3 = Q, .in_tmp = R }, CLASSIFY_EXCHANGE | CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE },
	{ { .in_3 = Q, .in_tmp = X }, CLASSIFY_UNLINK_TMP | CLASSIFY_IS_RUNNING },
	{ { .in_3 = R }, CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE },
	{ { .in_3 = R, .in_tmp = Q }, CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE },
	{ { .in_3 = X, .in_tmp = Q },
		CLASSIFY_EXCHANGE | CLASSIFY_UNLINK_TMP | CLASSIFY_IS_RUNNING },
	{ { .in_3 = X, .in_tmp = R }, CLASSIFY_EXCHANGE | CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE },
	{ { .in_3 = X }, CLASSIFY_QUARANTINE_3 | CLASSIFY_IS_COMPLETE },
	{ { .in_3 = X, .in_tmp = X },
		CLASSIFY_UNLINK_TMP | CLASSIFY_QUARANTINE_3 | CLASSIFY_IS_COMPLETE },
	/* tmp alone */
	{ { .in_tmp = Q }, CLASSIFY_UNLINK_TMP },
	{ { .in_tmp = R }, CLASSIFY_UNLINK_TMP },
	{ { .in_tmp = X }, CLASSIFY_UNLINK_TMP },
	{ { .in_2 = 1, .in_tmp = Q }, CLASSIFY_UNLINK_TMP | CLASSIFY_IS_PENDING },
	/* 4 */
	{ { .in_4 = R }, CLASSIFY_IS_COMPLETE },
	{ { .in_4 = R, .in_3 = Q }, CLASSIFY_UNLINK_3 | CLASSIFY_IS_COMPLETE },
	{ { .in_4 = R, .in_3 = R }, CLASSIFY_UNLINK_3 | CLASSIFY_IS_COMPLETE },
	{ { .in_4 = R, .in_3 = X }, CLASSIFY_UNLINK_3 | CLASSIFY_IS_COMPLETE },
	{ { .in_4 = R, .in_tmp = Q }, CLASSIFY_UNLINK_TMP | CLASSIFY_IS_COMPLETE },
	{ { .in_4 = X }, CLASSIFY_QUARANTINE_4 | CLASSIFY_LOST_4 | CLASSIFY_IS_COMPLETE },
	{ { .in_4 = Q }, CLASSIFY_QUARANTINE_4 | CLASSIFY_LOST_4 | CLASSIFY_IS_COMPLETE },
	{ { .in_4 = X, .in_3 = R },
		CLASSIFY_QUARANTINE_4 | CLASSIFY_PUBLISH | CLASSIFY_IS_COMPLETE },
	/* 5 */
	{ { .in_5 = 1 }, CLASSIFY_UNMARK },
	{ { .in_5 = 1, .in_1 = 1 }, CLASSIFY_REMOVE | CLASSIFY_UNMARK },
	{ { .in_5 = 1, .in_2 = 1 }, CLASSIFY_REMOVE | CLASSIFY_UNMARK },
	{ { .in_5 = 1, .in_3 = Q }, CLASSIFY_REMOVE | CLASSIFY_UNMARK },
	{ { .in_5 = 1, .in_3 = R, .in_tmp = Q }, CLASSIFY_REMOVE | CLASSIFY_UNMARK },
	{ { .in_5 = 1, .in_4 = R }, CLASSIFY_REMOVE | CLASSIFY_UNMARK },
	{ { .in_5 = 1, .in_tmp = Q }, CLASSIFY_REMOVE | CLASSIFY_UNMARK },
};

START_TEST(each_row_of_the_table_holds)
{
	ck_assert_uint_eq(classify(&rows[_i].found), rows[_i].mask);
}
END_TEST

/* What the actions do, in their order. */
static struct findings apply(struct findings f, uint32_t mask)
{
	if (mask & (CLASSIFY_UNLINK_1 | CLASSIFY_QUARANTINE_1))
		f.in_1 = false;
	if (mask & (CLASSIFY_UNLINK_2 | CLASSIFY_QUARANTINE_2))
		f.in_2 = false;
	if (mask & CLASSIFY_EXCHANGE) {
		enum finding was = f.in_3;
		f.in_3 = f.in_tmp;
		f.in_tmp = was;
	}
	if (mask & CLASSIFY_UNLINK_TMP)
		f.in_tmp = FIND_NONE;
	if (mask & CLASSIFY_QUARANTINE_4)
		f.in_4 = mask & CLASSIFY_LOST_4 ? FIND_RESULT : FIND_NONE;
	if (mask & CLASSIFY_QUARANTINE_3) {
		f.in_3 = FIND_NONE;
		f.in_4 = FIND_RESULT;
	}
	if (mask & CLASSIFY_UNLINK_3)
		f.in_3 = FIND_NONE;
	if (mask & CLASSIFY_PUBLISH) {
		f.in_3 = f.in_tmp = FIND_NONE;
		f.in_4 = FIND_RESULT;
	}
	if (mask & CLASSIFY_REMOVE) {
		f.in_1 = f.in_2 = false;
		f.in_3 = f.in_4 = f.in_tmp = FIND_NONE;
	}
	if (mask & CLASSIFY_UNMARK)
		f.in_5 = false;
	return f;
}

/* Any state of the disk at all. */
static struct findings nth(unsigned n)
{
	return (struct findings){
		.in_1 = n & 1,
		.in_2 = n >> 1 & 1,
		.in_5 = n >> 2 & 1,
		.same_1 = n >> 3 & 1,
		.same_2 = n >> 4 & 1,
		.in_3 = (enum finding)(n >> 5 & 3),
		.in_4 = (enum finding)(n >> 7 & 3),
		.in_tmp = (enum finding)(n >> 9 & 3),
	};
}
enum {
	ALL = 1 << 11
};

START_TEST(once_acted_upon_nothing_is_left_to_do)
{
	for (unsigned n = 0; n < ALL; n++) {
		struct findings f = nth(n);
		uint32_t mask = classify(&f);
		struct findings after = apply(f, mask);
		uint32_t again = classify(&after);

		ck_assert_msg(
			(again & ~(uint32_t)IS_ANY) == 0, "state %u: %x, then %x", n, mask, again);
		ck_assert_msg(again == (mask & IS_ANY), "state %u: %x, then %x", n, mask, again);
	}
}
END_TEST

START_TEST(afterwards_an_id_stands_in_one_place_at_most)
{
	for (unsigned n = 0; n < ALL; n++) {
		struct findings f = nth(n);
		struct findings g = apply(f, classify(&f));
		int places = g.in_1 + g.in_2 + (g.in_3 != FIND_NONE) + (g.in_4 != FIND_NONE);
		ck_assert_int_le(places, 1);
		ck_assert_int_eq(g.in_tmp, FIND_NONE);
		ck_assert(!g.in_5);
	}
}
END_TEST

START_TEST(a_result_that_may_have_been_seen_is_touched_by_an_abort_only)
{
	for (unsigned n = 0; n < ALL; n++) {
		struct findings f = nth(n);
		if (f.in_4 != FIND_RESULT || f.in_5)
			continue;
		uint32_t mask = classify(&f);
		ck_assert(
			(mask & (CLASSIFY_QUARANTINE_4 | CLASSIFY_REMOVE | CLASSIFY_PUBLISH)) == 0);
		ck_assert(mask & CLASSIFY_IS_COMPLETE);
		ck_assert(!(mask & CLASSIFY_IS_RUNNING));
	}
}
END_TEST

START_TEST(without_an_abort_no_request_goes_without_an_answer)
{
	for (unsigned n = 0; n < ALL; n++) {
		struct findings f = nth(n);
		if (f.in_5 || !(f.in_1 || f.in_2 || f.in_3 != FIND_NONE || f.in_4 != FIND_NONE))
			continue;
		ck_assert(classify(&f) & IS_ANY);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spool/classify");
	TCase *tc = tcase_create("classify");
	tcase_add_loop_test(tc, each_row_of_the_table_holds, 0, sizeof rows / sizeof *rows);
	tcase_add_test(tc, once_acted_upon_nothing_is_left_to_do);
	tcase_add_test(tc, afterwards_an_id_stands_in_one_place_at_most);
	tcase_add_test(tc, a_result_that_may_have_been_seen_is_touched_by_an_abort_only);
	tcase_add_test(tc, without_an_abort_no_request_goes_without_an_answer);
	suite_add_tcase(suite, tc);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
