/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plugin fork-exec: what it tells of a command that has ended.
 */
#include "fork_exec.h"

static struct fx fx; /* each test has a process of its own */

#define ANY "{'shell': 'any'}"

static struct fx_outcome run_how(const struct wq_child_end *end)
{
	return fx_run_with(&fx, ANY, "", 0, end);
}

/* It wrote `len` bytes, of which the file has the first `kept`. */
static struct fx_outcome run_kept(const char *out, size_t kept, size_t bytes)
{
	return fx_run_with(&fx, ANY, out, kept,
		&(struct wq_child_end){
			.how = WQ_CHILD_EXITED, .out_bytes = bytes, .out_kept = kept });
}

/* ---- outcomes -------------------------------------------------------------------------------- */

START_TEST(exit_0_is_a_success)
{
	fx_open(&fx, NULL);

	struct fx_outcome o = fx_exit(&fx, "hello\n", 0);

	ck_assert_int_eq(o.how, WQ_DONE_OK);
	ck_assert_int_eq(o.code, 0);
	ck_assert_int_eq(o.signal, 0);
	ck_assert_str_eq(o.error, "");
	ck_assert_str_eq(o.text, "");
	ck_assert_str_eq(fx_get(&o, "exit"), "0");
	ck_assert_str_eq(fx_get(&o, "signal"), "");
	ck_assert_str_eq(fx_get(&o, "core"), "");
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'hello\n'");
	fx_close(&fx);
}
END_TEST

START_TEST(any_other_status_is_a_failure_with_its_report)
{
	fx_open(&fx, NULL);

	struct fx_outcome o = fx_exit(&fx, "why", 3);

	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_int_eq(o.code, 3);
	ck_assert_str_eq(o.error, "exit-status");
	ck_assert_str_eq(o.text, "exited with status 3");
	ck_assert_str_eq(fx_get(&o, "exit"), "3");
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'why'");
	fx_close(&fx);
}
END_TEST

START_TEST(a_signal_is_a_failure_that_names_it)
{
	fx_open(&fx, NULL);

	struct fx_outcome o = run_how(&(struct wq_child_end){
		.how = WQ_CHILD_SIGNALLED, .signal = SIGSEGV, .flags = WQ_CHILD_CORE });
	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_int_eq(o.signal, SIGSEGV);
	ck_assert_str_eq(o.error, "signal");
	ck_assert_str_eq(o.text, "ended by SIGSEGV (core dumped)");
	ck_assert_str_eq(fx_get(&o, "exit"), "");
	ck_assert_str_eq(fx_get(&o, "signal"), "'SIGSEGV'");
	ck_assert_str_eq(fx_get(&o, "core"), "true");

	o = run_how(&(struct wq_child_end){ .how = WQ_CHILD_SIGNALLED, .signal = SIGKILL });
	ck_assert_str_eq(o.text, "ended by SIGKILL");
	ck_assert_str_eq(fx_get(&o, "core"), "false");
	o = run_how(&(struct wq_child_end){ .how = WQ_CHILD_SIGNALLED, .signal = SIGRTMIN + 3 });
	ck_assert_str_eq(fx_get(&o, "signal"), "'SIGRTMIN+3'");
	fx_close(&fx);
}
END_TEST

START_TEST(what_was_told_to_end_is_aborted_however_it_ended)
{
	fx_open(&fx, NULL);

	struct fx_outcome o = run_how(&(struct wq_child_end){
		.how = WQ_CHILD_SIGNALLED, .signal = SIGTERM, .flags = WQ_CHILD_WAS_TOLD });
	ck_assert_int_eq(o.how, WQ_DONE_ABORTED);
	ck_assert_int_eq(o.signal, SIGTERM);
	ck_assert_str_eq(o.error, "aborted");
	ck_assert_str_eq(o.text, "ended by SIGTERM after it was told to end");
	ck_assert_str_eq(fx_get(&o, "signal"), "'SIGTERM'");

	o = run_how(&(struct wq_child_end){
		.how = WQ_CHILD_EXITED, .code = 0, .flags = WQ_CHILD_WAS_TOLD });
	ck_assert_int_eq(o.how, WQ_DONE_ABORTED);
	ck_assert_str_eq(o.text, "exited with status 0 after it was told to end");
	fx_close(&fx);
}
END_TEST

