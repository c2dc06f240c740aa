/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/answer.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	EXIT_NO_SERVER = 1
};

static const struct argp argp = {
	.options = args_json_options,
	.parser = args_parse_json,
	.doc = "Show the spool, its server, and why each task manager does not start more."
	       "\vThe exit status is 0 when a server answers and 1 when none runs.",
};

/* What the words of the server mean to who reads them. */
static const struct {
	const char *word, *text;
} whys[] = {
	{ "ready", "" },
	{ "max-running", "max-running is reached" },
	{ "no-capacity", "the plugin has no capacity" },
	{ "held", "held" },
	{ "stopping", "the server is stopping" },
	{ "no-space", "the file system is full" },
	{ "recovering", "it is finding out what became of the tasks of an earlier server" },
	{ "suspended", "nothing is started while the storage fails" },
	{ "quarantined", "the plugin is quarantined: it broke the rules too often" },
};

static const struct {
	const char *level, *text;
} durabilities[] = {
	{ "none",
		"a crash of any process loses nothing; a power cut may lose requests accepted and "
		"results published in the last seconds, and run again what had run" },
	{ "batch", "a power cut may lose requests of the last seconds that have not begun, and "
		   "nothing "
		   "else" },
	{ "strict", "a power cut loses nothing that was acknowledged" },
};

static void line(const char *name, const char *text)
{
	printf("%-12s ", name);
	cli_print_text(text, 0);
	putchar('\n');
}

static const char *why_text(const char *word)
{
	for (size_t i = 0; i < sizeof whys / sizeof *whys; i++)
		if (strcmp(whys[i].word, word) == 0)
			return whys[i].text;
	return word;
}

static void print_durability(const char *level)
{
	const char *text = "";
	for (size_t i = 0; i < sizeof durabilities / sizeof *durabilities; i++)
		if (strcmp(durabilities[i].level, level) == 0)
			text = durabilities[i].text;
	char all[512];
	snprintf(all, sizeof all, "%s%s%s", level, *text ? ": " : "", text);
	if (*level)
		line("durability", all);
}

static void print_count(const char *name, const json_t *object, const char *key)
{
	const json_t *n = json_object_get(object, key);
	if (json_is_integer(n))
		printf("%-12s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(n));
}

static void print_task_managers(const json_t *list)
{
	if (json_array_size(list))
		printf("\n%-20s %-14s %9s %9s  %s\n", "TASK MANAGER", "PLUGIN", "RUNNING",
			"WAITING", "STARTS NO MORE BECAUSE");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *tm = json_array_get(list, i);
		char running[48];
		snprintf(running, sizeof running, "%" PRId64 "/%" PRId64, answer_int(tm, "running"),
			answer_int(tm, "max-running"));
		cli_print_text(answer_text(tm, "name"), 20);
		putchar(' ');
		cli_print_text(answer_text(tm, "plugin"), 14);
		printf(" %9s %9" PRId64 "  ", running, answer_int(tm, "waiting"));
		cli_print_text(why_text(answer_text(tm, "why")), 0);
		if (json_is_true(json_object_get(tm, "late")))
			fputs(", for longer than its recovery-limit", stdout);
		if (answer_int(tm, "lost") > 0)
			printf(" (lost, and still with a slot: %" PRId64 ")",
				answer_int(tm, "lost"));
		if (answer_int(tm, "strikes") > 0)
			printf(" (strikes: %" PRId64 ")", answer_int(tm, "strikes"));
		putchar('\n');
	}
}

static void print_fate(const json_t *task)
{
	if (answer_int(task, "attempt") > 1)
		printf("attempt %" PRId64 "  ", answer_int(task, "attempt"));
	if (*answer_fate_text(task))
		printf("(%s)  ", answer_fate_text(task));
}

static void print_running(const json_t *list)
{
	if (json_array_size(list))
		printf("\n%-31s  %-20s %s\n", "RUNNING", "TASK MANAGER", "LABEL, PROGRESS");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *task = json_array_get(list, i);
		char progress[160];
		cli_print_text(answer_text(task, "id"), 31);
		fputs("  ", stdout);
		cli_print_text(answer_text(task, "task-manager"), 20);
		putchar(' ');
		cli_print_text(answer_text(task, "label"), 0);
		fputs("  ", stdout);
		print_fate(task);
		cli_print_text(answer_progress(task, progress, sizeof progress), 0);
		putchar('\n');
	}
}

