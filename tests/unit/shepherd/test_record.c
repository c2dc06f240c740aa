/* SPDX-License-Identifier: BSD-2-Clause */
#include "shepherd/record.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/shepherd/place.h"

#define NAME "0b0f6c52-6d5e-4c5e-9d0a-0f3f3b1f9f11.1511472984.123456-0k3v9q2m7t1dh.1"

static const struct record record = {
	.name = NAME ".copy",
	.tag = NAME,
	.boot = "2f1a3c50-96a4-4d1e-8a56-0f2b5d3c4e5f",
	.pid = 4711,
	.start_ticks = UINT64_C(18446744073709551615),
	.began_us = INT64_C(1511472984123456),
};

static struct record seen[4];
static int n_seen;

static int note(void *arg, const struct record *r)
{
	ck_assert_int_lt(n_seen, 4);
	seen[n_seen++] = *r;
	return *(int *)arg;
}

static int each(void)
{
	int answer = 0;
	n_seen = 0;
	return record_each(place_fd, note, &answer);
}

static void is_same(const struct record *a, const struct record *b)
{
	ck_assert_str_eq(a->name, b->name);
	ck_assert_str_eq(a->tag, b->tag);
	ck_assert_str_eq(a->boot, b->boot);
	ck_assert_int_eq(a->pid, b->pid);
	ck_assert_uint_eq(a->start_ticks, b->start_ticks);
	ck_assert_int_eq(a->began_us, b->began_us);
}

