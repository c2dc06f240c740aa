/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/command.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fdio.h"
#include "base/quantity.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/payload.h"

#include <wq/cbor.h>
#include <wq/err.h>

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	KEY_SHELL = 768,
	KEY_STDIN,
	KEY_RUN_LIMIT
};

#define MORE "..."

extern char **environ;

/* ---- options --------------------------------------------------------------------------------- */

static const struct argp_option options[] = {
	{ "shell", KEY_SHELL, NULL, 0, "CMD is one word, a line for the shell", 0 },
	{ "stdin", KEY_STDIN, NULL, 0, "Read standard input to its end; it goes with the request",
		0 },
	{ "run-limit", KEY_RUN_LIMIT, "DURATION", 0,
		"End it when it has run this long (\"90s\", \"1.5h\")", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command *c = state->input;
	switch (key) {
	case KEY_SHELL:
		c->shell = true;
		return 0;
	case KEY_STDIN:
		c->input = true;
		return 0;
	case KEY_RUN_LIMIT:
		if (quantity_parse_duration(arg, &c->run_limit_ns) < 0 || c->run_limit_ns == 0)
			argp_error(state, "'%s' is not a run limit like 90s, 15m or 1.5h", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp command_argp = { .options = options, .parser = parse };

const char *command_needs_words(const struct command *c)
{
	return c->shell ? "--shell" : c->input ? "--stdin" : NULL;
}

/* ---- words ----------------------------------------------------------------------------------- */

/* Signs that mean nothing to a shell, wherever they stand in a word; but = in an assignment. */
static bool is_plain(const char *word, bool first)
{
	static const char plain[] = "=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+:,./-";
	bool assigns = first && *word != '-';
	return *word && word[strspn(word, plain + assigns)] == '\0';
}

/* In single quotes, where nothing but such a quote is special, and that is put outside of them. */
int command_add_quoted(struct buf *b, const char *word, bool first)
{
	if (is_plain(word, first))
		return buf_add(b, word, strlen(word));
	int rc = buf_add(b, "'", 1);
	while (rc == 0 && *word) {
		size_t n = strcspn(word, "'");
		rc = buf_add(b, word, n);
		word += n;
		if (rc == 0 && *word) {
			rc = buf_add(b, "'\\''", 4);
			word++;
		}
	}
	return rc < 0 ? rc : buf_add(b, "'", 1);
}

char *command_quote(char *const *words, size_t n)
{
	struct buf b = { 0 };
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = i ? buf_add(&b, " ", 1) : 0;
		if (rc == 0)
			rc = command_add_quoted(&b, words[i], i == 0);
	}
	if (rc == 0)
		rc = buf_add(&b, "", 1);
	if (rc < 0)
		buf_fini(&b);
	return (char *)b.data;
}

/* How much of a line fits: all of it, or whole characters that leave room for MORE. */
static size_t cut(const char *line, size_t len)
{
	size_t end = 0, room = COMMAND_LABEL_SIZE - sizeof MORE;
	if (len < COMMAND_LABEL_SIZE)
		return len;
	while (end < room) {
		size_t n = utf8_char_len(line + end, len - end);
		if (n == 0 || end + n > room)
			break;
		end += n;
	}
	return end;
}

char *command_label(const struct command *c, char ret[COMMAND_LABEL_SIZE])
{
	char *line = c->shell ? strdup(c->words[0]) : command_quote(c->words, c->n);
	ret[0] = '\0';
	if (!line)
		return ret;
	utf8_clean(line);
	size_t len = strlen(line), end = cut(line, len);
	memcpy(ret, line, end);
	snprintf(ret + end, COMMAND_LABEL_SIZE - end, "%s", end < len ? MORE : "");
	free(line);
	return ret;
}

/* ---- environment ------------------------------------------------------------------------------ */

/* What the server gives each task anew; of an outer task they would be wrong. */
static const char *const outer[] = { "WQ_ID", "WQ_ATTEMPT", "WQ_TASK", "WQ_TASK_MANAGER",
	"WQ_WORK_DIR" };

static bool is_named(const char *entry, const char *name)
{
	size_t len = strlen(name);
	return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static bool is_outer(const char *entry)
{
	for (size_t i = 0; i < sizeof outer / sizeof *outer; i++)
		if (is_named(entry, outer[i]))
			return true;
	return false;
}

char **command_environment(const char *also)
{
	size_t n = 0, kept = 0;
	while (environ && environ[n])
		n++;
	char **ret = calloc(n + 1, sizeof *ret);
	for (size_t i = 0; ret && i < n; i++)
		if (!is_outer(environ[i]) && !(also && is_named(environ[i], also)))
			ret[kept++] = environ[i];
	return ret;
}

struct variable {
	const char *name, *value;
	size_t name_len, index;
	bool text; /* the name is UTF-8 */
};

/* As RFC 8949 section 4.2.1 sorts the keys of a map: byte strings, then texts; the shorter first. */
static int by_encoded_name(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;
	if (x->text != y->text)
		return x->text ? 1 : -1;
	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	int order = memcmp(x->name, y->name, x->name_len);
	/* Of the same name the first counts, as for getenv(3). */
	return order ? order : x->index < y->index ? -1 : 1;
}

static bool is_same_name(const struct variable *a, const struct variable *b)
{
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

static void put_word(struct wq_cbor_out *out, const char *word, size_t len)
{
	if (utf8_is_valid(word, len))
		wq_cbor_put_text_n(out, word, len);
	else
		wq_cbor_put_bytes(out, word, len);
}

static size_t take_variables(char *const *env, struct variable *ret)
{
	size_t n = 0, kept = 0;
	for (size_t i = 0; env[i]; i++) {
		const char *equals = strchr(env[i], '=');
		if (!equals || equals == env[i])
			continue; /* no variable, whatever it is */
		struct variable *v = &ret[n++];
		*v = (struct variable){ .name = env[i],
			.value = equals + 1,
			.name_len = (size_t)(equals - env[i]),
			.index = i };
		v->text = utf8_is_valid(v->name, v->name_len);
	}
	qsort(ret, n, sizeof *ret, by_encoded_name);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !is_same_name(&ret[kept - 1], &ret[i]))
			ret[kept++] = ret[i];
	return kept;
}

static int put_environment(struct wq_cbor_out *out, struct wq_err *err)
{
	char **env = command_environment(NULL);
	size_t n = 0;
	while (env && env[n])
		n++;
	struct variable *vars = calloc(n + 1, sizeof *vars);
	if (env && vars) {
		n = take_variables(env, vars);
		wq_cbor_put_text(out, "env");
		wq_cbor_put_map(out, n);
		for (size_t i = 0; i < n; i++) {
			put_word(out, vars[i].name, vars[i].name_len);
			put_word(out, vars[i].value, strlen(vars[i].value));
		}
	}
	int rc = env && vars ? 0 : err_set(err, -ENOMEM, "cannot keep the environment");
	free(env);
	free(vars);
	return rc;
}

/* ---- the payload ------------------------------------------------------------------------------ */

static int put_directory(struct wq_cbor_out *out, struct wq_err *err)
{
	char *dir = getcwd(NULL, 0);
	if (!dir)
		return err_set(err, -errno, "cannot tell the current directory");
	int rc = 0;
	/* "(unreachable)/...": getcwd(3), where it lies outside our root. */
	if (dir[0] != '/')
		rc = err_set(
			err, -WQ_E_FORMAT, "the current directory cannot be reached by a path");
	wq_cbor_put_text(out, "dir");
	put_word(out, dir, strlen(dir));
	free(dir);
	return rc;
}

static int put_input(struct wq_cbor_out *out, struct wq_err *err)
{
	struct buf bytes = { 0 };
	int rc = fdio_read_all(STDIN_FILENO, PAYLOAD_FILE_MAX, &bytes);
	if (rc == -EFBIG)
		rc = err_set_name(err, -WQ_E_LIMIT, "too-big",
			"standard input is more than %d bytes, and a server's request-limit is "
			"less",
			PAYLOAD_FILE_MAX);
	else if (rc < 0)
		rc = err_set(err, rc, "cannot read standard input");
	wq_cbor_put_text(out, "stdin");
	wq_cbor_put_bytes(out, bytes.data, bytes.len);
	buf_fini(&bytes);
	return rc;
}

static void put_umask(struct wq_cbor_out *out)
{
	mode_t mask = umask(077);
	umask(mask);
	wq_cbor_put_text(out, "umask");
	wq_cbor_put_uint(out, mask);
}

static void put_words(const struct command *c, struct wq_cbor_out *out)
{
	wq_cbor_put_text(out, "argv");
	wq_cbor_put_array(out, c->n);
	for (size_t i = 0; i < c->n; i++)
		put_word(out, c->words[i], strlen(c->words[i]));
}

/* The members in the order of RFC 8949 section 4.2.1. */
int command_to_cbor(const struct command *c, struct wq_cbor_out *out, struct wq_err *err)
{
	if (c->shell && c->n != 1)
		return err_set(err, -WQ_E_FORMAT,
			"--shell takes one word, a line for the shell, and there are %zu; quote it",
			c->n);
	wq_cbor_put_map(out, 5 + c->input);
	int rc = put_directory(out, err);
	if (rc == 0)
		rc = put_environment(out, err);
	if (rc == 0 && !c->shell)
		put_words(c, out);
	if (rc == 0 && c->shell) {
		wq_cbor_put_text(out, "shell");
		put_word(out, c->words[0], strlen(c->words[0]));
	}
	if (rc == 0 && c->input)
		rc = put_input(out, err);
	if (rc < 0)
		return rc;
	put_umask(out);
	/* Else what is not set here would be what it is where the server was started. */
	wq_cbor_put_text(out, "pass-environment");
	wq_cbor_put_bool(out, false);
	return out->err ? err_set(err, out->err, "cannot make the payload") : 0;
}

void command_say(const struct command *c, int code, const struct wq_err *err)
{
	if (code == -WQ_E_LIMIT && c->input)
		cli_say("%s; standard input goes with it, see request-limit in wq.conf(5)",
			err->text);
	else
		cli_say("%s", err->text);
}
