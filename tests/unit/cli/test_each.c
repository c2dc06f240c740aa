/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/each.h"

#include "cli/cli.h"
#include "support/cli/command.h"
#include "support/client/hand.h"

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	IDS_MAX = 32
};

static struct hand hand;
static struct said said;
static char ids[IDS_MAX][WQ_ID_SIZE];

static void setup(void)
{
	hand_open(&hand);
}

static void teardown(void)
{
	hand_close(&hand);
}

/* What the next commands find on their standard input. */
static void input_bytes(const char *bytes, size_t len)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
}

static void input(const char *text)
{
	input_bytes(text, strlen(text));
}

static size_t read_ids(void)
{
	size_t n = 0;
	for (char *id = strtok(said.out, "\n"); id; id = strtok(NULL, "\n")) {
		ck_assert_uint_lt(n, IDS_MAX);
		ck_assert_uint_eq(strlen(id), WQ_ID_SIZE - 1);
		memcpy(ids[n++], id, WQ_ID_SIZE);
	}
	return n;
}

static json_t *show(const char *id)
{
	json_error_t why;
	COMMAND(&said, hand.path, cmd_show, "show", "--json", id);
	json_t *ret = json_loads(said.out, 0, &why);
	ck_assert_msg(ret != NULL, "%s%s", said.out, said.err);
	return ret;
}

static void assert_payload(const char *id, const char *want)
{
	json_t *object = show(id);
	char *text = json_dumps(json_object_get(object, "payload"), JSON_COMPACT | JSON_SORT_KEYS);
	ck_assert_str_eq(text, want);
	free(text);
	json_decref(object);
}

static size_t count_requested(void)
{
	COMMAND(&said, hand.path, cmd_list, "list");
	size_t n = 0;
	for (const char *p = said.out; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

START_TEST(each_line_makes_a_request_in_their_order)
{
	input("one\ntwo words\n7\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "path={}", "n=1");
	ck_assert_msg(said.status == 0, "%s", said.err);
	ck_assert_str_eq(said.err, "");
	ck_assert_uint_eq(read_ids(), 3);
	ck_assert_int_lt(strcmp(ids[0], ids[1]), 0);
	ck_assert_int_lt(strcmp(ids[1], ids[2]), 0);
	assert_payload(ids[0], "{\"n\":1,\"path\":\"one\"}");
	assert_payload(ids[1], "{\"n\":1,\"path\":\"two words\"}");
	/* as if it had been typed */
	assert_payload(ids[2], "{\"n\":1,\"path\":7}");
}
END_TEST

START_TEST(the_line_stands_wherever_the_braces_do)
{
	input("x\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "-k", "host-{}", "-l",
		"{} and {}", "a={}-{}", "{}=b", "c=}{");
	ck_assert_msg(said.status == 0, "%s", said.err);
	ck_assert_uint_eq(read_ids(), 1);
	assert_payload(ids[0], "{\"a\":\"x-x\",\"c\":\"}{\",\"x\":\"b\"}");
	json_t *object = show(ids[0]);
	ck_assert_str_eq(json_string_value(json_object_get(object, "key")), "host-x");
	ck_assert_str_eq(json_string_value(json_object_get(object, "label")), "x and x");
	json_decref(object);
}
END_TEST

START_TEST(braces_in_a_line_are_not_replaced_again)
{
	input("{}\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "a=x{}");
	ck_assert_uint_eq(read_ids(), 1);
	assert_payload(ids[0], "{\"a\":\"x{}\"}");
}
END_TEST

START_TEST(empty_lines_are_skipped_and_the_last_needs_no_newline)
{
	input("\n\na\n\n b\n\nc");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "p={}");
	ck_assert_uint_eq(read_ids(), 3);
	assert_payload(ids[0], "{\"p\":\"a\"}");
	assert_payload(ids[1], "{\"p\":\" b\"}");
	assert_payload(ids[2], "{\"p\":\"c\"}");
}
END_TEST

/* docs/wq-command.cddl */
static void assert_argv(const char *id, const char *want)
{
	json_t *object = show(id);
	char *text = json_dumps(
		json_object_get(json_object_get(object, "payload"), "argv"), JSON_COMPACT);
	ck_assert_str_eq(text, want);
	free(text);
	json_decref(object);
}

static void assert_label(const char *id, const char *want)
{
	json_t *object = show(id);
	ck_assert_str_eq(json_string_value(json_object_get(object, "label")), want);
	json_decref(object);
}

START_TEST(a_command_has_the_line_as_its_last_word_or_where_the_braces_are)
{
	input("a b\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "--", "gzip", "-9");
	ck_assert_msg(said.status == 0, "%s", said.err);
	ck_assert_uint_eq(read_ids(), 1);
	assert_argv(ids[0], "[\"gzip\",\"-9\",\"a b\"]");
	assert_label(ids[0], "gzip -9 'a b'");
	input("a b\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "-l", "{}!", "--", "cp", "{}",
		"{}.bak");
	ck_assert_uint_eq(read_ids(), 1);
	assert_argv(ids[0], "[\"cp\",\"a b\",\"a b.bak\"]");
	assert_label(ids[0], "a b!");
}
END_TEST

START_TEST(a_line_is_one_word_for_a_shell)
{
	static const char line[] = "it's; $(touch x) \"`y`\" *";
	char cmd[4096], got[256] = "";
	input(line);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "--shell", "--",
		"printf %s {} | cat");
	ck_assert_msg(said.status == 0, "%s", said.err);
	ck_assert_uint_eq(read_ids(), 1);
	json_t *object = show(ids[0]);
	snprintf(cmd, sizeof cmd, "%s",
		json_string_value(json_object_get(json_object_get(object, "payload"), "shell")));
	json_decref(object);
	/* what a shell makes of it */
	FILE *shell = popen(cmd, "r");
	ck_assert_ptr_nonnull(shell);
	ck_assert_ptr_nonnull(fgets(got, sizeof got, shell));
	ck_assert_int_eq(pclose(shell), 0);
	ck_assert_str_eq(got, line);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "--shell", "--", "true");
	ck_assert_int_eq(said.status, 125);
}
END_TEST

START_TEST(no_line_makes_no_request)
{
	input("");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "p={}");
	ck_assert_int_eq(said.status, 0);
	ck_assert_str_eq(said.out, "");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "--wait", "p={}");
	ck_assert_int_eq(said.status, 0);
	ck_assert_str_eq(said.out, "");
	ck_assert_str_eq(said.err, "wq: 0 ok, 0 failed\n");
}
END_TEST

