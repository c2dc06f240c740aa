/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/frame.h"

#include <wq/cbor.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NAME "0a1b.1511472984.123456-0k3v9q2m7t1dh.1"

static struct buf buf;
static struct frame frame;
static struct wq_err err;

static void setup(void)
{
	buf = (struct buf){ 0 };
	err = (struct wq_err){ .struct_size = sizeof err };
}

static void teardown(void)
{
	buf_fini(&buf);
}

/* A frame around a map that was written by hand. */
static void put_map(const void *map, size_t len)
{
	uint8_t head[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
		(uint8_t)len };
	buf_clear(&buf);
	ck_assert_int_eq(buf_add(&buf, head, 4), 0);
	ck_assert_int_eq(buf_add(&buf, map, len), 0);
}

#define put_text(s) put_map((s), sizeof(s) - 1)

static int64_t take(void)
{
	return frame_take(buf.data, buf.len, &frame, &err);
}

static void take_all(enum frame_kind kind)
{
	ck_assert_int_eq(take(), (int64_t)buf.len);
	ck_assert_int_eq(frame.kind, kind);
}

/* ---- bytes as docs/wq-shepherd.cddl has them ----------------------------------------------------- */

START_TEST(a_hello_of_a_server_is_these_bytes)
{
	struct frame_hello hello = { .major = 1, .pid = 4242, .linger_ms = 60000 };
	static const char expected[] = "\0\0\0\x28"
				       "\xa4"
				       "\x63pid\x19\x10\x92"
				       "\x65"
				       "frame\x65hello"
				       "\x65major\x01"
				       "\x69linger-ms\x19\xea\x60";

	ck_assert_int_eq(frame_put_hello(&buf, &hello), 0);

	ck_assert_uint_eq(buf.len, sizeof expected - 1);
	ck_assert_mem_eq(buf.data, expected, sizeof expected - 1);
}
END_TEST

START_TEST(a_hello_of_a_shepherd_is_these_bytes)
{
	struct frame_hello hello = { .major = 1,
		.minor = 2,
		.pid = 7,
		.containment = "cgroup",
		.version = "0.2.0",
		.same_boot = true };
	static const char expected[] = "\0\0\0\x4c"
				       "\xa7"
				       "\x63pid\x07"
				       "\x65"
				       "frame\x65hello"
				       "\x65major\x01"
				       "\x65minor\x02"
				       "\x67version\x65"
				       "0.2.0"
				       "\x69same-boot\xf5"
				       "\x6b"
				       "containment\x66"
				       "cgroup";

	ck_assert_int_eq(frame_put_hello(&buf, &hello), 0);

	ck_assert_uint_eq(buf.len, sizeof expected - 1);
	ck_assert_mem_eq(buf.data, expected, sizeof expected - 1);
}
END_TEST

START_TEST(an_end_is_these_bytes)
{
	static const char expected[] = "\0\0\0\x25"
				       "\xa4"
				       "\x63how\x01"
				       "\x64name\x63u.1"
				       "\x65"
				       "frame\x63"
				       "end"
				       "\x68grace-ms\x19\x27\x10";

	ck_assert_int_eq(frame_put_end(&buf, "u.1", WQ_TERM_GRACEFUL, 10000), 0);

	ck_assert_uint_eq(buf.len, sizeof expected - 1);
	ck_assert_mem_eq(buf.data, expected, sizeof expected - 1);
}
END_TEST

/* ---- round trips ----------------------------------------------------------------------------- */

static const char *const argv_[] = { "/bin/echo", "", "\xff\xfe not UTF-8", NULL };
static const char *const env_[] = { "PATH=/bin", "X=", NULL };
static const char *const dirs_[] = { "/srv", "/home", NULL };
static const struct wq_limit limits_[] = { { .resource = RLIMIT_CPU, .value = 5 },
	{ .resource = RLIMIT_CORE, .value = RLIM_INFINITY } };

