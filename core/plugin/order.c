/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/order.h"

#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
	SPAWN_MIN_BYTES = 120, /* what ABI 0.2 had; older than that nothing is */
	UMASK_MAX = 0777,
	NICE_MAX = 19,
	LIMITS_MAX = RLIM_NLIMITS,
	SPAWN_FLAGS = WQ_SPAWN_JOIN_OUTPUT | WQ_SPAWN_LEAVE_REST
};

static const char *const own_names[] = { "WQ_ID", "WQ_ATTEMPT", "WQ_TASK_MANAGER", "WQ_WORK_DIR",
	/* The shepherd's, of the tag. */
	"WQ_TASK" };

/* ---- checks ---------------------------------------------------------------------------------- */

static size_t count_words(const char *const *words)
{
	size_t n = 0;
	while (words && words[n])
		n++;
	return n;
}

static bool is_label(const char *label)
{
	size_t len = strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return len > 0 && len <= FRAME_LABEL_MAX && label[len] == '\0';
}

/* Are all of these absolute? */
static bool are_paths(const char *const *dirs)
{
	for (; dirs && *dirs; dirs++)
		if (**dirs != '/')
			return false;
	return true;
}

static bool is_env(const char *const *env)
{
	for (; env && *env; env++)
		if (**env == '=' || !strchr(*env, '='))
			return false;
	return true;
}

static bool are_limits(const struct wq_limit *limits, uint32_t n)
{
	if (n > LIMITS_MAX || (n > 0 && !limits))
		return false;
	for (uint32_t k = 0; k < n; k++)
		if (limits[k].resource < 0 || limits[k].resource >= RLIM_NLIMITS)
			return false;
	return true;
}

/* What is wrong with it, or NULL. */
static const char *find_wrong(const struct wq_spawn *s)
{
	if (!s->argv || !s->argv[0] || !*s->argv[0])
		return "argv has no program";
	if (s->label && !is_label(s->label))
		return "the label is not [a-z0-9-]{1,31}";
	if (!is_env(s->env))
		return "env has a word that is not NAME=value";
	if (s->dir && *s->dir != '/')
		return "dir is not an absolute path";
	if (s->dir && strlen(s->dir) >= PATH_MAX)
		return "dir is longer than any path may be";
	if (!are_paths(s->dirs_allowed))
		return "dirs_allowed has a path that is not absolute";
	if (s->input.len > 0 && !s->input.ptr)
		return "the input is at NULL";
	if (!are_limits(s->limits, s->n_limits))
		return "limits has a resource that is none, or too many";
	if (s->umask > UMASK_MAX)
		return "umask is above 0777";
	if (s->nice < 0 || s->nice > NICE_MAX)
		return "nice is not 0 to 19";
	if (s->flags & ~(uint32_t)SPAWN_FLAGS)
		return "flags has a bit that means nothing";
	return NULL;
}

/* A copy of our size: what a smaller one does not have is zero. */
static int take_spawn(struct wq_spawn *ret, const struct wq_spawn *theirs, struct wq_err *err)
{
	if (theirs->struct_size < SPAWN_MIN_BYTES)
		return err_set_name(err, -EINVAL, "bad-spawn",
			"spawn: struct_size is %u; sizeof(struct wq_spawn) is right",
			theirs->struct_size);
	*ret = (struct wq_spawn){ 0 };
	memcpy(ret, theirs, theirs->struct_size < sizeof *ret ? theirs->struct_size : sizeof *ret);
	ret->struct_size = sizeof *ret;
	const char *wrong = find_wrong(ret);
	if (wrong)
		return err_set_name(err, -EINVAL, "bad-spawn", "spawn: %s", wrong);
	size_t words = count_words(ret->argv) + count_words(ret->env) + ORDER_ENV_ADDED;
	if (words > FRAME_STRINGS_MAX || ret->input.len > FRAME_MAX)
		return err_set_name(err, -WQ_E_LIMIT, "too-large",
			"spawn: %zu words and %zu bytes of input; at most %d and %d go to a child",
			words, ret->input.len, FRAME_STRINGS_MAX, FRAME_MAX);
	return 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

static bool is_own_name(const char *word)
{
	for (size_t k = 0; k < sizeof own_names / sizeof *own_names; k++) {
		size_t len = strlen(own_names[k]);
		if (strncmp(word, own_names[k], len) == 0 && word[len] == '=')
			return true;
	}
	return false;
}

static int add_env(
	struct order *o, const char *task_manager, const struct wq_task *task, struct wq_err *err)
{
	char attempt[16];
	snprintf(attempt, sizeof attempt, "%u", task->attempt);
	const char *const values[ORDER_ENV_ADDED] = { task->id, attempt, task_manager,
		task->work_dir };
	size_t n = 0;
	o->env = calloc(count_words(o->frame.what.env) + ORDER_ENV_ADDED + 1, sizeof *o->env);
	if (!o->env)
		return err_set(err, -ENOMEM, "spawn");
	for (const char *const *e = o->frame.what.env; e && *e; e++)
		if (!is_own_name(*e))
			o->env[n++] = *e;
	for (size_t k = 0; k < ORDER_ENV_ADDED; k++) {
		if (asprintf(&o->added[k], "%s=%s", own_names[k], values[k]) < 0) {
			o->added[k] = NULL;
			return err_set(err, -ENOMEM, "spawn");
		}
		o->env[n++] = o->added[k];
	}
	o->frame.what.env = o->env;
	return 0;
}

/* Its name, its tag, and its files. */
static int name_it(struct order *o, const struct wq_task *task, struct wq_err *err)
{
	const char *label = o->frame.what.label ? o->frame.what.label : "";
	const char *dot = *label ? "." : "";
	int len = snprintf(o->frame.name, sizeof o->frame.name, "%s%s%s", task->name, dot, label);
	if (len < 0 || (size_t)len >= sizeof o->frame.name)
		return err_set_name(err, -WQ_E_LIMIT, "too-large",
			"spawn: the name '%s%s%s' has more than %d bytes", task->name, dot, label,
			FRAME_NAME_MAX);
	snprintf(o->frame.tag, sizeof o->frame.tag, "%s", task->name);
	snprintf(o->out_name, sizeof o->out_name, "%s%sstdout", label, dot);
	snprintf(o->err_name, sizeof o->err_name, "%s%sstderr", label, dot);
	o->frame.out_name = o->out_name;
	o->frame.err_name = o->err_name;
	return 0;
}

int order_make(struct order *ret, const char *task_manager, const struct wq_task *task,
	const struct wq_spawn *spawn, struct wq_err *err)
{
	*ret = (struct order){ 0 };
	if (!task->work_dir)
		return err_set(err, -WQ_E_STATE,
			"spawn: the task has no work directory, where its output would go");
	ret->frame.work_dir = task->work_dir;
	int rc = take_spawn(&ret->frame.what, spawn, err);
	if (rc == 0)
		rc = name_it(ret, task, err);
	if (rc == 0)
		rc = add_env(ret, task_manager, task, err);
	return rc;
}

void order_fini(struct order *o)
{
	for (size_t k = 0; k < ORDER_ENV_ADDED; k++)
		free(o->added[k]);
	free(o->env);
}
