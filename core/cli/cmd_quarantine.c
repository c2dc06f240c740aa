/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq quarantine list, show, retry, drop.  Names are taken as the exact bytes that they are, and
 * printed escaped.
 */
#include "base/buf.h"
#include "base/fdio.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "cli/answer.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/json.h"
#include "cli/members.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	KEY_RAW = 512,
	KEY_ALL,
	NAMED_MAX = 3,    /* of several names, so many are said */
	SUFFIX_AT = 18,   /* in an id, see wq-spool(7) */
	ERROR_WIDTH = 20, /* "unknown-task-manager" */
	ESCAPED_SIZE = 4 * NAME_MAX + 1,
	CHUNK = 64 * 1024
};

struct input {
	bool json; /* the first, see args_parse_json */
	bool raw;
	bool all;
	char **names; /* in argv */
	size_t n;
};

/* ---- what lies there -------------------------------------------------------------------------- */

struct thing {
	char *name;
	char id[WQ_ID_SIZE];
	char *error, *text;
	int64_t size, since_us;
	uint32_t uid;
};

struct things {
	struct buf bytes;
	struct thing *all; /* in these; the oldest first */
	size_t n;
};

static int keep(void *arg, const struct wq_quarantined *q)
{
	struct things *things = arg;
	struct thing t = { .name = strdup(q->name),
		.error = strdup(q->error),
		.text = strdup(q->text),
		.size = q->size,
		.since_us = q->since_us,
		.uid = q->uid };
	snprintf(t.id, sizeof t.id, "%s", q->id);
	if (t.name && t.error && t.text && buf_add(&things->bytes, &t, sizeof t) == 0) {
		things->all = (void *)things->bytes.data;
		things->n++;
		return 0;
	}
	free(t.name);
	free(t.error);
	free(t.text);
	return -ENOMEM;
}

static void things_fini(struct things *things)
{
	for (size_t i = 0; i < things->n; i++) {
		free(things->all[i].name);
		free(things->all[i].error);
		free(things->all[i].text);
	}
	buf_fini(&things->bytes);
}

/* 0, or EXIT_WQ with the reason said. */
static int list_things(struct cli *cli, struct things *ret)
{
	struct wq_err err = { 0 };
	int rc = wq_quarantine_list(cli->client, keep, ret, &err);
	if (rc < 0)
		cli_say("%s", err.text[0] ? err.text : "no memory for what lies in quarantine");
	return rc < 0 ? EXIT_WQ : 0;
}

/* ---- which one -------------------------------------------------------------------------------- */

static bool begins(const struct thing *t, const char *given, size_t len)
{
	return len > 0 && (strncmp(t->name, given, len) == 0 ||
				  (t->id[0] && strncmp(t->name + SUFFIX_AT, given, len) == 0));
}

/* The newest of those that `given` begins, or of all, and how many more there are. */
static void say_names(const char *what, const struct things *things, const char *given)
{
	char names[NAMED_MAX * (ESCAPED_SIZE + 2)] = "", one[ESCAPED_SIZE];
	size_t n = 0, used = 0;
	for (size_t i = things->n; i-- > 0;) {
		const struct thing *t = &things->all[i];
		if (given && !begins(t, given, strlen(given)))
			continue;
		if (n++ < NAMED_MAX)
			used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
				n > 1 ? ", " : "",
				utf8_escape(t->name, strlen(t->name), one, sizeof one));
	}
	if (n > NAMED_MAX)
		cli_say("%s: %s and %zu more", what, names, n - NAMED_MAX);
	else
		cli_say("%s: %s", what, names);
}

static int say_unknown(struct cli *cli, const struct things *things, const char *given)
{
	char what[2 * ESCAPED_SIZE], name[ESCAPED_SIZE];
	utf8_escape(given, strlen(given), name, sizeof name);
	if (things->n == 0) {
		cli_say("'%s' is not in quarantine; nothing is, in '%s'", name, cli->spool);
		return EXIT_GONE;
	}
	snprintf(what, sizeof what, "nothing in quarantine has a name that begins with '%s'; %s",
		name, things->n == 1 ? "there is" : "there are");
	say_names(what, things, NULL);
	return EXIT_GONE;
}