static struct frame_spawn full_spawn(void)
{
	return (struct frame_spawn){
		.name = NAME ".copy",
		.tag = NAME,
		.work_dir = "/spool/work/x",
		.out_name = "stdout",
		.err_name = "stderr",
		.what = {
			.flags = WQ_SPAWN_JOIN_OUTPUT | WQ_SPAWN_LEAVE_REST,
			.argv = argv_,
			.env = env_,
			.dir = "/srv/\x80",
			.dirs_allowed = dirs_,
			.input = { .ptr = (const uint8_t *)"in\0put", .len = 6 },
			.out_limit = UINT64_MAX,
			.err_limit = 1,
			.limits = limits_,
			.n_limits = 2,
			.processes = 99,
			.umask = 022,
			.nice = 19,
			.grace_ms = 1500,
		},
	};
}

static void words_are(const char *const *words, const char *const *expected)
{
	size_t i = 0;
	for (; expected[i]; i++)
		ck_assert_str_eq(words[i], expected[i]);
	ck_assert_ptr_null(words[i]);
}

START_TEST(a_spawn_comes_out_as_it_went_in)
{
	struct frame_spawn spawn = full_spawn();

	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), 0);
	take_all(FRAME_SPAWN);

	const struct wq_spawn *what = &frame.spawn.what;
	ck_assert_str_eq(frame.name, NAME ".copy");
	ck_assert_str_eq(frame.spawn.name, NAME ".copy");
	ck_assert_str_eq(frame.spawn.tag, NAME);
	ck_assert_str_eq(frame.spawn.work_dir, "/spool/work/x");
	ck_assert_str_eq(frame.spawn.out_name, "stdout");
	ck_assert_str_eq(frame.spawn.err_name, "stderr");
	ck_assert_uint_eq(what->struct_size, sizeof *what);
	ck_assert_uint_eq(what->flags, WQ_SPAWN_JOIN_OUTPUT | WQ_SPAWN_LEAVE_REST);
	words_are(what->argv, argv_);
	words_are(what->env, env_);
	words_are(what->dirs_allowed, dirs_);
	ck_assert_str_eq(what->dir, "/srv/\x80");
	ck_assert_uint_eq(what->input.len, 6);
	ck_assert_mem_eq(what->input.ptr, "in\0put", 6);
	ck_assert_uint_eq(what->out_limit, UINT64_MAX);
	ck_assert_uint_eq(what->err_limit, 1);
	ck_assert_uint_eq(what->n_limits, 2);
	ck_assert_int_eq(what->limits[0].resource, RLIMIT_CPU);
	ck_assert_uint_eq(what->limits[0].value, 5);
	ck_assert_int_eq(what->limits[1].resource, RLIMIT_CORE);
	ck_assert_uint_eq(what->limits[1].value, RLIM_INFINITY);
	ck_assert_uint_eq(what->processes, 99);
	ck_assert_uint_eq(what->umask, 022);
	ck_assert_int_eq(what->nice, 19);
	ck_assert_uint_eq(what->grace_ms, 1500);
	frame_spawn_fini(&frame.spawn);
}
END_TEST

START_TEST(what_a_spawn_does_not_say_is_nothing)
{
	static const char *const argv[] = { "true", NULL };
	struct frame_spawn spawn = { .name = "n", .tag = "t", .work_dir = "/w", .what.argv = argv };

	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), 0);
	take_all(FRAME_SPAWN);

	ck_assert_ptr_null(frame.spawn.what.env);
	ck_assert_ptr_null(frame.spawn.what.dir);
	ck_assert_ptr_null(frame.spawn.what.dirs_allowed);
	ck_assert_ptr_null(frame.spawn.out_name);
	ck_assert_uint_eq(frame.spawn.what.input.len, 0);
	ck_assert_uint_eq(frame.spawn.what.n_limits, 0);
	frame_spawn_fini(&frame.spawn);
}
END_TEST

/* "Nowhere" is not "anywhere". */
START_TEST(no_directory_allowed_is_not_all_of_them)
{
	static const char *const argv[] = { "true", NULL }, *const none[] = { NULL };
	struct frame_spawn spawn = { .name = "n",
		.tag = "t",
		.work_dir = "/w",
		.what = { .argv = argv, .dirs_allowed = none } };

	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), 0);
	take_all(FRAME_SPAWN);

	ck_assert_ptr_nonnull(frame.spawn.what.dirs_allowed);
	ck_assert_ptr_null(frame.spawn.what.dirs_allowed[0]);
	frame_spawn_fini(&frame.spawn);
}
END_TEST

