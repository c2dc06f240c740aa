/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plugin fork-exec through the public ABI: its options, its life, ends, recovery, handlers.
 */
#include "fork_exec.h"

static struct fx fx, other; /* each test has a process of its own */

#define ANY "{'shell': 'any'}"

static int32_t capacity(struct fx *x)
{
	return x->fake.plugin->has_capacity(x->fake.self);
}

/* ---- what it is ------------------------------------------------------------------------------ */

START_TEST(it_runs_children_in_work_directories_and_never_needs_to_be_asked)
{
	fx_open(&fx, NULL);

	ck_assert_uint_eq(fx.fake.plugin->caps, WQ_CAP_WAKES | WQ_CAP_WORK_DIR | WQ_CAP_CHILDREN);
	ck_assert(fx.fake.plugin->on_child != NULL);
	ck_assert(fx.fake.plugin->recover != NULL);
	ck_assert_int_gt(capacity(&fx), 1000000);

	fx_close(&fx);
}
END_TEST

START_TEST(on_a_server_without_children_it_does_not_start)
{
	struct wq_err err = { 0 };
	ck_assert_int_eq(fx_create(&fx, (const char *const[]){ NULL }, &err), 0);
	fx.fake.host.struct_size = offsetof(struct wq_host, spawn);

	ck_assert_int_eq(fx.fake.plugin->start(fx.fake.self, &err), -WQ_E_UNSUPPORTED);

	fx_close(&fx);
}
END_TEST

static const struct {
	const char *options[4], *text;
} wrong_options[] = {
	{ { "umask=8" }, "option 'umask' must be an octal number from 0 to 777" },
	{ { "umask=" }, "option 'umask' must be an octal number from 0 to 777" },
	{ { "umask=1000" }, "option 'umask' must be an octal number from 0 to 777" },
	{ { "umask=22 " }, "option 'umask' must be an octal number from 0 to 777" },
	{ { "directories=/srv, home" }, "option 'directories': 'home' must be an absolute path" },
	{ { "pass-environment=A, B=c" },
		"option 'pass-environment': 'B=c' must be the name of a variable, without '='" },
	{ { "mode=handler" }, "option 'program' is missing: mode handler runs it" },
	{ { "mode=handler", "program=" }, "option 'program' is missing: mode handler runs it" },
	{ { "mode=handler", "program=./x, y" },
		"option 'program' must begin with an absolute path, or a name without '/'" },
	{ { "program=/bin/true" }, "option 'program' means nothing in mode command" },
	{ { "input=json" }, "option 'input' means nothing in mode command" },
	{ { "mode=handler", "program=x", "shell=/bin/sh" },
		"option 'shell' means nothing in mode handler" },
	{ { "mode=handler", "program=x", "allow=argv" },
		"option 'allow' means nothing in mode handler" },
	{ { "mode=handler", "program=x", "directories=/srv" },
		"option 'directories' means nothing in mode handler" },
	{ { "mode=handler", "program=x", "default-directory=/srv" },
		"option 'default-directory' means nothing in mode handler" },
};

START_TEST(options_that_are_wrong_or_have_no_effect_are_refused)
{
	struct wq_err err = { 0 };

	ck_assert_int_eq(fx_create(&fx, wrong_options[_i].options, &err), -WQ_E_CONFIG);

	ck_assert_str_eq(err.text, wrong_options[_i].text);
}
END_TEST

START_TEST(a_result_limit_without_room_for_a_report_is_refused)
{
	struct wq_err err = { 0 };
	fx_result_limit = 5 * 1024 - 1;
	ck_assert_int_eq(fx_create(&fx, (const char *const[]){ NULL }, &err), -WQ_E_CONFIG);
	ck_assert_str_eq(err.text,
		"result-limit is 5119 bytes; it must be 5K or more, or the report of a command has "
		"no room");

	fx_result_limit = 5 * 1024;
	fx_open(&fx, NULL);
	fx_close(&fx);
}
END_TEST

START_TEST(output_limit_grace_and_leave_rest_reach_the_child)
{
	fx_open(&fx, "output-limit=1K", "grace=1500ms", "leave-rest=true", NULL);

	const struct fake_child *c = fx_start(&fx, ANY);

	ck_assert_uint_eq(c->what.out_limit, 1024);
	ck_assert_uint_eq(c->what.err_limit, 1024);
	ck_assert_uint_eq(c->what.grace_ms, 1500);
	ck_assert_uint_eq(c->what.flags, WQ_SPAWN_LEAVE_REST);
	fx_close(&fx);
}
END_TEST

/* ---- start ----------------------------------------------------------------------------------- */