static const struct {
	const char *error;
	int32_t how, code;
	uint32_t retry_after_ms;
} not_started[] = {
	{ "not-found", WQ_DONE_FAILED, 127, 0 },
	{ "no-directory", WQ_DONE_FAILED, 127, 0 },
	{ "directory-not-allowed", WQ_DONE_FAILED, 127, 0 },
	{ "no-permission", WQ_DONE_FAILED, 126, 0 },
	{ "bad-interpreter", WQ_DONE_FAILED, 126, 0 },
	{ "bad-format", WQ_DONE_FAILED, 126, 0 },
	{ "too-large", WQ_DONE_FAILED, 126, 0 },
	{ "something-new", WQ_DONE_FAILED, 126, 0 },
	{ "no-resources", WQ_DONE_NOT_STARTED, 0, 1000 },
	{ "shepherd-lost", WQ_DONE_NOT_STARTED, 0, 1000 },
};

START_TEST(what_cannot_be_run_says_so_with_the_codes_that_shells_use)
{
	fx_open(&fx, NULL);

	struct fx_outcome o = run_how(&(struct wq_child_end){ .how = WQ_CHILD_NOT_STARTED,
		.error = not_started[_i].error,
		.text = "'frob': why it is so" });

	ck_assert_int_eq(o.how, not_started[_i].how);
	ck_assert_int_eq(o.code, not_started[_i].code);
	ck_assert_uint_eq(o.retry_after_ms, not_started[_i].retry_after_ms);
	ck_assert_str_eq(o.error, not_started[_i].error);
	ck_assert_str_eq(o.text, "'frob': why it is so");
	ck_assert_str_eq(fx_get(&o, "exit"), "");
	ck_assert_str_eq(fx_get(&o, "stdout"), "");
	fx_close(&fx);
}
END_TEST

START_TEST(an_end_that_nobody_knows_is_lost_with_the_output_that_is_there)
{
	fx_open(&fx, NULL);

	struct fx_outcome o = fx_run_with(&fx, ANY, "so far", 6,
		&(struct wq_child_end){ .how = WQ_CHILD_UNKNOWN,
			.error = "lost",
			.text = "its shepherd was killed" });

	ck_assert_int_eq(o.how, WQ_DONE_LOST);
	ck_assert_str_eq(o.error, "lost");
	ck_assert_str_eq(o.text, "its shepherd was killed");
	ck_assert_str_eq(fx_get(&o, "exit"), "");
	ck_assert_str_eq(fx_get(&o, "usage"), "");
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'so far'");
	ck_assert_str_eq(fx_get(&o, "stdout.kept"), "6");
	ck_assert_str_eq(fx_get(&o, "stdout.bytes"), "");
	fx_close(&fx);
}
END_TEST

/* ---- the report ------------------------------------------------------------------------------ */

START_TEST(the_report_has_times_and_usage_and_where_the_output_is)
{
	char dir[FAKE_PATH_MAX], quoted[FAKE_PATH_MAX + 2];
	fx_open(&fx, NULL);

	struct fx_outcome o = fx_run_with(&fx, ANY, "abc", 3,
		&(struct wq_child_end){ .how = WQ_CHILD_EXITED,
			.rest = 2,
			.began_us = 1700000000000001,
			.ended_us = 1700000001000002,
			.ran_ns = 999999999,
			.user_us = 11,
			.system_us = 12,
			.max_rss_kib = 13,
			.minor_faults = 14,
			.major_faults = 15,
			.blocks_in = 16,
			.blocks_out = 17,
			.switches = 18,
			.preemptions = 19,
			.out_bytes = 3,
			.out_kept = 3,
			.err_bytes = 9,
			.err_kept = 4 });

	(void)snprintf(quoted, sizeof(quoted), "'%.500s'", fake_work_dir(&fx.fake, o.tid, dir));
	ck_assert_str_eq(fx_get(&o, "work-dir"), quoted);
	ck_assert_str_eq(fx_get(&o, "rest"), "2");
	ck_assert_str_eq(fx_get(&o, "began-us"), "1700000000000001");
	ck_assert_str_eq(fx_get(&o, "ended-us"), "1700000001000002");
	ck_assert_str_eq(fx_get(&o, "ran-ns"), "999999999");
	static const char *const usage[] = { "user-us", "system-us", "max-rss-kib", "minor-faults",
		"major-faults", "blocks-in", "blocks-out", "switches", "preemptions" };
	for (int i = 0; i < 9; i++) {
		char path[64], number[8];
		(void)snprintf(path, sizeof(path), "usage.%s", usage[i]);
		(void)snprintf(number, sizeof(number), "%d", 11 + i);
		ck_assert_str_eq(fx_get(&o, path), number);
	}
	ck_assert_str_eq(fx_get(&o, "stdout.bytes"), "3");
	ck_assert_str_eq(fx_get(&o, "stdout.kept"), "3");
	ck_assert_str_eq(fx_get(&o, "stdout.truncated"), "false");
	ck_assert_str_eq(fx_get(&o, "stdout.file"), "'stdout'");
	ck_assert_str_eq(fx_get(&o, "stderr.bytes"), "9");
	ck_assert_str_eq(fx_get(&o, "stderr.kept"), "4");
	ck_assert_str_eq(fx_get(&o, "stderr.truncated"), "true");
	ck_assert_str_eq(fx_get(&o, "stderr.file"), "'stderr'");
	fx_close(&fx);
}
END_TEST

