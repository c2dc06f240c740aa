/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/command.h"

#include <wq/cbor.h>
#include <wq/err.h>

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wq_cbor_out out;
static struct wq_err err;

static void setup(void)
{
	memset(&err, 0, sizeof err);
	wq_cbor_out_init(&out);
	clearenv();
}

static void teardown(void)
{
	wq_cbor_out_free(&out);
}

/* No word is written to. */
#define LIST(...) ((char *const *)(uintptr_t)(const char *const[]){ __VA_ARGS__ })
#define WORDS(...)                                                                                 \
	.words = LIST(__VA_ARGS__), .n = sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)

static void make(const struct command *c)
{
	int rc = command_to_cbor(c, &out, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(wq_cbor_check(out.buf, out.len, NULL, NULL, NULL), 0);
}

/* The value of a key as it is encoded; it must be there. */
static struct wq_cbor_in value_of(const char *key)
{
	struct wq_cbor_in at;
	ck_assert_msg(wq_cbor_map_find(out.buf, out.len, key, &at) == 1, "%s", key);
	return at;
}

static bool has(const char *key)
{
	struct wq_cbor_in at;
	return wq_cbor_map_find(out.buf, out.len, key, &at) == 1;
}

static void assert_encoded(const char *key, const char *bytes, size_t len)
{
	struct wq_cbor_in at = value_of(key), end = at;
	ck_assert_int_eq(wq_cbor_skip(&end), 1);
	ck_assert_uint_eq((size_t)(end.p - at.p), len);
	ck_assert_mem_eq(at.p, bytes, len);
}
#define ASSERT_ENCODED(key, bytes) assert_encoded(key, bytes, sizeof(bytes) - 1)

/* ---- what goes with it ------------------------------------------------------------------------- */

START_TEST(the_words_are_an_array_of_texts)
{
	make(&(struct command){ WORDS("make", "-j4", "") });
	/* RFC 8949, appendix A has the like: an array of 3, texts of 4, 3 and 0 bytes. */
	ASSERT_ENCODED("argv", "\x83\x64make\x63-j4\x60");
	ck_assert(!has("shell"));
	ck_assert(!has("stdin"));
}
END_TEST

START_TEST(a_word_that_is_not_utf8_is_a_byte_string)
{
	make(&(struct command){ WORDS("rm", "\xff\xfe") });
	ASSERT_ENCODED("argv", "\x82\x62rm\x42\xff\xfe");
}
END_TEST

START_TEST(a_line_for_the_shell_is_a_text)
{
	make(&(struct command){ WORDS("a | b"), .shell = true });
	ASSERT_ENCODED("shell", "\x65"
				"a | b");
	ck_assert(!has("argv"));
}
END_TEST

START_TEST(a_line_for_the_shell_is_one_word)
{
	struct command c = { WORDS("a", "b"), .shell = true };
	ck_assert_int_eq(command_to_cbor(&c, &out, &err), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "one word"));
}
END_TEST

START_TEST(the_directory_and_the_umask_are_ours)
{
	ck_assert_int_eq(chdir("/"), 0);
	umask(027);
	make(&(struct command){ WORDS("true") });
	ASSERT_ENCODED("dir", "\x61/");
	ASSERT_ENCODED("umask", "\x17"); /* 23 */
	ck_assert_uint_eq(umask(0), 027);
}
END_TEST

START_TEST(a_directory_that_was_removed_is_refused)
{
	char dir[] = "/tmp/wq-command-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	struct command c = { WORDS("true") };
	ck_assert_int_lt(command_to_cbor(&c, &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "current directory"));
}
END_TEST

START_TEST(the_environment_is_a_map_in_deterministic_order)
{
	setenv("BB", "2", 1);
	setenv("CCC", "", 1);
	setenv("A", "1=1", 1);
	make(&(struct command){ WORDS("true") });
	ASSERT_ENCODED("env", "\xa3\x61"
			      "A\x63"
			      "1=1\x62"
			      "BB\x61"
			      "2\x63"
			      "CCC\x60");
}
END_TEST

extern char **environ;