START_TEST(a_busy_shepherd_is_answered_on_and_nothing_is_left_of_the_task)
{
	struct fx_outcome o;
	struct wq_err err = { 0 };
	fx_open(&fx, NULL);
	fx.fake.spawn_answer = WQ_BUSY;

	ck_assert_int_eq(fake_start(&fx.fake, fx_cbor(ANY), NULL, &err), WQ_BUSY);
	ck_assert(!fx_reap(&fx, &o));

	ck_assert_int_eq(fx_exit(&fx, "", 0).how, WQ_DONE_OK);
	fx_close(&fx);
}
END_TEST

START_TEST(what_is_too_much_to_pass_on_is_refused)
{
	struct wq_err err = { 0 };
	fx_open(&fx, NULL);
	fx.fake.spawn_answer = -WQ_E_LIMIT;

	ck_assert_int_eq(fake_start(&fx.fake, fx_cbor(ANY), NULL, &err), WQ_REJECT);

	ck_assert_str_eq(err.name, "too-large");
	ck_assert_str_eq(err.text,
		"the command, its environment and its input are too large: at most "
		"4M, and 65536 words");
	fx_close(&fx);
}
END_TEST

START_TEST(another_failure_of_the_host_is_passed_on)
{
	struct wq_err err = { 0 };
	fx_open(&fx, NULL);
	fx.fake.spawn_answer = -EINVAL;

	ck_assert_int_eq(fake_start(&fx.fake, fx_cbor(ANY), NULL, &err), -EINVAL);

	fx_close(&fx);
}
END_TEST

START_TEST(validate_starts_nothing)
{
	struct wq_err err = { 0 };
	fx_open(&fx, NULL);

	ck_assert_int_eq(fake_validate(&fx.fake, fx_cbor(ANY), &err), WQ_OK);

	ck_assert_int_eq(fx.fake.n_children, 0);
	fx_close(&fx);
}
END_TEST

/* ---- ends ------------------------------------------------------------------------------------ */

START_TEST(tasks_are_given_back_once_each_in_the_order_of_their_ends)
{
	static const int order[] = { 3, 0, 4, 1, 2 };
	uint64_t child[5];
	wq_tid tid[5];
	struct fx_outcome o;
	fx_open(&fx, NULL);
	for (int i = 0; i < 5; i++) {
		const struct fake_child *c = fx_start(&fx, ANY);
		child[i] = c->child;
		tid[i] = c->tid;
	}
	ck_assert(!fx_reap(&fx, &o));

	for (int i = 0; i < 5; i++)
		fake_exited(&fx.fake, child[order[i]], order[i]);

	for (int i = 0; i < 5; i++) {
		ck_assert(fx_reap(&fx, &o));
		ck_assert_uint_eq(o.tid, tid[order[i]]);
		ck_assert_int_eq(o.code, order[i]);
	}
	ck_assert(!fx_reap(&fx, &o));
	fx_close(&fx);
}
END_TEST

START_TEST(terminate_ends_the_child_with_grace_or_at_once)
{
	struct fx_outcome o;
	fx_open(&fx, "grace=3s", NULL);
	const struct fake_child *c = fx_start(&fx, ANY);

	fake_terminate(&fx.fake, c->tid);
	ck_assert_uint_eq(c->n_ends, 1);
	ck_assert_uint_eq(c->end_how, WQ_TERM_GRACEFUL);
	ck_assert_uint_eq(c->end_grace_ms, 3000);
	ck_assert(!fx_reap(&fx, &o));
	fake_terminate_how(&fx.fake, c->tid, WQ_TERM_NOW);
	ck_assert_uint_eq(c->n_ends, 2);
	ck_assert_uint_eq(c->end_how, WQ_TERM_NOW);

	fake_end(&fx.fake, c->child,
		&(struct wq_child_end){
			.how = WQ_CHILD_SIGNALLED, .signal = SIGKILL, .flags = WQ_CHILD_WAS_TOLD });
	fake_terminate(&fx.fake, c->tid); /* it has just ended */
	ck_assert(fx_reap(&fx, &o));
	ck_assert_int_eq(o.how, WQ_DONE_ABORTED);
	fx_close(&fx);
}
END_TEST

START_TEST(stop_detach_leaves_the_children_and_starts_no_more)
{
	struct wq_err err = { 0 };
	fx_open(&fx, NULL);
	const struct fake_child *c = fx_start(&fx, ANY);

	ck_assert_int_eq(fx.fake.plugin->stop(fx.fake.self, WQ_STOP_DETACH), WQ_OK);

	ck_assert_int_eq(capacity(&fx), 0);
	ck_assert_int_eq(fake_start(&fx.fake, fx_cbor(ANY), NULL, &err), WQ_BUSY);
	fx_close(&fx);
	ck_assert_uint_eq(c->n_ends, 0);
}
END_TEST

