/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "support/cli/command.h"
#include "support/client/hand.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Enqueue by the command itself; the id is what it prints. */
static void enqueue(char ret_id[WQ_ID_SIZE])
{
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "-m", "build", "-l", "nightly", "n=1");
	ck_assert_msg(said.status == 0, "%s", said.err);
	ck_assert_uint_eq(strlen(said.out), 32);
	ck_assert_int_eq(said.out[31], '\n');
	memcpy(ret_id, said.out, 31);
	ret_id[31] = '\0';
}

static json_t *parse(const char *text)
{
	json_error_t why;
	json_t *ret = json_loads(text, 0, &why);
	ck_assert_msg(ret != NULL, "%s: %s", text, why.text);
	return ret;
}

static void assert_member(const json_t *object, const char *key, const char *want)
{
	ck_assert_str_eq(json_string_value(json_object_get(object, key)), want);
}

/* ---- enqueue --------------------------------------------------------------------------------- */

START_TEST(enqueue_prints_an_id_that_stands_in_the_spool)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	ck_assert(hand_has(&hand, SPOOL_REQUESTED, id));
	ck_assert_str_eq(said.err, "");
}
END_TEST

START_TEST(enqueue_in_json_prints_an_object_with_the_id)
{
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--json", "a=1");
	json_t *object = parse(said.out);
	ck_assert(
		hand_has(&hand, SPOOL_REQUESTED, json_string_value(json_object_get(object, "id"))));
	json_decref(object);
}
END_TEST

START_TEST(a_word_that_is_not_key_value_is_refused)
{
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "make");
	ck_assert_int_eq(said.status, 125);
	ck_assert_str_eq(
		said.err, "wq: 'make' is not key=value; to run a command: wq enqueue -- make\n");
	ck_assert_str_eq(said.out, "");
}
END_TEST

START_TEST(an_unknown_option_is_refused_with_125)
{
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--no-such-option");
	ck_assert_int_eq(said.status, 125);
}
END_TEST

START_TEST(no_spool_is_a_failure_of_wq)
{
	COMMAND(&said, "/nonexistent/spool", cmd_enqueue, "enqueue");
	ck_assert_int_eq(said.status, 125);
	ck_assert_ptr_nonnull(strstr(said.err, "/nonexistent/spool"));
}
END_TEST

/* ---- wait ------------------------------------------------------------------------------------ */

START_TEST(wait_prints_the_payload_and_exits_as_the_task_did)
{
	char id[WQ_ID_SIZE], want[128];
	enqueue(id);
	hand_run(&hand, id, 0x05);
	COMMAND(&said, hand.path, cmd_wait, "wait", id);
	ck_assert_int_eq(said.status, 7);
	ck_assert_str_eq(said.out, "5\n");
	snprintf(want, sizeof want, "wq: %s: failed: it said no\n", id);
	ck_assert_str_eq(said.err, want);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(wait_in_json_prints_the_whole_result)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	hand_run(&hand, id, 0x05);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--json", id);
	json_t *object = parse(said.out);
	assert_member(object, "id", id);
	assert_member(object, "status", "failed");
	assert_member(object, "error", "exit-status");
	assert_member(object, "text", "it said no");
	assert_member(object, "task-manager", "build");
	assert_member(object, "label", "a label");
	ck_assert_int_eq(json_integer_value(json_object_get(object, "code")), 7);
	ck_assert_int_eq(json_integer_value(json_object_get(object, "payload")), 5);
	json_decref(object);
}
END_TEST

START_TEST(wait_in_cbor_prints_the_payload_as_it_is)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	hand_run(&hand, id, 0x05);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--cbor", id);
	ck_assert_str_eq(said.out, "\x05");
}
END_TEST

START_TEST(peek_leaves_the_result)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	hand_run(&hand, id, 0x05);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--peek", id);
	ck_assert_str_eq(said.out, "5\n");
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(a_result_that_cannot_be_printed_stays)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	hand_run(&hand, id, 0x05);
	command_run(
		&said, hand.path, cmd_wait, (const char *const[]){ "wait", id, NULL }, "/dev/full");
	ck_assert_int_eq(said.status, 125);
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(several_are_printed_with_their_ids_and_the_first_status_counts)
{
	char a[WQ_ID_SIZE], b[WQ_ID_SIZE], want[128];
	enqueue(a);
	enqueue(b);
	hand_run(&hand, b, 0x02);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--timeout", "10ms", a, b);
	/* a is not finished: 120, though b has been reported first */
	ck_assert_int_eq(said.status, 120);
	snprintf(want, sizeof want, "%s 2\n", b);
	ck_assert_str_eq(said.out, want);
	ck_assert(hand_has(&hand, SPOOL_ABORTING, a));
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, b));
	enqueue(a);
	hand_run(&hand, a, 0x02);
	COMMAND(&said, hand.path, cmd_wait, "wait", a, b);
	ck_assert_int_eq(said.status, 7);
}
END_TEST

