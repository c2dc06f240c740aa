/* SPDX-License-Identifier: BSD-2-Clause */
#include "spool/spool.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "spool/publish.h"
#include "support/spool/fault.h"
#include "support/spool/tmpspool.h"

static struct spool sp;
static struct wq_err err;

static void start(void)
{
	tmpspool_make_dir();
	fault_reset();
}

static int open_server(void)
{
	return spool_open_server(&sp, tmpspool_path, &fault_io, &err);
}

static void make_root(void)
{
	ck_assert_int_eq(mkdir(tmpspool_path, 0700), 0);
}

static void make_dir(const char *name)
{
	ck_assert_int_eq(mkdir(tmpspool_at(".", name), 0700), 0);
}

/* A refusal has a text about this spool, opens nothing and adds nothing. */
static void check_refused(int code, const char *word)
{
	int fds = tmpspool_open_fds();
	int entries = access(tmpspool_path, F_OK) == 0 ? tmpspool_count(".") : -1;
	ck_assert_int_eq(open_server(), code);
	ck_assert_int_eq(err.code, code);
	ck_assert_ptr_nonnull(strstr(err.text, tmpspool_path));
	ck_assert_msg(strstr(err.text, word) != NULL, "'%s' is not in: %s", word, err.text);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
	if (entries >= 0)
		ck_assert_int_eq(tmpspool_count("."), entries);
}

static const char *const dirs[] = { "1-requested", "2-pending", "3-running", "4-complete",
	"5-aborting", "work", "finished", ".wq", ".wq/tmp", ".wq/run", ".wq/handles",
	".wq/attempts", ".wq/quarantine" };
enum {
	N_IN_ROOT = 7,
	N_DIRS = sizeof dirs / sizeof *dirs
};

