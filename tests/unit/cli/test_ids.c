/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/ids.h"

#include "cli/cli.h"
#include "cli/exit.h"
#include "support/cli/command.h"
#include "support/client/hand.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ids made by hand, so that their beginnings are known. */
#define A      "1511472984.123456-0k3v9q2m7t1dh"
#define B      "1511472984.123457-0k3vaq2m7t1dh"
#define C      "1511472985.000000-f000000000000"
#define D      "1511472986.000000-0k3vzq2m7t1dh" /* z is no digit of an id */
#define NOBODY "1511472999.123456-9k3v9q2m7t1dh"

static struct hand hand;
static struct said said;

static void setup(void)
{
	hand_open(&hand);
}

static void teardown(void)
{
	hand_close(&hand);
}

static void put(const char *dir, const char *id)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s/%s", hand.path, dir, id);
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* As a command: prints what the words mean. */
static int resolve(struct cli *cli, int argc, char **argv)
{
	char **ids;
	int status = cli_open(cli);
	if (status == 0)
		status = ids_resolve_all(cli, argv + 1, (size_t)argc - 1, &ids);
	if (status)
		return status;
	for (int i = 0; i < argc - 1; i++)
		puts(ids[i]);
	free(ids);
	return 0;
}

#define RESOLVE(...) COMMAND(&said, hand.path, resolve, "resolve", __VA_ARGS__)

static void assert_means(const char *given, const char *id)
{
	char want[64];
	RESOLVE(given);
	ck_assert_msg(said.status == 0, "%s: %s", given, said.err);
	snprintf(want, sizeof want, "%s\n", id);
	ck_assert_str_eq(said.out, want);
}

START_TEST(a_whole_id_is_taken_as_it_is_and_nothing_is_listed)
{
	char path[256];
	assert_means(NOBODY, NOBODY);
	snprintf(path, sizeof path, "%s/1-requested", hand.path);
	ck_assert_int_eq(chmod(path, 0300), 0);
	assert_means(NOBODY, NOBODY);
}
END_TEST

START_TEST(the_beginning_of_a_suffix_is_enough_in_any_state_and_in_the_history)
{
	put("1-requested", A);
	put("finished", B);
	put("4-complete", C);
	assert_means("0k3v9", A);
	assert_means("0k3v9q2m7t1dh", A);
	assert_means("0k3va", B);
	assert_means("f", C);
}
END_TEST

START_TEST(so_is_the_beginning_of_all_of_it)
{
	put("2-pending", A);
	put("3-running", B);
	put("4-complete", C);
	assert_means("1511472985", C);
	assert_means("1511472984.123457", B);
	assert_means("1511472984.123456-", A);
	assert_means("1511472984.123456-0k3v9q2m7t1d", A);
}
END_TEST

START_TEST(one_in_two_places_is_one)
{
	put("1-requested", A);
	put("5-aborting", A);
	put("finished", A);
	assert_means("0", A);
}
END_TEST

START_TEST(at_is_the_newest_wherever_it_is)
{
	put("1-requested", A);
	assert_means("@", A);
	put("finished", C);
	assert_means("@", C);
	put("2-pending", B);
	assert_means("@", C);
}
END_TEST

START_TEST(at_without_any_request_says_so)
{
	RESOLVE("@");
	ck_assert_int_eq(said.status, EXIT_WQ);
	ck_assert_str_eq(said.out, "");
	ck_assert_ptr_nonnull(strstr(said.err, "'@' is the newest request, and there is none"));
}
END_TEST

START_TEST(several_that_fit_are_named)
{
	put("1-requested", A);
	put("finished", B);
	put("4-complete", C);
	RESOLVE("0k3v");
	ck_assert_int_eq(said.status, EXIT_WQ);
	ck_assert_ptr_nonnull(strstr(said.err, A));
	ck_assert_ptr_nonnull(strstr(said.err, B));
	ck_assert_ptr_null(strstr(said.err, C));
	ck_assert_ptr_null(strstr(said.err, "more"));
}
END_TEST