START_TEST(a_time_out_leaves_the_request_alone_where_that_is_wanted)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--timeout=5ms", "--no-abort", id);
	ck_assert_int_eq(said.status, 120);
	ck_assert_ptr_nonnull(strstr(said.err, "left alone"));
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, id));
}
END_TEST

START_TEST(what_is_gone_exits_with_121)
{
	COMMAND(&said, hand.path, cmd_wait, "wait", NOBODY);
	ck_assert_int_eq(said.status, 121);
}
END_TEST

START_TEST(mistakes_in_the_command_exit_with_125)
{
	COMMAND(&said, hand.path, cmd_wait, "wait");
	ck_assert_int_eq(said.status, 125);
	COMMAND(&said, hand.path, cmd_wait, "wait", "x");
	ck_assert_int_eq(said.status, 125);
	ck_assert_ptr_nonnull(strstr(said.err, "'x' is not an id"));
	COMMAND(&said, hand.path, cmd_wait, "wait", "-t", "5", NOBODY);
	ck_assert_int_eq(said.status, 125);
	COMMAND(&said, hand.path, cmd_wait, "wait", NOBODY, NOBODY);
	ck_assert_int_eq(said.status, 125);
	ck_assert_ptr_nonnull(strstr(said.err, "twice"));
}
END_TEST

START_TEST(enqueue_and_wait_in_one_gives_up_like_wait)
{
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--wait", "--timeout", "5ms", "a=1");
	ck_assert_int_eq(said.status, 120);
	ck_assert_str_eq(said.out, "");
}
END_TEST

START_TEST(what_only_a_wait_can_use_is_refused_without_one)
{
	static const char *const options[] = { "--timeout=5s", "--no-abort", "--peek",
		"--progress" };
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		char want[64];
		snprintf(want, sizeof want, "%.*s needs --wait", (int)strcspn(options[i], "="),
			options[i]);
		COMMAND(&said, hand.path, cmd_enqueue, "enqueue", options[i], "a=1");
		ck_assert_int_eq(said.status, 125);
		ck_assert_str_eq(said.out, "");
		ck_assert_msg(strstr(said.err, want) != NULL, "%s", said.err);
	}
	COMMAND(&said, hand.path, cmd_list, "list");
	ck_assert_str_eq(said.out, "");
}
END_TEST

START_TEST(who_waits_without_a_server_is_told_once)
{
	char id[WQ_ID_SIZE], want[256 + sizeof hand.path];
	enqueue(id);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--timeout=300ms", id);
	ck_assert_int_eq(said.status, 120);
	snprintf(want, sizeof want,
		"wq: no server is running on '%s'; waiting for one ('wq status' tells more)\n"
		"wq: %s: no result within 300ms (no server is running), aborted\n",
		hand.path, id);
	ck_assert_str_eq(said.err, want);
	ck_assert(hand_has(&hand, SPOOL_ABORTING, id));
}
END_TEST

START_TEST(what_is_there_already_needs_no_server)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	COMMAND(&said, hand.path, cmd_wait, "wait", "--timeout=0s", id);
	ck_assert_int_eq(said.status, 120);
	ck_assert_ptr_null(strstr(said.err, "server"));
	hand_run(&hand, id, 0x05);
	COMMAND(&said, hand.path, cmd_wait, "wait", id);
	ck_assert_int_eq(said.status, 7);
	ck_assert_ptr_null(strstr(said.err, "server"));
}
END_TEST

/* ---- abort, list, show ----------------------------------------------------------------------- */

START_TEST(abort_leaves_a_mark_and_knows_what_is_gone)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	COMMAND(&said, hand.path, cmd_abort, "abort", NOBODY, id);
	ck_assert_int_eq(said.status, 121);
	ck_assert(hand_has(&hand, SPOOL_ABORTING, id));
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, NOBODY));
}
END_TEST

