/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/control.h"

#include "base/err.h"
#include "support/control/sock.h"

#include <wq/cbor.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct wq_bytes no_args;

/* What a handler of the tests answers: {"you-asked": what, "with": args or null}, or what its name
 * says. */
static _Atomic uid_t asked_by;

static int handler(void *arg, uid_t uid, const char *what, struct wq_bytes args, struct buf *ret,
	struct wq_err *err)
{
	struct sock_server *s = arg;
	asked_by = uid;
	if (strcmp(what, "fail") == 0)
		return err_set_name(err, -WQ_E_UNKNOWN, "no-such-thing", "there is no such thing");
	if (strcmp(what, "renew") == 0) {
		int rc = control_renew(s->control, err);
		return rc < 0 ? rc : buf_add(ret, rc ? "\x01" : "\x00", 1);
	}
	if (strcmp(what, "nameless") == 0)
		return err_set(err, -WQ_E_STATE, "not now");
	if (strcmp(what, "huge") == 0 || strcmp(what, "most") == 0) {
		size_t len = CONTROL_ANSWER_MAX - 5 + (*what == 'h');
		struct wq_cbor_out out;
		char *text = malloc(len);
		ck_assert_ptr_nonnull(text);
		memset(text, 'x', len);
		wq_cbor_out_init(&out);
		wq_cbor_put_text_n(&out, text, len);
		ck_assert_int_eq(buf_add(ret, out.buf, out.len), 0);
		wq_cbor_out_free(&out);
		free(text);
		return 0;
	}
	struct wq_cbor_out out;
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, 2);
	wq_cbor_put_text(&out, "you-asked");
	wq_cbor_put_text(&out, what);
	wq_cbor_put_text(&out, "with");
	if (args.len)
		wq_cbor_put_raw(&out, args.ptr, args.len);
	else
		wq_cbor_put_null(&out);
	ck_assert_int_eq(buf_add(ret, out.buf, out.len), 0);
	wq_cbor_out_free(&out);
	return 0;
}

static struct sock_server server;

static void setup(void)
{
	sock_server_init(&server);
	sock_server_start(&server, handler);
}

static void teardown(void)
{
	sock_server_stop(&server);
	sock_server_fini(&server);
}