START_TEST(an_absent_spool_is_made_closed_to_others)
{
	struct stat st;

	ck_assert_msg(open_server() == 0, "%s", err.text);

	ck_assert_int_eq(stat(tmpspool_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		ck_assert_int_eq(stat(tmpspool_at(".", dirs[i]), &st), 0);
		ck_assert(S_ISDIR(st.st_mode));
		ck_assert_uint_eq(st.st_mode & 07777, 0700);
	}
	ck_assert_int_eq(stat(tmpspool_at(".", "wq.status"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	for (size_t i = 0; i < N_IN_ROOT; i++)
		ck_assert_int_eq(tmpspool_count(dirs[i]), 0);
	spool_close(&sp);
}
END_TEST

START_TEST(its_marker_names_the_format_and_a_random_uuid)
{
	char text[100];
	ck_assert_int_eq(open_server(), 0);

	snprintf(text, sizeof text, "wq-spool 1\nuuid %s\n", sp.uuid);
	ck_assert(tmpspool_holds(".wq", "spool", text));
	/* RFC 9562: version 4, variant 10. */
	ck_assert_uint_eq(strlen(sp.uuid), 36);
	ck_assert_int_eq(sp.uuid[14], '4');
	ck_assert_ptr_nonnull(strchr("89ab", sp.uuid[19]));
	spool_close(&sp);
}
END_TEST

START_TEST(a_spool_is_opened_again_with_all_that_is_in_it)
{
	char uuid[37];
	ck_assert_int_eq(open_server(), 0);
	memcpy(uuid, sp.uuid, sizeof uuid);
	for (int i = 0; i < 5; i++)
		tmpspool_put(dirs[i], ID_TEXT, "bytes");
	tmpspool_put(".wq/tmp", ID_TEXT, "bytes");
	tmpspool_put("finished", ID_TEXT, "bytes");
	make_dir("work/" ID_TEXT ".1");
	tmpspool_put(".wq/run", "a-record", "bytes");
	tmpspool_put(".wq/handles", ID_TEXT ".1", "bytes");
	tmpspool_put(".wq/attempts", ID_TEXT ".2", "");
	tmpspool_put(".", "a-file-of-the-admin", "bytes");
	spool_close(&sp);

	ck_assert_msg(open_server() == 0, "%s", err.text);

	ck_assert_str_eq(sp.uuid, uuid);
	for (int i = 0; i < 5; i++)
		ck_assert(tmpspool_holds(dirs[i], ID_TEXT, "bytes"));
	ck_assert(tmpspool_holds(".wq/tmp", ID_TEXT, "bytes"));
	ck_assert(tmpspool_holds("finished", ID_TEXT, "bytes"));
	ck_assert(tmpspool_has("work", ID_TEXT ".1"));
	ck_assert(tmpspool_holds(".wq/run", "a-record", "bytes"));
	ck_assert(tmpspool_holds(".wq/handles", ID_TEXT ".1", "bytes"));
	ck_assert(tmpspool_holds(".wq/attempts", ID_TEXT ".2", ""));
	spool_close(&sp);
}
END_TEST

START_TEST(a_spool_of_an_older_server_gets_what_it_lacks)
{
	struct spool client;
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(rmdir(tmpspool_at(".", "finished")), 0);
	ck_assert_int_eq(rmdir(tmpspool_at(".wq", "handles")), 0);
	ck_assert_int_eq(rmdir(tmpspool_at(".wq", "attempts")), 0);

	/* A client takes it as it is. */
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &fault_io, &err), 0);
	ck_assert_int_eq(client.finished_fd, -1);
	ck_assert_int_ge(client.work_fd, 0);
	spool_close(&client);
	ck_assert(!tmpspool_has(".", "finished"));

	ck_assert_msg(open_server() == 0, "%s", err.text);
	ck_assert(tmpspool_has(".", "finished"));
	ck_assert(tmpspool_has(".wq", "handles"));
	ck_assert(tmpspool_has(".wq", "attempts"));
	spool_close(&sp);
}
END_TEST

START_TEST(what_a_killed_server_left_in_tmp_without_an_id_goes)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	tmpspool_put(".wq/tmp", "hwm", "12");
	tmpspool_put(".wq/tmp", "x.aside", "bytes");
	tmpspool_put("2-pending", ".probe", "");

	ck_assert_int_eq(open_server(), 0);

	ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	ck_assert_int_eq(tmpspool_count("2-pending"), 0);
	spool_close(&sp);
}
END_TEST

START_TEST(an_empty_root_and_one_with_lost_and_found_are_taken)
{
	make_root();
	if (_i)
		make_dir("lost+found");

	ck_assert_msg(open_server() == 0, "%s", err.text);
	spool_close(&sp);
}
END_TEST

START_TEST(a_root_may_be_reached_by_a_symbolic_link)
{
	char real[4200];
	snprintf(real, sizeof real, "%s/real", tmpspool_dir);
	ck_assert_int_eq(mkdir(real, 0700), 0);
	ck_assert_int_eq(symlink("real", tmpspool_path), 0);

	ck_assert_msg(open_server() == 0, "%s", err.text);
	spool_close(&sp);
}
END_TEST

/* ---- refusals --------------------------------------------------------------------------------- */

START_TEST(a_root_with_something_else_is_refused_and_left_alone)
{
	make_root();
	tmpspool_put(".", "thesis.tex", "bytes");

	check_refused(-WQ_E_NOT_A_SPOOL, "thesis.tex");
	ck_assert(!tmpspool_has(".", ".wq"));
}
END_TEST

START_TEST(a_strange_name_is_printed_on_one_line)
{
	make_root();
	tmpspool_put(".", "a\nb\x1b[2J", "bytes");

	check_refused(-WQ_E_NOT_A_SPOOL, "a b [2J");
}
END_TEST

START_TEST(a_spool_of_the_python_original_gets_its_own_advice)
{
	make_root();
	for (int i = 0; i < 5; i++)
		make_dir(dirs[i]);

	check_refused(-WQ_E_NOT_A_SPOOL, "holds a spool of the Python workqueue service: drain it "
					 "there and choose a new directory");
}
END_TEST

START_TEST(a_root_that_is_a_file_is_refused)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/file", tmpspool_dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	ck_assert_int_eq(spool_open_server(&sp, path, &fault_io, &err), -WQ_E_NOT_A_SPOOL);
	ck_assert_int_eq(spool_open_client(&sp, path, &fault_io, &err), -WQ_E_NOT_A_SPOOL);
}
END_TEST

