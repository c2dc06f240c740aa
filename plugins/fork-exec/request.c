/* SPDX-License-Identifier: BSD-2-Clause */
#include "request.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <wq/plugin-util.h>

#include "environment.h"
#include "show.h"

#define BAD_REQUEST "bad-request"
#define NOT_ALLOWED "not-allowed"
#define ONE_WORD    "a text, or a byte string, without NUL"

enum {
	TAG_SELF_DESCRIBED = 55799,
	UMASK_MAX = 0777,
	NICE_MAX = 19,
	NO_PLACE = -1
};

struct parse {
	const struct settings *settings;
	struct request *request;
	/* Each word takes a byte less here than in the payload, where it has a head and here a NUL or
	 * a '=' after it: so this is as large as the payload. */
	size_t used, size;
	size_t n_words;
	uint32_t seen; /* one bit a key */
	struct wq_err *err;
};

/* What the message names: "'dir'", "'argv', word 2", "'env', variable 0". */
struct place {
	const char *key, *part;
	int64_t index;
};

static int32_t refuse(
	struct parse *p, const struct place *at, const struct wq_cbor_item *item, const char *right)
{
	char shown[SHOW_SIZE], part[48] = "";
	if (at->index != NO_PLACE)
		(void)snprintf(part, sizeof(part), ", %s %lld,", at->part, (long long)at->index);
	return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "'%s'%s is %s; it must be %s", at->key, part,
		show_item(item, shown), right);
}

/* The container that a value must be; what is in it follows. */
static int32_t take_head(struct parse *p, struct wq_cbor_in *in, int32_t type, const char *key,
	const char *right, uint64_t *ret_n)
{
	struct wq_cbor_item item;
	if (wq_cbor_next(in, &item) != 1)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "'%s' is malformed", key);
	if (item.type != type)
		return refuse(p, &(struct place){ key, NULL, NO_PLACE }, &item, right);
	*ret_n = item.u;
	return WQ_OK;
}

static int32_t take_item(
	struct parse *p, struct wq_cbor_in *in, const char *key, struct wq_cbor_item *ret)
{
	if (wq_cbor_next(in, ret) == 1)
		return WQ_OK;
	return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "'%s' is malformed", key);
}

static int32_t count_words(struct parse *p, const char *key, uint64_t n)
{
	if (n > REQUEST_WORDS_MAX - p->n_words)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
			"'%s' has %llu entries; 'argv' and 'env' may have %d together", key,
			(unsigned long long)n, REQUEST_WORDS_MAX);
	p->n_words += n;
	return WQ_OK;
}

/* Copy one word behind what is there, and `end` after it. */
static int32_t take_word(
	struct parse *p, struct wq_cbor_in *in, const struct place *at, char end, const char **ret)
{
	struct wq_cbor_item item;
	int32_t rc = take_item(p, in, at->key, &item);
	if (rc != WQ_OK)
		return rc;
	bool is_word = item.type == WQ_CBOR_TEXT || item.type == WQ_CBOR_BYTES;
	if (!is_word || (item.len > 0 && memchr(item.ptr, '\0', item.len)))
		return refuse(p, at, &item, ONE_WORD);
	if (item.len >= p->size - p->used)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "'%s' is malformed", at->key);
	char *to = p->request->words + p->used;
	if (item.len > 0)
		memcpy(to, item.ptr, item.len);
	to[item.len] = end;
	p->used += item.len + 1;
	*ret = to;
	return WQ_OK;
}

/* ---- one function a key ---------------------------------------------------------------------- */

