/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/plugin/rig.h"

#include "support/link/fake_link.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINES_MAX = 4096,
	LINE_MAX_BYTES = 512,
	OTHERS_MAX = 8
};

struct loop *rig_loop;
struct instance *rig_instance;
struct children *rig_children;

static const uint8_t rig_request[] = { 0xa0 }; /* an empty map */
#define TASK_AS_NEW                                                                                \
	{                                                                                          \
		.id = "1700000000.000001-0123456789abc",                                           \
		.name = "spool.1700000000.000001-0123456789abc.1", .key = "", .label = "",         \
		.request = { rig_request, sizeof rig_request }, .attempt = 1, .uid = 1234,         \
		.work_dir = "/spool/work/1700000000.000001-0123456789abc.1"                        \
	}
struct instance_task rig_task = TASK_AS_NEW;

static struct option_values values[OTHERS_MAX];
static size_t n_values;
static struct instance *others[OTHERS_MAX];
static size_t n_others;

/* Lines come from any thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char (*lines)[LINE_MAX_BYTES];
static int n_lines;
static char last_id[64];
static int n_touched;

static void touched(void *arg, struct instance *i)
{
	(void)arg, (void)i;
	n_touched++;
}

static void logged(void *arg, struct instance *i, int level, const char *id, const char *text)
{
	(void)arg, (void)i, (void)level;
	pthread_mutex_lock(&lock);
	if (!lines)
		lines = calloc(LINES_MAX, sizeof(*lines));
	if (lines && n_lines < LINES_MAX)
		snprintf(lines[n_lines++], LINE_MAX_BYTES, "%s", text);
	snprintf(last_id, sizeof last_id, "%s", id ? id : "");
	pthread_mutex_unlock(&lock);
}

static char handle[256];
int rig_handle_answer;

static int save_handle(void *arg, struct instance *i, const char *id, uint32_t attempt,
	const void *bytes, size_t len)
{
	(void)arg, (void)i;
	snprintf(handle, sizeof handle, "%s %u %.*s", id, attempt, (int)len, (const char *)bytes);
	return rig_handle_answer;
}

const char *rig_handle(void)
{
	return handle;
}

static const struct instance_events events = {
	.touched = touched, .log = logged, .save_handle = save_handle
};

static int n_ups;

static void up(void *arg)
{
	(void)arg;
	n_ups++;
}

int rig_ups(void)
{
	return n_ups;
}

static void logged_by_children(void *arg, int level, const char *text)
{
	logged(arg, NULL, level, NULL, text);
}

int rig_touched(void)
{
	return n_touched;
}

int rig_lines(const char *part)
{
	int n = 0;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < n_lines; i++)
		n += strstr(lines[i], part) != NULL;
	pthread_mutex_unlock(&lock);
	return n;
}

const char *rig_last_line(void)
{
	return n_lines ? lines[n_lines - 1] : "";
}

const char *rig_last_line_id(void)
{
	return last_id;
}

static const char *dir_of(const char *env)
{
	const char *dir = getenv(env);
	ck_assert_msg(dir != NULL, "%s must name the directory of the built plugins", env);
	return dir;
}

int rig_try_load(const char *env, const char *name, struct wq_err *err)
{
	const char *dirs[] = { dir_of(env), NULL };
	const struct plugin *p = NULL;
	return plugin_load(name, dirs, &p, err);
}

const struct plugin *rig_load(const char *env, const char *name)
{
	const char *dirs[] = { dir_of(env), NULL };
	const struct plugin *p = NULL;
	struct wq_err err = { 0 };
	ck_assert_msg(plugin_load(name, dirs, &p, &err) == 0, "%s", err.text);
	return p;
}

static const struct option_values *values_of(const struct plugin *p, const char *fault)
{
	static const struct problem_at at = { .file = "wq.conf", .section = "options" };
	struct problems problems = { 0 };
	struct setting setting = { .key = (char[]){ "fault" }, .value = strdup(fault) };
	struct option_values *v = &values[n_values++];
	ck_assert_uint_lt(n_values, OTHERS_MAX);
	int rc = options_check(p->options, p->desc.n_options, &setting, 1, "/", &at, &problems, v);
	ck_assert_msg(rc == 0, "%s", problems.n ? problems.lines[0] : "options_check");
	problems_fini(&problems);
	free(setting.value);
	return v;
}

static void need_loop(void)
{
	if (!rig_loop)
		rig_loop = loop_new();
	ck_assert_ptr_nonnull(rig_loop);
}

void rig_add_children(void)
{
	const struct link_place place = { .own_fd = -1, .root = "/spool", .uuid = "spool" };
	const struct children_events of_children = { .up = up, .log = logged_by_children };
	struct wq_err err = { 0 };
	need_loop();
	fake_link_reset();
	ck_assert_int_eq(children_new(&rig_children, rig_loop, &place, &of_children, &err), 0);
}

static int make(struct instance **ret, const struct plugin *p, const char *name, const char *fault,
	struct wq_err *err)
{
	need_loop();
	const struct instance_host host = { .loop = rig_loop,
		.result_limit = RIG_RESULT_LIMIT,
		.children = rig_children,
		.events = events };
	return instance_new(ret, p, name, fault ? values_of(p, fault) : NULL, &host, err);
}

int rig_make(const struct plugin *p, const char *fault, struct wq_err *err)
{
	return make(&rig_instance, p, "lab", fault, err);
}

void rig_start(const struct plugin *p, const char *fault)
{
	struct wq_err err = { 0 };
	ck_assert_msg(rig_make(p, fault, &err) == 0, "%s", err.text);
	ck_assert_msg(instance_start(rig_instance, &err) == 0, "%s", err.text);
}

struct instance *rig_another(const struct plugin *p, const char *name, const char *fault)
{
	struct wq_err err = { 0 };
	struct instance **other = &others[n_others++];
	ck_assert_uint_lt(n_others, OTHERS_MAX);
	ck_assert_msg(make(other, p, name, fault, &err) == 0, "%s", err.text);
	ck_assert_msg(instance_start(*other, &err) == 0, "%s", err.text);
	return *other;
}

void rig_free(void)
{
	instance_free(rig_instance);
	rig_instance = NULL;
	while (n_others > 0)
		instance_free(others[--n_others]);
	while (n_values > 0)
		options_fini(&values[--n_values]);
	children_free(rig_children, true);
	rig_children = NULL;
	loop_free(rig_loop);
	rig_loop = NULL;
	rig_task = (struct instance_task)TASK_AS_NEW;
	free(lines);
	lines = NULL;
}

void rig_run(void)
{
	ck_assert_int_eq(loop_run_once(rig_loop, 0), 0);
}

void rig_run_until_touched(void)
{
	int before = n_touched;
	while (n_touched == before)
		ck_assert_int_eq(loop_run_once(rig_loop, -1), 0);
}

int rig_start_task(wq_tid *ret_tid, struct wq_err *err)
{
	int64_t delay_ms;
	return instance_start_task(rig_instance, &rig_task, ret_tid, &delay_ms, err);
}

int rig_recover(wq_tid *ret_tid, struct wq_err *err)
{
	return instance_recover(rig_instance, &rig_task, ret_tid, err);
}

/* ---- asserting --------------------------------------------------------------------------------- */