START_TEST(a_spool_whose_parent_is_missing_is_enoent)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/missing/spool", tmpspool_dir);
	ck_assert_int_eq(spool_open_server(&sp, path, &fault_io, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
}
END_TEST

START_TEST(a_state_directory_that_is_a_link_or_a_file_is_refused)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(rmdir(tmpspool_at(".", dirs[_i])), 0);
	if (_i % 2)
		ck_assert_int_eq(symlink("/tmp", tmpspool_at(".", dirs[_i])), 0);
	else
		tmpspool_put(".", dirs[_i], "");

	check_refused(-WQ_E_NOT_A_SPOOL, dirs[_i]);
}
END_TEST

START_TEST(a_state_directory_open_to_others_is_refused_and_not_changed)
{
	struct stat st;
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(chmod(tmpspool_at(".", dirs[_i]), 0777), 0);

	check_refused(-EPERM, "chmod");
	ck_assert_int_eq(stat(tmpspool_at(".", dirs[_i]), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0777);
}
END_TEST

START_TEST(a_directory_of_another_user_is_refused)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(
		chown(_i ? tmpspool_path : tmpspool_at(".", "3-running"), 65534, 65534), 0);

	check_refused(-EPERM, "65534");
}
END_TEST

START_TEST(a_state_directory_that_is_missing_is_not_made_anew)
{
	char away[4200];
	snprintf(away, sizeof away, "%s/away", tmpspool_path);
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(rename(tmpspool_at(".", dirs[_i]), away), 0);

	check_refused(-WQ_E_NOT_A_SPOOL, dirs[_i]);

	ck_assert_int_eq(rename(away, tmpspool_at(".", dirs[_i])), 0);
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
}
END_TEST

START_TEST(a_spool_that_has_lost_its_own_directory_is_told_from_a_python_one)
{
	char away[4200];
	snprintf(away, sizeof away, "%s/away", tmpspool_dir);
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(rename(tmpspool_at(".", ".wq"), away), 0);

	check_refused(-WQ_E_NOT_A_SPOOL, "has lost its '.wq'");
}
END_TEST

START_TEST(a_status_page_that_is_a_link_is_refused)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(unlink(tmpspool_at(".", "wq.status")), 0);
	ck_assert_int_eq(symlink("/etc/passwd", tmpspool_at(".", "wq.status")), 0);

	check_refused(-WQ_E_NOT_A_SPOOL, "wq.status");
}
END_TEST

START_TEST(a_newer_format_is_refused_by_name)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(unlink(tmpspool_at(".wq", "spool")), 0);
	tmpspool_put(".wq", "spool", "wq-spool 2\nsomething else\n");

	check_refused(-WQ_E_UNSUPPORTED, "format 2");
}
END_TEST

START_TEST(a_client_refuses_a_history_that_is_a_link)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	int fds = tmpspool_open_fds();
	ck_assert_int_eq(rmdir(tmpspool_at(".", "finished")), 0);
	ck_assert_int_eq(symlink("/tmp", tmpspool_at(".", "finished")), 0);

	ck_assert_int_eq(spool_open_client(&sp, tmpspool_path, &fault_io, &err), -WQ_E_NOT_A_SPOOL);
	ck_assert_ptr_nonnull(strstr(err.text, "finished"));
	ck_assert_int_eq(tmpspool_open_fds(), fds);
}
END_TEST

static const char *const damaged[] = { "", "wq-spool 1\n", "wq-spool 1\nuuid \n",
	"wq-spool 0\nuuid 01234567-89ab-4cde-8f01-23456789abcd\n", "something",
	"wq-spool 1\nuuid 01234567-89AB-4cde-8f01-23456789abcd\n",
	"wq-spool 1\nuuid 01234567-89ab-4cde-8f01-23456789abcd" };