static int32_t take_argv(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	static const char right[] = "an array that has the program and its arguments";
	struct wq_cbor_in start = *in;
	struct wq_cbor_item item;
	uint64_t n = 0;
	if (p->settings->allow == ALLOW_SHELL)
		return wq_fail(p->err, WQ_REJECT, NOT_ALLOWED,
			"'argv' is not allowed by this task manager; give the command as 'shell'");
	int32_t rc = take_head(p, in, WQ_CBOR_ARRAY, key, right, &n);
	if (rc == WQ_OK && n == 0 && wq_cbor_next(&start, &item) == 1)
		return refuse(p, &(struct place){ key, NULL, NO_PLACE }, &item, right);
	if (rc == WQ_OK)
		rc = count_words(p, key, n);
	if (rc != WQ_OK)
		return rc;
	free(p->request->argv); /* that of 'shell': both keys are refused in the end */
	p->request->argv = calloc(n + 1, sizeof(*p->request->argv));
	if (!p->request->argv)
		return -ENOMEM;
	for (uint64_t i = 0; i < n && rc == WQ_OK; i++)
		rc = take_word(p, in, &(struct place){ key, "word", (int64_t)i }, '\0',
			&p->request->argv[i]);
	if (rc == WQ_OK && p->request->argv[0][0] == '\0')
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
			"'argv', word 0, is ''; it must be a program");
	return rc;
}

static int32_t take_shell(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	const char *text = NULL;
	if (p->settings->allow == ALLOW_ARGV)
		return wq_fail(p->err, WQ_REJECT, NOT_ALLOWED,
			"'shell' is not allowed by this task manager; give the command as 'argv'");
	int32_t rc = take_word(p, in, &(struct place){ key, NULL, NO_PLACE }, '\0', &text);
	if (rc != WQ_OK)
		return rc;
	free(p->request->argv); /* that of 'argv' */
	p->request->argv = calloc(4, sizeof(*p->request->argv));
	if (!p->request->argv)
		return -ENOMEM;
	p->request->argv[0] = p->settings->shell;
	p->request->argv[1] = "-c";
	p->request->argv[2] = text;
	return WQ_OK;
}

static int32_t take_dir(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	struct place at = { key, NULL, NO_PLACE };
	struct wq_cbor_in start = *in;
	struct wq_cbor_item item;
	int32_t rc = take_word(p, in, &at, '\0', &p->request->dir);
	if (rc == WQ_OK && p->request->dir[0] != '/' && wq_cbor_next(&start, &item) == 1)
		return refuse(p, &at, &item, "an absolute path");
	size_t len = rc == WQ_OK ? strlen(p->request->dir) : 0;
	if (len >= PATH_MAX)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
			"'dir' has %zu bytes; a path has at most %d", len, PATH_MAX - 1);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return environment_compare(*(const char *const *)a, *(const char *const *)b);
}

/* The name is `name` up to its '='. */
static int32_t refuse_variable(struct parse *p, const char *name, size_t len, const char *why)
{
	char shown[SHOW_SIZE];
	return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "'env': the variable %s %s",
		show_bytes(name, len, shown), why);
}

/* Values may be secret: no message shows one. */
static int32_t take_variable(struct parse *p, struct wq_cbor_in *in, int64_t i)
{
	const char *name = NULL, *value = NULL;
	struct place at = { "env", "name", i };
	int32_t rc = take_word(p, in, &at, '=', &name);
	if (rc != WQ_OK)
		return rc;
	size_t len = (size_t)(p->request->words + p->used - name) - 1;
	if (len == 0 || memchr(name, '=', len))
		return refuse_variable(p, name, len, "must have a name, without '='");
	struct wq_cbor_in start = *in;
	struct wq_cbor_item item;
	rc = take_word(p, in, &at, '\0', &value);
	if (rc == WQ_REJECT && wq_cbor_next(&start, &item) == 1)
		return refuse_variable(p, name, len, "must have as its value " ONE_WORD);
	p->request->env[i] = name;
	return rc;
}

static int32_t take_env(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	uint64_t n = 0;
	int32_t rc = take_head(p, in, WQ_CBOR_MAP, key, "a map of names to values", &n);
	if (rc == WQ_OK)
		rc = count_words(p, key, n);
	if (rc != WQ_OK)
		return rc;
	const char **env = calloc(n + 1, sizeof(*env));
	if (!env)
		return -ENOMEM;
	p->request->env = env;
	p->request->n_env = n;
	for (uint64_t i = 0; i < n && rc == WQ_OK; i++)
		rc = take_variable(p, in, (int64_t)i);
	if (rc != WQ_OK)
		return rc;
	qsort(env, n, sizeof(*env), by_name);
	for (uint64_t i = 1; i < n; i++)
		if (environment_compare(env[i - 1], env[i]) == 0)
			return refuse_variable(p, env[i], strcspn(env[i], "="), "is there twice");
	return WQ_OK;
}

