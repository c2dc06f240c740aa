/* SPDX-License-Identifier: BSD-2-Clause */
/* What is removed is made, and looked for, with plain system calls. */
#include "spool/work.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

#define FIRST ID_TEXT ".1"

enum {
	HUGE = 12000 /* names: more than one read of a directory gives */
};

/* ---- names ------------------------------------------------------------------------------------ */

START_TEST(the_name_is_the_id_and_the_attempt)
{
	char name[WORK_NAME_SIZE];
	ck_assert_str_eq(work_name(tmpspool_id, 1, name), ID_TEXT ".1");
	ck_assert_str_eq(work_name(tmpspool_id, UINT32_MAX, name), ID_TEXT ".4294967295");
}
END_TEST

START_TEST(a_name_is_read_back_and_no_other_spelling_of_it)
{
	static const char *const others[] = { ID_TEXT, ID_TEXT ".", ID_TEXT ".01", ID_TEXT ".+1",
		ID_TEXT ".-1", ID_TEXT ". 1", ID_TEXT ".1 ", ID_TEXT ".1x", ID_TEXT ".0x1",
		ID_TEXT ".4294967296", ID_TEXT ".18446744073709551617", ID_TEXT ".aside",
		ID_TEXT "-1", "", ".1", "1511472984.123456-zk3v9q2m7t1dh.1" };
	struct reqid id = { 0, 0 };
	uint32_t attempt = 77;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ck_assert_msg(!work_parse(others[i], &id, &attempt), "%s", others[i]);
	ck_assert_uint_eq(id.us, 0);
	ck_assert_uint_eq(attempt, 77);

	ck_assert(work_parse(ID_TEXT ".1", &id, &attempt));
	ck_assert(reqid_is(id, tmpspool_id));
	ck_assert_uint_eq(attempt, 1);
	ck_assert(work_parse(ID_TEXT ".4294967295", &id, &attempt));
	ck_assert_uint_eq(attempt, UINT32_MAX);
}
END_TEST

/* ---- made ------------------------------------------------------------------------------------- */

/* `name` is relative to the work directory of attempt 1. */
static const char *at(const char *name)
{
	static char path[PATH_MAX + 64];
	snprintf(path, sizeof path, FIRST "/%s", name);
	return tmpspool_at("work", path);
}

static void put_dir(const char *name)
{
	ck_assert_msg(mkdir(at(name), 0700) == 0, "%s: %s", name, strerror(errno));
}

static void put_file(const char *name)
{
	int fd = open(at(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	close(fd);
}

static void make(void)
{
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_id, 1), 0);
}

static int remove_it(void)
{
	return work_remove(&tmpspool, tmpspool_id, 1);
}

