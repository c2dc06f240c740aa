/* SPDX-License-Identifier: BSD-2-Clause */
#include <wq/client.h>

#include "spool/quarantine.h"
#include "support/client/hand.h"

#include <wq/cbor.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID     "1511472984.123456-0k3v9q2m7t1dh"
#define OTHER  "1511472985.123456-0k3v9q2m7t1dh"
#define WEIRD  "new\nline \x1b[31m \xff"
#define NO_WHY NULL

static struct hand hand;
static wq_client *client;
static struct wq_err err;

static void setup(void)
{
	hand_open(&hand);
	memset(&err, 0, sizeof err);
	int rc = wq_open(&client, hand.path, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static void teardown(void)
{
	wq_close(client);
	hand_close(&hand);
}

/* ---- setting aside, as the server does it ---------------------------------------------------- */

static void put_file(int dir, const char *name, const void *bytes, size_t len)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void set_aside(int dir, const char *name, const char *error)
{
	uint8_t why[256];
	struct wq_cbor_out out;
	wq_cbor_out_fixed(&out, why, sizeof why);
	wq_cbor_put_map(&out, 2);
	wq_cbor_put_pair(&out, "text", "a sentence\x1b");
	wq_cbor_put_pair(&out, "error", error ? error : "");
	ck_assert_int_eq(quarantine_put(&hand.spool, dir, name, error ? why : NULL, out.len), 0);
}

static void put_aside(const char *name, const void *bytes, size_t len, const char *error)
{
	int dir = hand.spool.dir_fd[SPOOL_REQUESTED];
	put_file(dir, name, bytes, len);
	set_aside(dir, name, error);
}

/* A good request with a payload of one byte; its old id. */
static void put_request_aside(const char *error, char ret_id[WQ_ID_SIZE])
{
	static const uint8_t five[] = { 0x05 };
	struct wq_request request = { .struct_size = sizeof request,
		.task_manager = "build",
		.label = "nightly",
		.payload = five,
		.payload_len = sizeof five };
	int rc = wq_enqueue(client, &request, ret_id, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	set_aside(hand.spool.dir_fd[SPOOL_REQUESTED], ret_id, error);
}

static bool has(const char *name)
{
	return faccessat(hand.spool.quarantine_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct seen {
	size_t n;
	struct {
		char name[NAME_MAX + 1], id[WQ_ID_SIZE], error[64], text[256];
		int64_t size;
		uint32_t mode;
	} of[8];
	int stop;
	bool drop;
};

static int see(void *arg, const struct wq_quarantined *q)
{
	struct seen *seen = arg;
	ck_assert_uint_lt(seen->n, 8);
	ck_assert_uint_eq(q->uid, geteuid());
	ck_assert_int_gt(q->since_us, INT64_C(1511472984000000));
	snprintf(seen->of[seen->n].name, NAME_MAX + 1, "%s", q->name);
	snprintf(seen->of[seen->n].id, WQ_ID_SIZE, "%s", q->id);
	snprintf(seen->of[seen->n].error, 64, "%s", q->error);
	snprintf(seen->of[seen->n].text, 256, "%s", q->text);
	seen->of[seen->n].size = q->size;
	seen->of[seen->n++].mode = q->mode;
	if (seen->drop)
		ck_assert_int_eq(wq_quarantine_drop(client, q->name, &err), 0);
	return seen->stop;
}

static void list(struct seen *ret)
{
	*ret = (struct seen){ 0 };
	int rc = wq_quarantine_list(client, see, ret, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

/* ---- list ------------------------------------------------------------------------------------ */

START_TEST(what_was_set_aside_is_listed_in_that_order_with_its_reason)
{
	struct seen seen;
	put_aside(WEIRD, "x", 1, "bad-name");
	put_aside(ID, "four", 4, "not-wq");
	put_aside("a", "", 0, NO_WHY);
	list(&seen);
	ck_assert_uint_eq(seen.n, 3);
	ck_assert_str_eq(seen.of[0].name, WEIRD);
	ck_assert_str_eq(seen.of[0].id, "");
	ck_assert_str_eq(seen.of[0].error, "bad-name");
	ck_assert_str_eq(seen.of[0].text, "a sentence ");
	ck_assert_str_eq(seen.of[1].name, ID);
	ck_assert_str_eq(seen.of[1].id, ID);
	ck_assert_int_eq(seen.of[1].size, 4);
	ck_assert(S_ISREG(seen.of[1].mode));
	ck_assert_str_eq(seen.of[2].name, "a");
	ck_assert_str_eq(seen.of[2].error, "");
	ck_assert_str_eq(seen.of[2].text, "");
}
END_TEST

START_TEST(a_second_one_of_the_same_id_has_that_id_and_a_bad_name_has_none)
{
	struct seen seen;
	put_aside(ID, "x", 1, "not-wq");
	put_aside(ID, "y", 1, "duplicate-id");
	put_aside(ID ".2", "z", 1, "bad-name");
	put_aside(ID "~", "z", 1, NO_WHY);
	list(&seen);
	ck_assert_uint_eq(seen.n, 4);
	ck_assert_str_eq(seen.of[1].name, ID ".1");
	ck_assert_str_eq(seen.of[1].id, ID);
	ck_assert_str_eq(seen.of[1].error, "duplicate-id");
	ck_assert_str_eq(seen.of[2].id, "");
	ck_assert_str_eq(seen.of[3].id, "");
}
END_TEST

START_TEST(a_thing_that_is_called_like_a_reason_is_a_thing)
{
	struct seen seen;
	put_aside("x.why", "1", 1, "bad-name");
	put_aside("x", "22", 2, "bad-name"); /* there is no place for its reason */
	list(&seen);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_eq(seen.of[0].name, "x.why");
	ck_assert_str_eq(seen.of[0].error, "bad-name");
	ck_assert_str_eq(seen.of[1].name, "x.1");
	ck_assert_str_eq(seen.of[1].error, "bad-name");
	ck_assert_int_eq(wq_quarantine_drop(client, "x.1", &err), 0);
	ck_assert(has("x.why"));
	ck_assert(has("x.why.why"));
	/* a reason whose thing is gone is one too, so that it can be settled */
	ck_assert_int_eq(unlinkat(hand.spool.quarantine_fd, "x.why", 0), 0);
	list(&seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.of[0].name, "x.why.why");
}
END_TEST

START_TEST(the_longest_names_have_their_reasons_too)
{
	char name[NAME_MAX + 1];
	struct seen seen;
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	put_aside(name, "x", 1, "bad-name");
	put_file(hand.spool.quarantine_fd, name, "y", 1); /* uncut, by somebody else */
	list(&seen);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_eq(seen.of[0].error, "bad-name");
	ck_assert_str_eq(seen.of[1].error, "");
	for (size_t i = 0; i < seen.n; i++)
		ck_assert_int_eq(wq_quarantine_drop(client, seen.of[i].name, &err), 0);
	list(&seen);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

START_TEST(a_reason_that_is_none_says_nothing)
{
	struct seen seen;
	put_aside("a", "x", 1, NO_WHY);
	put_file(hand.spool.quarantine_fd, "a.why",
		"\xa1\x65"
		"err",
		5);
	put_aside("b", "x", 1, NO_WHY);
	ck_assert_int_eq(symlinkat("a.why", hand.spool.quarantine_fd, "b.why"), 0);
	list(&seen);
	ck_assert_uint_eq(seen.n, 3); /* the link is no reason, so it is a thing */
	ck_assert_str_eq(seen.of[0].error, "");
	ck_assert_str_eq(seen.of[1].error, "");
	ck_assert_str_eq(seen.of[2].name, "b.why");
}
END_TEST

START_TEST(an_answer_that_is_not_0_ends_the_listing)
{
	struct seen seen = { .stop = 5 };
	put_aside("a", "x", 1, NO_WHY);
	put_aside("b", "x", 1, NO_WHY);
	ck_assert_int_eq(wq_quarantine_list(client, see, &seen, &err), 5);
	ck_assert_uint_eq(seen.n, 1);
}
END_TEST

START_TEST(what_is_listed_may_be_dropped_meanwhile)
{
	struct seen seen = { .drop = true };
	put_aside("a", "x", 1, "bad-name");
	put_aside("b", "x", 1, "bad-name");
	ck_assert_int_eq(wq_quarantine_list(client, see, &seen, &err), 0);
	ck_assert_uint_eq(seen.n, 2);
	list(&seen);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

START_TEST(a_spool_without_a_quarantine_has_nothing_in_it)
{
	struct seen seen;
	char id[WQ_ID_SIZE];
	ck_assert_int_eq(unlinkat(hand.spool.own_fd, "quarantine", AT_REMOVEDIR), 0);
	list(&seen);
	ck_assert_uint_eq(seen.n, 0);
	ck_assert_int_eq(wq_quarantine_open(client, "a", &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_quarantine_drop(client, "a", &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_quarantine_retry(client, "a", id, &err), -WQ_E_GONE);
	ck_assert_int_eq(mkdirat(hand.spool.own_fd, "quarantine", 0700), 0);
}
END_TEST

/* ---- read ------------------------------------------------------------------------------------ */

START_TEST(its_bytes_can_be_read_and_what_it_says_too)
{
	char id[WQ_ID_SIZE], bytes[8];
	struct wq_details d = { .struct_size = sizeof d };
	put_request_aside("unknown-task-manager", id);
	int rc = wq_quarantine_details(client, id, &d, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_str_eq(d.task_manager, "build");
	ck_assert_str_eq(d.label, "nightly");
	ck_assert_str_eq(d.key, "");
	ck_assert_uint_eq(d.payload_len, 1);
	ck_assert_mem_eq(d.payload, "\x05", 1);
	ck_assert_uint_eq(d.uid, geteuid());
	ck_assert_int_eq(d.state, 0);
	wq_details_free(&d);
	put_aside(WEIRD, "bytes", 5, "bad-name");
	int fd = wq_quarantine_open(client, WEIRD, &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, bytes, sizeof bytes), 5);
	ck_assert_mem_eq(bytes, "bytes", 5);
	close(fd);
}
END_TEST

START_TEST(names_that_none_can_have_are_refused)
{
	static const char *const wrong[] = { "", ".", "..", "../spool", "a/b", "/etc/passwd" };
	char id[WQ_ID_SIZE];
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_int_eq(wq_quarantine_open(client, wrong[i], &err), -WQ_E_FORMAT);
		ck_assert_int_eq(wq_quarantine_drop(client, wrong[i], &err), -WQ_E_FORMAT);
		ck_assert_int_eq(wq_quarantine_retry(client, wrong[i], id, &err), -WQ_E_FORMAT);
	}
}
END_TEST

START_TEST(what_is_not_there_is_gone_and_is_said_on_one_line)
{
	char id[WQ_ID_SIZE], longer[NAME_MAX + 2];
	struct wq_details d = { .struct_size = sizeof d };
	memset(longer, 'n', NAME_MAX + 1);
	longer[NAME_MAX + 1] = '\0';
	ck_assert_int_eq(wq_quarantine_open(client, longer, &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_quarantine_details(client, "a", &d, &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_quarantine_drop(client, "a", &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_quarantine_retry(client, WEIRD, id, &err), -WQ_E_GONE);
	ck_assert_str_eq(id, "");
	ck_assert_ptr_nonnull(strstr(err.text, "new\\x0aline \\x1b[31m \\xff"));
}
END_TEST

/* ---- retry ----------------------------------------------------------------------------------- */

START_TEST(a_whole_request_is_published_under_a_new_id_and_goes)
{
	char id[WQ_ID_SIZE], new_id[WQ_ID_SIZE], why[NAME_MAX + 1];
	struct wq_details d = { .struct_size = sizeof d };
	put_request_aside("duplicate-id", id);
	snprintf(why, sizeof why, "%s.why", id);
	ck_assert(has(why));
	int rc = wq_quarantine_retry(client, id, new_id, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_str_ne(new_id, id);
	ck_assert(!has(id));
	ck_assert(!has(why));
	ck_assert_int_eq(wq_details(client, new_id, &d, &err), 0);
	ck_assert_int_eq(d.state, WQ_STATE_REQUESTED);
	ck_assert_str_eq(d.label, "nightly");
	wq_details_free(&d);
	ck_assert_int_eq(wq_quarantine_retry(client, id, new_id, &err), -WQ_E_GONE);
}
END_TEST

static void assert_not_retried(const char *name, const char *word, const char *sentence)
{
	char id[WQ_ID_SIZE];
	int rc = wq_quarantine_retry(client, name, id, &err);
	ck_assert_msg(rc == -WQ_E_FORMAT, "%s: %d, %s", name, rc, err.text);
	ck_assert_str_eq(err.name, word);
	ck_assert_msg(strstr(err.text, sentence) != NULL, "%s", err.text);
	ck_assert_str_eq(id, "");
	ck_assert(has(name));
}

START_TEST(all_else_is_not_and_the_sentence_says_what_it_is)
{
	char id[WQ_ID_SIZE], done[WQ_ID_SIZE];
	int dir = hand.spool.quarantine_fd;
	put_aside("empty", "", 0, "empty");
	assert_not_retried("empty", "empty", "is empty");
	put_aside("text", "hello", 5, "not-wq");
	assert_not_retried("text", "not-wq", "no whole request");
	ck_assert_int_eq(mkdirat(dir, "dir", 0700), 0);
	assert_not_retried("dir", "not-regular", "a directory");
	ck_assert_int_eq(symlinkat("text", dir, "link"), 0);
	assert_not_retried("link", "not-regular", "a symbolic link");
	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	assert_not_retried("fifo", "not-regular", "a FIFO");

	put_request_aside("bad-mode", id);
	int fd = openat(dir, id, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "\x06", 1, lseek(fd, 0, SEEK_END) - 6), 1);
	close(fd);
	assert_not_retried(id, "bad-checksum", "no whole request");

	struct wq_request request = { .struct_size = sizeof request };
	ck_assert_int_eq(wq_enqueue(client, &request, done, &err), 0);
	hand_run(&hand, done, 0x05);
	set_aside(hand.spool.dir_fd[SPOOL_COMPLETE], done, NO_WHY);
	assert_not_retried(done, "result", "a result");
}
END_TEST

START_TEST(what_the_server_does_not_take_now_stays)
{
	char id[WQ_ID_SIZE], new_id[WQ_ID_SIZE];
	put_request_aside("duplicate-id", id);
	hand_status(&hand, false, "disk-full", getpid(), 0, 0, 0);
	ck_assert_int_eq(wq_quarantine_retry(client, id, new_id, &err), -EAGAIN);
	ck_assert_str_eq(err.name, "not-accepting");
	hand_status(&hand, true, "", getpid(), 8, 0, 0);
	ck_assert_int_eq(wq_quarantine_retry(client, id, new_id, &err), -WQ_E_LIMIT);
	ck_assert_str_eq(new_id, "");
	ck_assert(has(id));
}
END_TEST

START_TEST(more_than_any_request_is_not_read)
{
	char id[WQ_ID_SIZE];
	put_aside("huge", "x", 1, "too-big");
	int fd = openat(hand.spool.quarantine_fd, "huge", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
	close(fd);
	ck_assert_int_eq(wq_quarantine_retry(client, "huge", id, &err), -WQ_E_LIMIT);
	ck_assert_str_eq(err.name, "too-big");
}
END_TEST

/* ---- drop ------------------------------------------------------------------------------------ */

START_TEST(a_drop_removes_the_thing_and_its_reason_and_no_other)
{
	put_aside(WEIRD, "x", 1, "bad-name");
	put_aside(ID, "x", 1, "not-wq");
	ck_assert_int_eq(wq_quarantine_drop(client, WEIRD, &err), 0);
	ck_assert(!has(WEIRD));
	ck_assert(!has(WEIRD ".why"));
	ck_assert(has(ID));
	ck_assert(has(ID ".why"));
}
END_TEST

START_TEST(of_directories_only_an_empty_one_is_dropped)
{
	int dir = hand.spool.dir_fd[SPOOL_REQUESTED];
	ck_assert_int_eq(mkdirat(dir, ID, 0700), 0);
	ck_assert_int_eq(mkdirat(dir, OTHER, 0700), 0);
	ck_assert_int_eq(mkdirat(dir, OTHER "/inside", 0700), 0);
	set_aside(dir, ID, "not-regular");
	set_aside(dir, OTHER, "not-regular");
	ck_assert_int_eq(wq_quarantine_drop(client, ID, &err), 0);
	ck_assert(!has(ID));
	ck_assert(!has(ID ".why"));
	ck_assert_int_eq(wq_quarantine_drop(client, OTHER, &err), -ENOTEMPTY);
	ck_assert_ptr_nonnull(strstr(err.text, OTHER));
	ck_assert(has(OTHER "/inside"));
	ck_assert(has(OTHER ".why"));
	ck_assert_int_eq(unlinkat(hand.spool.quarantine_fd, OTHER "/inside", AT_REMOVEDIR), 0);
}
END_TEST

START_TEST(a_link_is_dropped_and_not_what_it_leads_to)
{
	put_aside("a", "x", 1, NO_WHY);
	ck_assert_int_eq(symlinkat("a", hand.spool.quarantine_fd, "link"), 0);
	ck_assert_int_eq(wq_quarantine_drop(client, "link", &err), 0);
	ck_assert(has("a"));
	ck_assert(!has("link"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client/quarantine");
	TCase *t = tcase_create("list");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_was_set_aside_is_listed_in_that_order_with_its_reason);
	tcase_add_test(t, a_second_one_of_the_same_id_has_that_id_and_a_bad_name_has_none);
	tcase_add_test(t, a_thing_that_is_called_like_a_reason_is_a_thing);
	tcase_add_test(t, the_longest_names_have_their_reasons_too);
	tcase_add_test(t, a_reason_that_is_none_says_nothing);
	tcase_add_test(t, an_answer_that_is_not_0_ends_the_listing);
	tcase_add_test(t, what_is_listed_may_be_dropped_meanwhile);
	tcase_add_test(t, a_spool_without_a_quarantine_has_nothing_in_it);
	suite_add_tcase(s, t);
	t = tcase_create("read");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, its_bytes_can_be_read_and_what_it_says_too);
	tcase_add_test(t, names_that_none_can_have_are_refused);
	tcase_add_test(t, what_is_not_there_is_gone_and_is_said_on_one_line);
	suite_add_tcase(s, t);
	t = tcase_create("retry");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_whole_request_is_published_under_a_new_id_and_goes);
	tcase_add_test(t, all_else_is_not_and_the_sentence_says_what_it_is);
	tcase_add_test(t, what_the_server_does_not_take_now_stays);
	tcase_add_test(t, more_than_any_request_is_not_read);
	suite_add_tcase(s, t);
	t = tcase_create("drop");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_drop_removes_the_thing_and_its_reason_and_no_other);
	tcase_add_test(t, of_directories_only_an_empty_one_is_dropped);
	tcase_add_test(t, a_link_is_dropped_and_not_what_it_leads_to);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