START_TEST(a_damaged_marker_is_refused)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(unlink(tmpspool_at(".wq", "spool")), 0);
	tmpspool_put(".wq", "spool", damaged[_i]);

	check_refused(-WQ_E_NOT_A_SPOOL, "damaged");
}
END_TEST

START_TEST(a_directory_that_folds_case_is_refused)
{
	fault_flags = FS_CASEFOLD_FL;
	ck_assert_int_eq(open_server(), -WQ_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.text, "upper and lower case"));
}
END_TEST

/* ---- half made -------------------------------------------------------------------------------- */

enum {
	STRIDE = 8
}; /* many short tests instead of a long one */

static const char *const in_use[] = { "2-pending", "3-running", "4-complete", "finished", "work",
	"." };

START_TEST(a_spool_whose_making_was_cut_short_is_completed)
{
	int failures = 0;
	for (int k = 1 + _i; k < 300; k += STRIDE) {
		int fds = tmpspool_open_fds();
		fault_at(k, EIO);
		int rc = open_server();
		int calls = fault_calls;
		fault_reset();
		if (rc < 0) {
			failures++;
			ck_assert_int_eq(rc, -EIO);
			ck_assert_int_eq(tmpspool_open_fds(), fds);
			ck_assert_msg(open_server() == 0, "after call %d: %s", k, err.text);
		}
		ck_assert_uint_eq(strlen(sp.uuid), 36);
		spool_close(&sp);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
		tmpspool_remove_dir();
		ck_assert_int_eq(mkdir(tmpspool_dir, 0700), 0);
		if (calls < k)
			break;
	}
	ck_assert_int_ge(failures, 5);
}
END_TEST

/* A power cut may take what was not synced: the directories, the bytes of the marker, its name. */
START_TEST(a_spool_is_not_made_before_it_is_on_disk)
{
	enum {
		SYNCS = 4,
		BEFORE_ITS_NAME = 3
	};
	for (int k = 0; k < SYNCS; k++) {
		fault_after("fsync", EIO, k);
		ck_assert_int_eq(open_server(), -EIO);
		fault_reset();
		ck_assert_int_eq(
			access(tmpspool_at(".wq", "spool"), F_OK) < 0, k < BEFORE_ITS_NAME);
		ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	}
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
}
END_TEST

START_TEST(a_request_that_came_before_the_marker_is_kept)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(unlink(tmpspool_at(".wq", "spool")), 0);
	tmpspool_put("1-requested", ID_TEXT, "bytes");

	ck_assert_msg(open_server() == 0, "%s", err.text);
	ck_assert(tmpspool_holds("1-requested", ID_TEXT, "bytes"));
	spool_close(&sp);
}
END_TEST

START_TEST(a_server_that_was_killed_when_it_tried_the_file_system_has_a_next_one)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(unlink(tmpspool_at(".wq", "spool")), 0);
	tmpspool_put(in_use[_i], ".probe", "");

	ck_assert_msg(open_server() == 0, "%s", err.text);
	ck_assert(!tmpspool_has(in_use[_i], ".probe"));
	spool_close(&sp);
}
END_TEST

START_TEST(without_a_marker_nothing_that_is_in_use_is_taken)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(unlink(tmpspool_at(".wq", "spool")), 0);
	tmpspool_put(in_use[_i], "data", "bytes");

	check_refused(-WQ_E_NOT_A_SPOOL, "data");
}
END_TEST

/* ---- the lock --------------------------------------------------------------------------------- */

START_TEST(a_second_server_is_refused_and_told_the_pid)
{
	struct spool second;
	char pid[32];
	snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
	ck_assert_int_eq(open_server(), 0);
	int fds = tmpspool_open_fds();

	ck_assert_int_eq(spool_open_server(&second, tmpspool_path, &fault_io, &err), -WQ_E_LOCKED);
	ck_assert_ptr_nonnull(strstr(err.text, pid));
	ck_assert_int_eq(tmpspool_open_fds(), fds);

	spool_close(&sp);
	ck_assert_int_eq(spool_open_server(&second, tmpspool_path, &fault_io, &err), 0);
	spool_close(&second);
}
END_TEST