START_TEST(stop_kill_ends_all_children_and_gives_them_back)
{
	struct fx_outcome o;
	fx_open(&fx, NULL);
	const struct fake_child *a = fx_start(&fx, ANY), *b = fx_start(&fx, ANY);

	ck_assert_int_eq(fx.fake.plugin->stop(fx.fake.self, WQ_STOP_KILL), WQ_OK);

	ck_assert_uint_eq(a->end_how, WQ_TERM_NOW);
	ck_assert_uint_eq(b->end_how, WQ_TERM_NOW);
	fake_exited(&fx.fake, a->child, 0);
	fake_exited(&fx.fake, b->child, 0);
	ck_assert(fx_reap(&fx, &o));
	ck_assert(fx_reap(&fx, &o));
	fx_close(&fx);
}
END_TEST

START_TEST(ends_that_nobody_reaps_are_freed)
{
	fx_open(&fx, NULL);
	fake_exited(&fx.fake, fx_start(&fx, ANY)->child, 0);
	(void)fx_start(&fx, ANY);
	fx_close(&fx);
}
END_TEST

/* ---- recovery -------------------------------------------------------------------------------- */

static void put_output(struct fake *f, wq_tid tid)
{
	fake_write(f, tid, "stdout", "from before", 11);
}

START_TEST(a_task_of_an_earlier_server_goes_on)
{
	static const char *const one[] = { "", NULL };
	struct wq_bytes none = { 0 };
	struct wq_err err = { 0 };
	struct fx_outcome o;
	wq_tid tid;
	fx_open(&fx, NULL);

	ck_assert_int_eq(fake_recover(&fx.fake, one, none, put_output, &tid, &err), WQ_ADOPTED);

	const struct fake_child *c = fake_last_spawn(&fx.fake);
	fake_terminate(&fx.fake, tid);
	ck_assert_uint_eq(c->n_ends, 1);
	ck_assert(!fx_reap(&fx, &o));
	fake_end(&fx.fake, c->child,
		&(struct wq_child_end){
			.how = WQ_CHILD_EXITED, .code = 7, .out_bytes = 11, .out_kept = 11 });
	ck_assert(fx_reap(&fx, &o));
	ck_assert_uint_eq(o.tid, tid);
	ck_assert_int_eq(o.code, 7);
	ck_assert_str_eq(fx_get(&o, "stdout.tail"), "'from before'");
	fx_close(&fx);
}
END_TEST

START_TEST(a_task_without_a_child_never_began)
{
	struct wq_bytes none = { 0 };
	struct wq_err err = { 0 };
	struct fx_outcome o;
	fx_open(&fx, NULL);

	ck_assert_int_eq(fake_recover(&fx.fake, NULL, none, NULL, NULL, &err), WQ_NEVER_BEGAN);

	ck_assert(!fx_reap(&fx, &o));
	fx_close(&fx);
}
END_TEST

START_TEST(two_instances_share_nothing)
{
	struct fx_outcome o;
	fx_open(&fx, "umask=077", NULL);
	fx_open(&other, "umask=027", "allow=argv", NULL);
	const struct fake_child *a = fx_start(&fx, ANY);
	const struct fake_child *b = fx_start(&other, "{'argv': ['x']}");

	ck_assert_uint_eq(a->what.umask, 077);
	ck_assert_uint_eq(b->what.umask, 027);
	ck_assert_int_eq(fx.fake.plugin->stop(fx.fake.self, WQ_STOP_KILL), WQ_OK);
	ck_assert_uint_eq(b->n_ends, 0);
	ck_assert_int_gt(capacity(&other), 0);
	fake_exited(&fx.fake, a->child, 1);
	ck_assert(!fx_reap(&other, &o));
	ck_assert(fx_reap(&fx, &o));
	fx_close(&fx);
	fake_exited(&other.fake, b->child, 2);
	ck_assert(fx_reap(&other, &o));
	ck_assert_int_eq(o.code, 2);
	fx_close(&other);
}
END_TEST

/* ---- mode handler ---------------------------------------------------------------------------- */

static void assert_input(const struct fake_child *c, const char *bytes, size_t len)
{
	ck_assert_uint_eq(c->what.input.len, len);
	ck_assert_mem_eq(c->what.input.ptr, bytes, len);
}