START_TEST(a_record_says_what_it_was_told)
{
	struct stat st;
	ck_assert_int_eq(record_make(place_fd, &record), 0);

	ck_assert_int_eq(each(), 0);

	ck_assert_int_eq(n_seen, 1);
	is_same(&seen[0], &record);
	ck_assert_int_eq(stat(place_at(record.name), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(an_update_takes_the_place_of_what_was_there)
{
	struct record r = record;
	struct stat before, after;
	r.pid = 0;
	r.start_ticks = 0;
	r.began_us = 0;
	ck_assert_int_eq(record_make(place_fd, &r), 0);
	ck_assert_int_eq(stat(place_at(record.name), &before), 0);

	ck_assert_int_eq(record_update(place_fd, &record), 0);

	ck_assert_int_eq(each(), 0);
	ck_assert_int_eq(n_seen, 1);
	is_same(&seen[0], &record);
	/* One write in place: nobody can see a part of it. */
	ck_assert_int_eq(stat(place_at(record.name), &after), 0);
	ck_assert_int_eq(after.st_size, before.st_size);
	ck_assert_uint_eq(after.st_ino, before.st_ino);
}
END_TEST

START_TEST(a_record_of_the_longest_name_is_kept_whole)
{
	struct record r = record;
	memset(r.name, 'n', FRAME_NAME_MAX);
	memset(r.tag, 't', FRAME_NAME_MAX);
	ck_assert_int_eq(record_make(place_fd, &r), 0);
	ck_assert_int_eq(each(), 0);
	ck_assert_int_eq(n_seen, 1);
	is_same(&seen[0], &r);
}
END_TEST

START_TEST(a_name_has_one_record)
{
	ck_assert_int_eq(record_make(place_fd, &record), 0);
	ck_assert_int_eq(record_make(place_fd, &record), -EEXIST);
}
END_TEST

START_TEST(an_update_makes_no_record)
{
	ck_assert_int_eq(record_update(place_fd, &record), -ENOENT);
	ck_assert_int_eq(each(), 0);
	ck_assert_int_eq(n_seen, 0);
}
END_TEST

START_TEST(a_record_may_be_removed_twice)
{
	ck_assert_int_eq(record_make(place_fd, &record), 0);
	ck_assert_int_eq(record_remove(place_fd, record.name), 0);
	ck_assert_int_eq(record_remove(place_fd, record.name), 0);
	ck_assert_int_eq(each(), 0);
	ck_assert_int_eq(n_seen, 0);
}
END_TEST

START_TEST(no_beginning_of_a_record_is_taken_for_a_whole_one)
{
	char text[1024];
	ck_assert_int_eq(record_make(place_fd, &record), 0);
	snprintf(text, sizeof text, "%s", place_text(record.name));
	for (size_t len = 0; len < strlen(text); len++) {
		ck_assert_int_eq(truncate(place_at(record.name), (off_t)len), 0);

		ck_assert_int_eq(each(), 0);

		ck_assert_int_eq(n_seen, 1);
		is_same(&seen[0], &(struct record){ .name = NAME ".copy" });
		place_put(record.name, text, 0600);
	}
}
END_TEST

START_TEST(a_file_of_something_else_is_handed_over_by_its_name)
{
	char text[1024];
	ck_assert_int_eq(record_make(place_fd, &record), 0);
	snprintf(text, sizeof text, "%smore", place_text(record.name));
	place_put(record.name, text, 0600);
	ck_assert_int_eq(each(), 0);
	is_same(&seen[0], &(struct record){ .name = NAME ".copy" });

	/* A whole one under another name. */
	text[strlen(text) - strlen("more")] = '\0';
	ck_assert_int_eq(record_remove(place_fd, record.name), 0);
	place_put(NAME, text, 0600);
	ck_assert_int_eq(each(), 0);
	ck_assert_int_eq(n_seen, 1);
	is_same(&seen[0], &(struct record){ .name = NAME });
}
END_TEST

START_TEST(what_is_no_record_is_passed_over)
{
	char boot[40];
	bool same;
	ck_assert_int_eq(record_boot(place_fd, boot, &same), 0);
	ck_assert_int_eq(record_mark_boot(place_fd, boot), 0);
	place_put(".hidden", "", 0600);
	place_mkdir("directory", 0700);
	ck_assert_int_eq(mkfifo(place_at("fifo"), 0600), 0);
	ck_assert_int_eq(symlink("boot", place_at("link")), 0);

	ck_assert_int_eq(each(), 0);
	ck_assert_int_eq(n_seen, 0);
}
END_TEST

START_TEST(an_answer_ends_the_walk)
{
	int answer = -ENOMEM;
	struct record other = record;
	strcpy(other.name, NAME);
	ck_assert_int_eq(record_make(place_fd, &record), 0);
	ck_assert_int_eq(record_make(place_fd, &other), 0);
	n_seen = 0;
	ck_assert_int_eq(record_each(place_fd, note, &answer), -ENOMEM);
	ck_assert_int_eq(n_seen, 1);
}
END_TEST

START_TEST(names_that_lead_elsewhere_are_refused)
{
	static const char *const names[] = { "", ".", "..", "../x", "a/b", "boot", "a b", "a\nb" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct record r = record;
		strcpy(r.name, names[i]);
		ck_assert_int_eq(record_make(place_fd, &r), -EINVAL);
		ck_assert_int_eq(record_update(place_fd, &r), -EINVAL);
	}
	ck_assert_int_eq(record_remove(place_fd, "../x"), -EINVAL);
}
END_TEST

START_TEST(the_boot_id_is_that_of_the_kernel)
{
	char boot[40], line[64] = "";
	bool same = true;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
	(void)fclose(f);
	line[strcspn(line, "\n")] = '\0';

	ck_assert_int_eq(record_boot(place_fd, boot, &same), 0);

	ck_assert_str_eq(boot, line);
	ck_assert(!same);
	ck_assert_int_eq(record_mark_boot(place_fd, boot), 0);
	ck_assert_int_eq(record_boot(place_fd, boot, &same), 0);
	ck_assert(same);
}
END_TEST

START_TEST(another_boot_is_noticed_until_it_is_marked)
{
	char boot[40];
	bool same = true;
	place_put("boot", "2f1a3c50-96a4-4d1e-8a56-0f2b5d3c4e5f", 0600);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(record_boot(place_fd, boot, &same), 0);
		ck_assert(!same);
	}
	ck_assert_int_eq(record_mark_boot(place_fd, boot), 0);
	ck_assert_int_eq(record_boot(place_fd, boot, &same), 0);
	ck_assert(same);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("shepherd/record");
	TCase *tc = tcase_create("record");
	tcase_add_checked_fixture(tc, place_open, place_close);
	tcase_add_test(tc, a_record_says_what_it_was_told);
	tcase_add_test(tc, an_update_takes_the_place_of_what_was_there);
	tcase_add_test(tc, a_record_of_the_longest_name_is_kept_whole);
	tcase_add_test(tc, a_name_has_one_record);
	tcase_add_test(tc, an_update_makes_no_record);
	tcase_add_test(tc, a_record_may_be_removed_twice);
	tcase_add_test(tc, no_beginning_of_a_record_is_taken_for_a_whole_one);
	tcase_add_test(tc, a_file_of_something_else_is_handed_over_by_its_name);
	tcase_add_test(tc, what_is_no_record_is_passed_over);
	tcase_add_test(tc, an_answer_ends_the_walk);
	tcase_add_test(tc, names_that_lead_elsewhere_are_refused);
	tcase_add_test(tc, the_boot_id_is_that_of_the_kernel);
	tcase_add_test(tc, another_boot_is_noticed_until_it_is_marked);
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