START_TEST(a_second_server_is_refused_though_the_lock_file_was_removed)
{
	struct spool second;
	ck_assert_int_eq(open_server(), 0);
	int fds = tmpspool_open_fds();
	if (_i) {
		char away[4200];
		snprintf(away, sizeof away, "%s/away", tmpspool_path);
		ck_assert_int_eq(rename(tmpspool_at(".", ".wq"), away), 0);
		make_dir(".wq");
		tmpspool_put(
			".wq", "spool", "wq-spool 1\nuuid 01234567-89ab-4cde-8f01-23456789abcd\n");
	} else {
		ck_assert_int_eq(unlink(tmpspool_at(".wq", "lock")), 0);
	}

	ck_assert_int_eq(spool_open_server(&second, tmpspool_path, &fault_io, &err), -WQ_E_LOCKED);
	ck_assert_ptr_nonnull(strstr(err.text, tmpspool_path));
	ck_assert_int_eq(tmpspool_open_fds(), fds);

	spool_close(&sp);
	ck_assert_int_eq(spool_open_server(&second, tmpspool_path, &fault_io, &err), 0);
	spool_close(&second);
}
END_TEST

/* ---- what the file system can do -------------------------------------------------------------- */

START_TEST(a_file_system_without_exchange_is_found_out)
{
	fault_on_flags("renameat2", RENAME_EXCHANGE, EINVAL);
	ck_assert_int_eq(open_server(), 0);
	ck_assert(sp.no_exchange);
	spool_close(&sp);
	fault_reset();
	ck_assert_int_eq(open_server(), 0);
	ck_assert(!sp.no_exchange);
	spool_close(&sp);
}
END_TEST

START_TEST(a_file_system_without_unnamed_files_is_found_out_and_clients_are_told)
{
	struct spool client;
	fault_on_flags("openat", O_TMPFILE, EOPNOTSUPP);
	ck_assert_int_eq(open_server(), 0);
	fault_reset();
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &fault_io, &err), 0);

	ck_assert(sp.named_tmp);
	ck_assert(client.named_tmp);
	spool_close(&client);
	spool_close(&sp);
}
END_TEST

START_TEST(a_file_system_that_cannot_rename_without_replacing_is_refused)
{
	fault_on_flags("renameat2", RENAME_NOREPLACE, EINVAL);
	ck_assert_int_eq(open_server(), -WQ_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.text, "RENAME_NOREPLACE"));
}
END_TEST

START_TEST(a_spool_over_two_mounts_is_refused)
{
	fault_on_flags("renameat2", RENAME_NOREPLACE, EXDEV);
	ck_assert_int_eq(open_server(), -WQ_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.text, "mount"));
}
END_TEST

/* ---- clients ---------------------------------------------------------------------------------- */

START_TEST(a_client_of_no_spool_is_told_how_to_get_one)
{
	ck_assert_int_eq(spool_open_client(&sp, tmpspool_path, &fault_io, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, tmpspool_path));
	ck_assert_ptr_nonnull(strstr(err.text, "wq-server"));
}
END_TEST

START_TEST(a_client_refuses_what_is_not_a_spool_of_ours)
{
	make_root();
	for (int i = 0; i < 5 && _i; i++)
		make_dir(dirs[i]);
	int fds = tmpspool_open_fds();

	ck_assert_int_eq(spool_open_client(&sp, tmpspool_path, &fault_io, &err), -WQ_E_NOT_A_SPOOL);
	ck_assert_int_eq(tmpspool_open_fds(), fds);
}
END_TEST

START_TEST(a_client_opens_a_spool_in_few_calls)
{
	struct spool client;
	ck_assert_int_eq(open_server(), 0);
	fault_reset();

	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &fault_io, &err), 0);

	ck_assert_int_le(fault_calls, 15);
	ck_assert_uint_eq(client.owner, geteuid());
	spool_close(&client);
	spool_close(&sp);
}
END_TEST