START_TEST(each_id_is_an_object_in_json)
{
	input("a\nb\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "--json", "p={}");
	ck_assert_int_eq(said.status, 0);
	ck_assert_int_eq(strncmp(said.out, "{\"id\":\"", 7), 0);
	ck_assert_ptr_nonnull(strstr(said.out, "\"}\n{\"id\":\""));
}
END_TEST

START_TEST(words_without_a_place_are_refused_before_anything_is_read)
{
	input("a\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "p=1");
	ck_assert_int_eq(said.status, 125);
	ck_assert_ptr_nonnull(strstr(said.err, "{}"));
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each");
	ck_assert_int_eq(said.status, 125);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "-f", "-", "p={}");
	ck_assert_int_eq(said.status, 125);
	ck_assert_uint_eq(count_requested(), 0);
}
END_TEST

START_TEST(the_first_line_that_is_wrong_ends_it_and_is_named)
{
	input("a\n\n[broken\nb\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "p={}");
	ck_assert_int_eq(said.status, 125);
	ck_assert_ptr_nonnull(strstr(said.err, "line 3: "));
	ck_assert_ptr_nonnull(strstr(said.err, "with 1 enqueued"));
	ck_assert_uint_eq(read_ids(), 1);
	ck_assert_uint_eq(count_requested(), 1);
	input_bytes("a\0b\n", 4);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "p={}");
	ck_assert_int_eq(said.status, 125);
	ck_assert_ptr_nonnull(strstr(said.err, "line 1: "));
	ck_assert_uint_eq(count_requested(), 1);
}
END_TEST

START_TEST(a_line_has_a_bound)
{
	static char text[EACH_LINE_MAX + 2];
	memset(text, 'a', EACH_LINE_MAX + 1);
	text[EACH_LINE_MAX] = '\n';
	input_bytes(text, EACH_LINE_MAX + 1);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "p={}");
	ck_assert_msg(said.status == 0, "%s", said.err);
	text[EACH_LINE_MAX] = 'a';
	input_bytes(text, EACH_LINE_MAX + 1);
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "p={}");
	ck_assert_int_eq(said.status, 125);
	ck_assert_ptr_nonnull(strstr(said.err, "line 1: it is longer than 65536 bytes"));
}
END_TEST

START_TEST(ids_that_cannot_be_written_end_it)
{
	input("a\nb\n");
	command_run(&said, hand.path, cmd_enqueue,
		(const char *const[]){ "enqueue", "--each", "p={}", NULL }, "/dev/full");
	ck_assert_int_eq(said.status, 125);
	ck_assert_uint_eq(count_requested(), 1);
}
END_TEST

START_TEST(with_wait_all_are_waited_for_and_counted)
{
	input("a\nb\n");
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "--each", "--wait", "--timeout=5ms",
		"p={}");
	ck_assert_int_eq(said.status, 120);
	ck_assert_str_eq(said.out, "");
	ck_assert_ptr_nonnull(strstr(said.err, "wq: 0 ok, 0 failed, 2 not finished in time\n"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/each");
	TCase *t = tcase_create("each");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_line_makes_a_request_in_their_order);
	tcase_add_test(t, the_line_stands_wherever_the_braces_do);
	tcase_add_test(t, braces_in_a_line_are_not_replaced_again);
	tcase_add_test(t, empty_lines_are_skipped_and_the_last_needs_no_newline);
	tcase_add_test(t, a_command_has_the_line_as_its_last_word_or_where_the_braces_are);
	tcase_add_test(t, a_line_is_one_word_for_a_shell);
	tcase_add_test(t, no_line_makes_no_request);
	tcase_add_test(t, each_id_is_an_object_in_json);
	tcase_add_test(t, words_without_a_place_are_refused_before_anything_is_read);
	tcase_add_test(t, the_first_line_that_is_wrong_ends_it_and_is_named);
	tcase_add_test(t, a_line_has_a_bound);
	tcase_add_test(t, ids_that_cannot_be_written_end_it);
	tcase_add_test(t, with_wait_all_are_waited_for_and_counted);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