START_TEST(an_ended_comes_out_as_it_went_in)
{
	struct wq_child_end end = {
		.how = WQ_CHILD_NOT_STARTED,
		.code = 255,
		.signal = 9,
		.flags = WQ_CHILD_WAS_TOLD | WQ_CHILD_CORE,
		.rest = 3,
		.error = "not-found",
		.text = "there is no '\xff'",
		.began_us = 1,
		.ended_us = INT64_MAX,
		.ran_ns = -1,
		.user_us = 2,
		.system_us = 3,
		.max_rss_kib = 4,
		.minor_faults = 5,
		.major_faults = 6,
		.blocks_in = 7,
		.blocks_out = 8,
		.switches = 9,
		.preemptions = 10,
		.out_bytes = UINT64_MAX,
		.out_kept = 12,
		.err_bytes = 13,
		.err_kept = 14,
	};

	ck_assert_int_eq(frame_put_ended(&buf, NAME, &end), 0);
	take_all(FRAME_ENDED);

	ck_assert_str_eq(frame.name, NAME);
	ck_assert_str_eq(frame.ended.error, "not-found");
	ck_assert_str_eq(frame.ended.text, "there is no '?'");
	end.struct_size = sizeof end;
	end.error = frame.ended.error;
	end.text = frame.ended.text;
	ck_assert_mem_eq(&frame.ended, &end, sizeof end);
}
END_TEST

START_TEST(the_small_ones_come_out_as_they_went_in)
{
	struct frame_child child = { .name = NAME, .pid = 77, .began_us = 1511472984123456 };

	ck_assert_int_eq(frame_put_child(&buf, &child), 0);
	take_all(FRAME_CHILD);
	ck_assert_str_eq(frame.child.name, NAME);
	ck_assert_int_eq(frame.child.pid, 77);
	ck_assert_int_eq(frame.child.began_us, 1511472984123456);

	buf_clear(&buf);
	ck_assert_int_eq(frame_put_ack(&buf, NAME), 0);
	take_all(FRAME_ACK);
	ck_assert_str_eq(frame.name, NAME);

	buf_clear(&buf);
	ck_assert_int_eq(frame_put_end(&buf, NAME, WQ_TERM_NOW, 0), 0);
	take_all(FRAME_END);
	ck_assert_uint_eq(frame.end.how, WQ_TERM_NOW);
	ck_assert_uint_eq(frame.end.grace_ms, 0);

	static const enum frame_kind kinds[] = { FRAME_LIST, FRAME_QUIT, FRAME_LISTED };
	for (size_t i = 0; i < 3; i++) {
		buf_clear(&buf);
		ck_assert_int_eq(frame_put_simple(&buf, kinds[i]), 0);
		take_all(kinds[i]);
	}
}
END_TEST

START_TEST(frames_follow_each_other)
{
	ck_assert_int_eq(frame_put_ack(&buf, "a"), 0);
	size_t first = buf.len;
	ck_assert_int_eq(frame_put_ack(&buf, "b"), 0);

	ck_assert_int_eq(take(), (int64_t)first);
	ck_assert_str_eq(frame.name, "a");
	ck_assert_int_eq(frame_take(buf.data + first, buf.len - first, &frame, &err),
		(int64_t)(buf.len - first));
	ck_assert_str_eq(frame.name, "b");
}
END_TEST

/* Each key of the map at `p` sorts after the one before, as its bytes stand (RFC 8949, 4.2.1). */
static void keys_are_in_order(const uint8_t *p, size_t len)
{
	struct wq_cbor_in in;
	struct wq_cbor_item map;
	const uint8_t *last = NULL;
	size_t last_len = 0;
	wq_cbor_in_init(&in, p, len);
	ck_assert_int_eq(wq_cbor_next(&in, &map), 1);
	for (uint64_t i = 0; i < map.u; i++) {
		const uint8_t *key = in.p;
		ck_assert_int_eq(wq_cbor_skip(&in), 1);
		size_t key_len = (size_t)(in.p - key);
		if (last) {
			size_t n = key_len < last_len ? key_len : last_len;
			ck_assert_int_lt(memcmp(last, key, n), 0);
		}
		last = key;
		last_len = key_len;
		ck_assert_int_eq(wq_cbor_skip(&in), 1);
	}
}

