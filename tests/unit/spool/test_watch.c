/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/watch.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/move.h"
#include "spool/publish.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

enum {
	MANY = 1500
};

struct seen {
	int n, n_names;
	enum spool_state states[8];
	struct reqid ids[8];
	char name[64];
	unsigned char told[MANY];
};

static struct watch *w;
static struct seen seen;

static void start(void)
{
	tmpspool_open();
	ck_assert_int_eq(watch_open(&w, &tmpspool), 0);
}

static void end(void)
{
	watch_close(w);
	tmpspool_close();
}

static void see(void *arg, enum spool_state state, struct reqid id, const char *name)
{
	struct seen *s = arg;
	if (name) {
		s->n_names++;
		snprintf(s->name, sizeof s->name, "%s", name);
		return;
	}
	if (s->n < 8) {
		s->states[s->n] = state;
		s->ids[s->n] = id;
	}
	s->n++;
	if (id.us - tmpspool_id.us < MANY)
		s->told[id.us - tmpspool_id.us]++;
}

START_TEST(a_quiet_spool_tells_nothing)
{
	struct pollfd p = { .fd = watch_fd(w), .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ck_assert_int_eq(watch_look(w, see, &seen), 0);
	ck_assert_int_eq(seen.n + seen.n_names, 0);
}
END_TEST

START_TEST(a_published_request_and_an_abort_are_told_in_order)
{
	struct reqid id;
	tmpspool.named_tmp = _i;
	ck_assert_int_eq(publish_request(&tmpspool, "x", 1, &id, NULL), 0);
	ck_assert_int_eq(publish_abort(&tmpspool, id, NULL), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), 0);

	ck_assert_int_eq(seen.n, 2);
	ck_assert_int_eq(seen.states[0], SPOOL_REQUESTED);
	ck_assert_int_eq(seen.states[1], SPOOL_ABORTING);
	ck_assert(reqid_is(seen.ids[0], id) && reqid_is(seen.ids[1], id));
	/* The draft of the fallback is a name that is no id. */
	ck_assert_int_eq(seen.n_names, _i);
}
END_TEST

START_TEST(all_that_was_visible_before_a_look_has_been_told_after_it)
{
	for (unsigned i = 0; i < MANY; i++) {
		char text[REQID_SIZE];
		tmpspool_put("1-requested", reqid_format(tmpspool_nth(i), text), "");
	}

	ck_assert_int_eq(watch_look(w, see, &seen), 0);

	ck_assert_int_eq(seen.n, MANY);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_int_eq(seen.told[i], 1);
}
END_TEST

START_TEST(the_servers_own_moves_are_not_told)
{
	tmpspool_put("1-requested", ID_TEXT, "");
	ck_assert_int_eq(watch_look(w, see, &seen), 0);
	seen = (struct seen){ 0 };

	ck_assert_int_eq(move_accept(&tmpspool, tmpspool_id), 0);
	ck_assert_int_eq(move_start(&tmpspool, tmpspool_id), 0);
	ck_assert_int_eq(move_remove(&tmpspool, tmpspool_id, SPOOL_RUNNING), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), 0);
	ck_assert_int_eq(seen.n + seen.n_names, 0);
}
END_TEST

START_TEST(a_name_that_is_no_id_is_told_as_it_is)
{
	ck_assert_int_eq(mkdir(tmpspool_at("5-aborting", "a b"), 0700), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), 0);
	ck_assert_int_eq(seen.n_names, 1);
	ck_assert_str_eq(seen.name, "a b");
}
END_TEST

START_TEST(a_state_directory_that_is_renamed_is_told)
{
	char to[4200];
	snprintf(to, sizeof to, "%s/elsewhere", tmpspool_dir);
	ck_assert_int_eq(rename(tmpspool_at(spool_state_name((enum spool_state)_i), ""), to), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), WATCH_MOVED);
	ck_assert_str_eq(watch_moved(w), spool_state_name((enum spool_state)_i));
	ck_assert_int_eq(watch_look(w, see, &seen), 0);
}
END_TEST

START_TEST(a_state_directory_that_is_removed_is_told)
{
	ck_assert_int_eq(rmdir(tmpspool_at(spool_state_name((enum spool_state)_i), "")), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), WATCH_MOVED);
}
END_TEST

/* rename(2) replaces a directory that is empty. */
START_TEST(a_state_directory_that_is_replaced_is_told)
{
	char new[4200];
	snprintf(new, sizeof new, "%s/new", tmpspool_dir);
	ck_assert_int_eq(mkdir(new, 0700), 0);
	ck_assert_int_eq(rename(new, tmpspool_at(spool_state_name((enum spool_state)_i), "")), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), WATCH_MOVED);
	ck_assert_str_eq(watch_moved(w), spool_state_name((enum spool_state)_i));
}
END_TEST

START_TEST(what_else_the_server_cannot_do_without_is_told_by_name)
{
	static const char *const others[] = { "work", ".wq" };
	char to[4200];
	snprintf(to, sizeof to, "%s/elsewhere", tmpspool_dir);
	ck_assert_ptr_null(watch_moved(w));
	ck_assert_int_eq(rename(tmpspool_at(".", others[_i]), to), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), WATCH_MOVED);
	ck_assert_str_eq(watch_moved(w), others[_i]);
}
END_TEST

