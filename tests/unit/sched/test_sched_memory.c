/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the scheduler does when memory is short: the n-th allocation fails, for each n in turn.
 *
 * This program brings its own malloc, in front of the C library's.  A sanitizer brings one too, so
 * under it no allocation fails, and the tests only hold that all goes well then.
 */
#include "sched/sched.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static bool armed;
static uint32_t n_allocations, fail_at;

#if defined(__has_feature)
#	if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#		define HAS_SANITIZER 1
#	endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define HAS_SANITIZER 1
#endif

#ifndef HAS_SANITIZER
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static bool fails(void)
{
	return armed && n_allocations++ == fail_at;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}
#endif

static void fail_allocation(uint32_t n)
{
	armed = true;
	n_allocations = 0;
	fail_at = n;
}

/* Did it come to the allocation that fails? */
static bool has_failed(void)
{
	armed = false;
	return n_allocations > fail_at;
}

static const struct sched_limits limits[2] = { { .max_running = 4 }, { .max_running = 1 } };
static const uint64_t hash_key[2] = { 5, 6 };

static struct reqid id_of(uint32_t n)
{
	return (struct reqid){ 1500000000000000 + n, n };
}

START_TEST(there_is_no_scheduler_when_memory_is_short)
{
	uint32_t n = 0;

	for (;; n++) {
		fail_allocation(n);
		struct sched *s = sched_new(2, limits, 1000, hash_key);
		bool failed = has_failed();
		ck_assert((s == NULL) == failed);
		sched_free(s);
		if (!failed)
			break;
	}
	sched_free(NULL);
}
END_TEST

typedef int event_fn(struct sched *s, uint32_t n);

static int seen(struct sched *s, uint32_t n)
{
	return sched_seen(s, id_of(n), 0);
}

static int marked(struct sched *s, uint32_t n)
{
	return sched_marked(s, id_of(n), 0);
}

static int found_pending(struct sched *s, uint32_t n)
{
	return sched_found_pending(s, id_of(n), 0);
}

static int found_lost(struct sched *s, uint32_t n)
{
	return sched_found_lost(s, id_of(n), n, 0);
}

static int found_running(struct sched *s, uint32_t n)
{
	return sched_found_running(s, id_of(n), n % 2, n, 0);
}

static int limited(struct sched *s, uint32_t n)
{
	return sched_limit(s, id_of(n), 0) ? 0 : -ENOMEM;
}

/* Of one that was found pending and sorted. */
static int start_by(struct sched *s, uint32_t n)
{
	return sched_start_by(s, id_of(n), 0) ? 0 : -ENOMEM;
}

static void sort_all(struct sched *s)
{
	struct sched_decision d;

	while (sched_look_ahead(s, 0, &d))
		sched_sorted(s, d.id, d.id.suffix % 2);
}

/* Every other id falls, so that it is late. */
enum {
	MANY = 3000
};

static uint32_t in_two_orders(uint32_t i)
{
	return i % 2 ? MANY + i : MANY - i;
}

static void tell_many(struct sched *s, event_fn *tell)
{
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t n = in_two_orders(i);
		bool was_known = sched_is_known(s, id_of(n));
		int rc = tell(s, n);
		if (rc != 0) {
			ck_assert_int_eq(rc, -ENOMEM);
			ck_assert(sched_is_known(s, id_of(n)) == was_known);
			ck_assert_int_eq(tell(s, n), 0);
		}
	}
}

/* How many decisions of one kind come, until there are none; all that is sorted has vanished. */
static uint32_t count_of(struct sched *s, enum sched_kind kind)
{
	struct sched_decision d;
	uint32_t n = 0;

	while (sched_next(s, 0, &d)) {
		n += d.kind == kind;
		if (d.kind == SCHED_ACCEPT)
			sched_accepted(s, d.id, 0);
		else if (d.kind == SCHED_SORT)
			sched_dropped(s, d.id);
		else if (d.kind == SCHED_PROBE)
			sched_probed(s, d.id, SCHED_IN_COMPLETE, 0);
		else if (d.kind == SCHED_TERMINATE)
			sched_ended(s, d.id, 0);
		else if (d.kind == SCHED_REAP)
			sched_reaped(s, d.tm, false, 0);
		else if (d.kind == SCHED_EXPIRE)
			sched_dropped(s, d.id);
		else if (d.kind == SCHED_REMOVE)
			sched_removed(s, d.id);
		else if (d.kind == SCHED_COMPLETE)
			sched_completed(s, d.id);
		else
			ck_abort_msg("a decision of kind %d", (int)d.kind);
	}
	return n;
}

static const struct {
	event_fn *first, *second; /* the second is told of the same ids */
	enum sched_kind gives;
} told[] = {
	{ NULL, seen, SCHED_ACCEPT },
	{ NULL, marked, SCHED_PROBE },
	{ NULL, found_pending, SCHED_SORT },
	{ NULL, found_lost, SCHED_COMPLETE },
	{ NULL, found_running, SCHED_TERMINATE },
	{ found_pending, marked, SCHED_REMOVE },
	{ found_lost, marked, SCHED_REMOVE },
	{ found_running, marked, SCHED_REMOVE },
	{ found_running, limited, SCHED_COMPLETE },
	{ found_pending, start_by, SCHED_EXPIRE },
};

START_TEST(an_event_that_was_not_taken_can_be_told_again)
{
	uint32_t n = 0;

	for (bool failed = true; failed; n++) {
		struct sched *s = sched_new(2, limits, 1000, hash_key);
		ck_assert_ptr_nonnull(s);
		if (told[_i].first)
			tell_many(s, told[_i].first);
		if (told[_i].second == start_by)
			sort_all(s);

		fail_allocation(n);
		tell_many(s, told[_i].second);
		failed = has_failed();

		if (told[_i].second == found_running)
			sched_terminate_all(s);
		ck_assert_uint_eq(count_of(s, told[_i].gives), MANY);
		sched_free(s);
	}
}
END_TEST

static Suite *memory_suite(void)
{
	Suite *s = suite_create("sched/sched_memory");
	TCase *memory = tcase_create("memory");

	tcase_add_test(memory, there_is_no_scheduler_when_memory_is_short);
	tcase_add_loop_test(memory, an_event_that_was_not_taken_can_be_told_again, 0,
		(int)(sizeof told / sizeof told[0]));
	suite_add_tcase(s, memory);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(memory_suite());

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