/* A whole name, a beginning that only one has, or such a beginning of an id behind its '-'. */
static int resolve(
	struct cli *cli, const struct things *things, const char *given, const struct thing **ret)
{
	size_t n = 0, len = strlen(given);
	for (size_t i = 0; i < things->n; i++) {
		const struct thing *t = &things->all[i];
		if (strcmp(t->name, given) == 0) {
			*ret = t;
			return 0;
		}
		if (begins(t, given, len) && n++ == 0)
			*ret = t;
	}
	if (n == 0)
		return say_unknown(cli, things, given);
	if (n == 1)
		return 0;
	char what[2 * ESCAPED_SIZE], name[ESCAPED_SIZE];
	snprintf(what, sizeof what, "'%s' is the beginning of several names",
		utf8_escape(given, len, name, sizeof name));
	say_names(what, things, given);
	return EXIT_WQ;
}

/* ---- list ------------------------------------------------------------------------------------- */

static char *hex(const char *name)
{
	size_t len = strlen(name);
	char *ret = malloc(2 * len + 1);
	for (size_t i = 0; ret && i <= len; i++)
		snprintf(ret + 2 * i, i < len ? 3 : 1, "%02x", (unsigned char)name[i]);
	return ret;
}

/* JSON is UTF-8, a name need not be: then its bytes are there, too. */
static json_t *to_json(const struct thing *t)
{
	char safe[ESCAPED_SIZE];
	size_t len = strlen(t->name);
	bool text = utf8_is_valid(t->name, len);
	json_t *ret = json_pack(
		"{s:s}", "name", text ? t->name : utf8_escape(t->name, len, safe, sizeof safe));
	if (!text && ret) {
		char *bytes = hex(t->name);
		json_object_set_new(ret, "name-hex", json_string(bytes ? bytes : ""));
		free(bytes);
	}
	json_t *rest = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "id", t->id, "error", t->error,
		"text", t->text, "uid", (json_int_t)t->uid, "size", (json_int_t)t->size, "since-us",
		(json_int_t)t->since_us);
	if (ret && rest && json_object_update(ret, rest) == 0) {
		json_decref(rest);
		return ret;
	}
	json_decref(rest);
	json_decref(ret);
	return NULL;
}

static void print_line(const struct thing *t)
{
	char when[32];
	cli_print_text(t->name, WQ_ID_SIZE - 1);
	printf("  %s  %9" PRId64 "  ", answer_time(t->since_us, when), t->size);
	cli_print_text(t->error[0] ? t->error : "-", t->text[0] ? ERROR_WIDTH : 0);
	if (t->text[0]) {
		fputs("  ", stdout);
		cli_print_text(t->text, 0);
	}
	putchar('\n');
}

static const struct argp list_argp = {
	.options = args_json_options,
	.parser = args_parse_json,
	.doc = "List what lies in quarantine, the oldest first: name, since when, bytes, why.",
};

static int do_list(struct cli *cli, const struct input *in, const struct things *things)
{
	(void)cli;
	for (size_t i = 0; i < things->n; i++) {
		json_t *object = in->json ? to_json(&things->all[i]) : NULL;
		if (!in->json)
			print_line(&things->all[i]);
		else if (object)
			cli_json_print_line(object);
		json_decref(object);
	}
	return cli_flush();
}

/* ---- names on the command line ---------------------------------------------------------------- */

static error_t parse_names(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case ARGP_KEY_ARGS:
		in->names = state->argv + state->next;
		in->n = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (!in->all)
			argp_error(state, "which one? 'wq quarantine list' names them");
		return 0;
	case ARGP_KEY_SUCCESS:
		if (in->all && in->n)
			argp_error(state, "either names or --all");
		return 0;
	default:
		(void)arg;
		return ARGP_ERR_UNKNOWN;
	}
}

/* Do one after the other; a word that is wrong may be a slip in one that was right, so all are
 * looked up before anything is done. */