START_TEST(of_a_variable_that_is_there_twice_the_first_counts)
{
	static char first[] = "A=1", second[] = "A=2", none[] = "none", nameless[] = "=x",
		    bytes[] = "\xff=\xff";
	static char *own[] = { none, first, nameless, second, bytes, NULL };
	environ = own;
	make(&(struct command){ WORDS("true") });
	/* Byte strings (major type 2) come before texts (3). */
	ASSERT_ENCODED("env", "\xa2\x41\xff\x41\xff\x61"
			      "A\x61"
			      "1");
}
END_TEST

START_TEST(what_an_outer_task_has_of_its_own_stays_behind)
{
	static const char *const own[] = { "WQ_ID", "WQ_ATTEMPT", "WQ_TASK", "WQ_TASK_MANAGER",
		"WQ_WORK_DIR" };
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		setenv(own[i], "x", 1);
	setenv("WQ_SPOOL", "s", 1);
	make(&(struct command){ WORDS("true") });
	ASSERT_ENCODED("env", "\xa1\x68WQ_SPOOL\x61s");
}
END_TEST

START_TEST(standard_input_is_a_byte_string)
{
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(write(ends[1], "a\0\xff", 3), 3);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	make(&(struct command){ WORDS("cat"), .input = true });
	ASSERT_ENCODED("stdin", "\x43"
				"a\0\xff");
	close(ends[0]);
}
END_TEST

START_TEST(standard_input_that_is_empty_is_there)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(fd, STDIN_FILENO);
	make(&(struct command){ WORDS("cat"), .input = true });
	ASSERT_ENCODED("stdin", "\x40");
	close(fd);
}
END_TEST

START_TEST(standard_input_without_end_is_refused_with_the_limit)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct command c = { WORDS("cat"), .input = true };
	dup2(fd, STDIN_FILENO);
	ck_assert_int_eq(command_to_cbor(&c, &out, &err), -WQ_E_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.text, "request-limit"));
	close(fd);
}
END_TEST

START_TEST(equal_commands_give_equal_bytes_in_sorted_keys)
{
	struct wq_cbor_out again;
	setenv("B", "2", 1);
	setenv("A", "1", 1);
	make(&(struct command){ WORDS("true") });
	unsetenv("B");
	setenv("B", "2", 1);
	wq_cbor_out_init(&again);
	struct command c = { WORDS("true") };
	ck_assert_int_eq(command_to_cbor(&c, &again, &err), 0);
	ck_assert_uint_eq(out.len, again.len);
	ck_assert_mem_eq(out.buf, again.buf, out.len);
	wq_cbor_out_free(&again);
	/* RFC 8949 section 4.2.1: the keys by their encoding, so the shorter ones first. */
	ck_assert(value_of("dir").p < value_of("env").p);
	ck_assert(value_of("env").p < value_of("argv").p);
	ck_assert(value_of("argv").p < value_of("umask").p);
}
END_TEST

/* ---- words for a shell ------------------------------------------------------------------------- */

static const char *const quoted[][2] = {
	{ "make", "make" },
	{ "-j4", "-j4" },
	{ "a=b", "'a=b'" },
	{ "--a=b", "--a=b" },
	{ "/usr/bin/x-y_z.1,2:3@4%5+6", "/usr/bin/x-y_z.1,2:3@4%5+6" },
	{ "", "''" },
	{ "a b", "'a b'" },
	{ "it's", "'it'\\''s'" },
	{ "'", "''\\'''" },
	{ "$HOME", "'$HOME'" },
	{ "~", "'~'" },
	{ "*", "'*'" },
	{ "{}", "'{}'" },
	{ "a\nb", "'a\nb'" },
	{ "\xff", "'\xff'" },
};

START_TEST(a_word_is_quoted_where_a_shell_would_change_it)
{
	char *text = command_quote(LIST(quoted[_i][0]), 1);
	ck_assert_str_eq(text, quoted[_i][1]);
	free(text);
}
END_TEST

START_TEST(only_the_first_word_could_set_a_variable)
{
	char *text = command_quote(LIST("make", "CC=gcc"), 2);
	ck_assert_str_eq(text, "make CC=gcc");
	free(text);
}
END_TEST