START_TEST(a_spool_that_is_renamed_as_a_whole_is_told_and_goes_on)
{
	char to[4200];
	snprintf(to, sizeof to, "%s/elsewhere", tmpspool_dir);
	ck_assert_int_eq(rename(tmpspool_path, to), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), WATCH_ROOT);

	ck_assert_int_eq(rename(to, tmpspool_path), 0);
	tmpspool_put("1-requested", ID_TEXT, "");
	ck_assert_int_eq(watch_look(w, see, &seen), WATCH_ROOT);
	ck_assert_int_eq(seen.n, 1);
}
END_TEST

START_TEST(a_socket_or_page_that_is_removed_or_replaced_is_told)
{
	static const char *const files[] = { "wq.sock", "wq.status" };
	char new[4200];
	snprintf(new, sizeof new, "%s/new", tmpspool_dir);
	if (_i == 0)
		tmpspool_put(".", files[_i], "");
	ck_assert_int_eq(unlink(tmpspool_at(".", files[_i])), 0);
	ck_assert_int_eq(watch_look(w, see, &seen), WATCH_FILES);

	ck_assert_int_eq(symlink("/etc/passwd", new), 0);
	ck_assert_int_eq(rename(new, tmpspool_at(".", files[_i])), 0);
	ck_assert_int_eq(watch_look(w, see, &seen), WATCH_FILES);
}
END_TEST

START_TEST(what_else_goes_from_the_root_is_no_matter)
{
	tmpspool_put(".", "wq.named-tmp", "");
	ck_assert_int_eq(unlink(tmpspool_at(".", "wq.named-tmp")), 0);
	ck_assert_int_eq(rmdir(tmpspool_at(".", "finished")), 0);

	ck_assert_int_eq(watch_look(w, see, &seen), 0);
}
END_TEST

/* ---- the safety look -------------------------------------------------------------------------- */

static void set_mtime(const char *place, time_t seconds)
{
	const struct timespec at[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
	ck_assert_int_eq(utimensat(AT_FDCWD, tmpspool_at(place, ""), at, 0), 0);
}

START_TEST(a_directory_that_has_changed_since_the_last_look_is_told_once)
{
	fault_clock = UINT64_C(2000) * 1000000;
	set_mtime("1-requested", 1000);
	set_mtime("5-aborting", 1000);
	(void)watch_changed(w);
	ck_assert_uint_eq(watch_changed(w), 0);

	set_mtime("5-aborting", 1001);
	ck_assert_uint_eq(watch_changed(w), 1u << SPOOL_ABORTING);
	ck_assert_uint_eq(watch_changed(w), 0);
	set_mtime("1-requested", 999);
	ck_assert_uint_eq(watch_changed(w), 1u << SPOOL_REQUESTED);
	ck_assert_uint_eq(watch_changed(w), 0);
}
END_TEST

START_TEST(a_change_just_before_the_look_may_hide_another)
{
	set_mtime("5-aborting", 1000);
	set_mtime("1-requested", 2000);
	fault_clock = UINT64_C(2000) * 1000000 + 9000;
	(void)watch_changed(w);

	fault_clock += 1000000;
	ck_assert_uint_eq(watch_changed(w), 1u << SPOOL_REQUESTED);
	ck_assert_uint_eq(watch_changed(w), 0);
}
END_TEST

START_TEST(a_request_that_no_event_told_of_shows_as_a_change)
{
	set_mtime("1-requested", 1000);
	set_mtime("5-aborting", 1000);
	(void)watch_changed(w);
	(void)watch_changed(w);

	tmpspool_put("1-requested", ID_TEXT, "");
	ck_assert_uint_eq(watch_changed(w), 1u << SPOOL_REQUESTED);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/watch");
	TCase *tc = tcase_create("watch");
	tcase_add_checked_fixture(tc, start, end);
	tcase_add_test(tc, a_quiet_spool_tells_nothing);
	tcase_add_loop_test(tc, a_published_request_and_an_abort_are_told_in_order, 0, 2);
	tcase_add_test(tc, all_that_was_visible_before_a_look_has_been_told_after_it);
	tcase_add_test(tc, the_servers_own_moves_are_not_told);
	tcase_add_test(tc, a_name_that_is_no_id_is_told_as_it_is);
	tcase_add_loop_test(tc, a_state_directory_that_is_renamed_is_told, 0, SPOOL_STATE_MAX);
	tcase_add_loop_test(tc, a_state_directory_that_is_removed_is_told, 0, SPOOL_STATE_MAX);
	tcase_add_loop_test(tc, a_state_directory_that_is_replaced_is_told, 0, SPOOL_STATE_MAX);
	tcase_add_loop_test(tc, what_else_the_server_cannot_do_without_is_told_by_name, 0, 2);
	tcase_add_test(tc, a_spool_that_is_renamed_as_a_whole_is_told_and_goes_on);
	tcase_add_loop_test(tc, a_socket_or_page_that_is_removed_or_replaced_is_told, 0, 2);
	tcase_add_test(tc, what_else_goes_from_the_root_is_no_matter);
	tcase_add_test(tc, a_directory_that_has_changed_since_the_last_look_is_told_once);
	tcase_add_test(tc, a_change_just_before_the_look_may_hide_another);
	tcase_add_test(tc, a_request_that_no_event_told_of_shows_as_a_change);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *sr = srunner_create(make_suite());
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
