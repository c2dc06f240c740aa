/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/fifo.h"
#include "support/sched/quick.h"
#include "support/sched/rng.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* It may keep so many dead ones before it is worth its while to release them. */
enum {
	MANY = 100000,
	FEW = 1024
};

static struct table t;
static struct fifo f;

static void setup(void)
{
	quick_assert(table_init(&t, (uint64_t[]){ 3, 4 }));
	memset(&f, 0, sizeof f);
}

static void teardown(void)
{
	fifo_fini(&f);
	table_fini(&t);
}

static struct reqid id_of(uint32_t n)
{
	return (struct reqid){ 1500000000000000 + n / 2, n % 2 ? UINT64_MAX : 0 };
}

static uint32_t number_of(uint32_t handle)
{
	struct reqid id = table_at(&t, handle)->id;

	return (uint32_t)(id.us - 1500000000000000) * 2 + (id.suffix != 0);
}

static uint32_t push(uint32_t n)
{
	uint32_t handle = table_add(&t, id_of(n));

	quick_assert(handle != TABLE_NONE);
	quick_assert(fifo_push(&f, &t, handle));
	return handle;
}

static void kill_entry(uint32_t n)
{
	uint32_t handle = table_find(&t, id_of(n));

	quick_assert(handle != TABLE_NONE);
	table_unlink(&t, handle);
	fifo_kill(&f, &t, handle);
}

/* Takes the next out and answers its number; UINT32_MAX when there is none. */
static uint32_t pop(void)
{
	uint32_t peeked = fifo_peek(&f, &t), handle = fifo_pop(&f, &t);

	quick_assert_uint_eq(handle, peeked);
	if (handle == TABLE_NONE)
		return UINT32_MAX;
	uint32_t n = number_of(handle);
	table_unlink(&t, handle);
	table_release(&t, handle);
	return n;
}

START_TEST(an_empty_one_has_no_next)
{
	quick_assert_uint_eq(fifo_count(&f), 0);
	quick_assert_uint_eq(fifo_peek(&f, &t), TABLE_NONE);
	quick_assert_uint_eq(fifo_pop(&f, &t), TABLE_NONE);

	push(1);
	pop();

	quick_assert_uint_eq(fifo_count(&f), 0);
	quick_assert_uint_eq(fifo_peek(&f, &t), TABLE_NONE);
	quick_assert_uint_eq(fifo_pop(&f, &t), TABLE_NONE);
}
END_TEST

START_TEST(peek_leaves_it_and_pop_takes_it)
{
	uint32_t handle = push(1);

	push(2);

	quick_assert_uint_eq(fifo_peek(&f, &t), handle);
	quick_assert_uint_eq(fifo_count(&f), 2);
	quick_assert_uint_eq(fifo_pop(&f, &t), handle);
	quick_assert_uint_eq(fifo_count(&f), 1);
	/* It belongs to the caller now, and is known as before. */
	quick_assert_uint_eq(table_find(&t, id_of(1)), handle);
}
END_TEST

START_TEST(a_late_one_goes_before_all_bigger_ones)
{
	static const uint32_t n[] = { 10, 20, 30, 15, 5, 25, 40, 1 };
	static const uint32_t sorted[] = { 1, 5, 10, 15, 20, 25, 30, 40 };

	for (size_t i = 0; i < 8; i++)
		push(n[i]);

	quick_assert_uint_eq(fifo_count(&f), 8);
	for (size_t i = 0; i < 8; i++)
		quick_assert_uint_eq(pop(), sorted[i]);
}
END_TEST

START_TEST(one_that_is_pushed_back_is_the_next_again)
{
	for (uint32_t i = 1; i <= 5; i++)
		push(i);
	uint32_t handle = fifo_pop(&f, &t);

	quick_assert(fifo_push(&f, &t, handle));

	for (uint32_t i = 1; i <= 5; i++)
		quick_assert_uint_eq(pop(), i);
	quick_assert_uint_eq(pop(), UINT32_MAX);
}
END_TEST

START_TEST(ids_of_one_microsecond_are_ordered_by_their_suffix)
{
	push(3);
	push(2);

	quick_assert_uint_eq(pop(), 2);
	quick_assert_uint_eq(pop(), 3);
}
END_TEST

