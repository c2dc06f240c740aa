/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/examine.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

#define TMP ".wq/tmp"

enum {
	IN_1 = 1 << SPOOL_REQUESTED,
	IN_2 = 1 << SPOOL_PENDING,
	IN_3 = 1 << SPOOL_RUNNING,
	IN_4 = 1 << SPOOL_COMPLETE,
	IN_5 = 1 << SPOOL_ABORTING,
	IN_TMP = 1 << CENSUS_TMP
};

/* In the place of the codec: what a file is stands in it. */
static int n_asked;
static size_t asked_len;

static enum finding kind_of(const void *bytes, size_t len)
{
	n_asked++;
	asked_len = len;
	if (len == 7 && memcmp(bytes, "request", 7) == 0)
		return FIND_REQUEST;
	return len == 6 && memcmp(bytes, "result", 6) == 0 ? FIND_RESULT : FIND_NEITHER;
}

static int examine_in(unsigned places, struct findings *ret)
{
	n_asked = 0;
	memset(ret, 0, sizeof *ret);
	return examine(&tmpspool, tmpspool_id, places, kind_of, ret);
}

static struct findings expect_examined(unsigned places)
{
	struct findings f;
	ck_assert_int_eq(examine_in(places, &f), 0);
	return f;
}

/* The places where files are read, each with a second one so that 4 is read as well. */
static const struct {
	const char *place;
	unsigned places;
	size_t member;
} read_in[] = {
	{ "3-running", IN_3, offsetof(struct findings, in_3) },
	{ TMP, IN_TMP, offsetof(struct findings, in_tmp) },
	{ "4-complete", IN_4 | IN_5, offsetof(struct findings, in_4) },
};
enum {
	N_READ = sizeof read_in / sizeof *read_in
};

static enum finding found_in(int which, const struct findings *f)
{
	enum finding ret;
	memcpy(&ret, (const char *)f + read_in[which].member, sizeof ret);
	return ret;
}

static void expect_found(int which, enum finding finding)
{
	struct findings f = expect_examined(read_in[which].places);
	ck_assert_int_eq(found_in(which, &f), finding);
	for (int i = 0; i < N_READ; i++)
		if (i != which)
			ck_assert_int_eq(found_in(i, &f), FIND_NONE);
}

START_TEST(a_file_is_a_request_a_result_or_neither)
{
	static const struct {
		const char *text;
		enum finding finding;
	} kinds[] = { { "request", FIND_REQUEST }, { "result", FIND_RESULT },
		{ "resul", FIND_NEITHER }, { "", FIND_NEITHER } };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		tmpspool_put(read_in[_i].place, ID_TEXT, kinds[i].text);
		expect_found(_i, kinds[i].finding);
		ck_assert_int_eq(n_asked, 1);
		ck_assert_int_eq(unlink(tmpspool_at(read_in[_i].place, ID_TEXT)), 0);
	}
}
END_TEST

START_TEST(short_reads_are_carried_on)
{
	tmpspool_put(read_in[_i].place, ID_TEXT, "request");
	fault_max_bytes = 2;

	expect_found(_i, FIND_REQUEST);
}
END_TEST

START_TEST(all_places_are_told_together)
{
	tmpspool_put("1-requested", ID_TEXT, "request");
	tmpspool_put("2-pending", ID_TEXT, "request");
	tmpspool_put("3-running", ID_TEXT, "result");
	tmpspool_put(TMP, ID_TEXT, "request");
	tmpspool_put("4-complete", ID_TEXT, "torn");
	tmpspool_put("5-aborting", ID_TEXT, "");

	struct findings f = expect_examined(IN_1 | IN_2 | IN_3 | IN_4 | IN_5 | IN_TMP);

	ck_assert(f.in_1 && f.in_2 && f.in_5);
	ck_assert(!f.same_1 && !f.same_2);
	ck_assert_int_eq(f.in_3, FIND_RESULT);
	ck_assert_int_eq(f.in_tmp, FIND_REQUEST);
	ck_assert_int_eq(f.in_4, FIND_NEITHER);
}
END_TEST

