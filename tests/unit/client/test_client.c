/* SPDX-License-Identifier: BSD-2-Clause */
#include <wq/client.h>

#include "base/buf.h"
#include "codec/request.h"
#include "spool/move.h"
#include "spool/publish.h"
#include "spool/read.h"
#include "support/client/hand.h"

#include <wq/cbor.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY "1511472984.123456-0k3v9q2m7t1dh"

static int n_syncs;

/* In the place of libc's, for what is linked with this file. */
int fsync(int fd)
{
	n_syncs++;
	return (int)syscall(SYS_fsync, fd);
}

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

static void enqueue(char ret_id[WQ_ID_SIZE])
{
	/* {"a": 1} */
	struct wq_request request = { .struct_size = sizeof request,
		.task_manager = "build",
		.key = "k",
		.label = "l",
		.payload = "\xa1\x61\x61\x01",
		.payload_len = 4 };
	int rc = wq_enqueue(client, &request, ret_id, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

/* ---- open ------------------------------------------------------------------------------------ */

START_TEST(without_a_path_the_environment_says_which_spool)
{
	wq_client *c = NULL;
	unsetenv("WQ_SPOOL");
	ck_assert_int_eq(wq_open(&c, NULL, &err), -WQ_E_UNKNOWN);
	setenv("WQ_SPOOL", hand.path, 1);
	ck_assert_int_eq(wq_open(&c, NULL, &err), 0);
	wq_close(c);
}
END_TEST

START_TEST(what_is_no_spool_is_refused)
{
	wq_client *c = NULL;
	ck_assert_int_eq(wq_open(&c, "/proc", &err), -WQ_E_NOT_A_SPOOL);
	ck_assert_int_eq(wq_open(&c, "/nonexistent/spool", &err), -ENOENT);
}
END_TEST

/* ---- enqueue --------------------------------------------------------------------------------- */

START_TEST(an_enqueued_request_stands_in_1_and_says_what_was_given)
{
	char id[WQ_ID_SIZE];
	struct buf bytes = { 0 };
	struct request request;
	enqueue(id);
	ck_assert_uint_eq(strlen(id), 31);
	ck_assert_int_eq(read_request(&hand.spool, SPOOL_REQUESTED, hand_id(id), 4096, 0, &bytes,
				 NULL, NULL),
		0);
	ck_assert_int_eq(request_decode(bytes.data, bytes.len, &request, &err), 0);
	ck_assert_str_eq(request.task_manager, "build");
	ck_assert_str_eq(request.key, "k");
	ck_assert_str_eq(request.label, "l");
	ck_assert_uint_eq(request.payload.len, 4);
	ck_assert_mem_eq(request.payload.ptr, "\xa1\x61\x61\x01", 4);
	ck_assert(request.has_check);
	buf_fini(&bytes);
}
END_TEST

START_TEST(a_request_without_a_payload_has_null)
{
	struct wq_request request = { .struct_size = sizeof request };
	struct wq_details details = { .struct_size = sizeof details };
	char id[WQ_ID_SIZE];
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
	ck_assert_int_eq(wq_details(client, id, &details, &err), 0);
	ck_assert_uint_eq(details.payload_len, 1);
	ck_assert_mem_eq(details.payload, "\xf6", 1);
	wq_details_free(&details);
}
END_TEST

START_TEST(what_a_crash_may_do_goes_with_the_request)
{
	static const char *const words[] = { NULL, "fail", "adopt", "requeue" };
	struct wq_request request = { .struct_size = sizeof request };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		char id[WQ_ID_SIZE];
		struct buf bytes = { 0 };
		struct request read;
		request.on_crash = words[i];
		ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
		ck_assert_int_eq(read_request(&hand.spool, SPOOL_REQUESTED, hand_id(id), 4096, 0,
					 &bytes, NULL, NULL),
			0);
		ck_assert_int_eq(request_decode(bytes.data, bytes.len, &read, &err), 0);
		ck_assert_str_eq(on_crash_name(read.on_crash), words[i] ? words[i] : "");
		buf_fini(&bytes);
	}
	char id[WQ_ID_SIZE];
	request.on_crash = "retry";
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "'retry'"));
	/* A program compiled when there was no such member. */
	request.struct_size = offsetof(struct wq_request, on_crash);
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
}
END_TEST