static int for_each(struct cli *cli, const struct input *in, const struct things *things,
	int (*fn)(struct cli *, const struct thing *))
{
	int status = 0;
	const struct thing **meant = calloc(in->n ? in->n : 1, sizeof(struct thing *));
	if (!meant) {
		cli_say("no memory for %zu names", in->n);
		return EXIT_WQ;
	}
	for (size_t i = 0; i < in->n && status == 0; i++)
		status = resolve(cli, things, in->names[i], &meant[i]);
	bool found = status == 0;
	for (size_t i = 0; found && i < in->n; i++) {
		int one = fn(cli, meant[i]);
		status = status ? status : one;
	}
	free(meant);
	return status;
}

/* ---- show ------------------------------------------------------------------------------------- */

static const struct argp_option show_options[] = {
	{ "raw", KEY_RAW, NULL, 0, "Write its bytes to standard output, as they are", 0 },
	{ "json", ARGS_KEY_JSON, NULL, 0, "Print one line of JSON", 0 },
	{ 0 },
};

static error_t parse_show(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	switch (key) {
	case KEY_RAW:
		in->raw = true;
		return 0;
	case ARGS_KEY_JSON:
		in->json = true;
		return 0;
	case ARGP_KEY_END:
		if (in->raw && in->json)
			argp_error(state, "either --raw or --json");
		if (in->n > 1)
			argp_error(state, "'%s' is one name too many", in->names[1]);
		return 0;
	default:
		return parse_names(key, arg, state);
	}
}

static const struct argp show_argp = {
	.options = show_options,
	.parser = parse_show,
	.args_doc = "NAME",
	.doc = "Show why it was set aside, and what it says where it is a whole request.",
};

static int write_bytes(struct cli *cli, const struct thing *t)
{
	char chunk[CHUNK];
	struct wq_err err = { 0 };
	off_t at = 0;
	ssize_t n;
	auto_close int fd = wq_quarantine_open(cli->client, t->name, &err);
	if (fd < 0) {
		cli_say("%s", err.text);
		return exit_of_code(fd);
	}
	while ((n = fdio_pread(fd, chunk, sizeof chunk, at)) > 0) {
		at += n;
		if (fwrite(chunk, 1, (size_t)n, stdout) != (size_t)n)
			break;
	}
	if (n < 0) {
		cli_say("cannot read it: %s", strerror((int)-n));
		return EXIT_WQ;
	}
	return cli_flush();
}

/* "request" says whether it is one; the others what it says, or why it is none. */
static json_t *what_it_says(struct cli *cli, const struct thing *t, int *ret_rc, struct wq_err *err)
{
	struct wq_details d = { .struct_size = sizeof d };
	*ret_rc = wq_quarantine_details(cli->client, t->name, &d, err);
	if (*ret_rc < 0)
		return json_pack("{s:b, s:s}", "request", 0, "it-is", err->text);
	json_t *ret = json_pack("{s:b, s:s, s:s, s:s, s:o}", "request", 1, "task-manager",
		d.task_manager, "key", d.key, "label", d.label, "payload", members_payload(&d));
	wq_details_free(&d);
	return ret;
}

static int do_show(struct cli *cli, const struct input *in, const struct things *things)
{
	struct wq_err err = { 0 };
	const struct thing *t;
	int rc, status = resolve(cli, things, in->names[0], &t);
	if (status)
		return status;
	if (in->raw)
		return write_bytes(cli, t);
	json_t *object = to_json(t), *more = what_it_says(cli, t, &rc, &err);
	if (rc == -WQ_E_GONE) {
		cli_say("%s", err.text);
		status = EXIT_GONE;
	} else if (!object || !more || json_object_update(object, more) < 0) {
		cli_say("no memory to show it");
		status = EXIT_WQ;
	} else if (in->json) {
		cli_json_print_line(object);
	} else {
		members_print(object);
	}
	json_decref(more);
	json_decref(object);
	return status ? status : cli_flush();
}

/* ---- retry ------------------------------------------------------------------------------------ */

static const struct argp retry_argp = {
	.parser = parse_names,
	.args_doc = "NAME...",
	.doc = "Enqueue whole requests again, each under a new id, which is printed."
	       "\vThe new request is that of who says this.  What was set aside is removed then, "
	       "and "
	       "so is its reason.",
};

static int retry_one(struct cli *cli, const struct thing *t)
{
	struct wq_err err = { 0 };
	char id[WQ_ID_SIZE];
	int rc = wq_quarantine_retry(cli->client, t->name, id, &err);
	if (id[0])
		puts(id);
	if (rc < 0) {
		cli_say("%s", err.text);
		return exit_of_code(rc);
	}
	return cli_flush();
}

