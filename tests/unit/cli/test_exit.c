/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/exit.h"

#include <wq/client.h>

#include <check.h>
#include <errno.h>
#include <signal.h>

/* The table of wq(1). */
static const struct {
	const char *status;
	int32_t code, signal;
	int exit;
} results[] = {
	{ "ok", 0, 0, 0 },
	{ "failed", 0, 0, 1 },
	{ "failed", 1, 0, 1 },
	{ "failed", 7, 0, 7 },
	{ "failed", 255, 0, 255 },
	{ "failed", 256, 0, 1 },
	{ "failed", -1, 0, 1 },
	{ "failed", 0, SIGSEGV, 139 },
	{ "failed", 0, SIGKILL, 137 },
	{ "killed", 0, 0, 124 },
	{ "killed", 0, SIGTERM, 143 },
	{ "lost", 0, 0, 122 },
	{ "expired", 0, 0, 122 },
	{ "rejected", 0, 0, 123 },
	{ "of-a-later-version", 0, 0, 1 },
};

START_TEST(a_result_has_the_exit_status_of_the_manual)
{
	struct wq_result_info info = {
		.status = results[_i].status, .code = results[_i].code, .signal = results[_i].signal
	};
	ck_assert_int_eq(exit_of_result(&info), results[_i].exit);
}
END_TEST

START_TEST(a_failure_of_the_library_has_the_exit_status_of_the_manual)
{
	ck_assert_int_eq(exit_of_code(-WQ_E_TIMEOUT), 120);
	ck_assert_int_eq(exit_of_code(-WQ_E_GONE), 121);
	ck_assert_int_eq(exit_of_code(-WQ_E_FORMAT), 125);
	ck_assert_int_eq(exit_of_code(-EACCES), 125);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/exit");
	TCase *t = tcase_create("exit");
	tcase_add_loop_test(t, a_result_has_the_exit_status_of_the_manual, 0,
		(int)(sizeof results / sizeof *results));
	tcase_add_test(t, a_failure_of_the_library_has_the_exit_status_of_the_manual);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
