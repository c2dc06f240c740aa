/* SPDX-License-Identifier: BSD-2-Clause */
/* wq run and wq log, with a server that is played by hand. */
#include "cli/cli.h"

#include "base/buf.h"
#include "cli/exit.h"
#include "codec/result.h"
#include "spool/move.h"
#include "support/cli/command.h"
#include "support/client/hand.h"
#include "support/spool/completing.h"

#include <wq/cbor.h>

#include <argp.h>
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY "1511472984.123456-0k3v9q2m7t1dh"

static struct hand hand;
static struct said said;
static char id[WQ_ID_SIZE];
static int watch_fd;

enum {
	ARGS_MAX = 15
};

static void setup(void)
{
	hand_open(&hand);
	setenv("PATH", "/usr/bin:/bin", 1);
	unsetenv("WQ_SPOOL");
	unsetenv("WQ_TASK_MANAGER");
}

static void teardown(void)
{
	hand_close(&hand);
}

/* ---- the server -------------------------------------------------------------------------------- */

/* In the work directory. */
static const char *at(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/work/%s.1/%s", hand.path, id, name);
	return path;
}

static void watch_for(const char *state)
{
	watch_fd = inotify_init1(IN_CLOEXEC);
	ck_assert_int_ge(watch_fd, 0);
	char path[256];
	snprintf(path, sizeof path, "%s/%s", hand.path, state);
	ck_assert_int_ge(inotify_add_watch(watch_fd, path, IN_CREATE | IN_MOVED_TO), 0);
}

static void take_id(void)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} u;
	ck_assert_int_gt(read(watch_fd, &u, sizeof u), 0);
	snprintf(id, sizeof id, "%s", u.bytes + sizeof u.event);
	close(watch_fd);
}