/* "h\u00e9", "\u20ac", "\U0001f600" */
#define E_ACUTE "\xc3\xa9"
#define EURO    "\xe2\x82\xac"
#define FACE    "\xf0\x9f\x98\x80"

static const struct {
	const char *tail, *out, *seen;
} tails[] = {
	{ "tail=0", "abc", "''" }, { "tail=3", "abc", "'abc'" }, { "tail=3", "abcd", "'bcd'" },
	{ "tail=3", "a" E_ACUTE "cd", "'cd'" }, { "tail=4", "a" E_ACUTE "cd", "'" E_ACUTE "cd'" },
	{ "tail=3", EURO "b", "'b'" }, { "tail=2", EURO "b", "'b'" },
	{ "tail=4", "a" EURO "b", "'" EURO "b'" }, { "tail=4", FACE "b", "'b'" },
	{ "tail=3", FACE "b", "'b'" }, { "tail=2", FACE "b", "'b'" }, { "tail=3", FACE, "''" },
	{ "tail=5", "a" FACE "b", "'" FACE "b'" },
	/* No text, cut or not: the bytes as they are. */
	{ "tail=4",
		"\xff"
		"abc",
		"h'ff616263'" },
	{ "tail=4", "zz\x80\x80\x80\x80", "h'80808080'" },
	{ "tail=4", "abc\xe2", "h'616263e2'" }, /* it wrote no more: that is how it ends */
	{ "tail=3", "abc\xe2\x82", "h'63e282'" },
	{ "tail=3", "\xed\xa0\x80", "h'eda080'" }, /* a surrogate */
	{ "tail=2", "ab\xc0\x80", "h'c080'" },     /* an overlong form */
};

START_TEST(a_tail_is_text_cut_between_characters_or_else_bytes)
{
	fx_open(&fx, tails[_i].tail, NULL);

	struct fx_outcome o = fx_exit(&fx, tails[_i].out, 0);

	ck_assert_str_eq(fx_get(&o, "stdout.tail"), tails[_i].seen);
	ck_assert_str_eq(fx_get(&o, "stderr.tail"), "''");
	fx_close(&fx);
}
END_TEST

START_TEST(a_character_cut_by_the_output_limit_is_left_out)
{
	fx_open(&fx, "output-limit=5", NULL);
	ck_assert_uint_eq(fx_start(&fx, ANY)->what.out_limit, 5);

	struct fx_outcome o = run_kept("abc" E_ACUTE EURO, 4, 8);
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'abc'");
	ck_assert_str_eq(fx_get(&o, "stdout.truncated"), "true");
	ck_assert_str_eq(fx_get(&o, "stdout.bytes"), "8");
	ck_assert_str_eq(fx_get(&o, "stdout.kept"), "4");
	o = run_kept("ab" EURO, 4, 100);
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'ab'");
	o = run_kept("ab" EURO, 5, 100);
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'ab" EURO "'");
	o = run_kept(FACE, 3, 4);
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "''");
	o = run_kept("a\xff", 2, 4);
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "h'61ff'");
	fx_close(&fx);
}
END_TEST

START_TEST(a_tail_of_64K_of_a_larger_output)
{
	enum {
		SIZE = 200000
	};
	static char out[SIZE];
	struct wq_cbor_item item;
	for (int i = 0; i < SIZE; i++)
		out[i] = (char)('a' + i % 26);
	fx_open(&fx, "tail=64K", NULL);

	struct fx_outcome o = run_kept(out, SIZE, SIZE);

	ck_assert(fx_find(&o, "stdout.tail", &item));
	ck_assert_int_eq(item.type, WQ_CBOR_TEXT);
	ck_assert_uint_eq(item.len, 65536);
	ck_assert_mem_eq(item.ptr, out + SIZE - 65536, 65536);
	fx_close(&fx);
}
END_TEST