static int do_retry(struct cli *cli, const struct input *in, const struct things *things)
{
	return for_each(cli, in, things, retry_one);
}

/* ---- drop ------------------------------------------------------------------------------------- */

static const struct argp_option drop_options[] = {
	{ "all", KEY_ALL, NULL, 0, "All that lies there", 0 },
	{ 0 },
};

static error_t parse_drop(int key, char *arg, struct argp_state *state)
{
	struct input *in = state->input;
	if (key != KEY_ALL)
		return parse_names(key, arg, state);
	in->all = true;
	return 0;
}

static const struct argp drop_argp = {
	.options = drop_options,
	.parser = parse_drop,
	.args_doc = "NAME...\n--all",
	.doc = "Remove for good what was set aside, and its reason; of directories only empty "
	       "ones.",
};

static int drop_one(struct cli *cli, const struct thing *t)
{
	struct wq_err err = { 0 };
	int rc = wq_quarantine_drop(cli->client, t->name, &err);
	if (rc < 0)
		cli_say("%s", err.text);
	return rc < 0 ? exit_of_code(rc) : 0;
}

/* What the server has pruned meanwhile is as gone as was asked for. */
static int drop_all(struct cli *cli, const struct things *things)
{
	int status = 0;
	for (size_t i = 0; i < things->n; i++) {
		struct wq_err err = { 0 };
		int rc = wq_quarantine_drop(cli->client, things->all[i].name, &err);
		if (rc == 0 || rc == -WQ_E_GONE)
			continue;
		cli_say("%s", err.text);
		status = EXIT_WQ;
	}
	return status;
}

static int do_drop(struct cli *cli, const struct input *in, const struct things *things)
{
	return in->all ? drop_all(cli, things) : for_each(cli, in, things, drop_one);
}

/* ---- the command ------------------------------------------------------------------------------ */

static const struct action {
	const char *name, *full;
	const struct argp *argp;
	int (*fn)(struct cli *, const struct input *, const struct things *);
} actions[] = {
	{ "list", "quarantine list", &list_argp, do_list },
	{ "show", "quarantine show", &show_argp, do_show },
	{ "retry", "quarantine retry", &retry_argp, do_retry },
	{ "drop", "quarantine drop", &drop_argp, do_drop },
};

enum {
	N_ACTIONS = sizeof actions / sizeof *actions
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "list, show, retry or drop?");
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse,
	.args_doc =
		"list [--json]\nshow NAME [--json | --raw]\nretry NAME...\ndrop NAME... | --all",
	.doc = "See and settle what the server has set aside: what it could not use, with the "
	       "reason."
	       "\vA NAME may be any beginning that only one has, also of an id behind its '-'.  "
	       "'wq quarantine list --help' and so on explain more.",
};

static const struct action *find(const char *name)
{
	const char *names[N_ACTIONS];
	for (int i = 0; i < N_ACTIONS; i++) {
		names[i] = actions[i].name;
		if (strcmp(names[i], name) == 0)
			return &actions[i];
	}
	const char *near = suggest_nearest(name, names, N_ACTIONS);
	cli_say("'%s' is not list, show, retry or drop%s%s%s", name, near ? "; did you mean '" : "",
		near ? near : "", near ? "'?" : "");
	return NULL;
}

int cmd_quarantine(struct cli *cli, int argc, char **argv)
{
	struct input in = { 0 };
	struct things things = { 0 };
	if (argc < 2 || argv[1][0] == '-')
		return cli_parse(&argp, argc, argv, &in);
	const struct action *action = find(argv[1]);
	if (!action)
		return EXIT_WQ;
	char *plain = argv[1];
	argv[1] = (char *)(uintptr_t)action->full;
	int status = cli_parse(action->argp, argc - 1, argv + 1, &in);
	argv[1] = plain;
	if (status == 0)
		status = cli_open(cli);
	if (status)
		return status;
	status = list_things(cli, &things);
	if (status == 0)
		status = action->fn(cli, &in, &things);
	things_fini(&things);
	return status;
}
