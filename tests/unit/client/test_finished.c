/* SPDX-License-Identifier: BSD-2-Clause */
#include <wq/client.h>

#include "support/client/hand.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY "1511472984.123456-0k3v9q2m7t1dh"

static struct hand hand;
static wq_client *client;
static struct wq_err err;

static void open_client(void)
{
	int rc = wq_open(&client, hand.path, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static void setup(void)
{
	hand_open(&hand);
	memset(&err, 0, sizeof err);
	open_client();
}

static void teardown(void)
{
	wq_close(client);
	hand_close(&hand);
}

static const char *history(const char *id)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/finished/%s", hand.path, id);
	return path;
}

static void make_complete(char ret_id[WQ_ID_SIZE])
{
	struct wq_request request = { .struct_size = sizeof request };
	int rc = wq_enqueue(client, &request, ret_id, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	hand_run(&hand, ret_id, 0x05);
}

struct seen {
	size_t n;
	char ids[8][WQ_ID_SIZE];
	int32_t states[8];
	int stop; /* the answer to the first */
};

static int see(void *arg, const struct wq_entry *entry)
{
	struct seen *seen = arg;
	ck_assert_uint_lt(seen->n, 8);
	snprintf(seen->ids[seen->n], WQ_ID_SIZE, "%s", entry->id);
	seen->states[seen->n++] = entry->state;
	ck_assert_int_gt(entry->made_us, 0);
	ck_assert_int_eq(entry->aborting, 0);
	return seen->stop;
}

/* ---- collecting ------------------------------------------------------------------------------ */

START_TEST(a_collected_result_is_in_the_history)
{
	char id[WQ_ID_SIZE];
	make_complete(id);
	ck_assert_int_eq(wq_collect(client, id, &err), 0);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, id));
	ck_assert_int_eq(access(history(id), F_OK), 0);
	ck_assert_int_eq(wq_collect(client, id, &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_state(client, id, &err), WQ_STATE_GONE);
}
END_TEST

START_TEST(a_wait_takes_the_result_into_the_history_too)
{
	char id[WQ_ID_SIZE];
	wq_result *result;
	make_complete(id);
	ck_assert_int_eq(wq_wait(client, id, WQ_FOREVER, 0, &result, &err), 0);
	wq_result_free(result);
	ck_assert_int_eq(access(history(id), F_OK), 0);
}
END_TEST

START_TEST(who_waits_for_a_finished_one_is_told_so)
{
	char id[WQ_ID_SIZE];
	wq_result *result;
	make_complete(id);
	ck_assert_int_eq(wq_collect(client, id, &err), 0);
	ck_assert_int_eq(wq_wait(client, id, WQ_FOREVER, 0, &result, &err), -WQ_E_GONE);
	ck_assert_ptr_nonnull(strstr(err.text, "finished"));
	ck_assert_ptr_nonnull(strstr(err.text, "history"));
}
END_TEST

START_TEST(without_a_history_a_collected_result_is_gone)
{
	char id[WQ_ID_SIZE];
	wq_result *result;
	struct seen seen = { 0 };
	make_complete(id);
	ck_assert_int_eq(unlinkat(hand.spool.root_fd, "finished", AT_REMOVEDIR), 0);
	wq_close(client);
	open_client();
	ck_assert_int_eq(wq_collect(client, id, &err), 0);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, id));
	ck_assert_int_eq(wq_read_finished(client, id, &result, &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_list_finished(client, see, &seen, &err), 0);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

/* ---- reading --------------------------------------------------------------------------------- */

START_TEST(a_result_can_be_read_before_and_after_it_is_collected)
{
	char id[WQ_ID_SIZE];
	make_complete(id);
	for (int collected = 0; collected < 2; collected++) {
		wq_result *result = NULL;
		struct wq_result_info info = { .struct_size = sizeof info };
		int rc = wq_read_finished(client, id, &result, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
		wq_result_info(result, &info);
		ck_assert_str_eq(info.id, id);
		ck_assert_str_eq(info.status, "failed");
		ck_assert_int_eq(info.code, 7);
		ck_assert_uint_eq(info.payload_len, 1);
		ck_assert_mem_eq(info.payload, "\x05", 1);
		wq_result_free(result);
		ck_assert_int_eq(wq_collect(client, id, &err), collected ? -WQ_E_GONE : 0);
	}
}
END_TEST

START_TEST(what_has_no_result_cannot_be_read)
{
	char id[WQ_ID_SIZE];
	wq_result *result;
	struct wq_request request = { .struct_size = sizeof request };
	ck_assert_int_eq(wq_read_finished(client, NOBODY, &result, &err), -WQ_E_GONE);
	ck_assert_int_eq(wq_read_finished(client, "x", &result, &err), -WQ_E_FORMAT);
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
	ck_assert_int_eq(wq_read_finished(client, id, &result, &err), -WQ_E_GONE);
}
END_TEST

START_TEST(what_is_no_result_is_refused_and_the_sentence_says_where)
{
	wq_result *result;
	int fd = open(history(NOBODY), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	ck_assert_int_eq(wq_read_finished(client, NOBODY, &result, &err), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "history"));
	ck_assert_ptr_nonnull(strstr(err.text, NOBODY));
	ck_assert_int_eq(unlink(history(NOBODY)), 0);
	ck_assert_int_eq(symlink("/etc/passwd", history(NOBODY)), 0);
	ck_assert_int_eq(wq_read_finished(client, NOBODY, &result, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, "not-regular");
}
END_TEST

/* ---- listing --------------------------------------------------------------------------------- */

START_TEST(the_history_is_listed_in_order_and_alone)
{
	char ids[4][WQ_ID_SIZE];
	struct seen seen = { 0 };
	for (int i = 0; i < 4; i++)
		make_complete(ids[i]);
	/* in another order than theirs, and one not at all */
	ck_assert_int_eq(wq_collect(client, ids[2], &err), 0);
	ck_assert_int_eq(wq_collect(client, ids[0], &err), 0);
	ck_assert_int_eq(wq_collect(client, ids[3], &err), 0);
	ck_assert_int_eq(mkdir(history("notes"), 0700), 0);
	ck_assert_int_eq(wq_list_finished(client, see, &seen, &err), 0);
	ck_assert_uint_eq(seen.n, 3);
	ck_assert_str_eq(seen.ids[0], ids[0]);
	ck_assert_str_eq(seen.ids[1], ids[2]);
	ck_assert_str_eq(seen.ids[2], ids[3]);
	for (size_t i = 0; i < seen.n; i++)
		ck_assert_int_eq(seen.states[i], WQ_STATE_FINISHED);
}
END_TEST

START_TEST(an_answer_that_is_not_0_ends_the_listing)
{
	char id[WQ_ID_SIZE];
	struct seen seen = { .stop = 5 };
	for (int i = 0; i < 3; i++) {
		make_complete(id);
		ck_assert_int_eq(wq_collect(client, id, &err), 0);
	}
	ck_assert_int_eq(wq_list_finished(client, see, &seen, &err), 5);
	ck_assert_uint_eq(seen.n, 1);
}
END_TEST

START_TEST(an_empty_history_lists_nothing)
{
	struct seen seen = { 0 };
	ck_assert_int_eq(wq_list_finished(client, see, &seen, &err), 0);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

START_TEST(finished_has_a_name_and_what_is_beyond_has_none)
{
	ck_assert_str_eq(wq_state_name(WQ_STATE_FINISHED), "finished");
	ck_assert_str_eq(wq_state_name(WQ_STATE_FINISHED + 1), "unknown");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client/finished");
	TCase *t = tcase_create("collecting");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_collected_result_is_in_the_history);
	tcase_add_test(t, a_wait_takes_the_result_into_the_history_too);
	tcase_add_test(t, who_waits_for_a_finished_one_is_told_so);
	tcase_add_test(t, without_a_history_a_collected_result_is_gone);
	suite_add_tcase(s, t);
	t = tcase_create("reading");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_result_can_be_read_before_and_after_it_is_collected);
	tcase_add_test(t, what_has_no_result_cannot_be_read);
	tcase_add_test(t, what_is_no_result_is_refused_and_the_sentence_says_where);
	suite_add_tcase(s, t);
	t = tcase_create("listing");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_history_is_listed_in_order_and_alone);
	tcase_add_test(t, an_answer_that_is_not_0_ends_the_listing);
	tcase_add_test(t, an_empty_history_lists_nothing);
	tcase_add_test(t, finished_has_a_name_and_what_is_beyond_has_none);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