/* ---- files that the task has spoilt ---------------------------------------------------------- */

static void in_work_dir(const char *file, char ret[FAKE_PATH_MAX + 16])
{
	char dir[FAKE_PATH_MAX];
	(void)snprintf(ret, FAKE_PATH_MAX + 16, "%s/%s",
		fake_work_dir(&fx.fake, fake_last_spawn(&fx.fake)->tid, dir), file);
}

static struct fx_outcome end_with(uint64_t bytes)
{
	struct fx_outcome o;
	fake_end(&fx.fake, fake_last_spawn(&fx.fake)->child,
		&(struct wq_child_end){
			.how = WQ_CHILD_EXITED, .out_bytes = bytes, .out_kept = bytes });
	ck_assert(fx_reap(&fx, &o));
	return o;
}

START_TEST(a_file_that_is_shorter_than_it_was_gives_what_is_left)
{
	fx_open(&fx, "tail=4", NULL);
	const struct fake_child *c = fx_start(&fx, ANY);
	fake_write(&fx.fake, c->tid, "stdout", "ab" E_ACUTE "\xe2", 5);

	struct fx_outcome o = end_with(1000);

	ck_assert_str_eq(fx_get(&o, "stdout.bytes"), "1000");
	ck_assert_str_eq(fx_get(&o, "stdout.kept"), "1000");
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'b" E_ACUTE "'");
	fx_close(&fx);
}
END_TEST

START_TEST(a_file_that_is_longer_than_it_was_gives_no_more_than_was_kept)
{
	fx_open(&fx, NULL);
	const struct fake_child *c = fx_start(&fx, ANY);
	fake_write(&fx.fake, c->tid, "stdout", "abcdef", 6);

	struct fx_outcome o = end_with(3);

	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'abc'");
	fx_close(&fx);
}
END_TEST

START_TEST(a_file_that_is_gone_or_no_file_gives_an_empty_tail_and_blocks_nobody)
{
	char path[FAKE_PATH_MAX + 16];
	fx_open(&fx, NULL);
	for (int i = 0; i < 4; i++) {
		(void)fx_start(&fx, ANY);
		in_work_dir("stdout", path);
		if (i == 1)
			ck_assert_int_eq(mkfifo(path, 0600), 0);
		else if (i == 2)
			ck_assert_int_eq(symlink("/etc/passwd", path), 0);
		else if (i == 3)
			ck_assert_int_eq(mkdir(path, 0700), 0);
		struct fx_outcome o = end_with(50);
		ck_assert_int_eq(o.how, WQ_DONE_OK);
		ck_assert_str_eq(fx_get(&o, "stdout.tail"), "''");
		ck_assert_str_eq(fx_get(&o, "stdout.kept"), "50");
	}
	fx_close(&fx);
}
END_TEST

START_TEST(a_work_directory_that_is_gone_is_survived)
{
	char dir[FAKE_PATH_MAX];
	fx_open(&fx, NULL);
	ck_assert_int_eq(rmdir(fake_work_dir(&fx.fake, fx_start(&fx, ANY)->tid, dir)), 0);

	struct fx_outcome o = end_with(50);

	ck_assert_int_eq(o.how, WQ_DONE_OK);
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "''");
	fx_close(&fx);
}
END_TEST

/* Both of them at once, and nothing may be left over. */
START_TEST(without_descriptors_output_is_read_all_the_same)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	fx_open(&fx, _i ? "result=json" : NULL, NULL);
	for (int i = 0; i < 3; i++) {
		const struct fake_child *c = fx_start(&fx, ANY);
		struct wq_child_end end = { .how = WQ_CHILD_EXITED,
			.out_bytes = 8,
			.out_kept = 8,
			.err_bytes = 1,
			.err_kept = 1 };
		struct fx_outcome o;
		fake_write(&fx.fake, c->tid, "stdout", "{\"n\": 2}", 8);
		fake_write(&fx.fake, c->tid, "stderr", "e", 1);
		fake_end(&fx.fake, c->child, &end);
		limit.rlim_cur = 40;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		while (dup(0) >= 0) {
			/* until all are taken */
		}

		ck_assert(fx_reap(&fx, &o));

		ck_assert_int_eq(dup(0), -1); /* it has its own again */
		ck_assert_int_eq(errno, EMFILE);
		limit.rlim_cur = limit.rlim_max;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		ck_assert_int_eq(o.how, WQ_DONE_OK);
		if (_i)
			ck_assert_str_eq(fx_get(&o, "n"), "2");
		else
			ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'{\"n\": 2}'");
	}
	fx_close(&fx);
}
END_TEST