START_TEST(a_client_refuses_a_newer_format_and_one_that_is_not_finished)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(unlink(tmpspool_at(".wq", "spool")), 0);
	ck_assert_int_eq(spool_open_client(&sp, tmpspool_path, &fault_io, &err), -WQ_E_NOT_A_SPOOL);
	tmpspool_put(".wq", "spool", "wq-spool 2\n");
	ck_assert_int_eq(spool_open_client(&sp, tmpspool_path, &fault_io, &err), -WQ_E_UNSUPPORTED);
}
END_TEST

START_TEST(a_client_that_fails_leaves_nothing_open)
{
	struct spool client;
	ck_assert_int_eq(open_server(), 0);
	int fds = tmpspool_open_fds();
	for (int k = 1; k <= 15; k++) {
		fault_at(k, EACCES);
		if (spool_open_client(&client, tmpspool_path, &fault_io, &err) == 0)
			spool_close(&client);
		ck_assert_int_eq(tmpspool_open_fds(), fds);
	}
	spool_close(&sp);
}
END_TEST

START_TEST(a_client_of_another_users_spool_is_told_whose_it_is)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(chmod(tmpspool_path, 0700), 0);
	ck_assert(tmpspool_drop_root());
	ck_assert_int_eq(spool_open_client(&sp, tmpspool_path, &fault_io, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "belongs to uid 0 and is private"));
	ck_assert_ptr_nonnull(strstr(err.text, tmpspool_path));
}
END_TEST

START_TEST(all_works_without_privilege)
{
	struct spool client;
	struct reqid id;
	char text[REQID_SIZE];
	ck_assert(tmpspool_drop_root());
	ck_assert_msg(open_server() == 0, "%s", err.text);
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &fault_io, &err), 0);

	ck_assert_int_eq(publish_request(&client, "x", 1, &id, &err), 0);

	ck_assert(tmpspool_holds("1-requested", reqid_format(id, text), "x"));
	spool_close(&client);
	spool_close(&sp);
}
END_TEST

START_TEST(root_publishes_in_a_users_spool_as_that_user)
{
	struct spool client;
	struct reqid id;
	struct stat st;
	char text[REQID_SIZE];
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	ck_assert_int_eq(chown(tmpspool_at(".", "4-complete"), 65534, 65534), 0);
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &fault_io, &err), 0);

	ck_assert_int_eq(publish_request(&client, "x", 1, &id, &err), 0);

	ck_assert_int_eq(stat(tmpspool_at("1-requested", reqid_format(id, text)), &st), 0);
	ck_assert_uint_eq(st.st_uid, 65534);
	spool_close(&client);
}
END_TEST

/* ---- the high-water mark ---------------------------------------------------------------------- */

START_TEST(the_mark_is_kept_over_a_restart)
{
	ck_assert_int_eq(open_server(), 0);
	ck_assert_uint_eq(sp.hwm_us, 0);
	sp.hwm_us = UINT64_C(1511472984123456);
	ck_assert_int_eq(spool_save_hwm(&sp), 0);
	ck_assert(tmpspool_holds(".wq", "hwm", "1511472984123456\n"));
	spool_close(&sp);

	ck_assert_int_eq(open_server(), 0);
	ck_assert_uint_eq(sp.hwm_us, UINT64_C(1511472984123456));
	sp.hwm_us = 7;
	ck_assert_int_eq(spool_save_hwm(&sp), 0);
	ck_assert(tmpspool_holds(".wq", "hwm", "7\n"));
	spool_close(&sp);
}
END_TEST

static const char *const no_marks[] = { "", "12", "x\n", "12x\n", "99999999999999999\n",
	"99999999999999999999999\n", "-1\n" };

START_TEST(a_damaged_mark_counts_as_none)
{
	ck_assert_int_eq(open_server(), 0);
	spool_close(&sp);
	tmpspool_put(".wq", "hwm", no_marks[_i]);

	ck_assert_int_eq(open_server(), 0);
	ck_assert_uint_eq(sp.hwm_us, 0);
	spool_close(&sp);
}
END_TEST