START_TEST(one_that_is_killed_never_surfaces)
{
	for (uint32_t i = 1; i <= 9; i++)
		push(i);
	push(0);

	kill_entry(1);
	kill_entry(5);
	kill_entry(9);
	kill_entry(0);

	quick_assert_uint_eq(fifo_count(&f), 6);
	for (uint32_t i = 2; i <= 8; i++) {
		if (i != 5)
			quick_assert_uint_eq(pop(), i);
	}
	quick_assert_uint_eq(pop(), UINT32_MAX);
	quick_assert_uint_eq(fifo_count(&f), 0);
}
END_TEST

START_TEST(an_id_can_come_again_after_it_was_killed)
{
	for (uint32_t i = 1; i <= 9; i++)
		push(i);

	kill_entry(5);
	push(5);
	kill_entry(5);
	push(5);

	quick_assert_uint_eq(fifo_count(&f), 9);
	for (uint32_t i = 1; i <= 9; i++)
		quick_assert_uint_eq(pop(), i);
}
END_TEST

START_TEST(the_killed_are_released_when_all_are)
{
	for (uint32_t i = 0; i < 100; i++)
		push(i);
	for (uint32_t i = 0; i < 100; i++)
		kill_entry(i);
	quick_assert_uint_eq(fifo_count(&f), 0);
	quick_assert_uint_eq(pop(), UINT32_MAX);
	uint32_t used = t.n;

	for (uint32_t i = 0; i < 100; i++)
		push(i);

	quick_assert_uint_eq(t.n, used);
}
END_TEST

START_TEST(at_most_half_of_many_are_dead)
{
	for (uint32_t i = 0; i < MANY; i++)
		push(i % 2 ? i : MANY + i);
	uint32_t used = t.n;

	/* The first stays, so that none of the others can surface. */
	for (uint32_t i = 3; i < MANY; i += 2) {
		kill_entry(i);
		quick_assert(f.dead <= FEW + fifo_count(&f));
	}
	for (uint32_t i = 2; i < MANY; i += 2)
		kill_entry(MANY + i);
	quick_assert_uint_eq(fifo_count(&f), 2);

	/* All but a few entries are free again. */
	for (uint32_t i = 0; i < MANY - FEW - 2; i++)
		push(2 * MANY + i);
	quick_assert(t.n <= used);
	quick_assert_uint_eq(pop(), 1);
	quick_assert_uint_eq(pop(), MANY);
	quick_assert_uint_eq(pop(), 2 * MANY);
}
END_TEST

START_TEST(many_in_order_come_out_in_order)
{
	for (uint32_t i = 0; i < MANY; i++)
		push(i);

	quick_assert_uint_eq(fifo_count(&f), MANY);
	for (uint32_t i = 0; i < MANY; i++)
		quick_assert_uint_eq(pop(), i);
	quick_assert_uint_eq(fifo_count(&f), 0);
}
END_TEST

START_TEST(many_in_falling_order_come_out_in_order)
{
	for (uint32_t i = MANY; i-- > 0;)
		push(i);

	quick_assert_uint_eq(fifo_count(&f), MANY);
	for (uint32_t i = 0; i < MANY; i++)
		quick_assert_uint_eq(pop(), i);
}
END_TEST

START_TEST(a_steady_stream_takes_no_more_memory)
{
	for (uint32_t i = 0; i < 1000; i++)
		push(i);
	uint32_t used = t.n, cap = f.cap;

	for (uint32_t i = 1000; i < 500 * 1000; i++) {
		quick_assert_uint_eq(pop(), i - 1000);
		push(i);
	}

	quick_assert(t.n <= used + 1);
	quick_assert_uint_eq(f.cap, cap);
}
END_TEST

START_TEST(appended_ones_are_taken_in_order_of_arrival)
{
	static const uint32_t n[] = { 5, 1, 9, 0 };
	uint32_t handle[4];

	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < 4; i++) {
			handle[i] = round == 0 ? table_add(&t, id_of(n[i]))
					       : table_find(&t, id_of(n[i]));
			quick_assert(fifo_append(&f, handle[i]));
		}
		quick_assert_uint_eq(f.len, 4);
		for (int i = 0; i < 4; i++)
			quick_assert_uint_eq(fifo_shift(&f), handle[i]);
		quick_assert_uint_eq(f.len, 0);
	}
}
END_TEST

START_TEST(appended_ones_keep_their_order_while_it_grows)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		quick_assert(fifo_append(&f, i));
		if (i % 3 == 0)
			quick_assert_uint_eq(fifo_shift(&f), out++);
	}
	while (f.len > 0)
		quick_assert_uint_eq(fifo_shift(&f), out++);
	quick_assert_uint_eq(out, MANY);
}
END_TEST