/* ---- standard output as the result ----------------------------------------------------------- */

START_TEST(with_result_json_a_success_gives_back_its_output)
{
	fx_open(&fx, "result=json", NULL);

	struct fx_outcome o =
		fx_exit(&fx, " {\"b\": [1, 2.0, -3, null, true], \"a\": \"\\u00e9\"}\n", 0);

	/* RFC 8949: a2 61 'a' 62 c3a9 61 'b' 85 01 02 22 f6 f5 */
	ck_assert_int_eq(o.how, WQ_DONE_OK);
	ck_assert_uint_eq(o.len, 14);
	ck_assert_mem_eq(o.result, "\xa2\x61\x61\x62\xc3\xa9\x61\x62\x85\x01\x02\x22\xf6\xf5", 14);
	o = fx_exit(&fx, "17", 0);
	ck_assert_uint_eq(o.len, 1);
	ck_assert_uint_eq(o.result[0], 17);
	o = fx_exit(&fx, "0.5", 0);
	ck_assert_mem_eq(o.result, "\xf9\x38\x00", 3);
	fx_close(&fx);
}
END_TEST

/* RFC 8949 appendix A has most of them. */
static const struct {
	const char *json, *cbor;
	size_t len;
} forms[] = {
	{ "0", "\x00", 1 },
	{ "-0", "\x00", 1 },
	{ "-0.0", "\xf9\x80\x00", 3 },
	{ "1000000000000", "\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00", 9 },
	{ "9223372036854775807", "\x1b\x7f\xff\xff\xff\xff\xff\xff\xff", 9 },
	{ "-9223372036854775808", "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", 9 },
	{ "1.1", "\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", 9 },
	{ "-4.1", "\xfb\xc0\x10\x66\x66\x66\x66\x66\x66", 9 },
	{ "1.0e+300", "\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", 9 },
	{ "3.4028234663852886e+38", "\xfa\x7f\x7f\xff\xff", 5 },
	{ "5.960464477539063E-8", "\xf9\x00\x01", 3 },
	{ "65504.0", "\x19\xff\xe0", 3 },
	{ "1e3", "\x19\x03\xe8", 3 },
	{ "\"\\\"\\\\\"", "\x62\x22\x5c", 3 },
	{ "\"\\u00fc\"", "\x62\xc3\xbc", 3 },
	{ "\"\\u6c34\"", "\x63\xe6\xb0\xb4", 4 },
	{ "\"\\ud800\\uDD51\"", "\x64\xf0\x90\x85\x91", 5 },
	{ "\"\\u0000a\"", "\x62\x00\x61", 3 },
	{ "[]", "\x80", 1 },
	{ "{}", "\xa0", 1 },
	{ "[1, [2, 3], [4, 5]]", "\x83\x01\x82\x02\x03\x82\x04\x05", 8 },
	{ "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]",
		"\x98\x19\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11"
		"\x12\x13\x14\x15\x16\x17\x18\x18\x18\x19",
		29 },
	/* Section 4.2.1: the shorter key first, then by its bytes. */
	{ "{\"aa\": {\"d\": 3, \"c\": 4}, \"b\": 1, \"\": 2, \"a\": 0}",
		"\xa4\x60\x02\x61\x61\x00\x61\x62\x01\x62\x61\x61\xa2\x61\x63\x04\x61\x64\x03",
		19 },
};

START_TEST(json_has_one_form_in_cbor)
{
	fx_open(&fx, "result=json", NULL);

	struct fx_outcome o = fx_exit(&fx, forms[_i].json, 0);

	ck_assert_msg(o.how == WQ_DONE_OK, "%s", o.text);
	ck_assert_uint_eq(o.len, forms[_i].len);
	ck_assert_mem_eq(o.result, forms[_i].cbor, forms[_i].len);
	fx_close(&fx);
}
END_TEST

START_TEST(with_result_cbor_a_success_gives_back_its_output)
{
	static const char item[] = "\x82\x01\x63"
				   "abc";
	fx_open(&fx, "result=cbor", NULL);

	struct fx_outcome o = fx_exit(&fx, item, 0);

	ck_assert_int_eq(o.how, WQ_DONE_OK);
	ck_assert_uint_eq(o.len, 6);
	ck_assert_mem_eq(o.result, item, 6);
	fx_close(&fx);
}
END_TEST