START_TEST(of_many_that_fit_three_are_named_and_the_others_counted)
{
	size_t named = 0;
	for (int i = 0; i < 10; i++) {
		char id[WQ_ID_SIZE];
		snprintf(id, sizeof id, "151147298%d.123456-0k3v9q2m7t1dh", i);
		put(i % 2 ? "1-requested" : "finished", id);
	}
	RESOLVE("0k3v9q");
	ck_assert_int_eq(said.status, EXIT_WQ);
	for (const char *p = said.err; (p = strstr(p, "15114729")); p++)
		named++;
	ck_assert_uint_eq(named, 3);
	ck_assert_ptr_nonnull(strstr(said.err, "and 7 more"));
}
END_TEST

START_TEST(what_fits_none_is_refused)
{
	put("1-requested", A);
	RESOLVE("1k");
	ck_assert_int_eq(said.status, EXIT_WQ);
	ck_assert_ptr_nonnull(strstr(said.err, "'1k'"));
	/* in the middle of it */
	RESOLVE("k3v");
	ck_assert_int_eq(said.status, EXIT_WQ);
}
END_TEST

START_TEST(what_cannot_begin_an_id_is_refused)
{
	static const char *const wrong[] = { "", "x", "z", D, "@@", "1511472984.", "../etc", "0K3V",
		A "0", "1511472984.123456-0k3v9q2m7t1dh\n", "\x1b[2J" };
	put("1-requested", A);
	put("1-requested", B);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		RESOLVE(wrong[i]);
		ck_assert_int_eq(said.status, EXIT_WQ);
		ck_assert_str_eq(said.out, "");
		ck_assert_ptr_null(strchr(said.err, '\x1b'));
	}
	RESOLVE("x");
	ck_assert_ptr_nonnull(strstr(said.err, "'x' is not an id"));
}
END_TEST

START_TEST(one_that_is_wrong_spoils_all)
{
	put("1-requested", A);
	put("1-requested", C);
	RESOLVE("f", "0", "x");
	ck_assert_int_eq(said.status, EXIT_WQ);
	ck_assert_str_eq(said.out, "");
	RESOLVE("f", "0", NOBODY, "@");
	ck_assert_str_eq(said.out, C "\n" A "\n" NOBODY "\n" C "\n");
}
END_TEST

START_TEST(commands_take_beginnings)
{
	put("1-requested", A);
	put("2-pending", C);
	COMMAND(&said, hand.path, cmd_abort, "abort", "0k", "x");
	ck_assert_int_eq(said.status, EXIT_WQ);
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, A));
	COMMAND(&said, hand.path, cmd_abort, "abort", "0k");
	ck_assert_int_eq(said.status, 0);
	ck_assert(hand_has(&hand, SPOOL_ABORTING, A));
	COMMAND(&said, hand.path, cmd_wait, "wait", "-t", "0s", "@");
	ck_assert_int_eq(said.status, EXIT_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(said.err, C));
	COMMAND(&said, hand.path, cmd_wait, "wait", "-t", "0s", "@", "f00");
	ck_assert_int_eq(said.status, EXIT_WQ);
	ck_assert_ptr_nonnull(strstr(said.err, "twice"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli/ids");
	TCase *t = tcase_create("ids");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_whole_id_is_taken_as_it_is_and_nothing_is_listed);
	tcase_add_test(t, the_beginning_of_a_suffix_is_enough_in_any_state_and_in_the_history);
	tcase_add_test(t, so_is_the_beginning_of_all_of_it);
	tcase_add_test(t, one_in_two_places_is_one);
	tcase_add_test(t, at_is_the_newest_wherever_it_is);
	tcase_add_test(t, at_without_any_request_says_so);
	tcase_add_test(t, several_that_fit_are_named);
	tcase_add_test(t, of_many_that_fit_three_are_named_and_the_others_counted);
	tcase_add_test(t, what_fits_none_is_refused);
	tcase_add_test(t, what_cannot_begin_an_id_is_refused);
	tcase_add_test(t, one_that_is_wrong_spoils_all);
	tcase_add_test(t, commands_take_beginnings);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