/* ---- against a model that is a sorted array ---- */

enum {
	MODEL_MAX = 400
};

static uint32_t model[MODEL_MAX], n_model;

static void model_insert(uint32_t n)
{
	uint32_t at = n_model++;

	for (; at > 0 && model[at - 1] > n; at--)
		model[at] = model[at - 1];
	model[at] = n;
}

static void model_take(uint32_t at)
{
	memmove(&model[at], &model[at + 1], (--n_model - at) * sizeof model[0]);
}

/* How the ids come: in order, with late ones, anyhow, falling. */
static uint32_t next_number(uint64_t *rng, int how, uint32_t step)
{
	switch (how) {
	case 0:
		return 1000000 + step;
	case 1:
		return 1000000 + step - (rng_percent(rng, 10) ? rng_below(rng, 500) : 0);
	case 2:
		return rng_below(rng, 100000);
	default:
		return 1000000 - step;
	}
}

START_TEST(it_agrees_with_a_model_after_each_of_many_random_steps)
{
	uint64_t rng = (uint64_t)_i;
	uint32_t kills = (uint32_t)_i / 4 % 2 ? 35 : 5;

	for (uint32_t step = 0; step < 100 * 1000; step++) {
		uint32_t op = rng_below(&rng, 100), n = next_number(&rng, _i % 4, step);

		/* Phases of growing and of shrinking. */
		uint32_t pushes = step / 1000 % 2 ? 35 : 60;
		if (op < pushes && n_model < MODEL_MAX) {
			if (table_find(&t, id_of(n)) == TABLE_NONE) {
				push(n);
				model_insert(n);
			}
		} else if (op < pushes + kills && n_model > 0) {
			uint32_t at = rng_below(&rng, n_model);
			kill_entry(model[at]);
			model_take(at);
		} else {
			quick_assert_uint_eq(pop(), n_model > 0 ? model[0] : UINT32_MAX);
			if (n_model > 0)
				model_take(0);
		}
		quick_assert_uint_eq(fifo_count(&f), n_model);
	}
	while (n_model > 0) {
		quick_assert_uint_eq(pop(), model[0]);
		model_take(0);
	}
	quick_assert_uint_eq(pop(), UINT32_MAX);
	quick_assert_uint_eq(t.n_linked, 0);
	quick_assert(t.n <= 2 * MODEL_MAX + FEW);
}
END_TEST

static Suite *fifo_suite(void)
{
	Suite *s = suite_create("sched/fifo");
	TCase *order = tcase_create("order"), *dead = tcase_create("kill");
	TCase *many = tcase_create("many"), *arrival = tcase_create("append");

	tcase_add_checked_fixture(order, setup, teardown);
	tcase_add_test(order, an_empty_one_has_no_next);
	tcase_add_test(order, peek_leaves_it_and_pop_takes_it);
	tcase_add_test(order, a_late_one_goes_before_all_bigger_ones);
	tcase_add_test(order, one_that_is_pushed_back_is_the_next_again);
	tcase_add_test(order, ids_of_one_microsecond_are_ordered_by_their_suffix);
	suite_add_tcase(s, order);

	tcase_add_checked_fixture(dead, setup, teardown);
	tcase_add_test(dead, one_that_is_killed_never_surfaces);
	tcase_add_test(dead, an_id_can_come_again_after_it_was_killed);
	tcase_add_test(dead, the_killed_are_released_when_all_are);
	tcase_add_test(dead, at_most_half_of_many_are_dead);
	suite_add_tcase(s, dead);

	tcase_add_checked_fixture(many, setup, teardown);
	tcase_add_test(many, many_in_order_come_out_in_order);
	tcase_add_test(many, many_in_falling_order_come_out_in_order);
	tcase_add_test(many, a_steady_stream_takes_no_more_memory);
	tcase_add_loop_test(many, it_agrees_with_a_model_after_each_of_many_random_steps, 0, 8);
	suite_add_tcase(s, many);

	tcase_add_checked_fixture(arrival, setup, teardown);
	tcase_add_test(arrival, appended_ones_are_taken_in_order_of_arrival);
	tcase_add_test(arrival, appended_ones_keep_their_order_while_it_grows);
	suite_add_tcase(s, arrival);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(fifo_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