START_TEST(a_handler_gets_the_payload_as_it_is)
{
	fx_open(&fx, "mode=handler", "program=/opt/convert, --fast", "limit-cpu=5s", NULL);

	const struct fake_child *c = fx_start(&fx, "{'a': [1, h'ff']}");

	ck_assert_str_eq(c->what.argv[0], "/opt/convert");
	ck_assert_str_eq(c->what.argv[1], "--fast");
	ck_assert_ptr_null(c->what.argv[2]);
	ck_assert_ptr_null(c->what.dir);
	ck_assert_ptr_null(c->what.dirs_allowed);
	ck_assert_uint_eq(c->what.n_limits, 1);
	assert_input(c,
		"\xa1\x61"
		"a"
		"\x82\x01\x41\xff",
		7);
	assert_input(fx_start(&fx, "{'argv': 5}"),
		"\xa1\x64"
		"argv"
		"\x05",
		7);
	assert_input(fx_start(&fx, "null"), "\xf6", 1);
	fx_close(&fx);
}
END_TEST

static const struct {
	const char *cbor;
	size_t len;
	const char *json;
} json_forms[] = {
	{ "\xf6", 1, "null" },
	{ "\xf7", 1, "null" }, /* undefined */
	{ "\xe0", 1, "null" }, /* a simple value */
	{ "\xf5", 1, "true" },
	{ "\x18\x2a", 2, "42" },
	{ "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", 9, "-9223372036854775808" },
	{ "\xf9\x7e\x00", 3, "null" }, /* NaN */
	{ "\xf9\x7c\x00", 3, "null" }, /* infinity */
	{ "\xf9\x3e\x00", 3, "1.5" },
	{ "\x61\x22", 2, "\"\\\"\"" },
	{ "\x61\x00", 2, "\"\\u0000\"" },
	{ "\x62\xc3\xa9", 3, "\"\xc3\xa9\"" },
	/* RFC 4648 section 10, in base64url */
	{ "\x40", 1, "\"\"" },
	{ "\x41"
	  "f",
		2, "\"Zg\"" },
	{ "\x42"
	  "fo",
		3, "\"Zm8\"" },
	{ "\x43"
	  "foo",
		4, "\"Zm9v\"" },
	{ "\x46"
	  "foobar",
		7, "\"Zm9vYmFy\"" },
	{ "\x43\xfb\xff\xbf", 4, "\"-_-_\"" },
	{ "\xd9\xd9\xf7\xa1\x61"
	  "a"
	  "\x82\x01\x02",
		9, "{\"a\":[1,2]}" },
	{ "\xa2\x01\x02\x81\x03\x80", 6, "{\"1\":2,\"[3]\":[]}" },
	{ "\xa1\xa1\x61"
	  "a"
	  "\x01\x02",
		6, "{\"{\\\"a\\\":1}\":2}" },
	{ "\xa1\x41"
	  "f"
	  "\xf5",
		4, "{\"Zg\":true}" },
	{ "\x1b\x7f\xff\xff\xff\xff\xff\xff\xff", 9, "9223372036854775807" },
	{ "\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9, "1.8446744073709552e19" },
	{ "\x3b\xff\xff\xff\xff\xff\xff\xff\xff", 9, "-1.8446744073709552e19" },
	{ "\xf9\x3c\x00", 3, "1.0" },
	{ "\xf9\x80\x00", 3, "-0.0" },
	{ "\x67\x08\x0c\x0a\x0d\x09\x5c\x1f", 8, "\"\\b\\f\\n\\r\\t\\\\\\u001F\"" },
	{ "\xa1\x62"
	  "a\0"
	  "\xa0",
		5, "{\"a\\u0000\":{}}" },
};

START_TEST(a_handler_gets_the_payload_as_one_line_of_json)
{
	struct wq_cbor_out o;
	struct wq_err err = { 0 };
	char line[64];
	fx_open(&fx, "mode=handler", "program=jq, .", "input=json", NULL);
	wq_cbor_out_init(&o);
	wq_cbor_put_raw(&o, json_forms[_i].cbor, json_forms[_i].len);

	ck_assert_int_eq(fake_start(&fx.fake, &o, NULL, &err), WQ_OK);

	(void)snprintf(line, sizeof(line), "%s\n", json_forms[_i].json);
	assert_input(fake_last_spawn(&fx.fake), line, strlen(line));
	fx_close(&fx);
}
END_TEST

static void refuse_input(struct wq_cbor_out *o, const char *name, const char *text)
{
	struct wq_err err = { 0 };
	ck_assert_int_eq(fake_start(&fx.fake, o, NULL, &err), WQ_REJECT);
	ck_assert_str_eq(err.name, name);
	ck_assert_str_eq(err.text, text);
}

START_TEST(a_payload_that_has_no_form_in_json_is_refused)
{
	fx_open(&fx, "mode=handler", "program=jq, .", "input=json", NULL);

	refuse_input(fx_cbor("{'a': {1: 2, '1': 3}}"), "bad-request",
		"the payload cannot be given as JSON: two keys of a map are '1' there");
	refuse_input(fx_cbor("{'b': 1, 'a': {'b': 1}, 'c': 2, 'b': 3}"), "bad-request",
		"the payload cannot be given as JSON: two keys of a map are 'b' there");
	ck_assert_int_eq(fx.fake.n_children, 0);

	fx_close(&fx);
}
END_TEST

/* Each of them doubles the backslashes of the one inside. */
START_TEST(maps_that_are_keys_of_maps_are_refused_before_they_become_too_large)
{
	struct wq_cbor_out o;
	fx_open(&fx, "mode=handler", "program=jq, .", "input=json", NULL);
	wq_cbor_out_init(&o);
	for (int i = 0; i < 60; i++)
		wq_cbor_put_map(&o, 1);
	for (int i = 0; i < 61; i++)
		wq_cbor_put_text(&o, "");

	refuse_input(&o, "bad-request",
		"the payload cannot be given as JSON: a key of a map has more than 65536 bytes");

	fx_close(&fx);
}
END_TEST

/* What validate would find out at the cost of the whole text start_task finds out anyway. */
START_TEST(validate_takes_any_input_of_a_handler)
{
	struct wq_err err = { 0 };
	fx_open(&fx, "mode=handler", "program=jq, .", "input=json", NULL);

	ck_assert_int_eq(fake_validate(&fx.fake, fx_cbor("{1: 2, '1': 3}"), &err), WQ_OK);

	fx_close(&fx);
}
END_TEST

START_TEST(what_a_handler_writes_can_be_the_result)
{
	fx_open(&fx, "mode=handler", "program=jq, .", "input=json", "result=json", NULL);

	struct fx_outcome o = fx_run_with(
		&fx, "{'n': 1}", "{\"n\": 2}", 8, &(struct wq_child_end){ .how = WQ_CHILD_EXITED });

	ck_assert_int_eq(o.how, WQ_DONE_OK);
	ck_assert_str_eq(fx_get(&o, "n"), "2");
	fx_close(&fx);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin/fork-exec");
	TCase *life = tcase_create("life"), *ends = tcase_create("ends"),
	      *handler = tcase_create("mode handler");
	suite_add_tcase(s, life);
	suite_add_tcase(s, ends);
	suite_add_tcase(s, handler);
	tcase_add_test(life, it_runs_children_in_work_directories_and_never_needs_to_be_asked);
	tcase_add_test(life, on_a_server_without_children_it_does_not_start);
	tcase_add_loop_test(life, options_that_are_wrong_or_have_no_effect_are_refused, 0,
		sizeof(wrong_options) / sizeof(*wrong_options));
	tcase_add_test(life, a_result_limit_without_room_for_a_report_is_refused);
	tcase_add_test(life, output_limit_grace_and_leave_rest_reach_the_child);
	tcase_add_test(life, a_busy_shepherd_is_answered_on_and_nothing_is_left_of_the_task);
	tcase_add_test(life, what_is_too_much_to_pass_on_is_refused);
	tcase_add_test(life, another_failure_of_the_host_is_passed_on);
	tcase_add_test(life, validate_starts_nothing);
	tcase_add_test(ends, tasks_are_given_back_once_each_in_the_order_of_their_ends);
	tcase_add_test(ends, terminate_ends_the_child_with_grace_or_at_once);
	tcase_add_test(ends, stop_detach_leaves_the_children_and_starts_no_more);
	tcase_add_test(ends, stop_kill_ends_all_children_and_gives_them_back);
	tcase_add_test(ends, ends_that_nobody_reaps_are_freed);
	tcase_add_test(ends, a_task_of_an_earlier_server_goes_on);
	tcase_add_test(ends, a_task_without_a_child_never_began);
	tcase_add_test(ends, two_instances_share_nothing);
	tcase_add_test(handler, a_handler_gets_the_payload_as_it_is);
	tcase_add_loop_test(handler, a_handler_gets_the_payload_as_one_line_of_json, 0,
		sizeof(json_forms) / sizeof(*json_forms));
	tcase_add_test(handler, a_payload_that_has_no_form_in_json_is_refused);
	tcase_add_test(
		handler, maps_that_are_keys_of_maps_are_refused_before_they_become_too_large);
	tcase_add_test(handler, validate_takes_any_input_of_a_handler);
	tcase_add_test(handler, what_a_handler_writes_can_be_the_result);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