static void print_accepting(const json_t *about)
{
	const json_t *accepting = json_object_get(about, "accepting");
	char text[256];
	if (!json_is_boolean(accepting))
		return;
	snprintf(text, sizeof text, "no: %s", answer_text(about, "reason"));
	line("accepting", json_is_true(accepting) ? "yes" : text);
}

static void print_queue(const json_t *answer)
{
	char text[96];
	if (!json_is_integer(json_object_get(answer, "queue-limit")))
		return;
	snprintf(text, sizeof text, "%" PRId64 " of at most %" PRId64 " requests wait",
		answer_int(answer, "depth"), answer_int(answer, "queue-limit"));
	line("queue", text);
}

/* Only where a task manager has children. */
static void print_containment(const json_t *answer)
{
	const json_t *up = json_object_get(answer, "shepherd");
	const char *how = answer_text(answer, "containment");
	if (!json_is_boolean(up))
		return;
	if (!json_is_true(up))
		line("shepherd", "not there: no command can be started now");
	else if (strcmp(how, "cgroup") == 0)
		line("containment", "cgroup: nothing that a command starts outlives it");
	else
		line("containment", "best effort: what cleans its environment, makes a session of "
				    "its own and outlives its parent is not found");
}

static void print_server(const json_t *answer)
{
	char text[160], when[32];
	snprintf(text, sizeof text, "running, version %s, pid %" PRId64 ", since %s",
		answer_text(answer, "version"), answer_int(answer, "pid"),
		answer_time(answer_int(answer, "started-us"), when));
	line("server", text);
	print_accepting(answer);
	if (*answer_text(answer, "trouble"))
		line("trouble", answer_text(answer, "trouble"));
	print_durability(answer_text(answer, "durability"));
	print_containment(answer);
	print_queue(answer);
	print_count("requested", answer, "requested");
	print_count("unsorted", answer, "unsorted");
	print_task_managers(json_object_get(answer, "task-managers"));
	print_running(json_object_get(answer, "running"));
}

static void print_page(const json_t *page)
{
	char text[160];
	if (!page) {
		line("server", "none is running, and none has ever served this spool");
		return;
	}
	snprintf(text, sizeof text, "none is running; the last one was version %s and %s",
		answer_text(page, "version"),
		answer_int(page, "pid") ? "did not stop in order" : "stopped in order");
	line("server", text);
	print_durability(answer_text(page, "durability"));
	print_queue(page);
}

static json_t *read_page(struct cli *cli)
{
	void *bytes = NULL;
	size_t len = 0;
	json_t *page = NULL;
	if (wq_status_page(cli->client, &bytes, &len, NULL) < 0)
		return NULL;
	(void)cli_json_from_cbor(bytes, len, &page, NULL); /* NULL stays: as if there were none */
	free(bytes);
	return page;
}

/* `rc`: of the question. */
static void print_text(const struct cli *cli, int rc, const json_t *answer, const json_t *page)
{
	char text[4096];
	snprintf(text, sizeof text, "%s (from %s)", cli->spool, cli->rule);
	line("spool", text);
	if (answer)
		print_server(answer);
	else if (rc == -WQ_E_GONE)
		print_page(page);
	else
		line("server", "does not answer; whether it runs is not known");
}

static void print_json(const struct cli *cli, json_t *answer, json_t *page)
{
	json_t *all = json_pack("{s:s, s:s, s:O?, s:O?}", "spool", cli->spool, "spool-from",
		cli->rule, "server", answer, "page", page);
	if (all)
		cli_json_print_line(all);
	json_decref(all);
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
	bool json = false;
	struct wq_err err = { 0 };
	json_t *answer = NULL;
	int status = cli_parse(&argp, argc, argv, &json);
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	int rc = answer_ask(cli, "status", &answer, &err);
	json_t *page = read_page(cli);
	if (json)
		print_json(cli, answer, page);
	else
		print_text(cli, rc, answer, page);
	if (rc < 0 && rc != -WQ_E_GONE)
		cli_say("%s", err.text);
	json_decref(page);
	json_decref(answer);
	status = cli_flush();
	if (status)
		return status;
	return rc == 0 ? 0 : rc == -WQ_E_GONE ? EXIT_NO_SERVER : EXIT_WQ;
}