START_TEST(with_result_json_a_failure_gives_back_its_report)
{
	fx_open(&fx, "result=json", NULL);

	struct fx_outcome o = fx_exit(&fx, "{\"a\": 1}", 2);

	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_str_eq(o.error, "exit-status");
	ck_assert_str_eq(fx_get(&o, "exit"), "2");
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'{\"a\": 1}'");
	fx_close(&fx);
}
END_TEST

static const struct {
	const char *option, *out, *why;
} bad[] = {
	{ "result=json", "", "it is empty" },
	{ "result=json", "{\"a\": 1", "JSON, line 1, column 7: " },
	{ "result=json", "{} {}", "JSON, line 1, column 4: " },
	{ "result=json", "{\"a\": 1, \"a\": 2}", "JSON, line 1, column " },
	{ "result=json", "\xff", "JSON, line 1, column " },
	{ "result=json", "99999999999999999999", "JSON, line 1, column " },
	{ "result=json", "9223372036854775808", "JSON, line 1, column " },
	{ "result=json", "1e999", "JSON, line 1, column " },
	{ "result=json", "[1.]", "JSON, line 1, column " },
	{ "result=json", "[1e+]", "JSON, line 1, column " },
	{ "result=json", "-", "JSON, line 1, column " },
	{ "result=json", "[1,]", "JSON, line 1, column " },
	{ "result=json", "[1 2]", "JSON, line 1, column " },
	{ "result=json", "{1: 2}", "JSON, line 1, column " },
	{ "result=json", "{\"a\" 2}", "JSON, line 1, column " },
	{ "result=json", "\"\\x\"", "JSON, line 1, column " },
	{ "result=json", "\"\\u12\"", "JSON, line 1, column " },
	{ "result=json", "\"\\udc00\"", "JSON, line 1, column " },
	{ "result=json", "\"abc", "JSON, line 1, column " },
	{ "result=json", "\"\xff\"", "JSON, line 1, column " },
	{ "result=json", "[1,\n 01]", "JSON, line 2, column " },
	{ "result=json", "{\"b\": 1,\n\"b\": 3}", "JSON, line 2, column " },
	{ "result=cbor", "", "it is empty" },
	{ "result=cbor", "\x82\x01", "CBOR: at byte 0 (0x82): " },
	{ "result=cbor", "\x01\x02", "one item of CBOR is followed by more" },
	{ "result=cbor", "\x9f\x01\xff", "CBOR: at byte 0 (0x9f): " },
	{ "result=cbor", "\x9b\x01\x01\x01\x01\x40\x01\x01\x01", "CBOR: at byte 0 (0x9b): " },
	{ "result=cbor", "hello\n", "CBOR: at byte " },
};

START_TEST(wrong_output_is_a_failure_that_says_what_is_wrong_and_has_the_report)
{
	char text[256];
	fx_open(&fx, bad[_i].option, NULL);

	struct fx_outcome o = fx_exit(&fx, bad[_i].out, 0);

	(void)snprintf(text, sizeof(text), "its standard output is no result: %s", bad[_i].why);
	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_str_eq(o.error, "bad-output");
	ck_assert_msg(strncmp(o.text, text, strlen(text)) == 0, "%s", o.text);
	ck_assert_str_eq(fx_get(&o, "exit"), "0");
	fx_close(&fx);
}
END_TEST

/* "[0.1,0.1,...]" of `n` numbers, each of nine bytes in CBOR. */
static struct fx_outcome run_numbers(size_t n, int32_t code)
{
	char *out = malloc(4 * n + 1), *p = out;
	for (size_t i = 0; i < n; i++)
		p = stpcpy(p, i == 0 ? "[0.1" : ",0.1");
	*p++ = ']';
	struct fx_outcome o = fx_run_with(&fx, ANY, out, (size_t)(p - out),
		&(struct wq_child_end){ .how = WQ_CHILD_EXITED, .code = code });
	free(out);
	return o;
}

START_TEST(an_item_above_the_result_limit_is_wrong_output)
{
	fx_result_limit = 64 * 1024;
	fx_open(&fx, "result=json", NULL);

	/* 7281 * 9 and a head of three bytes are 65532. */
	struct fx_outcome o = run_numbers(7281, 0);
	ck_assert_int_eq(o.how, WQ_DONE_OK);
	ck_assert_uint_eq(o.len, 65532);
	o = run_numbers(7282, 0);
	ck_assert_int_eq(o.how, WQ_DONE_FAILED);
	ck_assert_str_eq(o.error, "bad-output");
	ck_assert_str_eq(o.text,
		"its standard output is no result: it is an item of 65541 bytes, and result-limit "
		"is 65536");
	ck_assert_str_eq(fx_get(&o, "exit"), "0");
	ck_assert_uint_le(o.len, fx_result_limit);
	fx_close(&fx);
}
END_TEST

