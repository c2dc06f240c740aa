/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"
#include "cli/exit.h"
#include "support/cli/command.h"
#include "support/client/hand.h"

#include <wq/cbor.h>

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A      "1511472984.123456-0k3v9q2m7t1dh"
#define B      "1511472985.123456-0k3va00000000"
#define BROKEN "\xff\xfe\x1b"

static struct hand hand;
static struct said said;

#define RUN(...) COMMAND(&said, hand.path, cmd_quarantine, "quarantine", __VA_ARGS__)

static void setup(void)
{
	hand_open(&hand);
}

static void teardown(void)
{
	hand_close(&hand);
}

static void put(const char *name, const void *bytes, size_t len)
{
	int fd = openat(
		hand.spool.quarantine_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* With a reason beside it. */
static void put_aside(const char *name, const char *bytes, const char *error, const char *text)
{
	uint8_t why[256];
	char beside[300];
	struct wq_cbor_out out;
	put(name, bytes, strlen(bytes));
	wq_cbor_out_fixed(&out, why, sizeof why);
	wq_cbor_put_map(&out, 2);
	wq_cbor_put_pair(&out, "text", text);
	wq_cbor_put_pair(&out, "error", error);
	snprintf(beside, sizeof beside, "%s.why", name);
	put(beside, why, out.len);
}

/* A request that was made by the command itself, moved aside under another name. */
static void put_request_aside(const char *name)
{
	char id[WQ_ID_SIZE];
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "-m", "build", "-l", "nightly", "n=1");
	ck_assert_int_eq(said.status, 0);
	snprintf(id, sizeof id, "%.31s", said.out);
	ck_assert_int_eq(
		renameat(hand.spool.dir_fd[SPOOL_REQUESTED], id, hand.spool.quarantine_fd, name),
		0);
}

static bool has(const char *name)
{
	return faccessat(hand.spool.quarantine_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_says(int status, const char *sentence)
{
	ck_assert_msg(said.status == status, "%d: %s", said.status, said.err);
	ck_assert_msg(strstr(said.err, sentence) != NULL, "%s", said.err);
}

START_TEST(a_list_is_escaped_and_says_why)
{
	put_aside(A, "four", "not-wq", "no request of wq");
	put_aside("new\nline", "x", "bad-name", "not a request id");
	put(BROKEN, "", 0);
	RUN("list");
	ck_assert_int_eq(said.status, 0);
	ck_assert_ptr_nonnull(strstr(said.out, A "  2"));
	ck_assert_ptr_nonnull(
		strstr(said.out, "          4  not-wq                no request of wq\n"));
	ck_assert_ptr_nonnull(strstr(said.out, "\nnew\\x0aline "));
	ck_assert_ptr_nonnull(strstr(said.out, "\n\\xff\\xfe\\x1b "));
	ck_assert_ptr_nonnull(strstr(said.out, "          0  -\n"));
	ck_assert_ptr_null(strstr(said.out, ".why"));
}
END_TEST

START_TEST(a_list_in_json_has_every_name_exactly)
{
	put(BROKEN, "x", 1);
	RUN("list", "--json");
	ck_assert_int_eq(said.status, 0);
	json_t *object = json_loads(said.out, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(object, "name")), "\\xff\\xfe\\x1b");
	ck_assert_str_eq(json_string_value(json_object_get(object, "name-hex")), "fffe1b");
	ck_assert_int_eq(json_integer_value(json_object_get(object, "size")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(object, "uid")), geteuid());
	json_decref(object);
}
END_TEST

START_TEST(nothing_is_an_empty_list)
{
	RUN("list");
	ck_assert_int_eq(said.status, 0);
	ck_assert_str_eq(said.out, "");
	RUN("drop", "--all");
	ck_assert_int_eq(said.status, 0);
}
END_TEST

START_TEST(show_tells_the_reason_and_the_request)
{
	put_request_aside(A);
	RUN("show", A);
	ck_assert_int_eq(said.status, 0);
	ck_assert_ptr_nonnull(strstr(said.out, "request       true\n"));
	ck_assert_ptr_nonnull(strstr(said.out, "label         nightly\n"));
	ck_assert_ptr_nonnull(strstr(said.out, "payload       {\"n\":1}\n"));
	put_aside("x", "hello", "bad-name", "not a request id");
	RUN("show", "x");
	ck_assert_int_eq(said.status, 0);
	ck_assert_ptr_nonnull(strstr(said.out, "error         bad-name\n"));
	ck_assert_ptr_nonnull(strstr(said.out, "request       false\n"));
	ck_assert_ptr_nonnull(strstr(said.out, "it-is         'x' is no whole request"));
	RUN("show", "--json", "x");
	json_t *object = json_loads(said.out, 0, NULL);
	ck_assert(json_is_false(json_object_get(object, "request")));
	json_decref(object);
	RUN("show", "--raw", "x");
	ck_assert_str_eq(said.out, "hello");
	RUN("show", "--raw", "--json", "x");
	assert_says(EXIT_WQ, "either --raw or --json");
	RUN("show", "x", "y");
	assert_says(EXIT_WQ, "'y' is one name too many");
	RUN("show");
	assert_says(EXIT_WQ, "which one?");
}
END_TEST

START_TEST(a_directory_has_no_bytes)
{
	ck_assert_int_eq(mkdirat(hand.spool.quarantine_fd, "d", 0700), 0);
	RUN("show", "d");
	ck_assert_int_eq(said.status, 0);
	ck_assert_ptr_nonnull(strstr(said.out, "'d' is a directory"));
	RUN("show", "--raw", "d");
	assert_says(EXIT_WQ, "'d' is a directory");
	ck_assert_str_eq(said.out, "");
}
END_TEST

START_TEST(a_beginning_is_enough_where_only_one_has_it)
{
	put(A, "a", 1);
	put(B, "b", 1);
	put(BROKEN, "c", 1);
	RUN("show", "--raw", "1511472985");
	ck_assert_str_eq(said.out, "b");
	RUN("show", "--raw", "0k3v9"); /* of the id, behind its '-' */
	ck_assert_str_eq(said.out, "a");
	RUN("show", "--raw", "\xff");
	ck_assert_str_eq(said.out, "c");
	RUN("drop", BROKEN, "0k3v");
	assert_says(EXIT_WQ, "'0k3v' is the beginning of several names: " B ", " A "\n");
	ck_assert(has(BROKEN)); /* nothing was done */
	put(A ".1", "d", 1);
	RUN("show", "--raw", A); /* exactly */
	ck_assert_str_eq(said.out, "a");
}
END_TEST

START_TEST(an_unknown_name_is_gone_and_what_is_there_is_named)
{
	RUN("show", "x\x1b");
	assert_says(EXIT_GONE, "'x\\x1b' is not in quarantine; nothing is, in '");
	put("a", "a", 1);
	put("b", "b", 1);
	put("c", "c", 1);
	put("new\nline", "d", 1);
	RUN("retry", "x");
	assert_says(EXIT_GONE, "nothing in quarantine has a name that begins with 'x'; there are: "
			       "new\\x0aline, c, "
			       "b and 1 more\n");
	RUN("drop", "");
	ck_assert_int_eq(said.status, EXIT_GONE);
	ck_assert(has("a"));
}
END_TEST

START_TEST(retry_prints_new_ids_and_goes_on_after_what_is_none)
{
	char id[WQ_ID_SIZE];
	put_request_aside(A);
	put_request_aside("-rf");
	put_aside("text", "hello", "bad-name", "not a request id");
	RUN("retry", "--", "0k3", "text", "-rf");
	assert_says(EXIT_WQ, "wq: 'text' is no whole request");
	ck_assert_uint_eq(strlen(said.out), 64);
	for (int i = 0; i < 2; i++) {
		snprintf(id, sizeof id, "%.31s", said.out + 32 * i);
		ck_assert(hand_has(&hand, SPOOL_REQUESTED, id));
	}
	ck_assert(!has(A));
	ck_assert(!has("-rf"));
	ck_assert(has("text"));
	ck_assert(has("text.why"));
}
END_TEST

START_TEST(drop_removes_some_or_all)
{
	put_aside("a", "x", "bad-name", "not a request id");
	put_aside("b", "x", "bad-name", "not a request id");
	put(BROKEN, "x", 1);
	RUN("drop", "a");
	ck_assert_int_eq(said.status, 0);
	ck_assert(!has("a") && !has("a.why") && has("b") && has("b.why"));
	RUN("drop");
	assert_says(EXIT_WQ, "which one?");
	RUN("drop", "--all", "b");
	assert_says(EXIT_WQ, "either names or --all");
	ck_assert_int_eq(mkdirat(hand.spool.quarantine_fd, "d", 0700), 0);
	ck_assert_int_eq(mkdirat(hand.spool.quarantine_fd, "d/e", 0700), 0);
	RUN("drop", "--all");
	assert_says(EXIT_WQ, "'d' is a directory that holds something");
	ck_assert(!has("b") && !has("b.why") && !has(BROKEN) && has("d/e"));
	ck_assert_int_eq(unlinkat(hand.spool.quarantine_fd, "d/e", AT_REMOVEDIR), 0);
	RUN("drop", "--all");
	ck_assert_int_eq(said.status, 0);
	ck_assert(!has("d"));
}
END_TEST

START_TEST(other_words_are_refused)
{
	COMMAND(&said, hand.path, cmd_quarantine, "quarantine");
	assert_says(EXIT_WQ, "list, show, retry or drop?");
	RUN("lst");
	assert_says(EXIT_WQ, "did you mean 'list'?");
	RUN("list", "x");
	assert_says(EXIT_WQ, "'x' is one word too many");
	RUN("--help");
	ck_assert_int_eq(said.status, 0);
	ck_assert_ptr_nonnull(strstr(said.out, "retry NAME..."));
	RUN("drop", "--help");
	ck_assert_ptr_nonnull(strstr(said.out, "wq quarantine drop"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/quarantine");
	TCase *t = tcase_create("quarantine");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_list_is_escaped_and_says_why);
	tcase_add_test(t, a_list_in_json_has_every_name_exactly);
	tcase_add_test(t, nothing_is_an_empty_list);
	tcase_add_test(t, show_tells_the_reason_and_the_request);
	tcase_add_test(t, a_directory_has_no_bytes);
	tcase_add_test(t, a_beginning_is_enough_where_only_one_has_it);
	tcase_add_test(t, an_unknown_name_is_gone_and_what_is_there_is_named);
	tcase_add_test(t, retry_prints_new_ids_and_goes_on_after_what_is_none);
	tcase_add_test(t, drop_removes_some_or_all);
	tcase_add_test(t, other_words_are_refused);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