START_TEST(keys_are_written_in_the_deterministic_order)
{
	struct frame_spawn spawn = full_spawn();
	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), 0);
	keys_are_in_order(buf.data + 4, buf.len - 4);

	struct wq_child_end end;
	memset(&end, 1, sizeof end);
	end.error = end.text = "x";
	buf_clear(&buf);
	ck_assert_int_eq(frame_put_ended(&buf, NAME, &end), 0);
	keys_are_in_order(buf.data + 4, buf.len - 4);

	struct frame_child child = { .name = NAME, .pid = 1, .began_us = 1 };
	buf_clear(&buf);
	ck_assert_int_eq(frame_put_child(&buf, &child), 0);
	keys_are_in_order(buf.data + 4, buf.len - 4);
}
END_TEST

/* ---- newer ends ------------------------------------------------------------------------------ */

START_TEST(unknown_keys_are_passed_over)
{
	put_text("\xa4"
		 "\x64name\x61x"
		 "\x65"
		 "frame\x63"
		 "ack"
		 "\x65zzzzz\x82\xa1\x01\x02\x80"
		 "\x18\x2a\xf6");

	take_all(FRAME_ACK);

	ck_assert_str_eq(frame.name, "x");
}
END_TEST

START_TEST(an_unknown_kind_is_passed_over)
{
	put_text("\xa2"
		 "\x64name\x18\x2a"
		 "\x65"
		 "frame\x66"
		 "freeze");

	take_all(FRAME_UNKNOWN);
}
END_TEST

/* Whatever another major has made of the other keys. */
START_TEST(of_a_hello_of_another_major_only_that_is_read)
{
	put_text("\xa3"
		 "\x63pid\x63one"
		 "\x65"
		 "frame\x65hello"
		 "\x65major\x02");

	take_all(FRAME_HELLO);

	ck_assert_uint_eq(frame.hello.major, 2);
}
END_TEST

/* ---- hostile bytes --------------------------------------------------------------------------- */

START_TEST(a_frame_that_is_not_all_there_is_waited_for)
{
	struct frame_spawn spawn = full_spawn();
	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), 0);

	for (size_t len = 0; len < buf.len; len++) {
		/* A copy of that size, so that a read beyond it is found. */
		uint8_t *bytes = malloc(len + !len);
		ck_assert_ptr_nonnull(bytes);
		memcpy(bytes, buf.data, len);
		ck_assert_int_eq(frame_take(bytes, len, &frame, &err), 0);
		free(bytes);
	}
}
END_TEST

START_TEST(a_map_that_is_cut_is_no_frame)
{
	struct frame_spawn spawn = full_spawn();
	struct buf whole = { 0 };
	ck_assert_int_eq(frame_put_spawn(&whole, &spawn), 0);

	for (size_t len = 0; len < whole.len - 4; len++) {
		put_map(whole.data + 4, len);
		ck_assert_int_eq(take(), -WQ_E_FORMAT);
	}
	buf_fini(&whole);
}
END_TEST

START_TEST(a_byte_that_is_changed_harms_nobody)
{
	struct frame_spawn spawn = full_spawn();
	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), 0);

	for (size_t i = 4; i < buf.len; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			buf.data[i] ^= (uint8_t)(1u << bit);
			int64_t rc = take();
			if (rc > 0)
				frame_spawn_fini(&frame.spawn);
			ck_assert(
				rc == (int64_t)buf.len || rc == -WQ_E_FORMAT || rc == -WQ_E_LIMIT);
			buf.data[i] ^= (uint8_t)(1u << bit);
		}
	}
}
END_TEST