START_TEST(an_item_above_the_default_result_limit_is_wrong_output)
{
	fx_open(&fx, "result=json", NULL);

	struct fx_outcome o = run_numbers(200000, 0);

	ck_assert_str_eq(o.error, "bad-output");
	ck_assert_uint_le(o.len, fx_result_limit);
	fx_close(&fx);
}
END_TEST

START_TEST(with_result_cbor_too_the_result_limit_holds)
{
	static char out[8193] = { 0x59, 0x1f, (char)0xfd }; /* 8189 bytes and a head of three */
	fx_result_limit = 8192;
	fx_open(&fx, "result=cbor", NULL);

	ck_assert_int_eq(run_kept(out, 8192, 8192).how, WQ_DONE_OK);
	out[2] = (char)0xfe;
	struct fx_outcome o = run_kept(out, 8193, 8193);
	ck_assert_str_eq(o.error, "bad-output");
	ck_assert_str_eq(o.text,
		"its standard output is no result: it is an item of 8193 bytes, and result-limit "
		"is 8192");
	fx_close(&fx);
}
END_TEST

START_TEST(a_report_is_always_within_the_result_limit)
{
	static const uint64_t limits[] = { 5 * 1024, 5 * 1024 + 1, 8 * 1024, 64 * 1024, 135168 };
	static char out[65536];
	struct fx_outcome o;
	memset(out, 'x', sizeof(out));
	fx_result_limit = limits[_i];
	fx_open(&fx, "tail=64K", NULL);

	const struct fake_child *c = fx_start(&fx, ANY);
	fake_write(&fx.fake, c->tid, "stdout", out, sizeof(out));
	fake_write(&fx.fake, c->tid, "stderr", out, sizeof(out));
	fake_end(&fx.fake, c->child,
		&(struct wq_child_end){ .how = WQ_CHILD_EXITED,
			.code = 3,
			.out_bytes = sizeof(out),
			.out_kept = sizeof(out),
			.err_bytes = sizeof(out),
			.err_kept = sizeof(out) });
	ck_assert(fx_reap(&fx, &o));

	ck_assert_int_eq(o.code, 3);
	ck_assert_uint_le(o.len, limits[_i]);
	struct wq_cbor_item item;
	size_t room = (limits[_i] - 5 * 1024) / 2;
	ck_assert(fx_find(&o, "stdout.tail", &item));
	ck_assert_uint_eq(item.len, room < sizeof(out) ? room : sizeof(out));
	ck_assert(fx_find(&o, "stderr.tail", &item));
	ck_assert_uint_eq(item.len, room < sizeof(out) ? room : sizeof(out));
	fx_close(&fx);
}
END_TEST

/* So 5K have room for it with the longest path, which is 4095 bytes. */
START_TEST(without_tails_and_directory_the_largest_report_is_below_1K)
{
	char dir[FAKE_PATH_MAX];
	fx_open(&fx, "tail=0", NULL);

	struct fx_outcome o = run_how(&(struct wq_child_end){ .how = WQ_CHILD_SIGNALLED,
		.signal = SIGRTMIN + 10,
		.flags = WQ_CHILD_CORE,
		.rest = UINT32_MAX,
		.began_us = INT64_MAX,
		.ended_us = INT64_MAX,
		.ran_ns = INT64_MAX,
		.user_us = UINT64_MAX,
		.system_us = UINT64_MAX,
		.max_rss_kib = UINT64_MAX,
		.minor_faults = UINT64_MAX,
		.major_faults = UINT64_MAX,
		.blocks_in = UINT64_MAX,
		.blocks_out = UINT64_MAX,
		.switches = UINT64_MAX,
		.preemptions = UINT64_MAX,
		.out_bytes = UINT64_MAX,
		.out_kept = UINT64_MAX,
		.err_bytes = UINT64_MAX,
		.err_kept = UINT64_MAX });

	ck_assert_uint_lt(o.len - strlen(fake_work_dir(&fx.fake, o.tid, dir)), 1024);
	fx_close(&fx);
}
END_TEST