START_TEST(a_mark_that_cannot_be_saved_leaves_the_old_one)
{
	ck_assert_int_eq(open_server(), 0);
	sp.hwm_us = 5;
	ck_assert_int_eq(spool_save_hwm(&sp), 0);
	sp.hwm_us = 6;
	for (int k = 1; k <= 4; k++) {
		fault_at(k, ENOSPC);
		ck_assert_int_eq(spool_save_hwm(&sp), -ENOSPC);
		fault_reset();
		ck_assert(tmpspool_holds(".wq", "hwm", "5\n"));
		ck_assert_int_eq(tmpspool_count(".wq/tmp"), 0);
	}
	spool_close(&sp);
}
END_TEST

START_TEST(an_accepted_id_moves_the_mark_and_cannot_run_it_ahead)
{
	sp.io = &fault_io;
	fault_clock = 1000;
	sp.hwm_us = 500;

	spool_note_id(&sp, (struct reqid){ 600, 0 });
	ck_assert_uint_eq(sp.hwm_us, 600);
	spool_note_id(&sp, (struct reqid){ 550, 0 });
	ck_assert_uint_eq(sp.hwm_us, 600);
	spool_note_id(&sp, (struct reqid){ REQID_US_MAX, 0 });
	ck_assert_uint_eq(sp.hwm_us, 1000);
	spool_note_id(&sp, (struct reqid){ REQID_US_MAX, 0 });
	ck_assert_uint_eq(sp.hwm_us, 1001);
	/* The clock was set back: the mark goes on by itself. */
	fault_clock = 10;
	spool_note_id(&sp, (struct reqid){ 1002, 0 });
	ck_assert_uint_eq(sp.hwm_us, 1002);
}
END_TEST

START_TEST(a_clock_at_its_last_second_leaves_ids_for_when_it_is_set_right)
{
	struct spool client;
	struct reqid id;
	ck_assert_int_eq(open_server(), 0);
	fault_clock = REQID_US_MAX;
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &fault_io, &err), 0);
	ck_assert_int_eq(publish_request(&client, "x", 1, &id, &err), 0);
	ck_assert_uint_eq(id.us, REQID_US_MAX);
	spool_note_id(&sp, id);
	ck_assert_int_eq(publish_request(&client, "x", 1, &id, &err), -EOVERFLOW);
	ck_assert_ptr_nonnull(strstr(err.text, "2286"));
	spool_close(&client);

	fault_clock = UINT64_C(1511472984000000);
	ck_assert_int_eq(spool_open_client(&client, tmpspool_path, &fault_io, &err), 0);
	client.hwm_us = sp.hwm_us;
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(publish_request(&client, "x", 1, &id, &err), 0);
		spool_note_id(&sp, id);
	}
	spool_close(&client);
	spool_close(&sp);
}
END_TEST