START_TEST(a_length_above_the_bound_is_refused_at_once)
{
	ck_assert_int_eq(frame_take("\x00\x40\x00\x01", 4, &frame, &err), -WQ_E_LIMIT);
	ck_assert_str_eq(err.name, "too-big");
	ck_assert_int_eq(frame_take("\xff\xff\xff\xff", 4, &frame, &err), -WQ_E_LIMIT);
	ck_assert_int_eq(frame_take("\x00\x40\x00\x00", 4, &frame, &err), 0);
	ck_assert_int_eq(frame_take("\x00\x00\x00\x00", 4, &frame, &err), -WQ_E_FORMAT);
}
END_TEST

#define ACK                                                                                        \
	"\x65"                                                                                     \
	"frame\x63"                                                                                \
	"ack"
#define SPAWN_REST                                                                                 \
	"\x63tag\x61t\x64name\x61n\x65"                                                            \
	"frame\x65spawn\x68work-dir\x42/w"

/* Maps that are no frame. */
static const struct {
	const char *what, *map;
	size_t len;
} bad_maps[] = {
#define BAD(what, map)                                                                             \
	{                                                                                          \
		what, map, sizeof(map) - 1                                                         \
	}
	BAD("no map", "\x80"),
	BAD("a tagged map", "\xd9\xd9\xf7\xa2\x64name\x61x" ACK),
	BAD("no kind", "\xa1\x64name\x61x"),
	BAD("a kind that is a number", "\xa1\x65"
				       "frame\x01"),
	BAD("no name", "\xa1" ACK),
	BAD("a name that is bytes", "\xa2\x64name\x41x" ACK),
	BAD("an empty name", "\xa2\x64name\x60" ACK),
	BAD("a name that goes up", "\xa2\x64name\x63../" ACK),
	BAD("a name that hides", "\xa2\x64name\x62.x" ACK),
	BAD("a name with a NUL", "\xa2\x64name\x63x\0y" ACK),
	BAD("a name twice", "\xa3\x64name\x61x\x64name\x61y" ACK),
	BAD("more than the map", "\xa2\x64name\x61x" ACK "\x00"),
	BAD("an indefinite map", "\xbf\x64name\x61x" ACK "\xff"),
	BAD("a text that is not UTF-8", "\xa2\x64name\x61\xff" ACK),
	BAD("more pairs than bytes", "\xbb\x7f\xff\xff\xff\xff\xff\xff\xff\x64name"),
	BAD("no argv", "\xa4" SPAWN_REST),
	BAD("an empty argv", "\xa5\x64"
			     "argv\x80" SPAWN_REST),
	BAD("an argv of texts", "\xa5\x64"
				"argv\x81\x61x" SPAWN_REST),
	BAD("an argv with a NUL", "\xa5\x64"
				  "argv\x81\x42x\0" SPAWN_REST),
	BAD("a longer argv than there is", "\xa5\x64"
					   "argv\x9b\xff\xff\xff\xff\xff\xff\xff\xff" SPAWN_REST),
	BAD("a relative directory", "\xa6\x64"
				    "argv\x81\x41x\x63"
				    "dir\x41x" SPAWN_REST),
	BAD("a file elsewhere", "\xa6\x64"
				"argv\x81\x41x\x68out-name\x63../" SPAWN_REST),
	BAD("a limit of three", "\xa6\x64"
				"argv\x81\x41x\x66limits\x81\x83\x01\x02\x03" SPAWN_REST),
	BAD("a limit below 0", "\xa6\x64"
			       "argv\x81\x41x\x66limits\x81\x82\x01\x20" SPAWN_REST),
	BAD("flags of 33 bits", "\xa6\x64"
				"argv\x81\x41x\x65"
				"flags\x1b\0\0\0\x01\0\0\0\0" SPAWN_REST),
};