START_TEST(what_stands_in_1_2_or_5_is_not_opened)
{
	tmpspool_put("1-requested", ID_TEXT, "anything");
	tmpspool_put("5-aborting", ID_TEXT, "anything");

	struct findings f = expect_examined(IN_1 | IN_5);

	ck_assert(f.in_1 && !f.in_2 && f.in_5);
	ck_assert_int_eq(n_asked, 0);
	f = expect_examined(IN_2);
	ck_assert(!f.in_1 && f.in_2 && !f.in_5);
	ck_assert_int_eq(n_asked, 0);
}
END_TEST

START_TEST(one_that_is_alone_in_4_counts_as_a_result_and_is_not_opened)
{
	ck_assert_int_eq(mkfifo(tmpspool_at("4-complete", ID_TEXT), 0), 0);
	fault_reset();

	struct findings f = expect_examined(IN_4);

	ck_assert_int_eq(f.in_4, FIND_RESULT);
	ck_assert_int_eq(n_asked, 0);
	ck_assert_int_eq(fault_calls, 0);
}
END_TEST

START_TEST(one_in_4_is_opened_when_something_else_has_its_id)
{
	static const unsigned others[] = { IN_1, IN_2, IN_3, IN_5, IN_TMP };
	static const char *const places[] = { "1-requested", "2-pending", "3-running", "5-aborting",
		TMP };
	tmpspool_put("4-complete", ID_TEXT, "torn");
	tmpspool_put(places[_i], ID_TEXT, "request");

	struct findings f = expect_examined(IN_4 | others[_i]);

	ck_assert_int_eq(f.in_4, FIND_NEITHER);
}
END_TEST

/* ---- what is no file of ours --------------------------------------------------------------------
 */

static void make_link(const char *path)
{
	ck_assert_int_eq(symlink("../2-pending/target", path), 0);
}

static void make_fifo(const char *path)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void make_directory(const char *path)
{
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
	memcpy(address.sun_path, path, strlen(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	close(fd);
}

static void make_huge(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, EXAMINE_MAX_BYTES + 1), 0);
	close(fd);
}

static void (*const strangers[])(
	const char *path) = { make_link, make_fifo, make_directory, make_socket, make_huge };
enum {
	N_STRANGERS = sizeof strangers / sizeof *strangers
};

START_TEST(what_is_no_plain_file_or_too_large_is_neither_and_is_not_read)
{
	int fds = tmpspool_open_fds();
	tmpspool_put("2-pending", "target", "request");
	strangers[_i / N_READ](tmpspool_at(read_in[_i % N_READ].place, ID_TEXT));

	expect_found(_i % N_READ, FIND_NEITHER);

	ck_assert_int_eq(n_asked, 0);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
}
END_TEST

START_TEST(the_largest_file_is_read_whole)
{
	make_huge(tmpspool_at("3-running", ID_TEXT));
	ck_assert_int_eq(truncate(tmpspool_at("3-running", ID_TEXT), EXAMINE_MAX_BYTES), 0);

	expect_found(0, FIND_NEITHER);

	ck_assert_int_eq(n_asked, 1);
	ck_assert_uint_eq(asked_len, EXAMINE_MAX_BYTES);
}
END_TEST

/* ---- failures and races -------------------------------------------------------------------------
 */

START_TEST(a_system_that_fails_says_nothing_of_the_file)
{
	static const struct {
		const char *call;
		int error;
	} troubles[] = { { "openat", EMFILE }, { "openat", ENFILE }, { "openat", ENOMEM },
		{ "openat", EIO }, { "fstat", EIO }, { "pread", EIO } };
	int fds = tmpspool_open_fds();
	for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
		struct findings f;
		tmpspool_put(read_in[_i].place, ID_TEXT, "request");
		fault_on(troubles[i].call, troubles[i].error, 1);

		ck_assert_int_eq(examine_in(read_in[_i].places, &f), -troubles[i].error);

		ck_assert_int_eq(n_asked, 0);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		expect_found(_i, FIND_REQUEST);
		ck_assert_int_eq(unlink(tmpspool_at(read_in[_i].place, ID_TEXT)), 0);
	}
}
END_TEST

START_TEST(one_that_is_gone_since_it_was_listed_is_none)
{
	expect_found(_i, FIND_NONE);
}
END_TEST

static void link_to(const char *from, const char *to)
{
	char path[2 * PATH_MAX];
	snprintf(path, sizeof path, "%s", tmpspool_at(from, ID_TEXT));
	ck_assert_int_eq(link(path, tmpspool_at(to, ID_TEXT)), 0);
}