static void put(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void begin(void)
{
	hand_accept(&hand, id);
	hand_start(&hand, id);
	ck_assert_int_eq(mkdir(at(""), 0700), 0);
	put("stdout", "");
	put("stderr", "");
}

static void write_and_complete(void)
{
	begin();
	put("stdout", "out 1\n");
	put("stderr", "err 1\n");
	put("stdout", "out 2\n");
	hand_complete(&hand, id, 0x05);
}

/* More than a pipe holds and wq takes at a time: nothing is over before somebody reads. */
enum {
	MUCH = 300 * 1000
};

static void put_much(const char *name)
{
	static char much[MUCH + 1];
	memset(much, 'x', MUCH);
	put(name, much);
}

/* A result that is ok, with a report of so many bytes. */
static void complete_with(uint64_t bytes, uint64_t kept)
{
	struct wq_cbor_out report;
	struct buf file = { 0 };
	wq_cbor_out_init(&report);
	wq_cbor_put_map(&report, 1);
	wq_cbor_put_text(&report, "stdout");
	wq_cbor_put_map(&report, 3);
	wq_cbor_put_text(&report, "bytes");
	wq_cbor_put_uint(&report, bytes);
	wq_cbor_put_text(&report, "truncated");
	wq_cbor_put_bool(&report, kept < bytes);
	wq_cbor_put_text(&report, "kept");
	wq_cbor_put_uint(&report, kept);
	struct result result = { .status = RESULT_OK,
		.attempt = 1,
		.task_manager = "build",
		.payload = { .ptr = report.buf, .len = report.len } };
	snprintf(result.id, sizeof result.id, "%s", id);
	ck_assert_int_eq(result_encode(&result, &file), 0);
	ck_assert_int_eq(
		complete_all(&hand.spool, hand_id(id), file.data, file.len, NULL, 0, NULL), 0);
	buf_fini(&file);
	wq_cbor_out_free(&report);
}

/* ---- the command ------------------------------------------------------------------------------- */

/* A command as a process of its own, while this one plays the server; its output comes by pipes. */
struct process {
	pid_t pid;
	int out, err;
};
static struct process process;

static void child(cli_fn *fn, const char *const *argv, const int out[2], const int err[2])
{
	char *copies[ARGS_MAX + 1] = { NULL };
	int argc = 0;
	struct cli cli = { .given = hand.path };
	for (; argv[argc] && argc < ARGS_MAX; argc++)
		copies[argc] = strdup(argv[argc]);
	signal(SIGINT, SIG_DFL); /* Check has a handler of its own */
	dup2(out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	close(out[0]);
	close(err[0]);
	argp_err_exit_status = EXIT_WQ;
	int status = fn(&cli, argc, copies);
	cli_close(&cli);
	for (int i = 0; i < argc; i++)
		free(copies[i]);
	exit(status);
}

static void start(struct process *p, cli_fn *fn, const char *const *argv)
{
	int out[2], err[2];
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	fflush(NULL);
	p->pid = fork();
	ck_assert_int_ge(p->pid, 0);
	if (p->pid == 0)
		child(fn, argv, out, err);
	close(out[1]);
	close(err[1]);
	p->out = out[0];
	p->err = err[0];
}
#define START(p, fn, ...) start(p, fn, (const char *const[]){ __VA_ARGS__, NULL })

/* And its request is there. */
#define START_AND_TAKE(p, fn, ...)                                                                 \
	do {                                                                                       \
		watch_for("1-requested");                                                          \
		START(p, fn, __VA_ARGS__);                                                         \
		take_id();                                                                         \
	} while (0)

static void take_text(int fd, char *ret, size_t size)
{
	size_t len = 0;
	ssize_t n;
	while ((n = read(fd, ret + len, size - 1 - len)) > 0)
		len += (size_t)n;
	ret[len] = '\0';
}

/* The exit status, or minus the signal that ended it; what has not been read yet goes to `said`. */
static int end_of(struct process *p)
{
	int status;
	said.out[0] = '\0';
	if (p->out >= 0) {
		take_text(p->out, said.out, sizeof said.out);
		close(p->out);
	}
	take_text(p->err, said.err, sizeof said.err);
	close(p->err);
	ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- run --------------------------------------------------------------------------------------- */

START_TEST(run_shows_what_the_task_writes_and_exits_as_it_did)
{
	char want[256];
	START_AND_TAKE(&process, cmd_run, "run", "make", "-j4");
	write_and_complete();
	ck_assert_int_eq(end_of(&process), 7);
	ck_assert_str_eq(said.out, "out 1\nout 2\n");
	/* Its exit status is no news. */
	snprintf(want, sizeof want,
		"wq: no server is running on '%s'; waiting for one ('wq status' tells more)\n"
		"err 1\n",
		hand.path);
	ck_assert_str_eq(said.err, want);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(run_in_json_prints_the_result_at_the_end)
{
	json_error_t why;
	START_AND_TAKE(&process, cmd_run, "run", "--json", "make", "--json");
	write_and_complete();
	ck_assert_int_eq(end_of(&process), 7);
	ck_assert_mem_eq(said.out, "out 1\nout 2\n", 12);
	json_t *result = json_loads(said.out + 12, 0, &why);
	ck_assert_msg(result != NULL, "%s", said.out);
	ck_assert_str_eq(json_string_value(json_object_get(result, "id")), id);
	json_decref(result);
}
END_TEST

/* What a request says, as the library reads it. */
static struct wq_details details;

static void look_and_complete(void)
{
	wq_client *client;
	details = (struct wq_details){ .struct_size = sizeof details };
	ck_assert_int_eq(wq_open(&client, hand.path, NULL), 0);
	ck_assert_int_eq(wq_details(client, id, &details, NULL), 0);
	wq_close(client);
	begin();
	hand_complete(&hand, id, 0x05);
}

START_TEST(the_request_is_the_command_and_its_options_are_its_own)
{
	struct wq_cbor_in value;
	START_AND_TAKE(&process, cmd_run, "run", "-m", "build", "-k", "host", "make", "-k", "x y");
	look_and_complete();
	ck_assert_int_eq(end_of(&process), 7);
	ck_assert_str_eq(details.task_manager, "build");
	ck_assert_str_eq(details.key, "host");
	ck_assert_str_eq(details.label, "make -k 'x y'");
	ck_assert_int_eq(wq_cbor_map_find(details.payload, details.payload_len, "argv", &value), 1);
	ck_assert_mem_eq(value.p, "\x83\x64make\x62-k\x63x y", 13);
	wq_details_free(&details);
}
END_TEST

START_TEST(a_line_for_the_shell_and_a_label_are_taken_as_they_are)
{
	struct wq_cbor_in value;
	START_AND_TAKE(&process, cmd_run, "run", "--shell", "-l", "mine", "--", "-a | b");
	look_and_complete();
	ck_assert_int_eq(end_of(&process), 7);
	ck_assert_str_eq(details.label, "mine");
	ck_assert_int_eq(
		wq_cbor_map_find(details.payload, details.payload_len, "shell", &value), 1);
	ck_assert_mem_eq(value.p, "\x66-a | b", 7);
	wq_details_free(&details);
}
END_TEST

START_TEST(enqueue_takes_a_command_behind_two_dashes)
{
	struct wq_cbor_in value;
	START_AND_TAKE(&process, cmd_enqueue, "enqueue", "-m", "build", "--", "make", "a=1", "-x");
	look_and_complete();
	ck_assert_int_eq(end_of(&process), 0);
	ck_assert_mem_eq(said.out, id, strlen(id));
	ck_assert_str_eq(details.label, "make a=1 -x");
	ck_assert_int_eq(wq_cbor_map_find(details.payload, details.payload_len, "argv", &value), 1);
	ck_assert_mem_eq(value.p,
		"\x83\x64make\x63"
		"a=1\x62-x",
		13);
	wq_details_free(&details);
}
END_TEST

static const char *const mistakes[][6] = {
	{ "run" },
	{ "run", "--shell", "a", "b" },
	{ "run", "--run-limit", "soon", "true" },
	{ "run", "--run-limit", "0s", "true" },
	{ "run", "--nonsense", "true" },
	{ "run", "-m", "Not-A-Name", "true" },
};

START_TEST(a_mistake_publishes_nothing_and_exits_with_125)
{
	command_run(&said, hand.path, cmd_run, mistakes[_i], NULL);
	ck_assert_int_eq(said.status, 125);
	ck_assert_str_eq(said.out, "");
	ck_assert_str_ne(said.err, "");
	DIR *dir = fdopendir(
		openat(hand.spool.root_fd, "1-requested", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	ck_assert_int_eq(n, 2); /* "." and ".." */
}
END_TEST

static const char *const enqueue_mistakes[][6] = {
	{ "enqueue", "--shell", "a=1" },
	{ "enqueue", "--stdin" },
	{ "enqueue", "a=1", "--", "make" },
	{ "enqueue", "-f", "-", "--", "make" },
	{ "enqueue", "--each", "--stdin", "--", "make" },
};

START_TEST(what_only_a_command_can_use_is_refused_without_one)
{
	command_run(&said, hand.path, cmd_enqueue, enqueue_mistakes[_i], NULL);
	ck_assert_int_eq(said.status, 125);
	ck_assert_str_eq(said.out, "");
}
END_TEST

static const struct {
	const char *argv[6], *want;
} hints[] = {
	{ { "enqueue", "make" },
		"wq: 'make' is not key=value; to run a command: wq enqueue -- make\n" },
	{ { "enqueue", "make", "-j4", "a b", "c=d" },
		"wq: 'make' is not key=value; to run a command: wq enqueue -- make -j4 'a b' "
		"c=d\n" },
	{ { "enqueue", "-m", "build", "make" },
		"wq: 'make' is not key=value; to run a command: wq enqueue -m build -- make\n" },
	/* Not the first word: no command was meant. */
	{ { "enqueue", "a=1", "b" }, "wq: 'b' is not key=value\n" },
};

START_TEST(a_word_that_is_not_key_value_is_told_what_was_meant)
{
	command_run(&said, hand.path, cmd_enqueue, hints[_i].argv, NULL);
	ck_assert_int_eq(said.status, 125);
	ck_assert_str_eq(said.err, hints[_i].want);
}
END_TEST

/* ---- interrupting ------------------------------------------------------------------------------ */

static void await_text(int fd, const char *want)
{
	char text[1024] = "";
	size_t len = 0;
	while (!strstr(text, want)) {
		ssize_t n = read(fd, text + len, sizeof text - 1 - len);
		ck_assert_msg(n > 0, "'%s' instead of '%s'", text, want);
		len += (size_t)n;
		text[len] = '\0';
	}
}

START_TEST(the_first_interrupt_aborts_and_what_is_written_is_still_shown)
{
	START_AND_TAKE(&process, cmd_run, "run", "sleep");
	begin();
	put("stdout", "at work\n");
	await_text(process.out, "at work\n");
	watch_for("5-aborting");
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	take_id(); /* the mark bears the same name */
	await_text(process.err, "aborting; Ctrl-C again to leave it");
	put("stdout", "cleaning up\n");
	await_text(process.out, "cleaning up\n");
	ck_assert_int_eq(move_remove(&hand.spool, hand_id(id), SPOOL_RUNNING), 0);
	await_text(process.err, "aborted");
	ck_assert_int_eq(end_of(&process), -SIGINT);
}
END_TEST

START_TEST(the_second_interrupt_leaves_it_and_says_its_id)
{
	START_AND_TAKE(&process, cmd_run, "run", "sleep");
	begin();
	put("stdout", "at work\n");
	await_text(process.out, "at work\n");
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	await_text(process.err, "aborting");
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	await_text(process.err, id);
	ck_assert_int_eq(end_of(&process), -SIGINT);
	ck_assert(hand_has(&hand, SPOOL_RUNNING, id));
}
END_TEST

START_TEST(a_result_that_was_there_before_the_abort_counts)
{
	START_AND_TAKE(&process, cmd_run, "run", "sleep");
	begin();
	put("stdout", "at work\n");
	await_text(process.out, "at work\n");
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	await_text(process.err, "aborting");
	hand_complete(&hand, id, 0x05);
	ck_assert_int_eq(end_of(&process), 7);
}
END_TEST

START_TEST(who_reads_no_more_leaves_it_and_it_goes_on)
{
	START_AND_TAKE(&process, cmd_run, "run", "sleep");
	begin();
	close(process.out);
	process.out = -1;
	put("stdout", "to nobody\n");
	await_text(process.err, "standard output is closed");
	ck_assert_int_eq(end_of(&process), 128 + SIGPIPE);
	ck_assert(hand_has(&hand, SPOOL_RUNNING, id));
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, id));
}
END_TEST

/* It writes, and the first byte of MUCH has been read. */
static void run_until_held_up(void)
{
	char byte;
	START_AND_TAKE(&process, cmd_run, "run", "sleep");
	begin();
	put_much("stdout");
	ck_assert_int_eq(read(process.out, &byte, 1), 1);
}

START_TEST(an_interrupt_aborts_also_while_nobody_reads)
{
	run_until_held_up();
	watch_for("5-aborting");
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	take_id();
	await_text(process.err, "aborting; Ctrl-C again to leave it");
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	await_text(process.err, "is being aborted");
	ck_assert_int_eq(end_of(&process), -SIGINT);
}
END_TEST

START_TEST(an_interrupt_spares_a_result_that_is_there)
{
	run_until_held_up();
	hand_complete(&hand, id, 0x05);
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	await_text(process.err, "has ended, and is not aborted");
	ck_assert(!hand_has(&hand, SPOOL_ABORTING, id));
	size_t n = 1;
	char some[4096];
	for (ssize_t got; (got = read(process.out, some, sizeof some)) > 0;)
		n += (size_t)got;
	ck_assert_uint_eq(n, MUCH);
	ck_assert_int_eq(end_of(&process), 7);
	ck_assert(!hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(the_second_interrupt_says_that_it_has_ended)
{
	char want[128];
	run_until_held_up();
	hand_complete(&hand, id, 0x05);
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	await_text(process.err, "has ended");
	ck_assert_int_eq(kill(process.pid, SIGINT), 0);
	snprintf(want, sizeof want, "interrupted; %s has ended: 'wq log %s'", id, id);
	await_text(process.err, want);
	ck_assert_int_eq(end_of(&process), -SIGINT);
	ck_assert(hand_has(&hand, SPOOL_COMPLETE, id));
}
END_TEST

START_TEST(who_reads_no_more_is_told_that_it_has_ended)
{
	run_until_held_up();
	hand_complete(&hand, id, 0x05);
	close(process.out);
	process.out = -1;
	await_text(process.err, "has ended: 'wq log");
	ck_assert_int_eq(end_of(&process), 128 + SIGPIPE);
	ck_assert_ptr_null(strstr(said.err, "goes on"));
}
END_TEST

/* ---- all of it? -------------------------------------------------------------------------------- */

static void collect_by_somebody_else(void)
{
	wq_client *client;
	ck_assert_int_eq(wq_open(&client, hand.path, NULL), 0);
	ck_assert_int_eq(wq_collect(client, id, NULL), 0);
	wq_close(client);
}

START_TEST(a_result_that_somebody_else_takes_away_is_told_from_the_history)
{
	START_AND_TAKE(&process, cmd_run, "run", "make");
	begin();
	put("stdout", "at work\n");
	await_text(process.out, "at work\n");
	ck_assert_int_eq(kill(process.pid, SIGSTOP), 0);
	hand_complete(&hand, id, 0x05);
	collect_by_somebody_else();
	ck_assert_int_eq(kill(process.pid, SIGCONT), 0);
	ck_assert_int_eq(end_of(&process), 7);
}
END_TEST

START_TEST(output_that_was_not_kept_is_told_and_is_no_success)
{
	START_AND_TAKE(&process, cmd_run, "run", "seq");
	begin();
	put("stdout", "1\n2\n");
	complete_with(900, 4);
	ck_assert_int_eq(end_of(&process), 125);
	ck_assert_str_eq(said.out, "1\n2\n");
	ck_assert_ptr_nonnull(strstr(said.err,
		"only the first 4 of 900 bytes of its standard output were kept: output-limit of "
		"task manager 'build'"));
	COMMAND(&said, hand.path, cmd_log, "log", id);
	ck_assert_int_eq(said.status, 0);
	ck_assert_ptr_nonnull(strstr(said.err, "only the first 4 of 900 bytes"));
	COMMAND(&said, hand.path, cmd_log, "log", "--stderr", id);
	ck_assert_str_eq(said.err, "");
}
END_TEST

START_TEST(output_that_was_kept_is_a_success_without_a_word)
{
	START_AND_TAKE(&process, cmd_run, "run", "seq");
	begin();
	put("stdout", "1\n2\n");
	complete_with(4, 4);
	ck_assert_int_eq(end_of(&process), 0);
	ck_assert_ptr_null(strstr(said.err, "bytes"));
	COMMAND(&said, hand.path, cmd_log, "log", id);
	ck_assert_str_eq(said.err, "");
}
END_TEST

START_TEST(output_that_was_removed_before_it_was_read_is_told)
{
	START_AND_TAKE(&process, cmd_run, "run", "seq");
	hand_accept(&hand, id);
	hand_start(&hand, id);
	complete_with(4, 4); /* and of work/ there is nothing */
	ck_assert_int_eq(end_of(&process), 125);
	ck_assert_ptr_nonnull(
		strstr(said.err, "0 of 4 bytes of its standard output were shown, and the rest "
				 "could not be read: keep-work of task manager 'build'"));
}
END_TEST

/* ---- who waits --------------------------------------------------------------------------------- */

static void as_a_task(const char *outer)
{
	setenv("WQ_ID", outer, 1);
	setenv("WQ_TASK_MANAGER", "build", 1);
}

static void run_outer(char ret[WQ_ID_SIZE])
{
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "a=1");
	memcpy(ret, said.out, WQ_ID_SIZE - 1);
	ret[WQ_ID_SIZE - 1] = '\0';
	hand_accept(&hand, ret);
	hand_start(&hand, ret);
}

START_TEST(a_task_that_waits_for_another_one_of_its_task_manager_is_warned)
{
	char outer[WQ_ID_SIZE];
	run_outer(outer);
	as_a_task(outer);
	START_AND_TAKE(&process, cmd_run, "run", "-m", "build", "true");
	await_text(process.err, "itself part of a task of task manager 'build' here");
	begin();
	hand_complete(&hand, id, 0x05);
	ck_assert_int_eq(end_of(&process), 7);
}
END_TEST

START_TEST(a_task_that_waits_for_another_task_manager_or_spool_is_not_warned)
{
	char outer[WQ_ID_SIZE];
	run_outer(outer);
	as_a_task(_i ? outer : NOBODY);
	START_AND_TAKE(&process, cmd_run, "run", "-m", _i ? "other" : "build", "true");
	hand_accept(&hand, id);
	sleep(2); /* longer than it takes to warn */
	hand_start(&hand, id);
	hand_complete(&hand, id, 0x05);
	ck_assert_int_eq(end_of(&process), 7);
	ck_assert_ptr_null(strstr(said.err, "itself part"));
}
END_TEST

/* ---- log --------------------------------------------------------------------------------------- */

static void enqueue(void)
{
	COMMAND(&said, hand.path, cmd_enqueue, "enqueue", "a=1");
	ck_assert_int_eq(said.status, 0);
	memcpy(id, said.out, WQ_ID_SIZE - 1);
}

static void write_both(void)
{
	enqueue();
	begin();
	put("stderr", "err 1\n");
	put("stdout", "out 1\n");
	put("stderr", "err 2\n");
}

START_TEST(log_prints_standard_output_and_then_standard_error)
{
	write_both();
	COMMAND(&said, hand.path, cmd_log, "log", id);
	ck_assert_int_eq(said.status, 0);
	ck_assert_str_eq(said.out, "out 1\nerr 1\nerr 2\n");
	ck_assert_str_eq(said.err, "");
}
END_TEST

START_TEST(log_can_print_one_of_the_two)
{
	write_both();
	COMMAND(&said, hand.path, cmd_log, "log", "--stdout", id);
	ck_assert_str_eq(said.out, "out 1\n");
	COMMAND(&said, hand.path, cmd_log, "log", "--stderr", id);
	ck_assert_str_eq(said.out, "err 1\nerr 2\n");
	COMMAND(&said, hand.path, cmd_log, "log", "--stderr", "--stdout", id);
	ck_assert_str_eq(said.out, "out 1\nerr 1\nerr 2\n");
}
END_TEST

START_TEST(log_of_one_that_is_complete_or_collected_is_the_same)
{
	write_both();
	hand_complete(&hand, id, 0x05);
	COMMAND(&said, hand.path, cmd_log, "log", id);
	ck_assert_str_eq(said.out, "out 1\nerr 1\nerr 2\n");
	COMMAND(&said, hand.path, cmd_wait, "wait", id);
	COMMAND(&said, hand.path, cmd_log, "log", "-f", id);
	ck_assert_int_eq(said.status, 0);
	ck_assert_uint_eq(strlen(said.out), 18);
}
END_TEST

START_TEST(log_follows_one_that_has_not_begun_to_its_end)
{
	enqueue();
	START(&process, cmd_log, "log", "--follow", "--stderr", id);
	begin();
	put("stdout", "1");
	put("stderr", "2");
	hand_complete(&hand, id, 0x05);
	ck_assert_int_eq(end_of(&process), 0);
	ck_assert_str_eq(said.out, "2");
}
END_TEST

START_TEST(log_prints_what_was_there_when_it_began)
{
	char some[4096];
	size_t n = 0;
	enqueue();
	begin();
	put_much("stdout");
	START(&process, cmd_log, "log", id);
	ck_assert_int_eq(read(process.out, some, 1), 1);
	for (int i = 0; i < 10; i++)
		put_much("stdout");
	for (ssize_t got = 1; got > 0; got = read(process.out, some, sizeof some))
		n += (size_t)got;
	ck_assert_uint_eq(n, MUCH);
	ck_assert_int_eq(end_of(&process), 0);
}
END_TEST

START_TEST(log_that_follows_says_that_there_is_no_server)
{
	enqueue();
	START(&process, cmd_log, "log", "-f", id);
	await_text(process.err, "no server is running");
	begin();
	hand_complete(&hand, id, 0x05);
	ck_assert_int_eq(end_of(&process), 0);
}
END_TEST

START_TEST(log_of_what_is_gone_exits_with_121)
{
	COMMAND(&said, hand.path, cmd_log, "log", NOBODY);
	ck_assert_int_eq(said.status, 121);
	ck_assert_ptr_nonnull(strstr(said.err, NOBODY));
	COMMAND(&said, hand.path, cmd_log, "log");
	ck_assert_int_eq(said.status, 125);
	COMMAND(&said, hand.path, cmd_log, "log", NOBODY, NOBODY);
	ck_assert_int_eq(said.status, 125);
}
END_TEST

static void add_run(Suite *s)
{
	TCase *t = tcase_create("run");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, run_shows_what_the_task_writes_and_exits_as_it_did);
	tcase_add_test(t, run_in_json_prints_the_result_at_the_end);
	tcase_add_test(t, the_request_is_the_command_and_its_options_are_its_own);
	tcase_add_test(t, a_line_for_the_shell_and_a_label_are_taken_as_they_are);
	tcase_add_test(t, enqueue_takes_a_command_behind_two_dashes);
	tcase_add_loop_test(t, a_mistake_publishes_nothing_and_exits_with_125, 0,
		(int)(sizeof mistakes / sizeof *mistakes));
	tcase_add_loop_test(t, what_only_a_command_can_use_is_refused_without_one, 0,
		(int)(sizeof enqueue_mistakes / sizeof *enqueue_mistakes));
	tcase_add_loop_test(t, a_word_that_is_not_key_value_is_told_what_was_meant, 0,
		(int)(sizeof hints / sizeof *hints));
	tcase_add_test(t, the_first_interrupt_aborts_and_what_is_written_is_still_shown);
	tcase_add_test(t, the_second_interrupt_leaves_it_and_says_its_id);
	tcase_add_test(t, a_result_that_was_there_before_the_abort_counts);
	tcase_add_test(t, who_reads_no_more_leaves_it_and_it_goes_on);
	suite_add_tcase(s, t);
}

static void add_end(Suite *s)
{
	TCase *t = tcase_create("end");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_interrupt_aborts_also_while_nobody_reads);
	tcase_add_test(t, an_interrupt_spares_a_result_that_is_there);
	tcase_add_test(t, the_second_interrupt_says_that_it_has_ended);
	tcase_add_test(t, who_reads_no_more_is_told_that_it_has_ended);
	tcase_add_test(t, a_result_that_somebody_else_takes_away_is_told_from_the_history);
	tcase_add_test(t, output_that_was_not_kept_is_told_and_is_no_success);
	tcase_add_test(t, output_that_was_kept_is_a_success_without_a_word);
	tcase_add_test(t, output_that_was_removed_before_it_was_read_is_told);
	tcase_add_test(t, a_task_that_waits_for_another_one_of_its_task_manager_is_warned);
	tcase_add_loop_test(
		t, a_task_that_waits_for_another_task_manager_or_spool_is_not_warned, 0, 2);
	suite_add_tcase(s, t);
}

static void add_log(Suite *s)
{
	TCase *t = tcase_create("log");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, log_prints_standard_output_and_then_standard_error);
	tcase_add_test(t, log_can_print_one_of_the_two);
	tcase_add_test(t, log_of_one_that_is_complete_or_collected_is_the_same);
	tcase_add_test(t, log_follows_one_that_has_not_begun_to_its_end);
	tcase_add_test(t, log_prints_what_was_there_when_it_began);
	tcase_add_test(t, log_that_follows_says_that_there_is_no_server);
	tcase_add_test(t, log_of_what_is_gone_exits_with_121);
	suite_add_tcase(s, t);
}

int main(void)
{
	Suite *s = suite_create("cli/run");
	add_run(s);
	add_end(s);
	add_log(s);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