START_TEST(ids_are_in_the_order_of_enqueueing)
{
	char ids[50][WQ_ID_SIZE];
	for (int i = 0; i < 50; i++)
		enqueue(ids[i]);
	for (int i = 1; i < 50; i++)
		ck_assert_int_lt(strcmp(ids[i - 1], ids[i]), 0);
}
END_TEST

START_TEST(an_id_is_later_than_the_servers_high_water_mark)
{
	char id[WQ_ID_SIZE];
	/* 2100-01-01 */
	hand_status(&hand, true, "", getpid(), 0, 0, UINT64_C(4102444800000000));
	enqueue(id);
	ck_assert_int_gt(strcmp(id, "4102444800.000000-"), 0);
	ck_assert_int_lt(strcmp(id, "4102444801"), 0);
}
END_TEST

START_TEST(a_payload_that_is_not_one_item_is_refused)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = { { "\xa1", 1 }, { "\x01\x02", 2 }, { "\xff", 1 }, { "\x9f\xff", 2 },
		{ "", 0 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wq_request request = { .struct_size = sizeof request,
			.payload = cases[i].bytes,
			.payload_len = cases[i].len };
		char id[WQ_ID_SIZE];
		ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -WQ_E_FORMAT);
	}
}
END_TEST

START_TEST(a_request_above_the_servers_limit_is_refused)
{
	char *bytes = malloc(4096);
	struct wq_cbor_out out;
	char id[WQ_ID_SIZE];
	memset(bytes, 'x', 4096);
	wq_cbor_out_init(&out);
	wq_cbor_put_text_n(&out, bytes, 4096);
	struct wq_request request = {
		.struct_size = sizeof request, .payload = out.buf, .payload_len = out.len
	};
	hand_status(&hand, true, "", getpid(), 4096, 0, 0);
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -WQ_E_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.text, "4096"));
	hand_status(&hand, true, "", getpid(), 8192, 0, 0);
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
	wq_cbor_out_free(&out);
	free(bytes);
}
END_TEST

START_TEST(a_request_of_just_the_servers_limit_is_taken_and_one_byte_more_is_not)
{
	struct stat st;
	char id[WQ_ID_SIZE];
	enqueue(id);
	ck_assert_int_eq(fstatat(hand.spool.dir_fd[SPOOL_REQUESTED], id, &st, 0), 0);

	hand_status(&hand, true, "", getpid(), (uint64_t)st.st_size, 0, 0);
	enqueue(id);
	hand_status(&hand, true, "", getpid(), (uint64_t)st.st_size - 1, 0, 0);
	struct wq_request request = { .struct_size = sizeof request,
		.task_manager = "build",
		.key = "k",
		.label = "l",
		.payload = "\xa1\x61\x61\x01",
		.payload_len = 4 };
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -WQ_E_LIMIT);
	ck_assert_str_eq(err.name, "too-big");
}
END_TEST

START_TEST(a_server_that_takes_nothing_says_why)
{
	struct wq_request request = { .struct_size = sizeof request };
	char id[WQ_ID_SIZE];
	hand_status(&hand, false, "it drains", getpid(), 0, 0, 0);
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -EAGAIN);
	ck_assert_str_eq(err.name, "not-accepting");
	ck_assert_ptr_nonnull(strstr(err.text, "it drains"));
	/* Stopped in order: what is enqueued now waits for the next server. */
	hand_status(&hand, false, "it drains", 0, 0, 0, 0);
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
}
END_TEST