START_TEST(list_shows_ids_states_and_marks_in_order)
{
	char a[WQ_ID_SIZE], b[WQ_ID_SIZE];
	enqueue(a);
	enqueue(b);
	hand_run(&hand, b, 0x01);
	COMMAND(&said, hand.path, cmd_abort, "abort", a);
	COMMAND(&said, hand.path, cmd_list, "list");
	ck_assert_int_eq(said.status, 0);
	char *first = strtok(said.out, "\n"), *second = strtok(NULL, "\n");
	ck_assert_ptr_nonnull(second);
	ck_assert_ptr_null(strtok(NULL, "\n"));
	ck_assert_int_eq(strncmp(first, a, 31), 0);
	ck_assert_ptr_nonnull(strstr(first, "requested (aborting)"));
	ck_assert_int_eq(strncmp(second, b, 31), 0);
	ck_assert_ptr_nonnull(strstr(second, "complete"));
}
END_TEST

START_TEST(list_tells_what_came_of_complete_ones_and_leaves_their_results)
{
	char a[WQ_ID_SIZE];
	enqueue(a);
	hand_run(&hand, a, 0x01);
	COMMAND(&said, hand.path, cmd_list, "list", "--json");
	json_t *object = parse(said.out);
	assert_member(object, "state", "complete");
	assert_member(object, "status", "failed");
	assert_member(object, "error", "exit-status");
	assert_member(object, "label", "a label");
	assert_member(object, "task-manager", "build");
	json_decref(object);
	COMMAND(&said, hand.path, cmd_list, "list");
	ck_assert_ptr_nonnull(strstr(said.out, "  failed  build  a label\n"));
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, a));
}
END_TEST

START_TEST(list_shows_a_result_that_cannot_be_read_as_complete)
{
	hand_put_complete(&hand, NOBODY, "x", 1);
	COMMAND(&said, hand.path, cmd_list, "list", "--json");
	ck_assert_int_eq(said.status, 0);
	json_t *object = parse(said.out);
	assert_member(object, "state", "complete");
	ck_assert_ptr_null(json_object_get(object, "status"));
	json_decref(object);
}
END_TEST

START_TEST(list_marks_running_ones_that_have_no_server)
{
	char a[WQ_ID_SIZE];
	enqueue(a);
	hand_accept(&hand, a);
	COMMAND(&said, hand.path, cmd_list, "list");
	ck_assert_ptr_null(strstr(said.out, "server"));
	hand_start(&hand, a);
	COMMAND(&said, hand.path, cmd_list, "list");
	ck_assert_ptr_nonnull(strstr(said.out, "running (no server)"));
}
END_TEST

START_TEST(list_can_show_one_state_in_json)
{
	char a[WQ_ID_SIZE], b[WQ_ID_SIZE];
	enqueue(a);
	enqueue(b);
	hand_accept(&hand, a);
	COMMAND(&said, hand.path, cmd_list, "list", "--state", "pending", "--json");
	json_t *object = parse(said.out);
	assert_member(object, "id", a);
	assert_member(object, "state", "pending");
	ck_assert(json_is_false(json_object_get(object, "aborting")));
	json_decref(object);
	COMMAND(&said, hand.path, cmd_list, "list", "--state", "sleeping");
	ck_assert_int_eq(said.status, 125);
}
END_TEST

START_TEST(show_says_what_a_request_says)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	COMMAND(&said, hand.path, cmd_show, "show", "--json", id);
	ck_assert_int_eq(said.status, 0);
	json_t *object = parse(said.out);
	assert_member(object, "id", id);
	assert_member(object, "state", "requested");
	assert_member(object, "task-manager", "build");
	assert_member(object, "label", "nightly");
	ck_assert_int_eq(
		json_integer_value(json_object_get(json_object_get(object, "payload"), "n")), 1);
	json_decref(object);
	COMMAND(&said, hand.path, cmd_show, "show", id);
	ck_assert_ptr_nonnull(strstr(said.out, "{\"n\":1}"));
}
END_TEST

START_TEST(show_says_what_a_result_says_and_leaves_it)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	hand_run(&hand, id, 0x05);
	COMMAND(&said, hand.path, cmd_show, "show", "--json", id);
	ck_assert_int_eq(said.status, 0);
	json_t *object = parse(said.out);
	assert_member(object, "state", "complete");
	assert_member(object, "status", "failed");
	json_decref(object);
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, id));
	COMMAND(&said, hand.path, cmd_show, "show", NOBODY);
	ck_assert_int_eq(said.status, 121);
}
END_TEST