static int32_t take_pass(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	struct wq_cbor_item item;
	int32_t rc = take_item(p, in, key, &item);
	if (rc != WQ_OK)
		return rc;
	if (item.type != WQ_CBOR_BOOL)
		return refuse(p, &(struct place){ key, NULL, NO_PLACE }, &item, "true or false");
	p->request->no_pass = !item.u;
	return WQ_OK;
}

static int32_t take_int(struct parse *p, struct wq_cbor_in *in, const char *key, int32_t max,
	const char *right, int32_t *ret)
{
	struct wq_cbor_item item;
	int64_t value;
	int32_t rc = take_item(p, in, key, &item);
	if (rc != WQ_OK)
		return rc;
	if (wq_cbor_int(&item, &value) < 0 || value < 0 || value > max)
		return refuse(p, &(struct place){ key, NULL, NO_PLACE }, &item, right);
	*ret = (int32_t)value;
	return WQ_OK;
}

static int32_t take_umask(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	return take_int(p, in, key, UMASK_MAX, "a number from 0 to 511 (0777)", &p->request->umask);
}

static int32_t take_nice(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	return take_int(p, in, key, NICE_MAX, "a number from 0 to 19", &p->request->nice);
}

static int32_t take_stdin(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	struct wq_cbor_item item;
	int32_t rc = take_item(p, in, key, &item);
	if (rc != WQ_OK)
		return rc;
	if (item.type != WQ_CBOR_TEXT && item.type != WQ_CBOR_BYTES)
		return refuse(p, &(struct place){ key, NULL, NO_PLACE }, &item,
			"a text or a byte string");
	p->request->input = (struct wq_bytes){ item.ptr, item.len };
	return WQ_OK;
}

static int32_t take_limit(struct parse *p, struct wq_cbor_in *in)
{
	char shown[SHOW_SIZE], known[128] = "";
	struct wq_cbor_item key, item;
	const struct limits *general = &p->settings->limits;
	struct limits *own = &p->request->limits;
	int64_t value;
	int i = 0;
	if (take_item(p, in, "limits", &key) != WQ_OK || take_item(p, in, "limits", &item) != WQ_OK)
		return WQ_REJECT;
	while (i < LIMIT_MAX && !wq_cbor_text_is(&key, limit_kinds[i].name))
		i++;
	if (i == LIMIT_MAX) {
		for (int k = 0; k < LIMIT_MAX; k++)
			(void)snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
				k > 0 ? ", " : "", limit_kinds[k].name);
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
			"'limits' has the unknown key %s; known are: %s", show_item(&key, shown),
			known);
	}
	const struct limit_kind *kind = &limit_kinds[i];
	if (own->is_set[i])
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "'limits' has the key '%s' twice",
			kind->name);
	if (wq_cbor_int(&item, &value) < 0 || value < kind->least)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
			"'limits': '%s' is %s; it must be a number of %s from %lld", kind->name,
			show_item(&item, shown), kind->unit, (long long)kind->least);
	if (general->is_set[i] && (uint64_t)value > general->value[i])
		return wq_fail(p->err, WQ_REJECT, NOT_ALLOWED,
			"'limits': '%s' is %lld; this task manager allows at most %llu %s",
			kind->name, (long long)value, (unsigned long long)general->value[i],
			kind->unit);
	own->is_set[i] = true;
	own->value[i] = (uint64_t)value;
	return WQ_OK;
}

static int32_t take_limits(struct parse *p, struct wq_cbor_in *in, const char *key)
{
	uint64_t n = 0;
	int32_t rc = take_head(p, in, WQ_CBOR_MAP, key, "a map of limits", &n);
	for (uint64_t i = 0; i < n && rc == WQ_OK; i++)
		rc = take_limit(p, in);
	return rc;
}

/* ---- the map --------------------------------------------------------------------------------- */

enum {
	KEY_ARGV,
	KEY_SHELL,
	KEY_DIR,
	KEY_ENV,
	KEY_PASS,
	KEY_UMASK,
	KEY_STDIN,
	KEY_NICE,
	KEY_LIMITS,
	KEY_MAX
};