START_TEST(texts_longer_than_the_format_allows_are_refused)
{
	char text[300], id[WQ_ID_SIZE];
	memset(text, 'a', sizeof text);
	text[257] = '\0';
	struct wq_request request = { .struct_size = sizeof request, .key = text };
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -WQ_E_LIMIT);
	text[256] = '\0';
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
	request.key = NULL;
	request.label = text;
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), -WQ_E_LIMIT);
	text[128] = '\0';
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
}
END_TEST

START_TEST(what_a_smaller_struct_does_not_have_is_not_given)
{
	/* A program compiled when a request had no payload yet. */
	struct wq_request request = { .struct_size = offsetof(struct wq_request, payload),
		.label = "old",
		.payload = "\xff",
		.payload_len = 1 };
	char id[WQ_ID_SIZE];
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
}
END_TEST

/* ---- where it stands ------------------------------------------------------------------------- */

START_TEST(the_state_of_a_request_is_where_it_stands)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	ck_assert_int_eq(wq_state(client, id, &err), WQ_STATE_REQUESTED);
	hand_accept(&hand, id);
	ck_assert_int_eq(wq_state(client, id, &err), WQ_STATE_PENDING);
	hand_start(&hand, id);
	ck_assert_int_eq(wq_state(client, id, &err), WQ_STATE_RUNNING);
	hand_complete(&hand, id, 0x01);
	ck_assert_int_eq(wq_state(client, id, &err), WQ_STATE_COMPLETE);
	ck_assert_int_eq(wq_collect(client, id, &err), 0);
	ck_assert_int_eq(wq_state(client, id, &err), WQ_STATE_GONE);
}
END_TEST

START_TEST(states_have_the_names_of_the_manual)
{
	ck_assert_str_eq(wq_state_name(WQ_STATE_REQUESTED), "requested");
	ck_assert_str_eq(wq_state_name(WQ_STATE_PENDING), "pending");
	ck_assert_str_eq(wq_state_name(WQ_STATE_RUNNING), "running");
	ck_assert_str_eq(wq_state_name(WQ_STATE_COMPLETE), "complete");
	ck_assert_str_eq(wq_state_name(WQ_STATE_GONE), "gone");
	ck_assert_str_eq(wq_state_name(99), "unknown");
}
END_TEST

START_TEST(what_is_no_id_never_reaches_the_spool)
{
	static const char *const cases[] = { "", "x", "../1-requested", NOBODY "0",
		"1511472984.123456", "1511472984.123456-0K3V9Q2M7T1DH" };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wq_details details = { .struct_size = sizeof details };
		wq_result *result = NULL;
		ck_assert_int_eq(wq_state(client, cases[i], &err), -WQ_E_FORMAT);
		ck_assert_ptr_nonnull(strstr(err.text, "is not an id"));
		ck_assert_int_eq(wq_abort(client, cases[i], &err), -WQ_E_FORMAT);
		ck_assert_int_eq(wq_collect(client, cases[i], &err), -WQ_E_FORMAT);
		ck_assert_int_eq(wq_details(client, cases[i], &details, &err), -WQ_E_FORMAT);
		ck_assert_int_eq(wq_wait(client, cases[i], 0, 0, &result, &err), -WQ_E_FORMAT);
	}
}
END_TEST

START_TEST(an_abort_leaves_its_mark_and_may_be_asked_twice)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	ck_assert_int_eq(wq_abort(client, id, &err), 0);
	ck_assert(hand_has(&hand, SPOOL_ABORTING, id));
	ck_assert_int_eq(wq_abort(client, id, &err), 0);
}
END_TEST