START_TEST(what_is_no_frame_is_refused)
{
	put_map(bad_maps[_i].map, bad_maps[_i].len);
	int64_t rc = take();
	ck_assert_msg(rc == -WQ_E_FORMAT, "%s: %ld", bad_maps[_i].what, (long)rc);
	ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(the_same_without_the_fault_is_a_frame)
{
	put_text("\xa5\x64"
		 "argv\x81\x41x" SPAWN_REST);
	take_all(FRAME_SPAWN);
	ck_assert_str_eq(frame.spawn.what.argv[0], "x");
	frame_spawn_fini(&frame.spawn);
}
END_TEST

START_TEST(nesting_without_end_is_refused)
{
	char map[100];
	memset(map, 0x81, sizeof map);
	put_map(map, sizeof map);

	ck_assert_int_eq(take(), -WQ_E_LIMIT);
}
END_TEST

/* ---- bounds of the writer -------------------------------------------------------------------- */

START_TEST(what_is_too_much_is_not_written)
{
	static const char *const argv[] = { "true", NULL };
	static uint8_t input[FRAME_MAX];
	struct frame_spawn spawn = { .name = "n",
		.tag = "t",
		.work_dir = "/w",
		.what = { .argv = argv, .input = { .ptr = input, .len = FRAME_MAX } } };
	ck_assert_int_eq(frame_put_ack(&buf, "a"), 0);
	size_t before = buf.len;

	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), -WQ_E_LIMIT);
	ck_assert_uint_eq(buf.len, before);
	/* The rest of the map is less than a hundred bytes. */
	spawn.what.input.len = FRAME_MAX - 100;
	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), 0);

	const char **words = calloc(FRAME_STRINGS_MAX + 2, sizeof *words);
	ck_assert_ptr_nonnull(words);
	for (size_t i = 0; i <= FRAME_STRINGS_MAX; i++)
		words[i] = "x";
	spawn.what.input.len = 0;
	spawn.what.argv = words;
	before = buf.len;
	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), -WQ_E_LIMIT);
	ck_assert_uint_eq(buf.len, before);

	words[FRAME_STRINGS_MAX] = NULL;
	buf_clear(&buf);
	ck_assert_int_eq(frame_put_spawn(&buf, &spawn), 0);
	take_all(FRAME_SPAWN);
	words_are(frame.spawn.what.argv, words);
	frame_spawn_fini(&frame.spawn);
	free(words);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_not_written)
{
	char name[FRAME_NAME_MAX + 2];
	memset(name, 'n', sizeof name);
	name[FRAME_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(frame_put_ack(&buf, name), -WQ_E_LIMIT);
	ck_assert_uint_eq(buf.len, 0);

	name[FRAME_NAME_MAX] = '\0';
	ck_assert_int_eq(frame_put_ack(&buf, name), 0);
	take_all(FRAME_ACK);
	ck_assert_str_eq(frame.name, name);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("shepherd/frame");
	TCase *tc = tcase_create("bytes");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_hello_of_a_server_is_these_bytes);
	tcase_add_test(tc, a_hello_of_a_shepherd_is_these_bytes);
	tcase_add_test(tc, an_end_is_these_bytes);
	tcase_add_test(tc, a_spawn_comes_out_as_it_went_in);
	tcase_add_test(tc, what_a_spawn_does_not_say_is_nothing);
	tcase_add_test(tc, no_directory_allowed_is_not_all_of_them);
	tcase_add_test(tc, an_ended_comes_out_as_it_went_in);
	tcase_add_test(tc, the_small_ones_come_out_as_they_went_in);
	tcase_add_test(tc, frames_follow_each_other);
	tcase_add_test(tc, keys_are_written_in_the_deterministic_order);
	tcase_add_test(tc, unknown_keys_are_passed_over);
	tcase_add_test(tc, an_unknown_kind_is_passed_over);
	tcase_add_test(tc, of_a_hello_of_another_major_only_that_is_read);
	suite_add_tcase(s, tc);

	tc = tcase_create("hostile");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_frame_that_is_not_all_there_is_waited_for);
	tcase_add_test(tc, a_map_that_is_cut_is_no_frame);
	tcase_add_test(tc, a_byte_that_is_changed_harms_nobody);
	tcase_add_test(tc, a_length_above_the_bound_is_refused_at_once);
	tcase_add_loop_test(tc, what_is_no_frame_is_refused, 0, sizeof bad_maps / sizeof *bad_maps);
	tcase_add_test(tc, the_same_without_the_fault_is_a_frame);
	tcase_add_test(tc, nesting_without_end_is_refused);
	tcase_add_test(tc, what_is_too_much_is_not_written);
	tcase_add_test(tc, a_name_that_is_too_long_is_not_written);
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
