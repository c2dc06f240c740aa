/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/history.h"

#include "cli/cli.h"
#include "support/cli/command.h"
#include "support/client/hand.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY "1511472984.123456-0k3v9q2m7t1dh"

static struct hand hand;
static struct said said;

static void setup(void)
{
	hand_open(&hand);
}

static void teardown(void)
{
	hand_close(&hand);
}

static void enqueue(char ret_id[WQ_ID_SIZE])
{
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "n=1");
	ck_assert_msg(said.status == 0, "%s", said.err);
	memcpy(ret_id, said.out, WQ_ID_SIZE - 1);
	ret_id[WQ_ID_SIZE - 1] = '\0';
}

static void make_complete(char ret_id[WQ_ID_SIZE])
{
	enqueue(ret_id);
	hand_run(&hand, ret_id, 0x05);
}

static void collect(const char *id)
{
	COMMAND(&said, hand.path, cmd_wait, "wait", id);
	ck_assert_int_eq(said.status, 7);
}

/* ---- list --finished ------------------------------------------------------------------------- */

START_TEST(what_has_an_end_is_listed_newest_last)
{
	char a[WQ_ID_SIZE], b[WQ_ID_SIZE], c[WQ_ID_SIZE], waiting[WQ_ID_SIZE];
	make_complete(a);
	make_complete(b);
	make_complete(c);
	enqueue(waiting);
	collect(c);
	collect(a);
	COMMAND(&said, hand.path, cmd_list, "list", "--finished");
	ck_assert_int_eq(said.status, 0);
	const char *want[] = { a, b, c };
	char *line = strtok(said.out, "\n");
	for (int i = 0; i < 3; i++, line = strtok(NULL, "\n")) {
		ck_assert_ptr_nonnull(line);
		ck_assert_int_eq(strncmp(line, want[i], WQ_ID_SIZE - 1), 0);
		ck_assert_ptr_nonnull(strstr(line, "  failed "));
		ck_assert_ptr_nonnull(strstr(line, "  7 "));
		ck_assert_ptr_nonnull(strstr(line, "  build  a label"));
	}
	ck_assert_ptr_null(line);
}
END_TEST

START_TEST(the_newest_can_be_had_alone)
{
	char a[WQ_ID_SIZE], b[WQ_ID_SIZE];
	make_complete(a);
	make_complete(b);
	collect(b);
	COMMAND(&said, hand.path, cmd_list, "list", "--finished", "-n", "1", "--json");
	json_t *object = json_loads(said.out, 0, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert_str_eq(json_string_value(json_object_get(object, "id")), b);
	ck_assert_str_eq(json_string_value(json_object_get(object, "state")), "finished");
	ck_assert_str_eq(json_string_value(json_object_get(object, "status")), "failed");
	ck_assert_int_eq(json_integer_value(json_object_get(object, "code")), 7);
	ck_assert_int_eq(json_integer_value(json_object_get(object, "ended-us")), 3000000);
	json_decref(object);
	COMMAND(&said, hand.path, cmd_list, "list", "--finished", "-n", "9", "--json");
	ck_assert_ptr_nonnull(strstr(said.out, "\"state\":\"complete\""));
	ck_assert_ptr_nonnull(strstr(said.out, a));
}
END_TEST

START_TEST(what_cannot_be_read_is_listed_as_that)
{
	hand_put_complete(&hand, NOBODY, "x", 1);
	COMMAND(&said, hand.path, cmd_list, "list", "--finished");
	ck_assert_int_eq(said.status, 0);
	ck_assert_ptr_nonnull(strstr(said.out, NOBODY "  unreadable"));
}
END_TEST

START_TEST(options_that_do_not_go_together_are_refused)
{
	COMMAND(&said, hand.path, cmd_list, "list", "--finished", "--state", "pending");
	ck_assert_int_eq(said.status, 125);
	COMMAND(&said, hand.path, cmd_list, "list", "-n", "5");
	ck_assert_int_eq(said.status, 125);
	static const char *const wrong[] = { "0", "-1", "x", "1x", "", "99999999999999999999999" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		COMMAND(&said, hand.path, cmd_list, "list", "--finished", "-n", wrong[i]);
		ck_assert_int_eq(said.status, 125);
	}
}
END_TEST

/* ---- show, abort, wait ----------------------------------------------------------------------- */

START_TEST(show_knows_a_finished_one)
{
	char id[WQ_ID_SIZE];
	make_complete(id);
	collect(id);
	COMMAND(&said, hand.path, cmd_show, "show", "--json", id);
	ck_assert_int_eq(said.status, 0);
	json_t *object = json_loads(said.out, 0, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert_str_eq(json_string_value(json_object_get(object, "state")), "finished");
	ck_assert_str_eq(json_string_value(json_object_get(object, "status")), "failed");
	ck_assert_int_eq(json_integer_value(json_object_get(object, "payload")), 5);
	json_decref(object);
	COMMAND(&said, hand.path, cmd_show, "show", "@");
	ck_assert_int_eq(said.status, 0);
	ck_assert_ptr_nonnull(strstr(said.out, id));
	COMMAND(&said, hand.path, cmd_show, "show", NOBODY);
	ck_assert_int_eq(said.status, 121);
	ck_assert_str_eq(said.err, "wq: '" NOBODY "' is gone\n");
}
END_TEST

START_TEST(abort_and_wait_say_that_it_is_finished)
{
	char id[WQ_ID_SIZE];
	make_complete(id);
	collect(id);
	COMMAND(&said, hand.path, cmd_abort, "abort", id);
	ck_assert_int_eq(said.status, 121);
	ck_assert_ptr_nonnull(strstr(said.err, "finished"));
	COMMAND(&said, hand.path, cmd_wait, "wait", id);
	ck_assert_int_eq(said.status, 121);
	ck_assert_ptr_nonnull(strstr(said.err, "history"));
}
END_TEST

START_TEST(all_are_waited_for_and_counted)
{
	char a[WQ_ID_SIZE], b[WQ_ID_SIZE], c[WQ_ID_SIZE], want[256];
	make_complete(a);
	make_complete(b);
	make_complete(c);
	collect(a);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--all");
	ck_assert_int_eq(said.status, 7);
	ck_assert_str_eq(said.out, "");
	snprintf(want, sizeof want,
		"wq: %s: failed: it said no\nwq: %s: failed: it said no\nwq: 0 ok, 2 failed\n", b,
		c);
	ck_assert_str_eq(said.err, want);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, b));
	COMMAND(&said, hand.path, cmd_wait, "wait", "--all");
	ck_assert_int_eq(said.status, 0);
	ck_assert_str_eq(said.err, "wq: 0 ok, 0 failed\n");
}
END_TEST

