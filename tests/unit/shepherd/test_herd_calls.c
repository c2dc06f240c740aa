/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/herd.h"

#include "support/shepherd/flock.h"
#include "support/shepherd/place.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TIME_LIMIT_S = 30,
	AT_ONCE = 40,
	WALKS = 10 /* through /proc, for as many as AT_ONCE: as for a few */
};

/* ---- open(2) --------------------------------------------------------------------------------- */

static const char *broken_path; /* cannot be opened: */
static int broken_error;
static int walks;

/* Stands before the one of the C library. */
__attribute__((no_sanitize("address"))) int open(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, ...);
	va_list ap;
	va_start(ap, flags);
	unsigned int mode = flags & O_CREAT ? va_arg(ap, unsigned int) : 0;
	va_end(ap);
	if (!real) {
		void *found = dlsym(RTLD_NEXT, "open");
		memcpy(&real, &found, sizeof real);
	}
	if (broken_path && strcmp(path, broken_path) == 0) {
		errno = broken_error;
		return -1;
	}
	walks += strcmp(path, "/proc") == 0;
	return real(path, flags, mode);
}

/* ---- the work directory ---------------------------------------------------------------------- */

static const int dir_errors[] = { ENOENT, ENOTDIR, EACCES, EMFILE, ENFILE, ENOMEM, EIO };

/* The server has just made it: it is not the command's fault. */
START_TEST(a_work_directory_that_cannot_be_opened_is_a_lack_of_resources)
{
	flock_begin(0);
	broken_path = place_at("work");
	broken_error = dir_errors[_i];
	flock_spawn("a", "true");

	const struct told *t = flock_wait("a");

	ck_assert_int_eq(t->end.how, WQ_CHILD_NOT_STARTED);
	ck_assert_str_eq(t->error, "no-resources");
	ck_assert_ptr_nonnull(strstr(t->text, strerror(broken_error)));
	broken_path = NULL;
}
END_TEST

/* ---- many at once ---------------------------------------------------------------------------- */

/* Of one task each. */
static void spawn_at_once(const char *script)
{
	for (int i = 0; i < AT_ONCE; i++) {
		char name[8];
		snprintf(name, sizeof name, "c%d", i);
		struct frame_spawn s = flock_sh(name, script);
		snprintf(s.tag, sizeof s.tag, "%s-%d", flock_tag, i);
		herd_spawn(flock_herd, &s);
	}
}

static void spawn_sleepers(void)
{
	spawn_at_once("exec sleep 1000");
}

static void end_at_once(uint32_t how)
{
	for (int i = 0; i < AT_ONCE; i++) {
		char name[8];
		snprintf(name, sizeof name, "c%d", i);
		herd_end(flock_herd, name, how, 60000);
	}
	ck_assert_uint_eq(flock_n_told, 0);
}

START_TEST(many_that_are_told_to_end_are_looked_for_at_once)
{
	flock_begin(1);
	spawn_sleepers();
	end_at_once(WQ_TERM_GRACEFUL);

	while (flock_n_told < AT_ONCE)
		flock_round();

	for (size_t i = 0; i < flock_n_told; i++)
		ck_assert_int_eq(flock_told[i].end.signal, SIGTERM);
	ck_assert_int_le(walks, WALKS);
	flock_no_child_is_left();
}
END_TEST

START_TEST(many_that_are_killed_are_looked_for_at_once)
{
	flock_begin(1);
	spawn_at_once("trap '' TERM; while :; do sleep 1000; done");
	end_at_once(WQ_TERM_NOW);

	while (flock_n_told < AT_ONCE)
		flock_round();

	for (size_t i = 0; i < flock_n_told; i++)
		ck_assert_int_eq(flock_told[i].end.signal, SIGKILL);
	flock_no_child_is_left();
	ck_assert_int_lt(walks, AT_ONCE);
}
END_TEST

/* And nobody waits for that: they are looked for when the loop runs. */
START_TEST(many_of_an_earlier_shepherd_are_looked_for_at_once)
{
	flock_begin(1);
	(void)flock_leave_behind("a", "echo ready $$; exec sleep 1000", spawn_sleepers);
	walks = 0;
	flock_open();
	ck_assert_int_eq(walks, 0);
	ck_assert_uint_eq(herd_alive(flock_herd), AT_ONCE + 1);

	while (flock_n_told < AT_ONCE + 1)
		flock_round();

	ck_assert_int_lt(walks, AT_ONCE);
	for (size_t i = 0; i < flock_n_told; i++)
		ck_assert_str_eq(flock_told[i].error, "lost");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("shepherd/herd_calls");
	TCase *tc = tcase_create("calls");
	tcase_set_timeout(tc, TIME_LIMIT_S);
	tcase_add_checked_fixture(tc, flock_setup, flock_teardown);
	tcase_add_loop_test(tc, a_work_directory_that_cannot_be_opened_is_a_lack_of_resources, 0,
		sizeof dir_errors / sizeof *dir_errors);
	/* As one who may make no cgroup, root or not. */
	tcase_add_test(tc, many_that_are_told_to_end_are_looked_for_at_once);
	tcase_add_test(tc, many_that_are_killed_are_looked_for_at_once);
	tcase_add_test(tc, many_of_an_earlier_shepherd_are_looked_for_at_once);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
