/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of libwq's, which has no failure of its own that a test could bring about. */
#define wq_wait_any wait_any_by_script
#include "cli/waiting.c"

#include "support/cli/command.h"
#include "support/client/hand.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct hand hand;
static struct said said;
static char ids[2][WQ_ID_SIZE];
static int n_calls;

/* The first one ends, and then no more can be waited for. */
int wait_any_by_script(wq_client *c, const char *const *all, const uint8_t *done, size_t n,
	int64_t timeout_ns, uint32_t flags, size_t *ret_index, wq_result **ret, struct wq_err *err)
{
	(void)done, (void)n, (void)timeout_ns;
	if (n_calls++ > 0)
		return err_set(err, -ENOMEM, "cannot wait");
	*ret_index = 0;
	return wq_wait(c, all[0], 0, flags, ret, err);
}

static void setup(void)
{
	wq_client *client;
	struct wq_request request = { .struct_size = sizeof request };
	hand_open(&hand);
	ck_assert_int_eq(wq_open(&client, hand.path, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(wq_enqueue(client, &request, ids[i], NULL), 0);
	wq_close(client);
}

static void teardown(void)
{
	hand_close(&hand);
}

START_TEST(a_failure_of_waiting_ends_what_is_left_and_nothing_else)
{
	hand_run(&hand, ids[0], 0x05);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--all");
	/* The exit status of the one that ended; it was told once, and so was the failure. */
	ck_assert_int_eq(said.status, 7);
	const char *failure = strstr(said.err, "cannot wait");
	ck_assert_ptr_nonnull(failure);
	ck_assert_ptr_null(strstr(failure + 1, "cannot wait"));
	ck_assert_ptr_nonnull(strstr(said.err, "wq: 0 ok, 1 failed, 1 "));
	ck_assert(hand_has(&hand, SPOOL_REQUESTED, ids[1]));
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, ids[1]));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/waiting");
	TCase *t = tcase_create("waiting");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_failure_of_waiting_ends_what_is_left_and_nothing_else);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