START_TEST(a_shell_reads_the_quoted_words_as_they_were)
{
	char line[256], got[256];
	char *text = command_quote(LIST(quoted[_i][0]), 1);
	setenv("PATH", "/usr/bin:/bin", 1);
	snprintf(line, sizeof line, "printf '%%s.' %s", text);
	FILE *shell = popen(line, "re");
	size_t n = fread(got, 1, sizeof got - 1, shell);
	ck_assert_int_eq(pclose(shell), 0);
	got[n] = '\0';
	snprintf(line, sizeof line, "%s.", quoted[_i][0]);
	ck_assert_str_eq(got, line);
	free(text);
}
END_TEST

/* ---- labels ------------------------------------------------------------------------------------ */

START_TEST(the_label_is_the_command_line)
{
	char label[COMMAND_LABEL_SIZE];
	struct command c = { WORDS("make", "-j4", "a b") };
	ck_assert_str_eq(command_label(&c, label), "make -j4 'a b'");
	struct command shell = { WORDS("a | b"), .shell = true };
	ck_assert_str_eq(command_label(&shell, label), "a | b");
}
END_TEST

START_TEST(a_label_is_one_line_of_text)
{
	char label[COMMAND_LABEL_SIZE];
	struct command c = { WORDS("a\nb\t\x1b\xff"), .shell = true };
	ck_assert_str_eq(command_label(&c, label), "a b  ?");
}
END_TEST

START_TEST(a_label_of_128_bytes_stays_and_a_longer_one_is_cut)
{
	char label[COMMAND_LABEL_SIZE], word[200], want[COMMAND_LABEL_SIZE];
	memset(word, 'x', sizeof word);
	word[128] = '\0';
	struct command c = { WORDS(word), .shell = true };
	ck_assert_str_eq(command_label(&c, label), word);
	word[128] = 'x';
	word[129] = '\0';
	memset(want, 'x', 125);
	memcpy(want + 125, "...", 4);
	ck_assert_str_eq(command_label(&c, label), want);
}
END_TEST

START_TEST(a_label_is_cut_between_characters)
{
	char label[COMMAND_LABEL_SIZE], word[200];
	/* 63 of two bytes are 126; 62 leave room for the dots. */
	for (size_t i = 0; i < 140; i += 2)
		memcpy(word + i, "\xc3\xbc", 2);
	word[140] = '\0';
	struct command c = { WORDS(word), .shell = true };
	command_label(&c, label);
	ck_assert_uint_eq(strlen(label), 127);
	ck_assert_mem_eq(label, word, 124);
	ck_assert_str_eq(label + 124, "...");
}
END_TEST

static void add_payload(Suite *s)
{
	TCase *t = tcase_create("payload");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_words_are_an_array_of_texts);
	tcase_add_test(t, a_word_that_is_not_utf8_is_a_byte_string);
	tcase_add_test(t, a_line_for_the_shell_is_a_text);
	tcase_add_test(t, a_line_for_the_shell_is_one_word);
	tcase_add_test(t, the_directory_and_the_umask_are_ours);
	tcase_add_test(t, a_directory_that_was_removed_is_refused);
	tcase_add_test(t, the_environment_is_a_map_in_deterministic_order);
	tcase_add_test(t, of_a_variable_that_is_there_twice_the_first_counts);
	tcase_add_test(t, what_an_outer_task_has_of_its_own_stays_behind);
	tcase_add_test(t, standard_input_is_a_byte_string);
	tcase_add_test(t, standard_input_that_is_empty_is_there);
	tcase_add_test(t, standard_input_without_end_is_refused_with_the_limit);
	tcase_add_test(t, equal_commands_give_equal_bytes_in_sorted_keys);
	suite_add_tcase(s, t);
}

static void add_text(Suite *s)
{
	int n = (int)(sizeof quoted / sizeof *quoted);
	TCase *t = tcase_create("text");
	tcase_add_loop_test(t, a_word_is_quoted_where_a_shell_would_change_it, 0, n);
	tcase_add_test(t, only_the_first_word_could_set_a_variable);
	tcase_add_loop_test(t, a_shell_reads_the_quoted_words_as_they_were, 0, n);
	tcase_add_test(t, the_label_is_the_command_line);
	tcase_add_test(t, a_label_is_one_line_of_text);
	tcase_add_test(t, a_label_of_128_bytes_stays_and_a_longer_one_is_cut);
	tcase_add_test(t, a_label_is_cut_between_characters);
	suite_add_tcase(s, t);
}

int main(void)
{
	Suite *s = suite_create("cli/command");
	add_payload(s);
	add_text(s);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