static void assert_good_ask(void)
{
	struct buf answer = { 0 };
	struct wq_err err = { 0 };
	const char *text = NULL;
	size_t len = 0;
	int rc = control_ask(server.dir_fd, "status", no_args, &answer, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(wq_cbor_find_text(answer.data, answer.len, "you-asked", &text, &len), 1);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(text, "status", 6);
	buf_fini(&answer);
}

static int ask(const char *what, struct wq_err *err)
{
	struct buf answer = { 0 };
	int rc = control_ask(server.dir_fd, what, no_args, &answer, err);
	buf_fini(&answer);
	return rc;
}

/* Send bytes as they are, and say which error name comes back. */
static void assert_refused(const void *bytes, size_t len, const char *name)
{
	uint8_t answer[1024];
	const char *text = NULL;
	size_t text_len = 0;
	int fd = sock_connect(&server);
	ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	ssize_t n = recv(fd, answer, sizeof answer, 0);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(wq_cbor_find_text(answer, (size_t)n, "error", &text, &text_len), 1);
	ck_assert_msg(text_len == strlen(name) && memcmp(text, name, text_len) == 0, "'%.*s'",
		(int)text_len, text);
	close(fd);
}

START_TEST(a_question_gets_the_handlers_answer)
{
	asked_by = (uid_t)-1;
	assert_good_ask();
	ck_assert_uint_eq(asked_by, geteuid());
}
END_TEST

/* What the handler was given as arguments. */
static void assert_arrives(const void *args, size_t len, const void *expected, size_t expected_len)
{
	struct wq_bytes given = { .ptr = args, .len = len };
	struct buf answer = { 0 };
	struct wq_err err = { 0 };
	struct wq_cbor_in in;
	int rc = control_ask(server.dir_fd, "set", given, &answer, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(wq_cbor_map_find(answer.data, answer.len, "with", &in), 1);
	ck_assert_uint_eq((size_t)(in.end - in.p), expected_len);
	ck_assert_mem_eq(in.p, expected, expected_len);
	buf_fini(&answer);
}

START_TEST(the_arguments_of_a_question_arrive_as_they_were_given)
{
	/* {"name": "max-running", "value": 4} */
	static const char set[] = "\xa2\x64"
				  "name\x6b"
				  "max-running\x65"
				  "value\x04";
	assert_arrives(set, sizeof set - 1, set, sizeof set - 1);
	/* {}: a map, if an empty one */
	assert_arrives("\xa0", 1, "\xa0", 1);
	/* none: null */
	assert_arrives(NULL, 0, "\xf6", 1);
}
END_TEST

START_TEST(arguments_that_are_no_map_are_not_sent)
{
	static const struct wq_bytes wrong[] = {
		{ "\x01", 1 },             /* a number */
		{ "\xa0\xa0", 2 },         /* two maps */
		{ "\xa1\x61", 2 },         /* cut */
		{ "\xbf\xff", 2 },         /* of indefinite length */
		{ "\xd9\xd9\xf7\xa0", 4 }, /* a tagged map */
	};
	struct buf answer = { 0 };
	/* Nobody needs to listen for that. */
	sock_server_stop(&server);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct wq_err err = { 0 };
		ck_assert_int_eq(
			control_ask(server.dir_fd, "set", wrong[i], &answer, &err), -WQ_E_FORMAT);
		ck_assert_msg(strstr(err.text, "arguments") != NULL, "%s", err.text);
	}
	ck_assert_uint_eq(answer.len, 0);
	buf_fini(&answer);
}
END_TEST

START_TEST(arguments_as_deep_as_a_message_may_be_arrive_and_deeper_ones_are_not_sent)
{
	/* {"": {"": ... {"": {}}}}: 15 maps, and the message around them is the 16th */
	struct buf args = { 0 }, answer = { 0 };
	struct wq_err err = { 0 };
	for (int i = 0; i < 14; i++)
		ck_assert_int_eq(buf_add(&args, "\xa1\x60", 2), 0);
	ck_assert_int_eq(buf_add(&args, "\xa0", 1), 0);
	struct wq_bytes given = { .ptr = args.data, .len = args.len };
	/* The answer of the handler is a map in a map too: it is as deep as the question. */
	int rc = control_ask(server.dir_fd, "fail", given, &answer, &err);
	ck_assert_int_eq(rc, -WQ_E_REFUSED);
	ck_assert_str_eq(err.name, "no-such-thing");
	buf_clear(&args);
	for (int i = 0; i < 15; i++)
		ck_assert_int_eq(buf_add(&args, "\xa1\x60", 2), 0);
	ck_assert_int_eq(buf_add(&args, "\xa0", 1), 0);
	given = (struct wq_bytes){ .ptr = args.data, .len = args.len };
	ck_assert_int_eq(control_ask(server.dir_fd, "fail", given, &answer, &err), -WQ_E_FORMAT);
	ck_assert_str_eq(err.name, "too-deep");
	buf_fini(&args);
	buf_fini(&answer);
}
END_TEST

START_TEST(arguments_that_make_a_question_too_long_are_not_sent)
{
	struct wq_err err = { 0 };
	struct buf answer = { 0 };
	struct wq_cbor_out out;
	static char text[CONTROL_ASK_MAX];
	memset(text, 'x', sizeof text);
	wq_cbor_out_init(&out);
	wq_cbor_put_map(&out, 1);
	wq_cbor_put_text(&out, "value");
	wq_cbor_put_text_n(&out, text, sizeof text);
	struct wq_bytes args = { .ptr = out.buf, .len = out.len };
	ck_assert_int_eq(control_ask(server.dir_fd, "set", args, &answer, &err), -WQ_E_LIMIT);
	wq_cbor_out_free(&out);
	buf_fini(&answer);
}
END_TEST

START_TEST(a_failure_of_the_handler_arrives_with_its_name_and_sentence)
{
	struct wq_err err = { 0 };
	ck_assert_int_eq(ask("fail", &err), -WQ_E_REFUSED);
	ck_assert_str_eq(err.name, "no-such-thing");
	ck_assert_str_eq(err.text, "there is no such thing");
}
END_TEST

START_TEST(a_failure_without_a_name_has_that_of_its_code)
{
	struct wq_err err = { 0 };
	ck_assert_int_eq(ask("nameless", &err), -WQ_E_REFUSED);
	ck_assert_str_eq(err.name, "WQ_E_STATE");
}
END_TEST

START_TEST(the_largest_answer_arrives_whole)
{
	struct buf answer = { 0 };
	struct wq_err err = { 0 };
	int rc = control_ask(server.dir_fd, "most", no_args, &answer, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_uint_eq(answer.len, CONTROL_ANSWER_MAX);
	ck_assert_int_eq(wq_cbor_check(answer.data, answer.len, NULL, NULL, NULL), 0);
	buf_fini(&answer);
}
END_TEST

START_TEST(an_answer_above_the_limit_is_an_error_not_a_cut_message)
{
	struct wq_err err = { 0 };
	ck_assert_int_eq(ask("huge", &err), -WQ_E_REFUSED);
	ck_assert_str_eq(err.name, "too-big");
}
END_TEST

START_TEST(bytes_that_are_no_cbor_are_refused_and_the_server_goes_on)
{
	assert_refused("\xff\xff\xff", 3, "bad-cbor");
	/* a map of one pair that ends after its head (RFC 8949 appendix F) */
	assert_refused("\xa1", 1, "truncated");
	/* null: well-formed, but no map */
	assert_refused("\xf6", 1, "missing-key");
	assert_good_ask();
}
END_TEST

START_TEST(a_question_whose_arguments_are_no_map_is_refused_and_the_server_goes_on)
{
	/* {"ask": "x", "args": [], "wq-control": 1} */
	static const char list[] = "\xa3\x63"
				   "ask\x61"
				   "x\x64"
				   "args\x80\x6a"
				   "wq-control\x01";
	assert_refused(list, sizeof list - 1, "bad-value");
	assert_good_ask();
}
END_TEST

START_TEST(a_question_above_the_limit_is_refused_and_the_server_goes_on)
{
	char *big = calloc(1, CONTROL_ASK_MAX + 1);
	ck_assert_ptr_nonnull(big);
	assert_refused(big, CONTROL_ASK_MAX + 1, "too-big");
	free(big);
	assert_good_ask();
}
END_TEST

START_TEST(another_version_is_refused_and_the_text_names_both)
{
	/* {"ask": "status", "wq-control": 7} */
	static const char bytes[] = "\xa2\x63"
				    "ask\x66"
				    "status\x6a"
				    "wq-control\x07";
	uint8_t answer[1024];
	const char *text = NULL;
	size_t len = 0;
	char copy[512];
	assert_refused(bytes, sizeof bytes - 1, "unsupported-version");

	int fd = sock_connect(&server);
	ck_assert_int_gt(send(fd, bytes, sizeof bytes - 1, 0), 0);
	ssize_t n = recv(fd, answer, sizeof answer, 0);
	ck_assert_int_eq(wq_cbor_find_text(answer, (size_t)n, "text", &text, &len), 1);
	snprintf(copy, sizeof copy, "%.*s", (int)len, text);
	ck_assert_ptr_nonnull(strstr(copy, "7"));
	ck_assert_ptr_nonnull(strstr(copy, "1"));
	close(fd);
}
END_TEST

START_TEST(a_question_with_an_empty_or_long_name_is_refused)
{
	char what[128];
	struct wq_err err = { 0 };
	ck_assert_int_eq(ask("", &err), -WQ_E_REFUSED);
	ck_assert_str_eq(err.name, "bad-value");
	memset(what, 'a', sizeof what);
	what[127] = '\0';
	ck_assert_int_eq(ask(what, &err), -WQ_E_REFUSED);
	ck_assert_str_eq(err.name, "bad-value");
}
END_TEST

START_TEST(many_questions_may_use_one_connection)
{
	/* {"ask": "x", "wq-control": 1} */
	static const char bytes[] = "\xa2\x63"
				    "ask\x61"
				    "x\x6a"
				    "wq-control\x01";
	uint8_t answer[1024];
	int fd = sock_connect(&server);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(send(fd, bytes, sizeof bytes - 1, 0), (ssize_t)sizeof bytes - 1);
		ck_assert_int_gt(recv(fd, answer, sizeof answer, 0), 0);
	}
	close(fd);
}
END_TEST

START_TEST(a_hundred_silent_connections_do_not_keep_others_out)
{
	int fds[100];
	for (int i = 0; i < 100; i++)
		fds[i] = sock_connect(&server);
	assert_good_ask();
	/* The oldest has been hung up on, the newest has not. */
	char byte;
	ck_assert_int_eq(recv(fds[0], &byte, 1, 0), 0);
	ck_assert_int_eq(recv(fds[99], &byte, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
}
END_TEST

/* control_ask in a child that may have more descriptors than we: its code. */
static int ask_in_child(void)
{
	int status;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct rlimit limit;
		struct buf answer = { 0 };
		if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
			_exit(100);
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			_exit(100);
		_exit(control_ask(server.dir_fd, "status", no_args, &answer, NULL) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(a_server_without_descriptors_answers_one_after_the_other)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (dup(0) >= 0) {
		/* until all are taken */
	}
	ck_assert_int_eq(errno, EMFILE);

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(ask_in_child(), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_good_ask();
}
END_TEST

START_TEST(a_client_that_reads_no_answers_is_hung_up_on)
{
	/* {"ask": "most", "wq-control": 1}: answers fill the socket's buffer at once */
	static const char bytes[] = "\xa2\x63"
				    "ask\x64"
				    "most\x6a"
				    "wq-control\x01";
	int fd = sock_connect(&server);
	ssize_t n = 0;
	/* The loop ends when the server closes: EPIPE or ECONNRESET. */
	while (n >= 0)
		n = send(fd, bytes, sizeof bytes - 1, MSG_NOSIGNAL);
	ck_assert_msg(errno == EPIPE || errno == ECONNRESET, "%s", strerror(errno));
	close(fd);
	assert_good_ask();
}
END_TEST

START_TEST(asking_where_nobody_listens_says_gone)
{
	struct wq_err err = { 0 };
	sock_server_stop(&server);
	ck_assert_int_eq(ask("status", &err), -WQ_E_GONE);
	ck_assert_ptr_nonnull(strstr(err.text, "no server"));
}
END_TEST

START_TEST(asking_a_socket_that_a_dead_server_left_says_gone)
{
	struct wq_err err = { 0 };
	sock_server_stop(&server);
	sock_leave_dead(&server);
	ck_assert_int_eq(ask("status", &err), -WQ_E_GONE);
}
END_TEST

START_TEST(a_dead_socket_is_replaced)
{
	sock_server_stop(&server);
	sock_leave_dead(&server);
	sock_server_start(&server, handler);
	assert_good_ask();
}
END_TEST

/* A question over a connection of before, and whether these bytes are in the answer. */
static bool asked_over(int fd, const char *wanted, size_t len)
{
	/* {"ask": "renew", "wq-control": 1} */
	static const char bytes[] = "\xa2\x63"
				    "ask\x65"
				    "renew\x6a"
				    "wq-control\x01";
	uint8_t answer[1024];
	ck_assert_int_eq(send(fd, bytes, sizeof bytes - 1, 0), (ssize_t)sizeof bytes - 1);
	ssize_t n = recv(fd, answer, sizeof answer, 0);
	ck_assert_int_gt(n, 0);
	return memmem(answer, (size_t)n, wanted, len) != NULL;
}

START_TEST(a_socket_that_was_removed_is_made_anew_and_connections_stay)
{
	static const char made[] = "answer\x01", there[] = "answer\x00";
	int fd = sock_connect(&server);
	ck_assert(asked_over(fd, there, sizeof there - 1));
	ck_assert_int_eq(unlinkat(server.dir_fd, "wq.sock", 0), 0);

	ck_assert(asked_over(fd, made, sizeof made - 1));

	assert_good_ask();
	ck_assert(asked_over(fd, there, sizeof there - 1));
	close(fd);
}
END_TEST

START_TEST(a_socket_is_not_made_where_something_else_stands)
{
	static const char refused[] = "error", made[] = "answer\x01";
	int fd = sock_connect(&server);
	ck_assert_int_eq(unlinkat(server.dir_fd, "wq.sock", 0), 0);
	ck_assert_int_eq(symlinkat("/tmp", server.dir_fd, "wq.sock"), 0);

	ck_assert(asked_over(fd, refused, sizeof refused - 1));

	ck_assert_int_eq(unlinkat(server.dir_fd, "wq.sock", 0), 0);
	ck_assert(asked_over(fd, made, sizeof made - 1));
	assert_good_ask();
	close(fd);
}
END_TEST

START_TEST(a_socket_that_answers_is_not_replaced)
{
	struct control *second = NULL;
	struct wq_err err = { 0 };
	struct loop *loop = loop_new();
	ck_assert_int_eq(
		control_open(&second, loop, server.dir_fd, handler, NULL, &err), -WQ_E_LOCKED);
	loop_free(loop);
	assert_good_ask();
}
END_TEST

START_TEST(a_file_in_the_sockets_place_is_left_alone)
{
	struct control *second = NULL;
	struct wq_err err = { 0 };
	struct loop *loop = loop_new();
	sock_server_stop(&server);
	int fd = openat(server.dir_fd, "wq.sock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(control_open(&second, loop, server.dir_fd, handler, NULL, &err), -EEXIST);
	ck_assert_int_eq(faccessat(server.dir_fd, "wq.sock", F_OK, 0), 0);
	unlinkat(server.dir_fd, "wq.sock", 0);
	loop_free(loop);
}
END_TEST

START_TEST(the_socket_is_for_its_owner_alone_and_goes_with_the_server)
{
	struct stat st;
	ck_assert_int_eq(fstatat(server.dir_fd, "wq.sock", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	sock_server_stop(&server);
	ck_assert_int_eq(fstatat(server.dir_fd, "wq.sock", &st, AT_SYMLINK_NOFOLLOW), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(a_listener_of_another_user_is_not_believed)
{
	struct wq_err err = { 0 };
	sock_server_stop(&server);
	sock_listen_as(&server, 65534);
	ck_assert_int_eq(ask("status", &err), -EPERM);
}
END_TEST

START_TEST(a_client_of_another_user_is_refused)
{
	ck_assert_int_eq(fchmodat(server.dir_fd, "wq.sock", 0666, 0), 0);
	struct wq_err err = { 0 };
	ck_assert_int_eq(sock_ask_as(&server, 65534, &err), -WQ_E_REFUSED);
	ck_assert_str_eq(err.name, "not-allowed");
	assert_good_ask();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control/control");
	TCase *t = tcase_create("ask");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_question_gets_the_handlers_answer);
	tcase_add_test(t, the_arguments_of_a_question_arrive_as_they_were_given);
	tcase_add_test(t, arguments_that_are_no_map_are_not_sent);
	tcase_add_test(
		t, arguments_as_deep_as_a_message_may_be_arrive_and_deeper_ones_are_not_sent);
	tcase_add_test(t, arguments_that_make_a_question_too_long_are_not_sent);
	tcase_add_test(t, a_failure_of_the_handler_arrives_with_its_name_and_sentence);
	tcase_add_test(t, a_failure_without_a_name_has_that_of_its_code);
	tcase_add_test(t, the_largest_answer_arrives_whole);
	tcase_add_test(t, an_answer_above_the_limit_is_an_error_not_a_cut_message);
	tcase_add_test(t, many_questions_may_use_one_connection);
	tcase_add_test(t, asking_where_nobody_listens_says_gone);
	tcase_add_test(t, asking_a_socket_that_a_dead_server_left_says_gone);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_test(t, a_listener_of_another_user_is_not_believed);
	suite_add_tcase(s, t);
	t = tcase_create("serve");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, bytes_that_are_no_cbor_are_refused_and_the_server_goes_on);
	tcase_add_test(t, a_question_whose_arguments_are_no_map_is_refused_and_the_server_goes_on);
	tcase_add_test(t, a_question_above_the_limit_is_refused_and_the_server_goes_on);
	tcase_add_test(t, another_version_is_refused_and_the_text_names_both);
	tcase_add_test(t, a_question_with_an_empty_or_long_name_is_refused);
	tcase_add_test(t, a_hundred_silent_connections_do_not_keep_others_out);
	tcase_add_test(t, a_server_without_descriptors_answers_one_after_the_other);
	tcase_add_test(t, a_client_that_reads_no_answers_is_hung_up_on);
	tcase_add_test(t, a_dead_socket_is_replaced);
	tcase_add_test(t, a_socket_that_was_removed_is_made_anew_and_connections_stay);
	tcase_add_test(t, a_socket_is_not_made_where_something_else_stands);
	tcase_add_test(t, a_socket_that_answers_is_not_replaced);
	tcase_add_test(t, a_file_in_the_sockets_place_is_left_alone);
	tcase_add_test(t, the_socket_is_for_its_owner_alone_and_goes_with_the_server);
	if (geteuid() == 0) /* only root has a second user at hand */
		tcase_add_test(t, a_client_of_another_user_is_refused);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