static TCase *layout_case(void)
{
	TCase *tc = tcase_create("layout");
	tcase_add_test(tc, an_absent_spool_is_made_closed_to_others);
	tcase_add_test(tc, its_marker_names_the_format_and_a_random_uuid);
	tcase_add_test(tc, a_spool_is_opened_again_with_all_that_is_in_it);
	tcase_add_test(tc, a_spool_of_an_older_server_gets_what_it_lacks);
	tcase_add_test(tc, what_a_killed_server_left_in_tmp_without_an_id_goes);
	tcase_add_loop_test(tc, an_empty_root_and_one_with_lost_and_found_are_taken, 0, 2);
	tcase_add_test(tc, a_root_may_be_reached_by_a_symbolic_link);
	tcase_add_test(tc, a_root_with_something_else_is_refused_and_left_alone);
	tcase_add_test(tc, a_strange_name_is_printed_on_one_line);
	tcase_add_test(tc, a_spool_of_the_python_original_gets_its_own_advice);
	tcase_add_test(tc, a_root_that_is_a_file_is_refused);
	tcase_add_test(tc, a_spool_whose_parent_is_missing_is_enoent);
	tcase_add_loop_test(
		tc, a_state_directory_that_is_a_link_or_a_file_is_refused, 0, N_IN_ROOT);
	tcase_add_loop_test(
		tc, a_state_directory_open_to_others_is_refused_and_not_changed, 0, N_DIRS);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_loop_test(tc, a_directory_of_another_user_is_refused, 0, 2);
	tcase_add_loop_test(
		tc, a_state_directory_that_is_missing_is_not_made_anew, 0, SPOOL_STATE_MAX);
	tcase_add_test(tc, a_spool_that_has_lost_its_own_directory_is_told_from_a_python_one);
	tcase_add_test(tc, a_status_page_that_is_a_link_is_refused);
	tcase_add_test(tc, a_newer_format_is_refused_by_name);
	tcase_add_loop_test(tc, a_damaged_marker_is_refused, 0, sizeof damaged / sizeof *damaged);
	tcase_add_test(tc, a_directory_that_folds_case_is_refused);
	tcase_add_loop_test(tc, a_spool_whose_making_was_cut_short_is_completed, 0, STRIDE);
	tcase_add_test(tc, a_spool_is_not_made_before_it_is_on_disk);
	tcase_add_test(tc, a_request_that_came_before_the_marker_is_kept);
	/* The trial does not come to the last two. */
	tcase_add_loop_test(
		tc, a_server_that_was_killed_when_it_tried_the_file_system_has_a_next_one, 0, 4);
	tcase_add_loop_test(tc, without_a_marker_nothing_that_is_in_use_is_taken, 0, 6);
	tcase_add_test(tc, a_second_server_is_refused_and_told_the_pid);
	tcase_add_loop_test(tc, a_second_server_is_refused_though_the_lock_file_was_removed, 0, 2);
	tcase_add_test(tc, a_file_system_without_exchange_is_found_out);
	tcase_add_test(tc, a_file_system_without_unnamed_files_is_found_out_and_clients_are_told);
	tcase_add_test(tc, a_file_system_that_cannot_rename_without_replacing_is_refused);
	tcase_add_test(tc, a_spool_over_two_mounts_is_refused);
	return tc;
}

static TCase *client_case(void)
{
	TCase *tc = tcase_create("client");
	tcase_add_test(tc, a_client_of_no_spool_is_told_how_to_get_one);
	tcase_add_loop_test(tc, a_client_refuses_what_is_not_a_spool_of_ours, 0, 2);
	tcase_add_test(tc, a_client_refuses_a_history_that_is_a_link);
	tcase_add_test(tc, a_client_opens_a_spool_in_few_calls);
	tcase_add_test(tc, a_client_refuses_a_newer_format_and_one_that_is_not_finished);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_test(tc, a_client_of_another_users_spool_is_told_whose_it_is);
	tcase_add_test(tc, a_client_that_fails_leaves_nothing_open);
	tcase_add_test(tc, all_works_without_privilege);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_test(tc, root_publishes_in_a_users_spool_as_that_user);
	return tc;
}

static TCase *mark_case(void)
{
	TCase *tc = tcase_create("mark");
	tcase_add_test(tc, the_mark_is_kept_over_a_restart);
	tcase_add_loop_test(
		tc, a_damaged_mark_counts_as_none, 0, sizeof no_marks / sizeof *no_marks);
	tcase_add_test(tc, a_mark_that_cannot_be_saved_leaves_the_old_one);
	tcase_add_test(tc, an_accepted_id_moves_the_mark_and_cannot_run_it_ahead);
	tcase_add_test(tc, a_clock_at_its_last_second_leaves_ids_for_when_it_is_set_right);
	return tc;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("spool/spool");
	TCase *tcs[] = { layout_case(), client_case(), mark_case() };
	for (size_t i = 0; i < sizeof tcs / sizeof *tcs; i++) {
		tcase_add_checked_fixture(tcs[i], start, tmpspool_remove_dir);
		suite_add_tcase(suite, tcs[i]);
	}
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
