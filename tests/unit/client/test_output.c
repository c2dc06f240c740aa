/* SPDX-License-Identifier: BSD-2-Clause */
#include <wq/client.h>

#include "base/time.h"
#include "client/client_priv.h"
#include "spool/move.h"
#include "support/client/hand.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define NOBODY "1511472984.123456-0k3v9q2m7t1dh"

enum {
	MIB = 1024 * 1024,
	PLENTY = 1000
};

static struct hand hand;
static wq_client *client;
static wq_output *output;
static struct wq_err err;
static char id[WQ_ID_SIZE];
static char got[8192];
static int32_t which;

static void setup(void)
{
	hand_open(&hand);
	memset(&err, 0, sizeof err);
	output = NULL;
	ck_assert_int_eq(wq_open(&client, hand.path, &err), 0);
	struct wq_request request = { .struct_size = sizeof request };
	ck_assert_int_eq(wq_enqueue(client, &request, id, &err), 0);
}

static void teardown(void)
{
	wq_output_close(output);
	wq_close(client);
	hand_close(&hand);
}

static void follow(void)
{
	int rc = wq_output_open(&output, client, id, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

/* ---- what a task leaves, made by hand ---------------------------------------------------------- */

static const char *at(int attempt, const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/work/%s.%d/%s", hand.path, id, attempt, name);
	return path;
}

static void make_dir(int attempt)
{
	ck_assert_int_eq(mkdir(at(attempt, ""), 0700), 0);
}

static void put(int attempt, const char *name, const char *text)
{
	int fd = open(at(attempt, name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void start(void)
{
	hand_accept(&hand, id);
	hand_start(&hand, id);
}

static void start_with_output(void)
{
	start();
	make_dir(1);
	put(1, "stdout", "");
	put(1, "stderr", "");
}

/* ---- reading ----------------------------------------------------------------------------------- */

static int64_t next(int64_t timeout_ns)
{
	return wq_output_read(output, timeout_ns, &which, got, sizeof got - 1, &err);
}

static void assert_next(int32_t from, const char *text)
{
	int64_t n = next(10 * NS_PER_S);
	ck_assert_msg(n > 0, "%lld: %s", (long long)n, err.text);
	got[n] = '\0';
	ck_assert_str_eq(got, text);
	ck_assert_int_eq(which, from);
}

static void assert_nothing_new(void)
{
	ck_assert_int_eq(next(0), -WQ_E_TIMEOUT);
}

/* All of one of the two, the other must stay silent. */
static size_t read_all_of(int32_t from)
{
	size_t all = 0;
	int64_t n;
	while ((n = next(10 * NS_PER_S)) > 0) {
		ck_assert_int_eq(which, from);
		all += (size_t)n;
	}
	ck_assert_msg(n == 0, "%lld: %s", (long long)n, err.text);
	return all;
}

/* ---- before, while, after ---------------------------------------------------------------------- */

START_TEST(what_is_there_is_read_from_its_beginning)
{
	start_with_output();
	put(1, "stdout", "one\n");
	put(1, "stderr", "two\n");
	follow();

	assert_next(WQ_STDOUT, "one\n");
	assert_next(WQ_STDERR, "two\n");
	assert_nothing_new();
	put(1, "stdout", "three\n");
	assert_next(WQ_STDOUT, "three\n");
	assert_nothing_new();
}
END_TEST

START_TEST(a_request_that_waits_has_nothing_yet)
{
	follow();
	assert_nothing_new();
	hand_accept(&hand, id);
	assert_nothing_new();
	hand_start(&hand, id);
	assert_nothing_new();
	make_dir(1);
	assert_nothing_new();
	put(1, "stderr", "at last");
	assert_next(WQ_STDERR, "at last");
}
END_TEST

START_TEST(the_end_is_told_after_the_last_byte)
{
	start_with_output();
	follow();
	assert_nothing_new();
	put(1, "stdout", "last words");
	hand_complete(&hand, id, 0x05);

	assert_next(WQ_STDOUT, "last words");
	ck_assert_int_eq(next(WQ_FOREVER), 0);
	ck_assert_int_eq(next(0), 0);
}
END_TEST

START_TEST(a_request_that_is_complete_can_be_read)
{
	start_with_output();
	put(1, "stdout", "text");
	hand_complete(&hand, id, 0x05);
	follow();

	assert_next(WQ_STDOUT, "text");
	ck_assert_int_eq(next(WQ_FOREVER), 0);
}
END_TEST

START_TEST(a_request_whose_result_was_collected_can_be_read)
{
	start_with_output();
	put(1, "stderr", "text");
	hand_complete(&hand, id, 0x05);
	ck_assert_int_eq(wq_collect(client, id, &err), 0);
	follow();

	assert_next(WQ_STDERR, "text");
	ck_assert_int_eq(next(WQ_FOREVER), 0);
}
END_TEST

START_TEST(one_without_a_work_directory_ends_without_output)
{
	hand_run(&hand, id, 0x05);
	follow();
	ck_assert_int_eq(next(WQ_FOREVER), 0);
}
END_TEST

START_TEST(one_that_is_withdrawn_while_it_waits_ends)
{
	follow();
	hand_accept(&hand, id);
	assert_nothing_new();
	hand_withdraw(&hand, id);
	ck_assert_int_eq(next(WQ_FOREVER), 0);
}
END_TEST

START_TEST(what_was_open_is_read_though_an_abort_has_removed_it)
{
	start_with_output();
	follow();
	assert_nothing_new();
	put(1, "stdout", "before the abort");
	unlink(at(1, "stdout"));
	unlink(at(1, "stderr"));
	rmdir(at(1, ""));
	ck_assert_int_eq(move_remove(&hand.spool, hand_id(id), SPOOL_RUNNING), 0);

	assert_next(WQ_STDOUT, "before the abort");
	ck_assert_int_eq(next(WQ_FOREVER), 0);
}
END_TEST

START_TEST(one_that_never_was_is_gone)
{
	ck_assert_int_eq(wq_output_open(&output, client, NOBODY, &err), -WQ_E_GONE);
	ck_assert_ptr_nonnull(strstr(err.text, NOBODY));
}
END_TEST

START_TEST(what_is_no_id_is_refused)
{
	ck_assert_int_eq(wq_output_open(&output, client, "../../etc", &err), -WQ_E_FORMAT);
}
END_TEST

/* ---- attempts ---------------------------------------------------------------------------------- */

START_TEST(a_directory_that_is_made_anew_is_followed)
{
	start();
	make_dir(1);
	follow();
	assert_nothing_new();
	/* Its task manager was busy after all. */
	rmdir(at(1, ""));
	ck_assert_int_eq(move_put_back(&hand.spool, hand_id(id)), 0);
	assert_nothing_new();
	hand_start(&hand, id);
	make_dir(1);
	put(1, "stdout", "in the second one");

	assert_next(WQ_STDOUT, "in the second one");
}
END_TEST

START_TEST(a_new_attempt_is_read_after_the_one_before)
{
	start_with_output();
	follow();
	assert_nothing_new();
	put(1, "stdout", "first");
	ck_assert_int_eq(move_put_back(&hand.spool, hand_id(id)), 0);
	hand_start(&hand, id);
	make_dir(2);
	put(2, "stdout", "second");
	hand_complete(&hand, id, 0x05);

	assert_next(WQ_STDOUT, "first");
	assert_next(WQ_STDOUT, "second");
	ck_assert_int_eq(next(WQ_FOREVER), 0);
}
END_TEST

START_TEST(of_several_attempts_the_newest_is_read)
{
	start();
	make_dir(1);
	put(1, "stdout", "old");
	make_dir(3);
	put(3, "stdout", "new");
	hand_complete(&hand, id, 0x05);
	follow();

	assert_next(WQ_STDOUT, "new");
	ck_assert_int_eq(next(WQ_FOREVER), 0);
}
END_TEST

/* ---- waiting ----------------------------------------------------------------------------------- */

/* It begins once the main thread is asleep, which is when a missed event would show. */
static void wait_for_sleep(pid_t tid)
{
	char path[64], text[512], state = 'R';
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
	while (state != 'S') {
		FILE *f = fopen(path, "re");
		ck_assert_ptr_nonnull(f);
		ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
		fclose(f);
		state = strrchr(text, ')')[2];
		sched_yield();
	}
}

/* Each step once the reader sleeps again. */
static void *act_step_by_step(void *arg)
{
	(void)arg;
	wait_for_sleep(getpid());
	start();
	wait_for_sleep(getpid());
	make_dir(1);
	wait_for_sleep(getpid());
	put(1, "stdout", "a");
	put(1, "stderr", "");
	wait_for_sleep(getpid());
	put(1, "stderr", "b");
	wait_for_sleep(getpid());
	hand_complete(&hand, id, 0x05);
	return NULL;
}

START_TEST(each_step_wakes_who_waits_for_it)
{
	pthread_t thread;
	follow();
	ck_assert_int_eq(pthread_create(&thread, NULL, act_step_by_step, NULL), 0);
	int64_t begin = time_mono_ns();

	assert_next(WQ_STDOUT, "a");
	assert_next(WQ_STDERR, "b");
	ck_assert_int_eq(next(WQ_FOREVER), 0);

	ck_assert_int_lt(time_mono_ns() - begin, 3 * NS_PER_S);
	pthread_join(thread, NULL);
}
END_TEST

static void *splice_into(void *arg)
{
	const int *ends = arg;
	wait_for_sleep(getpid());
	int fd = open(at(1, "stdout"), O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write(ends[1], "spliced", 7), 7);
	ck_assert_int_eq(splice(ends[0], NULL, fd, NULL, 7, 0), 7);
	close(fd);
	return NULL;
}

START_TEST(what_is_spliced_into_the_file_wakes_too)
{
	pthread_t thread;
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	start_with_output();
	follow();
	ck_assert_int_eq(pthread_create(&thread, NULL, splice_into, ends), 0);
	assert_next(WQ_STDOUT, "spliced");
	pthread_join(thread, NULL);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_time_out_is_kept_and_said)
{
	start_with_output();
	follow();
	int64_t begin = time_mono_ns();
	ck_assert_int_eq(next(30 * NS_PER_MS), -WQ_E_TIMEOUT);
	ck_assert_int_ge(time_mono_ns() - begin, 30 * NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(err.text, id));
}
END_TEST

static void on_alarm(int signal_number)
{
	(void)signal_number;
}

START_TEST(a_signal_handler_interrupts_it)
{
	struct sigaction handler = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value = { .tv_usec = 20000 },
		.it_interval = { .tv_usec = 20000 } };
	start_with_output();
	follow();
	sigaction(SIGALRM, &handler, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	ck_assert_int_eq(next(WQ_FOREVER), -EINTR);
	struct itimerval never = { 0 };
	setitimer(ITIMER_REAL, &never, NULL);
}
END_TEST

/* How many inotify watches of this process are on a directory; proc(5), fdinfo. */
static int count_watches(const char *path)
{
	char line[512], want[64];
	struct stat st;
	int n = 0;
	DIR *dir = opendir("/proc/self/fdinfo");
	ck_assert_ptr_nonnull(dir);
	ck_assert_int_eq(stat(path, &st), 0);
	snprintf(want, sizeof want, " ino:%llx ", (unsigned long long)st.st_ino);
	for (struct dirent *e; (e = readdir(dir));) {
		int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
		FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
		while (f && fgets(line, sizeof line, f))
			n += strncmp(line, "inotify wd:", 11) == 0 && strstr(line, want) != NULL;
		if (f)
			fclose(f);
	}
	closedir(dir);
	return n;
}

START_TEST(other_tasks_do_not_wake_who_has_its_files)
{
	char work[128];
	snprintf(work, sizeof work, "%s/work", hand.path);
	follow();
	assert_nothing_new();
	ck_assert_int_eq(count_watches(work), 1);
	start_with_output();
	assert_nothing_new();
	ck_assert_int_eq(count_watches(work), 0);
	ck_assert_int_eq(count_watches(at(1, "")), 0);
	ck_assert_int_eq(count_watches(at(1, "stdout")), 1);
	ck_assert_int_eq(count_watches(at(1, "stderr")), 1);
}
END_TEST

static struct spool_io counting;
static int looks;

static int count_looks(int dir, const char *name, struct stat *st, int flags)
{
	looks++;
	return spool_io_real.fstatat(dir, name, st, flags);
}

START_TEST(the_directory_of_another_task_costs_no_look)
{
	char other[128];
	counting = spool_io_real;
	counting.fstatat = count_looks;
	follow();
	hand_accept(&hand, id);
	assert_nothing_new();
	client->spool.io = &counting;
	snprintf(other, sizeof other, "%s/work/" NOBODY ".1", hand.path);
	ck_assert_int_eq(mkdir(other, 0700), 0);
	assert_nothing_new();
	ck_assert_int_eq(looks, 0);
	make_dir(1);
	assert_nothing_new();
	ck_assert_int_gt(looks, 0);
	client->spool.io = &spool_io_real;
}
END_TEST

/* ---- without inotify --------------------------------------------------------------------------- */

static sem_t seen;

static void *act_late(void *arg)
{
	(void)arg;
	wait_for_sleep(getpid());
	start_with_output();
	put(1, "stdout", "seen");
	sem_wait(&seen);
	wait_for_sleep(getpid());
	put(1, "stdout", "and later");
	sem_wait(&seen);
	wait_for_sleep(getpid());
	hand_complete(&hand, id, 0x05);
	return NULL;
}

/* In place of the C library's: they fail as they do when a user has too many. */
static int instances = PLENTY, watches = PLENTY;

int inotify_init1(int flags)
{
	if (instances == 0) {
		errno = EMFILE;
		return -1;
	}
	instances--;
	return (int)syscall(SYS_inotify_init1, flags);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (watches == 0) {
		errno = ENOSPC;
		return -1;
	}
	watches--;
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

int inotify_rm_watch(int fd, int wd)
{
	watches++;
	return (int)syscall(SYS_inotify_rm_watch, fd, wd);
}

static void follow_late(void)
{
	pthread_t thread;
	int64_t begin = time_mono_ns();
	sem_init(&seen, 0, 0);
	follow();
	ck_assert_int_eq(pthread_create(&thread, NULL, act_late, NULL), 0);
	assert_next(WQ_STDOUT, "seen");
	sem_post(&seen);
	assert_next(WQ_STDOUT, "and later");
	sem_post(&seen);
	ck_assert_int_eq(next(10 * NS_PER_S), 0);
	/* Looks are at most a second apart. */
	ck_assert_int_lt(time_mono_ns() - begin, 5 * NS_PER_S);
	pthread_join(thread, NULL);
}

START_TEST(without_inotify_it_looks_from_time_to_time)
{
	instances = 0;
	follow_late();
}
END_TEST

START_TEST(with_few_watches_it_looks_from_time_to_time)
{
	watches = _i;
	follow_late();
}
END_TEST

START_TEST(one_inotify_instance_is_enough)
{
	instances = 1;
	follow_late();
}
END_TEST

START_TEST(watches_are_used_once_they_are_to_be_had)
{
	start_with_output();
	watches = 0;
	follow();
	assert_nothing_new();
	ck_assert_int_eq(count_watches(at(1, "stdout")), 0);
	watches = PLENTY;
	assert_nothing_new();
	ck_assert_int_eq(count_watches(at(1, "stdout")), 1);
	ck_assert_int_eq(count_watches(at(1, "stderr")), 1);
}
END_TEST

/* ---- bounds and hostile files ------------------------------------------------------------------- */

START_TEST(much_output_comes_whole_and_both_in_turn)
{
	char *much = malloc(MIB + 1);
	start_with_output();
	memset(much, 'x', MIB);
	much[MIB] = '\0';
	put(1, "stdout", much);
	put(1, "stderr", much);
	hand_complete(&hand, id, 0x05);
	follow();
	free(much);

	size_t all[3] = { 0 };
	int32_t last = 0;
	int64_t n;
	for (int i = 0; (n = next(0)) > 0; i++) {
		ck_assert_int_ne(which, last);
		last = which;
		all[which] += (size_t)n;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(all[WQ_STDOUT], MIB);
	ck_assert_uint_eq(all[WQ_STDERR], MIB);
}
END_TEST

static void make_link(const char *path)
{
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
}

static void make_fifo(const char *path)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void make_directory(const char *path)
{
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void (*const makers[])(const char *) = { make_link, make_fifo, make_directory };

START_TEST(what_is_no_plain_file_is_refused_once_and_the_other_is_read)
{
	start();
	make_dir(1);
	makers[_i](at(1, "stdout"));
	put(1, "stderr", "text");
	hand_complete(&hand, id, 0x05);
	follow();

	ck_assert_int_eq(next(0), -WQ_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "'stdout'"));
	ck_assert_uint_eq(read_all_of(WQ_STDERR), 4);
}
END_TEST

START_TEST(no_room_is_a_mistake_of_the_caller)
{
	start_with_output();
	put(1, "stdout", "text");
	follow();
	ck_assert_int_eq(wq_output_read(output, 0, &which, got, 0, &err), -EINVAL);
	assert_next(WQ_STDOUT, "text");
}
END_TEST

START_TEST(two_can_follow_the_same_task)
{
	wq_output *other;
	start_with_output();
	put(1, "stdout", "text");
	follow();
	ck_assert_int_eq(wq_output_open(&other, client, id, &err), 0);
	assert_next(WQ_STDOUT, "text");
	ck_assert_int_eq(wq_output_read(other, 0, &which, got, sizeof got, &err), 4);
	wq_output_close(other);
}
END_TEST

static void add_tests(Suite *s)
{
	TCase *t = tcase_create("output");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_is_there_is_read_from_its_beginning);
	tcase_add_test(t, a_request_that_waits_has_nothing_yet);
	tcase_add_test(t, the_end_is_told_after_the_last_byte);
	tcase_add_test(t, a_request_that_is_complete_can_be_read);
	tcase_add_test(t, a_request_whose_result_was_collected_can_be_read);
	tcase_add_test(t, one_without_a_work_directory_ends_without_output);
	tcase_add_test(t, one_that_is_withdrawn_while_it_waits_ends);
	tcase_add_test(t, what_was_open_is_read_though_an_abort_has_removed_it);
	tcase_add_test(t, one_that_never_was_is_gone);
	tcase_add_test(t, what_is_no_id_is_refused);
	tcase_add_test(t, a_directory_that_is_made_anew_is_followed);
	tcase_add_test(t, a_new_attempt_is_read_after_the_one_before);
	tcase_add_test(t, of_several_attempts_the_newest_is_read);
	tcase_add_test(t, each_step_wakes_who_waits_for_it);
	tcase_add_test(t, what_is_spliced_into_the_file_wakes_too);
	tcase_add_test(t, a_time_out_is_kept_and_said);
	tcase_add_test(t, a_signal_handler_interrupts_it);
	tcase_add_test(t, other_tasks_do_not_wake_who_has_its_files);
	tcase_add_test(t, the_directory_of_another_task_costs_no_look);
	tcase_add_test(t, without_inotify_it_looks_from_time_to_time);
	tcase_add_loop_test(t, with_few_watches_it_looks_from_time_to_time, 0, 5);
	tcase_add_test(t, one_inotify_instance_is_enough);
	tcase_add_test(t, watches_are_used_once_they_are_to_be_had);
	tcase_add_test(t, much_output_comes_whole_and_both_in_turn);
	tcase_add_loop_test(t, what_is_no_plain_file_is_refused_once_and_the_other_is_read, 0,
		(int)(sizeof makers / sizeof *makers));
	tcase_add_test(t, no_room_is_a_mistake_of_the_caller);
	tcase_add_test(t, two_can_follow_the_same_task);
	suite_add_tcase(s, t);
}

int main(void)
{
	Suite *s = suite_create("client/output");
	add_tests(s);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