static const struct {
	const char *place;
	unsigned places;
} later[] = { { "2-pending", IN_2 }, { "3-running", IN_3 }, { "4-complete", IN_4 } };
enum {
	N_LATER = sizeof later / sizeof *later
};

START_TEST(two_names_of_one_file_are_told_from_two_files)
{
	tmpspool_put("1-requested", ID_TEXT, "request");
	link_to("1-requested", later[_i].place);
	ck_assert(expect_examined(IN_1 | later[_i].places).same_1);

	ck_assert_int_eq(unlink(tmpspool_at("1-requested", ID_TEXT)), 0);
	tmpspool_put("1-requested", ID_TEXT, "request");
	ck_assert(!expect_examined(IN_1 | later[_i].places).same_1);
}
END_TEST

START_TEST(one_file_in_2_and_3_is_told_from_two)
{
	tmpspool_put("2-pending", ID_TEXT, "request");
	link_to("2-pending", "3-running");
	struct findings f = expect_examined(IN_2 | IN_3);
	ck_assert(f.same_2 && !f.same_1);

	ck_assert_int_eq(unlink(tmpspool_at("2-pending", ID_TEXT)), 0);
	tmpspool_put("2-pending", ID_TEXT, "request");
	f = expect_examined(IN_2 | IN_3);
	ck_assert(!f.same_2 && !f.same_1);
}
END_TEST

START_TEST(files_that_cannot_be_compared_are_a_failure)
{
	struct findings f;
	tmpspool_put("1-requested", ID_TEXT, "request");
	link_to("1-requested", later[_i].place);
	fault_on("fstatat", EIO, 1);
	ck_assert_int_eq(examine_in(IN_1 | later[_i].places, &f), -EIO);
}
END_TEST

START_TEST(one_that_was_withdrawn_meanwhile_is_not_the_same)
{
	tmpspool_put(later[_i].place, ID_TEXT, "request");
	struct findings f = expect_examined(IN_1 | later[_i].places);
	ck_assert(!f.same_1);
}
END_TEST

/* ---- without privilege: root may read everything ------------------------------------------------
 */

START_TEST(one_that_may_not_be_read_is_neither)
{
	tmpspool_make_dir();
	ck_assert(tmpspool_drop_root());
	fault_reset();
	ck_assert_int_eq(spool_open_server(&tmpspool, tmpspool_path, &fault_io, NULL), 0);
	tmpspool_put_mode("3-running", ID_TEXT, "request", 0);

	expect_found(0, FIND_NEITHER);
	ck_assert_int_eq(n_asked, 0);
	tmpspool_close();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/examine");
	TCase *tc = tcase_create("examine");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_loop_test(tc, a_file_is_a_request_a_result_or_neither, 0, N_READ);
	tcase_add_loop_test(tc, short_reads_are_carried_on, 0, N_READ);
	tcase_add_test(tc, all_places_are_told_together);
	tcase_add_test(tc, what_stands_in_1_2_or_5_is_not_opened);
	tcase_add_test(tc, one_that_is_alone_in_4_counts_as_a_result_and_is_not_opened);
	tcase_add_loop_test(tc, one_in_4_is_opened_when_something_else_has_its_id, 0, 5);
	tcase_add_loop_test(tc, what_is_no_plain_file_or_too_large_is_neither_and_is_not_read, 0,
		N_STRANGERS * N_READ);
	tcase_add_test(tc, the_largest_file_is_read_whole);
	tcase_add_loop_test(tc, a_system_that_fails_says_nothing_of_the_file, 0, N_READ);
	tcase_add_loop_test(tc, one_that_is_gone_since_it_was_listed_is_none, 0, N_READ);
	tcase_add_loop_test(tc, two_names_of_one_file_are_told_from_two_files, 0, N_LATER);
	tcase_add_test(tc, one_file_in_2_and_3_is_told_from_two);
	tcase_add_loop_test(tc, files_that_cannot_be_compared_are_a_failure, 0, N_LATER);
	tcase_add_loop_test(tc, one_that_was_withdrawn_meanwhile_is_not_the_same, 0, N_LATER);
	suite_add_tcase(suite, tc);
	TCase *unprivileged = tcase_create("unprivileged");
	tcase_add_test(unprivileged, one_that_may_not_be_read_is_neither);
	suite_add_tcase(suite, unprivileged);
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