START_TEST(a_payload_cannot_write_to_a_terminal)
{
	/* U+009B, which some terminals take for ESC [ */
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue",
		"a=\xc2\x9b"
		"2J");
	said.out[31] = '\0';
	char id[WQ_ID_SIZE];
	memcpy(id, said.out, sizeof id);
	COMMAND(&said, hand.path, cmd_show, "show", id);
	ck_assert_ptr_null(strstr(said.out, "\xc2\x9b"));
	ck_assert_ptr_nonnull(strstr(said.out, "\\u009b2J"));
}
END_TEST

/* ---- status, metrics ------------------------------------------------------------------------- */

START_TEST(status_without_a_server_says_so_and_which_spool)
{
	COMMAND(&said, hand.path, cmd_status, "status");
	ck_assert_int_eq(said.status, 1);
	ck_assert_ptr_nonnull(strstr(said.out, hand.path));
	ck_assert_ptr_nonnull(strstr(said.out, "-S"));
	ck_assert_ptr_nonnull(strstr(said.out, "none is running"));
	hand_status(&hand, true, "", getpid(), 4096, 7, 0);
	COMMAND(&said, hand.path, cmd_status, "status");
	ck_assert_ptr_nonnull(strstr(said.out, "9.8.7"));
	ck_assert_ptr_nonnull(strstr(said.out, "power cut"));
}
END_TEST

START_TEST(status_in_json_has_the_spool_and_the_page)
{
	hand_status(&hand, true, "", getpid(), 4096, 7, 0);
	COMMAND(&said, hand.path, cmd_status, "status", "--json");
	json_t *object = parse(said.out);
	assert_member(object, "spool", hand.path);
	ck_assert(json_is_null(json_object_get(object, "server")));
	ck_assert_int_eq(
		json_integer_value(json_object_get(json_object_get(object, "page"), "depth")), 7);
	json_decref(object);
}
END_TEST

START_TEST(metrics_need_a_server)
{
	COMMAND(&said, hand.path, cmd_metrics, "metrics");
	ck_assert_int_eq(said.status, 125);
	ck_assert_ptr_nonnull(strstr(said.err, "no server"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/commands");
	TCase *t = tcase_create("enqueue");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, enqueue_prints_an_id_that_stands_in_the_spool);
	tcase_add_test(t, enqueue_in_json_prints_an_object_with_the_id);
	tcase_add_test(t, a_word_that_is_not_key_value_is_refused);
	tcase_add_test(t, an_unknown_option_is_refused_with_125);
	tcase_add_test(t, no_spool_is_a_failure_of_wq);
	tcase_add_test(t, what_only_a_wait_can_use_is_refused_without_one);
	tcase_add_test(t, enqueue_and_wait_in_one_gives_up_like_wait);
	suite_add_tcase(s, t);
	t = tcase_create("wait");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, wait_prints_the_payload_and_exits_as_the_task_did);
	tcase_add_test(t, wait_in_json_prints_the_whole_result);
	tcase_add_test(t, wait_in_cbor_prints_the_payload_as_it_is);
	tcase_add_test(t, peek_leaves_the_result);
	tcase_add_test(t, a_result_that_cannot_be_printed_stays);
	tcase_add_test(t, several_are_printed_with_their_ids_and_the_first_status_counts);
	tcase_add_test(t, a_time_out_leaves_the_request_alone_where_that_is_wanted);
	tcase_add_test(t, what_is_gone_exits_with_121);
	tcase_add_test(t, who_waits_without_a_server_is_told_once);
	tcase_add_test(t, what_is_there_already_needs_no_server);
	tcase_add_test(t, mistakes_in_the_command_exit_with_125);
	suite_add_tcase(s, t);
	t = tcase_create("see");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, abort_leaves_a_mark_and_knows_what_is_gone);
	tcase_add_test(t, list_shows_ids_states_and_marks_in_order);
	tcase_add_test(t, list_tells_what_came_of_complete_ones_and_leaves_their_results);
	tcase_add_test(t, list_shows_a_result_that_cannot_be_read_as_complete);
	tcase_add_test(t, list_marks_running_ones_that_have_no_server);
	tcase_add_test(t, list_can_show_one_state_in_json);
	tcase_add_test(t, show_says_what_a_request_says);
	tcase_add_test(t, show_says_what_a_result_says_and_leaves_it);
	tcase_add_test(t, a_payload_cannot_write_to_a_terminal);
	tcase_add_test(t, status_without_a_server_says_so_and_which_spool);
	tcase_add_test(t, status_in_json_has_the_spool_and_the_page);
	tcase_add_test(t, metrics_need_a_server);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