START_TEST(json_that_is_nested_too_deep_is_wrong_output)
{
	char out[300];
	fx_open(&fx, "result=json", NULL);

	memset(out, '[', 64);
	memset(out + 64, ']', 64);
	out[128] = '\0';
	ck_assert_int_eq(fx_exit(&fx, out, 0).how, WQ_DONE_OK);
	memset(out, '[', 65);
	memset(out + 65, ']', 65);
	out[130] = '\0';
	struct fx_outcome o = fx_exit(&fx, out, 0);
	ck_assert_str_eq(o.error, "bad-output");
	ck_assert_str_eq(o.text, "its standard output is no result: JSON: nested deeper than 64");
	fx_close(&fx);
}
END_TEST

START_TEST(output_that_was_not_kept_whole_or_is_too_large_is_no_result)
{
	static char out[(1 << 20) + 1];
	fx_open(&fx, "result=json", NULL);

	struct fx_outcome o = run_kept("17", 2, 3);
	ck_assert_str_eq(
		o.text, "its standard output is no result: it is larger than output-limit");
	memset(out, ' ', sizeof(out));
	out[0] = '1';
	ck_assert_int_eq(run_kept(out, sizeof(out) - 1, sizeof(out) - 1).how, WQ_DONE_OK);
	o = run_kept(out, sizeof(out), sizeof(out));
	ck_assert_str_eq(o.text, "its standard output is no result: it has more than 1M");
	(void)fx_start(&fx, ANY);
	fake_write(&fx.fake, fake_last_spawn(&fx.fake)->tid, "stdout", "1", 1);
	o = end_with(2);
	ck_assert_str_eq(
		o.text, "its standard output is no result: its file is not what was written");
	fx_close(&fx);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin/fork-exec/report");
	TCase *outcome = tcase_create("outcome"), *report = tcase_create("report"),
	      *result = tcase_create("result");
	suite_add_tcase(s, outcome);
	suite_add_tcase(s, report);
	suite_add_tcase(s, result);
	tcase_add_test(outcome, exit_0_is_a_success);
	tcase_add_test(outcome, any_other_status_is_a_failure_with_its_report);
	tcase_add_test(outcome, a_signal_is_a_failure_that_names_it);
	tcase_add_test(outcome, what_was_told_to_end_is_aborted_however_it_ended);
	tcase_add_loop_test(outcome, what_cannot_be_run_says_so_with_the_codes_that_shells_use, 0,
		sizeof(not_started) / sizeof(*not_started));
	tcase_add_test(outcome, an_end_that_nobody_knows_is_lost_with_the_output_that_is_there);
	tcase_add_test(report, the_report_has_times_and_usage_and_where_the_output_is);
	tcase_add_loop_test(report, a_tail_is_text_cut_between_characters_or_else_bytes, 0,
		sizeof(tails) / sizeof(*tails));
	tcase_add_test(report, a_character_cut_by_the_output_limit_is_left_out);
	tcase_add_test(report, a_tail_of_64K_of_a_larger_output);
	tcase_add_test(report, a_file_that_is_shorter_than_it_was_gives_what_is_left);
	tcase_add_test(report, a_file_that_is_longer_than_it_was_gives_no_more_than_was_kept);
	tcase_add_test(
		report, a_file_that_is_gone_or_no_file_gives_an_empty_tail_and_blocks_nobody);
	tcase_add_test(report, a_work_directory_that_is_gone_is_survived);
	tcase_add_loop_test(report, without_descriptors_output_is_read_all_the_same, 0, 2);
	tcase_add_loop_test(report, a_report_is_always_within_the_result_limit, 0, 5);
	tcase_add_test(report, without_tails_and_directory_the_largest_report_is_below_1K);
	tcase_add_test(result, with_result_json_a_success_gives_back_its_output);
	tcase_add_loop_test(result, json_has_one_form_in_cbor, 0, sizeof(forms) / sizeof(*forms));
	tcase_add_test(result, with_result_cbor_a_success_gives_back_its_output);
	tcase_add_test(result, with_result_json_a_failure_gives_back_its_report);
	tcase_add_loop_test(result,
		wrong_output_is_a_failure_that_says_what_is_wrong_and_has_the_report, 0,
		sizeof(bad) / sizeof(*bad));
	tcase_add_test(result, json_that_is_nested_too_deep_is_wrong_output);
	tcase_add_test(result, an_item_above_the_result_limit_is_wrong_output);
	tcase_add_test(result, an_item_above_the_default_result_limit_is_wrong_output);
	tcase_add_test(result, with_result_cbor_too_the_result_limit_holds);
	tcase_add_test(result, output_that_was_not_kept_whole_or_is_too_large_is_no_result);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