START_TEST(it_is_made_empty_and_closed_to_others)
{
	struct stat st;
	make();
	ck_assert_int_eq(stat(at(""), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(tmpspool_count("work/" FIRST), 0);
}
END_TEST

START_TEST(one_that_is_there_already_is_emptied)
{
	struct stat st;
	make();
	put_dir("a");
	put_file("a/b");
	put_file("stdout");
	ck_assert_int_eq(chmod(at(""), 0755), 0);

	make();

	ck_assert_int_eq(tmpspool_count("work/" FIRST), 0);
	ck_assert_int_eq(stat(at(""), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(a_link_or_a_file_in_its_place_is_replaced_and_not_followed)
{
	char outside[PATH_MAX];
	snprintf(outside, sizeof outside, "%s/outside", tmpspool_dir);
	ck_assert_int_eq(mkdir(outside, 0700), 0);
	ck_assert_int_eq(symlink(outside, tmpspool_at("work", FIRST)), 0);
	make();
	put_file("stdout");
	ck_assert_int_eq(rmdir(outside), 0); /* it was empty */
	ck_assert_int_eq(remove_it(), 0);

	tmpspool_put("work", FIRST, "bytes");
	make();
	put_file("stdout");
}
END_TEST

/* ---- removed ---------------------------------------------------------------------------------- */

START_TEST(to_remove_none_is_no_failure)
{
	ck_assert_int_eq(remove_it(), 0);
	ck_assert_int_eq(work_remove_all(&tmpspool, tmpspool_id), 0);
}
END_TEST

/* What a task may leave: of all kinds, with all names. */
static void make_everything(void)
{
	char name[NAME_MAX + 1];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	make();
	put_file("stdout");
	put_dir("a");
	put_dir("a/b");
	put_file("a/b/c");
	put_dir("a/empty");
	put_dir("a/" ID_TEXT); /* also a name that is an id */
	put_file("a/" ID_TEXT "/" ID_TEXT);
	ck_assert_int_eq(symlink("/", at("a/root")), 0);
	ck_assert_int_eq(symlink("..", at("a/up")), 0);
	ck_assert_int_eq(symlink("nowhere", at("a/dangling")), 0);
	ck_assert_int_eq(mkfifo(at("a/fifo"), 0600), 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" FIRST "/socket",
		tmpspool.work_fd);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	close(fd);
	for (int c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		snprintf(name, sizeof name, "x%cy", c);
		put_file(name);
		snprintf(name, sizeof name, "%c\n\xff-d", c);
		put_dir(name);
	}
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	put_dir(name);
}

START_TEST(all_that_a_task_may_leave_goes)
{
	int fds = tmpspool_open_fds();
	tmpspool_put("2-pending", ID_TEXT, "bytes");
	tmpspool_put("work", "beside", "bytes");
	make_everything();

	ck_assert_int_eq(remove_it(), 0);

	ck_assert(!tmpspool_has("work", FIRST));
	ck_assert(tmpspool_has("work", "beside"));
	ck_assert(tmpspool_has("2-pending", ID_TEXT));
	ck_assert_int_eq(access("/tmp", F_OK), 0);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
}
END_TEST

START_TEST(what_a_link_points_at_stays)
{
	char outside[PATH_MAX], inner[PATH_MAX + 8];
	snprintf(outside, sizeof outside, "%s/outside", tmpspool_dir);
	snprintf(inner, sizeof inner, "%s/inner", outside);
	ck_assert_int_eq(mkdir(outside, 0700), 0);
	ck_assert_int_eq(mkdir(inner, 0700), 0);
	make();
	ck_assert_int_eq(symlink(outside, at("link")), 0);

	ck_assert_int_eq(remove_it(), 0);

	ck_assert_int_eq(access(inner, F_OK), 0);
}
END_TEST

START_TEST(a_huge_directory_goes)
{
	char name[32];
	make();
	put_dir("many");
	for (int i = 0; i < HUGE; i++) {
		snprintf(name, sizeof name, "many/%d", i);
		put_file(name);
	}
	ck_assert_int_eq(remove_it(), 0);
	ck_assert(!tmpspool_has("work", FIRST));
}
END_TEST

/* So many directories in each other, the work directory the first. */
static void make_deep(int depth)
{
	make();
	int fd = open(at(""), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 1; i < depth; i++) {
		ck_assert_int_eq(mkdirat(fd, "d", 0700), 0);
		int next = openat(fd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(next, 0);
		close(fd);
		fd = next;
	}
	int file = openat(fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(file, 0);
	close(file);
	close(fd);
}

START_TEST(a_tree_as_deep_as_the_bound_goes)
{
	make_deep(64);
	ck_assert_int_eq(remove_it(), 0);
	ck_assert(!tmpspool_has("work", FIRST));
}
END_TEST

START_TEST(a_deeper_tree_is_told_and_the_rest_of_it_goes)
{
	int fds = tmpspool_open_fds();
	make_deep(65);
	put_file("stdout");

	ck_assert_int_eq(remove_it(), -ENAMETOOLONG);

	ck_assert(!tmpspool_has("work", FIRST "/stdout"));
	ck_assert(tmpspool_has("work", FIRST "/d"));
	ck_assert_int_eq(tmpspool_open_fds(), fds);
}
END_TEST

START_TEST(what_fails_is_told_and_the_rest_goes)
{
	make();
	put_dir("a");
	for (int i = 0; i < 10; i++) {
		char name[16];
		snprintf(name, sizeof name, "a/%d", i);
		put_file(name);
	}
	int fds = tmpspool_open_fds();
	/* For each of the two directories: unlink, rmdir, open, fstat, open to list, list.  Before
	 * them the fstat of work/, after them the first of the ten. */
	fault_at(14, EIO);
	int rc = remove_it();
	fault_reset();
	ck_assert_int_eq(rc, -EIO);
	ck_assert_int_eq(tmpspool_count("work/" FIRST "/a"), 1);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
	ck_assert_int_eq(remove_it(), 0);
}
END_TEST

START_TEST(a_failure_at_any_call_leaves_nothing_open_and_the_next_try_succeeds)
{
	int fds = tmpspool_open_fds();
	for (int k = 1; k < 100; k++) {
		make();
		put_dir("a");
		put_dir("a/b");
		put_file("a/b/c");
		ck_assert_int_eq(symlink("/", at("a/root")), 0);
		fault_at(k, EIO);
		int rc = remove_it();
		int calls = fault_calls;
		fault_reset();
		ck_assert(rc == 0 || rc == -EIO);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		ck_assert_int_eq(remove_it(), 0);
		ck_assert(!tmpspool_has("work", FIRST));
		if (calls < k)
			return;
	}
	ck_abort_msg("it never succeeds");
}
END_TEST

START_TEST(all_attempts_of_an_id_go_and_no_others)
{
	make();
	put_file("stdout");
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_id, 2), 0);
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_id, 4000000000), 0);
	ck_assert_int_eq(work_make(&tmpspool, tmpspool_nth(1), 1), 0);
	tmpspool_put("work", ID_TEXT ".notes", "bytes");

	ck_assert_int_eq(work_remove_all(&tmpspool, tmpspool_id), 0);

	ck_assert_int_eq(tmpspool_count("work"), 2);
	ck_assert(tmpspool_has("work", ID_TEXT ".notes"));
	ck_assert_int_eq(work_remove_all(&tmpspool, tmpspool_nth(1)), 0);
	ck_assert_int_eq(tmpspool_count("work"), 1);
}
END_TEST

START_TEST(directories_without_permission_go_all_the_same)
{
	static const mode_t modes[] = { 0, 0100, 0200, 0300, 0400, 0500, 0600, 0070 };
	tmpspool_close(); /* what the fixture has opened is root's */
	tmpspool_make_dir();
	ck_assert(tmpspool_drop_root());
	struct wq_err err = { 0 };
	ck_assert_msg(
		spool_open_server(&tmpspool, tmpspool_path, &fault_io, &err) == 0, "%s", err.text);
	make();
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		char name[32];
		snprintf(name, sizeof name, "%zu", i);
		put_dir(name);
		snprintf(name, sizeof name, "%zu/a", i);
		put_dir(name);
		snprintf(name, sizeof name, "%zu/a/f", i);
		put_file(name);
		snprintf(name, sizeof name, "%zu/a", i);
		ck_assert_int_eq(chmod(at(name), modes[i]), 0);
		snprintf(name, sizeof name, "%zu", i);
		ck_assert_int_eq(chmod(at(name), modes[i]), 0);
	}
	ck_assert_int_eq(chmod(at(""), 0), 0);

	ck_assert_int_eq(remove_it(), 0);

	ck_assert(!tmpspool_has("work", FIRST));
}
END_TEST

/* ---- mounts ----------------------------------------------------------------------------------- */

/* In a namespace of its own the process may mount what it likes. */
static bool unshare_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool may_mount(void)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare_mounts() && mount("none", "/tmp", "tmpfs", 0, NULL) == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Mounted at "a/mnt"; beside it things that may go.  0: another file system, 1: the same one. */
static void make_mounted(int same)
{
	char outside[PATH_MAX];
	snprintf(outside, sizeof outside, "%s/outside", tmpspool_dir);
	ck_assert(unshare_mounts());
	/* Descriptors lead through the mounts of the namespace in which they were opened. */
	spool_close(&tmpspool);
	ck_assert_int_eq(spool_open_server(&tmpspool, tmpspool_path, &fault_io, NULL), 0);
	make();
	put_dir("a");
	put_dir("a/mnt");
	put_file("a/f");
	put_file("stdout");
	ck_assert_int_eq(mkdir(outside, 0700), 0);
	if (same)
		ck_assert_int_eq(mount(outside, at("a/mnt"), NULL, MS_BIND, NULL), 0);
	else
		ck_assert_int_eq(mount("none", at("a/mnt"), "tmpfs", 0, NULL), 0);
	put_file("a/mnt/precious");
	put_dir("a/mnt/dear");
}

START_TEST(what_is_mounted_inside_stays_and_is_told)
{
	make_mounted(_i);

	ck_assert_int_eq(remove_it(), -EBUSY);

	ck_assert(tmpspool_has("work", FIRST "/a/mnt/precious"));
	ck_assert(tmpspool_has("work", FIRST "/a/mnt/dear"));
	ck_assert(!tmpspool_has("work", FIRST "/a/f"));
	ck_assert(!tmpspool_has("work", FIRST "/stdout"));
	ck_assert_int_eq(umount(at("a/mnt")), 0);
	ck_assert_int_eq(remove_it(), 0);
	ck_assert(!tmpspool_has("work", FIRST));
}
END_TEST

START_TEST(another_file_system_is_not_entered_even_where_rmdir_tells_nothing)
{
	make_mounted(0);
	fault_on_flags("unlinkat", AT_REMOVEDIR, ENOTEMPTY);

	ck_assert_int_eq(remove_it(), -EXDEV);

	fault_reset();
	ck_assert(tmpspool_has("work", FIRST "/a/mnt/precious"));
	ck_assert_int_eq(umount(at("a/mnt")), 0);
}
END_TEST

/* ---- handles ---------------------------------------------------------------------------------- */

static int put(const char *text)
{
	return work_put_handle(&tmpspool, tmpspool_id, 1, text, strlen(text));
}

START_TEST(a_handle_is_kept_replaced_and_dropped)
{
	struct buf b = { 0 };
	ck_assert_int_eq(work_get_handle(&tmpspool, tmpspool_id, 1, &b), -ENOENT);
	ck_assert_int_eq(work_drop_handle(&tmpspool, tmpspool_id, 1), 0);

	ck_assert_int_eq(put("a long one"), 0);
	ck_assert_int_eq(put("17"), 0);
	ck_assert_int_eq(work_put_handle(&tmpspool, tmpspool_id, 2, "", 0), 0);

	ck_assert_int_eq(work_get_handle(&tmpspool, tmpspool_id, 1, &b), 0);
	ck_assert_uint_eq(b.len, 2);
	ck_assert_mem_eq(b.data, "17", 2);
	ck_assert_int_eq(work_get_handle(&tmpspool, tmpspool_id, 2, &b), 0);
	ck_assert_uint_eq(b.len, 2);
	ck_assert(tmpspool_holds(".wq/handles", FIRST, "17"));
	ck_assert_int_eq(work_drop_handle(&tmpspool, tmpspool_id, 1), 0);
	ck_assert_int_eq(work_get_handle(&tmpspool, tmpspool_id, 1, &b), -ENOENT);
	ck_assert_int_eq(tmpspool_count(".wq/handles"), 1);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	buf_fini(&b);
}
END_TEST

START_TEST(a_handle_has_at_most_4096_bytes)
{
	static char bytes[4097];
	struct buf b = { 0 };
	memset(bytes, 'x', sizeof bytes);
	ck_assert_int_eq(work_put_handle(&tmpspool, tmpspool_id, 1, bytes, 4097), -EFBIG);
	ck_assert_int_eq(work_put_handle(&tmpspool, tmpspool_id, 1, bytes, 4096), 0);
	ck_assert_int_eq(work_get_handle(&tmpspool, tmpspool_id, 1, &b), 0);
	ck_assert_uint_eq(b.len, 4096);
	ck_assert_mem_eq(b.data, bytes, 4096);
	buf_clear(&b);

	int fd = open(tmpspool_at(".wq/handles", FIRST), O_WRONLY | O_APPEND | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "y", 1), 1);
	close(fd);
	ck_assert_int_eq(work_get_handle(&tmpspool, tmpspool_id, 1, &b), -EFBIG);
	ck_assert_uint_eq(b.len, 0);
	buf_fini(&b);
}
END_TEST

START_TEST(what_is_no_file_is_no_handle)
{
	struct buf b = { 0 };
	ck_assert_int_eq(mkfifo(tmpspool_at(".wq/handles", FIRST), 0600), 0);
	ck_assert_int_eq(work_get_handle(&tmpspool, tmpspool_id, 1, &b), -EINVAL);
	ck_assert_int_eq(work_drop_handle(&tmpspool, tmpspool_id, 1), 0);
	ck_assert_int_eq(symlink("/etc/passwd", tmpspool_at(".wq/handles", FIRST)), 0);
	ck_assert_int_eq(work_get_handle(&tmpspool, tmpspool_id, 1, &b), -ELOOP);
	buf_fini(&b);
}
END_TEST

START_TEST(a_handle_that_cannot_be_kept_leaves_the_old_one)
{
	int fds = tmpspool_open_fds();
	ck_assert_int_eq(put("old"), 0);
	for (int k = 1; k <= 4; k++) {
		fault_at(k, ENOSPC);
		ck_assert_int_eq(put("new"), -ENOSPC);
		fault_reset();
		ck_assert(tmpspool_holds(".wq/handles", FIRST, "old"));
		ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
	}
	fault_max_bytes = 1;
	ck_assert_int_eq(put("new"), 0);
	ck_assert(tmpspool_holds(".wq/handles", FIRST, "new"));
}
END_TEST

static TCase *remove_case(void)
{
	TCase *tc = tcase_create("remove");
	tcase_set_timeout(tc, 60); /* thousands of files, under a sanitizer too */
	tcase_add_test(tc, to_remove_none_is_no_failure);
	tcase_add_test(tc, all_that_a_task_may_leave_goes);
	tcase_add_test(tc, what_a_link_points_at_stays);
	tcase_add_test(tc, a_huge_directory_goes);
	tcase_add_test(tc, a_tree_as_deep_as_the_bound_goes);
	tcase_add_test(tc, a_deeper_tree_is_told_and_the_rest_of_it_goes);
	tcase_add_test(tc, what_fails_is_told_and_the_rest_goes);
	tcase_add_test(tc, a_failure_at_any_call_leaves_nothing_open_and_the_next_try_succeeds);
	tcase_add_test(tc, all_attempts_of_an_id_go_and_no_others);
	tcase_add_test(tc, directories_without_permission_go_all_the_same);
	if (geteuid() == 0 && may_mount()) { /* only root mounts, and not in every container */
		tcase_add_loop_test(tc, what_is_mounted_inside_stays_and_is_told, 0, 2);
		tcase_add_test(
			tc, another_file_system_is_not_entered_even_where_rmdir_tells_nothing);
	}
	return tc;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/work");
	TCase *tc = tcase_create("names");
	tcase_add_test(tc, the_name_is_the_id_and_the_attempt);
	tcase_add_test(tc, a_name_is_read_back_and_no_other_spelling_of_it);
	suite_add_tcase(suite, tc);
	tc = tcase_create("make");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, it_is_made_empty_and_closed_to_others);
	tcase_add_test(tc, one_that_is_there_already_is_emptied);
	tcase_add_test(tc, a_link_or_a_file_in_its_place_is_replaced_and_not_followed);
	suite_add_tcase(suite, tc);
	tc = remove_case();
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	suite_add_tcase(suite, tc);
	tc = tcase_create("handles");
	tcase_add_checked_fixture(tc, tmpspool_open, tmpspool_close);
	tcase_add_test(tc, a_handle_is_kept_replaced_and_dropped);
	tcase_add_test(tc, a_handle_has_at_most_4096_bytes);
	tcase_add_test(tc, what_is_no_file_is_no_handle);
	tcase_add_test(tc, a_handle_that_cannot_be_kept_leaves_the_old_one);
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