START_TEST(all_in_json_prints_their_results_and_peek_leaves_them)
{
	char a[WQ_ID_SIZE];
	make_complete(a);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--all", "--json", "--peek");
	ck_assert_int_eq(said.status, 7);
	json_t *object = json_loads(said.out, 0, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert_str_eq(json_string_value(json_object_get(object, "id")), a);
	json_decref(object);
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, a));
}
END_TEST

START_TEST(a_time_out_of_all_aborts_nothing)
{
	char a[WQ_ID_SIZE];
	enqueue(a);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--all", "--timeout=5ms");
	ck_assert_int_eq(said.status, 120);
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, a));
	ck_assert_ptr_nonnull(strstr(said.err, "wq: 0 ok, 0 failed, 1 not finished in time\n"));
	COMMAND(&said, hand.path, cmd_wait, "wait", "--all", a);
	ck_assert_int_eq(said.status, 125);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--all", "--cbor");
	ck_assert_int_eq(said.status, 125);
}
END_TEST

START_TEST(more_than_are_watched_at_once_are_all_waited_for)
{
	enum {
		MANY = 1500
	};
	wq_client *client;
	struct wq_err err = { 0 };
	struct wq_request request = { .struct_size = sizeof request };
	char id[WQ_ID_SIZE], first[WQ_ID_SIZE];
	ck_assert_int_eq(wq_open(&client, hand.path, &err), 0);
	ck_assert_int_eq(wq_enqueue(client, &request, first, &err), 0);
	for (int i = 1; i < MANY; i++) {
		ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
		hand_run(&hand, id, 0x05);
	}
	wq_close(client);
	/* The first stays where it is: it holds up none of the others. */
	COMMAND(&said, hand.path, cmd_wait, "wait", "--all", "--timeout=3s");
	ck_assert_int_eq(said.status, 120);
	COMMAND(&said, hand.path, cmd_list, "list");
	ck_assert_int_eq(strncmp(said.out, first, WQ_ID_SIZE - 1), 0);
	ck_assert_ptr_eq(strchr(said.out, '\n'), said.out + strlen(said.out) - 1);
	COMMAND(&said, hand.path, cmd_list, "list", "--state", "complete");
	ck_assert_str_eq(said.out, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/history");
	TCase *t = tcase_create("list");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_has_an_end_is_listed_newest_last);
	tcase_add_test(t, the_newest_can_be_had_alone);
	tcase_add_test(t, what_cannot_be_read_is_listed_as_that);
	tcase_add_test(t, options_that_do_not_go_together_are_refused);
	suite_add_tcase(s, t);
	t = tcase_create("others");
	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, show_knows_a_finished_one);
	tcase_add_test(t, abort_and_wait_say_that_it_is_finished);
	tcase_add_test(t, all_are_waited_for_and_counted);
	tcase_add_test(t, all_in_json_prints_their_results_and_peek_leaves_them);
	tcase_add_test(t, a_time_out_of_all_aborts_nothing);
	tcase_add_test(t, more_than_are_watched_at_once_are_all_waited_for);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