/* A page that a power cut has torn, one that no server has written yet, and one that says `none`. */
START_TEST(where_the_level_is_not_known_it_may_be_strict)
{
	static const struct {
		const char *page;
		int of_enqueue, of_abort;
	} cases[] = { { "torn", 2, 1 }, { "", 2, 1 }, { NULL, 0, 0 } };
	char id[WQ_ID_SIZE];
	if (cases[_i].page)
		ck_assert_int_eq(
			pwrite(hand.spool.status_fd, cases[_i].page, strlen(cases[_i].page), 0),
			(ssize_t)strlen(cases[_i].page));
	else
		hand_status(&hand, true, "", 1, 0, 0, 0);

	n_syncs = 0;
	enqueue(id);
	ck_assert_int_eq(n_syncs, cases[_i].of_enqueue);
	n_syncs = 0;
	ck_assert_int_eq(wq_abort(client, id, &err), 0);
	ck_assert_int_eq(n_syncs, cases[_i].of_abort);
}
END_TEST

START_TEST(details_are_what_was_given_in_1_2_and_3)
{
	char id[WQ_ID_SIZE];
	enqueue(id);
	for (int32_t state = WQ_STATE_REQUESTED; state <= WQ_STATE_RUNNING; state++) {
		struct wq_details details = { .struct_size = sizeof details };
		ck_assert_int_eq(wq_details(client, id, &details, &err), 0);
		ck_assert_int_eq(details.state, state);
		ck_assert_str_eq(details.task_manager, "build");
		ck_assert_str_eq(details.key, "k");
		ck_assert_str_eq(details.label, "l");
		ck_assert_uint_eq(details.uid, getuid());
		ck_assert_uint_eq(details.payload_len, 4);
		wq_details_free(&details);
		if (state == WQ_STATE_REQUESTED)
			hand_accept(&hand, id);
		else if (state == WQ_STATE_PENDING)
			hand_start(&hand, id);
	}
}
END_TEST

START_TEST(there_are_no_details_of_what_is_complete_or_gone)
{
	struct wq_details details = { .struct_size = sizeof details };
	char id[WQ_ID_SIZE];
	enqueue(id);
	hand_run(&hand, id, 0x01);
	ck_assert_int_eq(wq_details(client, id, &details, &err), -WQ_E_GONE);
	ck_assert_ptr_nonnull(strstr(err.text, "complete"));
	ck_assert_int_eq(wq_details(client, NOBODY, &details, &err), -WQ_E_GONE);
}
END_TEST

/* ---- list ------------------------------------------------------------------------------------ */

struct listed {
	char ids[8][WQ_ID_SIZE];
	int32_t states[8];
	uint8_t aborting[8];
	size_t n, stop_at;
};

static int note(void *arg, const struct wq_entry *entry)
{
	struct listed *l = arg;
	ck_assert_uint_lt(l->n, 8);
	strcpy(l->ids[l->n], entry->id);
	l->states[l->n] = entry->state;
	l->aborting[l->n++] = entry->aborting;
	return l->n == l->stop_at ? 42 : 0;
}

START_TEST(a_list_is_in_order_of_ids_with_states_and_marks)
{
	char ids[4][WQ_ID_SIZE];
	struct listed l = { .n = 0 };
	for (int i = 0; i < 4; i++)
		enqueue(ids[i]);
	/* The first is the last that moves, so order of arrival and of state differ. */
	hand_run(&hand, ids[3], 0x01);
	hand_accept(&hand, ids[2]);
	hand_start(&hand, ids[2]);
	hand_accept(&hand, ids[1]);
	ck_assert_int_eq(wq_abort(client, ids[2], &err), 0);
	/* A mark for what is nowhere, and a name that is no id, are not requests. */
	ck_assert_int_eq(wq_abort(client, NOBODY, &err), 0);
	hand_put_complete(&hand, "notes.txt", "x", 1);

	ck_assert_int_eq(wq_list(client, note, &l, &err), 0);

	ck_assert_uint_eq(l.n, 4);
	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(l.ids[i], ids[i]);
		ck_assert_int_eq(l.states[i], WQ_STATE_REQUESTED + i);
		ck_assert_uint_eq(l.aborting[i], i == 2);
	}
}
END_TEST

START_TEST(a_list_ends_when_it_is_told_to)
{
	char id[WQ_ID_SIZE];
	struct listed l = { .stop_at = 2 };
	for (int i = 0; i < 4; i++)
		enqueue(id);
	ck_assert_int_eq(wq_list(client, note, &l, &err), 42);
	ck_assert_uint_eq(l.n, 2);
}
END_TEST