static const struct {
	const char *name;
	int32_t (*take)(struct parse *p, struct wq_cbor_in *in, const char *key);
} keys[KEY_MAX] = {
	[KEY_ARGV] = { "argv", take_argv },
	[KEY_SHELL] = { "shell", take_shell },
	[KEY_DIR] = { "dir", take_dir },
	[KEY_ENV] = { "env", take_env },
	[KEY_PASS] = { "pass-environment", take_pass },
	[KEY_UMASK] = { "umask", take_umask },
	[KEY_STDIN] = { "stdin", take_stdin },
	[KEY_NICE] = { "nice", take_nice },
	[KEY_LIMITS] = { "limits", take_limits },
};

static int32_t unknown_key(struct parse *p, const struct wq_cbor_item *key)
{
	char shown[SHOW_SIZE], known[128] = "";
	for (int i = 0; i < KEY_MAX; i++)
		(void)snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
			i > 0 ? ", " : "", keys[i].name);
	return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
		"the command has the unknown key %s; known are: %s", show_item(key, shown), known);
}

static bool is_extension(const struct wq_cbor_item *key)
{
	return key->type == WQ_CBOR_TEXT && key->len > 2 && memcmp(key->ptr, "x-", 2) == 0;
}

/* One key and its value. */
static int32_t take_pair(struct parse *p, struct wq_cbor_in *in)
{
	struct wq_cbor_in at = *in;
	struct wq_cbor_item key;
	int i = 0;
	/* A key may be anything: also a map, whose content must be passed over. */
	if (wq_cbor_skip(in) != 1 || wq_cbor_next(&at, &key) != 1)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "the command is malformed");
	while (i < KEY_MAX && !wq_cbor_text_is(&key, keys[i].name))
		i++;
	struct wq_cbor_in value = *in;
	if (wq_cbor_skip(in) != 1)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "the command is malformed");
	if (i == KEY_MAX)
		return is_extension(&key) ? WQ_OK : unknown_key(p, &key);
	if (p->seen & 1u << i)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST, "the command has the key '%s' twice",
			keys[i].name);
	p->seen |= 1u << i;
	value.end = in->p;
	return keys[i].take(p, &value, keys[i].name);
}

static int32_t parse_map(struct parse *p, struct wq_bytes payload)
{
	char shown[SHOW_SIZE];
	struct wq_cbor_in in;
	struct wq_cbor_item item = { 0 };
	wq_cbor_in_init(&in, payload.ptr, payload.len);
	int rc = wq_cbor_next(&in, &item);
	if (rc == 1 && item.type == WQ_CBOR_TAG && item.u == TAG_SELF_DESCRIBED)
		rc = wq_cbor_next(&in, &item);
	if (rc != 1 || item.type != WQ_CBOR_MAP)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
			"the payload is %s; it must be a map with the key 'argv' or 'shell'",
			rc == 1 ? show_item(&item, shown) : "malformed");
	for (uint64_t i = 0; i < item.u; i++) {
		int32_t answer = take_pair(p, &in);
		if (answer != WQ_OK)
			return answer;
	}
	uint32_t both = 1u << KEY_ARGV | 1u << KEY_SHELL;
	if ((p->seen & both) == both)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
			"the command has both 'argv' and 'shell'; it must have one of them");
	if ((p->seen & both) == 0)
		return wq_fail(p->err, WQ_REJECT, BAD_REQUEST,
			"the command has neither 'argv' nor 'shell'; it must have one of them");
	return WQ_OK;
}

int32_t request_parse(const struct settings *settings, struct wq_bytes payload, struct request *ret,
	struct wq_err *err)
{
	*ret = (struct request){ .umask = -1, .nice = -1 };
	struct parse p = {
		.settings = settings, .request = ret, .size = payload.len + 1, .err = err
	};
	ret->words = malloc(p.size);
	int32_t rc = ret->words ? parse_map(&p, payload) : -ENOMEM;
	if (rc != WQ_OK)
		request_fini(ret);
	return rc < 0 ? wq_fail(err, rc, NULL, "the command") : rc;
}

void request_fini(struct request *r)
{
	free(r->argv);
	free(r->env);
	free(r->words);
	*r = (struct request){ 0 };
}
