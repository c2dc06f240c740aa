/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client: a client of libwq that does what it is told, one line of standard input after the other, and
 * records what it was promised (tests/torture/README).
 *
 *	client SPOOL EVENTS NAME
 *
 *	enqueue TASK-MANAGER HEX   publish that payload: `ok ID`
 *	wait ID MS                 see its result and collect it: `seen STATUS`, `gone`, `timeout`
 *	keep ID MS                 see its result and leave it there: the same
 *	abort ID                   `ok`
 *
 * Anything else that it is answered is `error NAME TEXT`.
 */
#include <err.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wq/client.h>

enum {
	LINE_SIZE = 64 * 1024,
	WORDS = 3
};

static wq_client *client;
static int events;
static const char *name;

__attribute__((format(printf, 1, 2))) static void record(const char *format, ...)
{
	char line[256];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (write(events, line, (size_t)n) != n)
		errx(1, "the events cannot be written");
}

static void answer_error(const struct wq_err *e)
{
	printf("error %s %s\n", e->name[0] ? e->name : "-", e->text);
}

static size_t from_hex(const char *hex, unsigned char *ret)
{
	size_t n = 0;
	unsigned byte;
	for (; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
		ret[n] = (unsigned char)byte;
	return n;
}

static void do_enqueue(const char *task_manager, const char *hex)
{
	static unsigned char payload[LINE_SIZE / 2];
	char id[WQ_ID_SIZE];
	struct wq_err err = { 0 };
	struct wq_request request = { .struct_size = sizeof request,
		.task_manager = task_manager,
		.payload = payload,
		.payload_len = from_hex(hex, payload) };
	if (wq_enqueue(client, &request, id, &err) < 0) {
		answer_error(&err);
		return;
	}
	record("acked %s %s\n", id, name);
	printf("ok %s\n", id);
}

static void do_wait(const char *id, const char *ms, bool collect)
{
	wq_result *result;
	struct wq_err err = { 0 };
	struct wq_result_info info = { .struct_size = sizeof info };
	record("looking %s\n", id);
	int rc = wq_wait(client, id, strtoll(ms, NULL, 10) * 1000000,
		WQ_WAIT_KEEP | WQ_WAIT_NO_ABORT, &result, &err);
	if (rc == -WQ_E_GONE) {
		record("gone %s\n", id);
		puts("gone");
	} else if (rc == -WQ_E_TIMEOUT) {
		puts("timeout");
	} else if (rc < 0) {
		answer_error(&err);
	} else {
		wq_result_info(result, &info);
		record("seen %s %s\n", id, info.status);
		/* Of several who collect one does; the others have seen it all the same. */
		if (collect && wq_collect(client, id, &err) == 0)
			record("collected %s\n", id);
		printf("seen %s\n", info.status);
		wq_result_free(result);
	}
}

static void do_abort(const char *id)
{
	struct wq_err err = { 0 };
	record("aborting %s\n", id);
	if (wq_abort(client, id, &err) < 0) {
		answer_error(&err);
		return;
	}
	record("aborted %s\n", id);
	puts("ok");
}

static void obey(char *const word[WORDS])
{
	if (strcmp(word[0], "enqueue") == 0 && word[2])
		do_enqueue(word[1], word[2]);
	else if (strcmp(word[0], "wait") == 0 && word[2])
		do_wait(word[1], word[2], true);
	else if (strcmp(word[0], "keep") == 0 && word[2])
		do_wait(word[1], word[2], false);
	else if (strcmp(word[0], "abort") == 0 && word[1])
		do_abort(word[1]);
	else
		errx(2, "'%s' is no command", word[0]);
}

int main(int argc, char **argv)
{
	static char line[LINE_SIZE];
	struct wq_err err = { 0 };
	if (argc != 4)
		errx(2, "use: client SPOOL EVENTS NAME");
	name = argv[3];
	events = open(argv[2], O_WRONLY | O_APPEND | O_CLOEXEC);
	if (events < 0)
		errx(1, "%s cannot be opened", argv[2]);
	if (wq_open(&client, argv[1], &err) < 0)
		errx(1, "%s", err.text);
	while (fgets(line, sizeof line, stdin)) {
		char *word[WORDS], *rest = line;
		for (int i = 0; i < WORDS; i++)
			word[i] = strtok_r(i ? NULL : line, " \n", &rest);
		if (word[0])
			obey(word);
		fflush(stdout);
	}
	wq_close(client);
	return 0;
}