void rig_assert_text(const char *text, const char *part)
{
	ck_assert_msg(text && strstr(text, part), "'%s' has no '%s'", text ? text : "NULL", part);
}

void rig_assert_line(const char *part)
{
	ck_assert_msg(rig_lines(part) == 1, "%d lines have '%s'; last: %s", rig_lines(part), part,
		rig_last_line());
}

wq_tid rig_start_one(void)
{
	wq_tid tid = 0;
	struct wq_err err = { 0 };
	ck_assert_int_eq(rig_start_task(&tid, &err), WQ_OK);
	return tid;
}

struct wq_outcome rig_reap_one(void)
{
	struct wq_outcome o;
	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);
	return o;
}

void rig_assert_no_more(void)
{
	struct wq_outcome o;
	ck_assert_int_eq(instance_reap(rig_instance, &o), 0);
}

uint64_t rig_strikes(enum instance_strike kind)
{
	/* The one of this kind and no other; that of time depends on the machine's load. */
	ck_assert_uint_eq(
		instance_strikes(rig_instance) -
			instance_strikes_of(rig_instance, INSTANCE_STRIKE_SLOW) +
			(kind == INSTANCE_STRIKE_SLOW ? instance_strikes_of(rig_instance, kind)
						      : 0),
		instance_strikes_of(rig_instance, kind));
	return instance_strikes_of(rig_instance, kind);
}