START_TEST(an_empty_spool_lists_nothing)
{
	struct listed l = { .n = 0 };
	ck_assert_int_eq(wq_list(client, note, &l, &err), 0);
	ck_assert_uint_eq(l.n, 0);
}
END_TEST

/* ---- the server ------------------------------------------------------------------------------ */

START_TEST(asking_without_a_server_says_gone)
{
	void *answer = NULL;
	size_t len = 0;
	ck_assert_int_eq(wq_ask(client, "status", &answer, &len, &err), -WQ_E_GONE);
	ck_assert_ptr_null(answer);
}
END_TEST

START_TEST(the_status_page_is_one_map)
{
	void *page = NULL;
	size_t len = 0, used = 0;
	const char *text = NULL;
	hand_status(&hand, true, "", 123, 4096, 7, 0);
	ck_assert_int_eq(wq_status_page(client, &page, &len, &err), 0);
	ck_assert_int_eq(wq_cbor_check(page, len, NULL, &used, NULL), 0);
	ck_assert_uint_eq(used, len);
	ck_assert_int_eq(wq_cbor_find_text(page, len, "version", &text, &used), 1);
	ck_assert_uint_eq(used, 5);
	ck_assert_mem_eq(text, "9.8.7", 5);
	free(page);
}
END_TEST

START_TEST(without_a_server_ever_there_is_no_status_page)
{
	void *page = NULL;
	size_t len = 0;
	ck_assert_int_eq(wq_status_page(client, &page, &len, &err), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client/client");
	TCase *t = tcase_create("open");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, without_a_path_the_environment_says_which_spool);
	tcase_add_test(t, what_is_no_spool_is_refused);
	suite_add_tcase(s, t);
	t = tcase_create("enqueue");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_enqueued_request_stands_in_1_and_says_what_was_given);
	tcase_add_test(t, a_request_without_a_payload_has_null);
	tcase_add_test(t, what_a_crash_may_do_goes_with_the_request);
	tcase_add_test(t, ids_are_in_the_order_of_enqueueing);
	tcase_add_test(t, an_id_is_later_than_the_servers_high_water_mark);
	tcase_add_test(t, a_payload_that_is_not_one_item_is_refused);
	tcase_add_test(t, a_request_above_the_servers_limit_is_refused);
	tcase_add_test(t, a_request_of_just_the_servers_limit_is_taken_and_one_byte_more_is_not);
	tcase_add_test(t, a_server_that_takes_nothing_says_why);
	tcase_add_test(t, texts_longer_than_the_format_allows_are_refused);
	tcase_add_test(t, what_a_smaller_struct_does_not_have_is_not_given);
	suite_add_tcase(s, t);
	t = tcase_create("state");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_state_of_a_request_is_where_it_stands);
	tcase_add_test(t, states_have_the_names_of_the_manual);
	tcase_add_test(t, what_is_no_id_never_reaches_the_spool);
	tcase_add_test(t, an_abort_leaves_its_mark_and_may_be_asked_twice);
	tcase_add_loop_test(t, where_the_level_is_not_known_it_may_be_strict, 0, 3);
	tcase_add_test(t, details_are_what_was_given_in_1_2_and_3);
	tcase_add_test(t, there_are_no_details_of_what_is_complete_or_gone);
	suite_add_tcase(s, t);
	t = tcase_create("list");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_list_is_in_order_of_ids_with_states_and_marks);
	tcase_add_test(t, a_list_ends_when_it_is_told_to);
	tcase_add_test(t, an_empty_spool_lists_nothing);
	suite_add_tcase(s, t);
	t = tcase_create("server");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, asking_without_a_server_says_gone);
	tcase_add_test(t, the_status_page_is_one_map);
	tcase_add_test(t, without_a_server_ever_there_is_no_status_page);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
