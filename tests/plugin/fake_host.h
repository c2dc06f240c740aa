/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_host: a host small enough for a test.  It loads a plugin by its public entry, runs one
 * instance on the test's thread, and keeps the host's side of wq/plugin.h: what it lends to an
 * operation is gone after it, and a task that is given back twice or never was there ends the test.
 * Header only, so that each test is one program of one file.
 *
 * The plugins are looked for in the directory WQ_PLUGINS.
 */
#pragma once

#include <check.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <wq/cbor.h>
#include <wq/plugin.h>

enum {
	FAKE_TASKS_MAX = 2048,
	FAKE_RESULT_MAX = 4096
};

struct fake {
	const struct wq_plugin *plugin;
	struct wq_host host;
	wq_self *self;
	struct wq_value values[16];
	int n_tasks;
	void *state[FAKE_TASKS_MAX]; /* by tid - 1; NULL once it was given back */
	char id[FAKE_TASKS_MAX][32];

	/* Written by any thread, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t woken;
	unsigned wakeups;
	int32_t permille; /* the last progress, and its greatest */
	int32_t permille_max;
	wq_tid progress_tid;
	wq_tid log_tid;
	char log[256]; /* the last line */
};

/* A copy of an outcome, to keep. */
struct fake_outcome {
	int32_t how, code;
	wq_tid tid;
	uint8_t result[FAKE_RESULT_MAX];
	size_t len;
	char error[64], text[512];
};

struct wq_host_ctx {
	struct fake *fake;
};

static inline void host_log(wq_host_ctx *ctx, int32_t level, wq_tid tid, const char *text)
{
	struct fake *f = ctx->fake;
	(void)level;
	pthread_mutex_lock(&f->lock);
	f->log_tid = tid;
	(void)snprintf(f->log, sizeof(f->log), "%s", text);
	pthread_mutex_unlock(&f->lock);
}

static inline void host_wakeup(wq_host_ctx *ctx)
{
	struct fake *f = ctx->fake;
	pthread_mutex_lock(&f->lock);
	f->wakeups++;
	pthread_cond_signal(&f->woken);
	pthread_mutex_unlock(&f->lock);
}

static inline void host_progress(wq_host_ctx *ctx, wq_tid tid, int32_t permille, const char *text)
{
	struct fake *f = ctx->fake;
	(void)text;
	pthread_mutex_lock(&f->lock);
	f->progress_tid = tid;
	f->permille = permille;
	if (permille > f->permille_max)
		f->permille_max = permille;
	pthread_cond_signal(&f->woken);
	pthread_mutex_unlock(&f->lock);
}

static inline int64_t host_clock_ns(wq_host_ctx *ctx)
{
	struct timespec ts;
	(void)ctx;
	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* "<WQ_PLUGINS>/<name>" */
static inline char *fake_path(const char *name, char *ret, size_t size)
{
	const char *dir = getenv("WQ_PLUGINS");
	ck_assert_msg(dir != NULL, "WQ_PLUGINS must name the directory of the plugins");
	(void)snprintf(ret, size, "%s/%s", dir, name);
	return ret;
}

/* The path of `name` in the directory of the program that runs. */
static inline char *fake_beside(const char *name, char *ret, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret, size - 64);
	ck_assert_int_gt(n, 0);
	ret[n] = '\0';
	(void)snprintf(strrchr(ret, '/') + 1, 64, "%s", name);
	return ret;
}

static inline const struct wq_plugin *load(const char *name)
{
	char file[128], path[4096];
	wq_plugin_fn *entry;
	(void)snprintf(file, sizeof(file), "%s.so", name);
	void *dl =
		dlopen(fake_path(file, path, sizeof(path)), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	ck_assert_msg(dl != NULL, "%s", dl ? "" : dlerror());
	*(void **)&entry = dlsym(dl, WQ_ENTRY_SYMBOL);
	ck_assert_msg(entry != NULL, "%s has no entry", path);
	const struct wq_plugin *plugin = entry();
	ck_assert_uint_eq(plugin->magic, WQ_PLUGIN_MAGIC);
	ck_assert_str_eq(plugin->name, name);
	return plugin;
}

/* Only what the tests here write: numbers, booleans and texts. */
static inline void set_value(struct wq_value *v, const struct wq_option *option, const char *text)
{
	v->type = option->type;
	if (!text)
		return;
	if (option->type == WQ_T_INT)
		v->u.i = strtoll(text, NULL, 10);
	else if (option->type == WQ_T_BOOL)
		v->u.i = strcmp(text, "true") == 0;
	else
		v->u.s = text;
}

static inline void set_values(struct fake *f, const char *const *options)
{
	ck_assert_uint_le(f->plugin->n_options, 16);
	for (uint32_t i = 0; i < f->plugin->n_options; i++) {
		const struct wq_option *option = &f->plugin->options[i];
		size_t len = strlen(option->name);
		set_value(&f->values[i], option, option->def);
		for (const char *const *o = options; *o; o++) {
			if (strncmp(*o, option->name, len) != 0 || (*o)[len] != '=')
				continue;
			set_value(&f->values[i], option, *o + len + 1);
			f->values[i].is_set = 1;
		}
	}
}

/*
 * Make an instance of plugin `name` with options "key=value", NULL at the end: create only.  What
 * create answers; on failure there is nothing to free.
 */
static inline int32_t fake_create(
	struct fake *f, const char *name, const char *const *options, struct wq_err *err)
{
	memset(f, 0, sizeof(*f));
	f->plugin = load(name);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->woken, NULL);
	wq_host_ctx *ctx = calloc(1, sizeof(*ctx));
	ctx->fake = f;
	f->host = (struct wq_host){
		.struct_size = sizeof(f->host),
		.abi_major = WQ_ABI_MAJOR,
		.abi_minor = WQ_ABI_MINOR,
		.ctx = ctx,
		.server_version = "test",
		.log = host_log,
		.wakeup = host_wakeup,
		.progress = host_progress,
		.clock_ns = host_clock_ns,
	};
	set_values(f, options);
	struct wq_config config = { .struct_size = sizeof(config),
		.n_values = f->plugin->n_options,
		.instance = "test",
		.values = f->values };
	f->self = calloc(1, f->plugin->self_size);
	int32_t rc = f->plugin->create(f->self, &f->host, &config, err);
	if (rc < 0) {
		free(f->self);
		free(ctx);
	}
	return rc;
}

/* The same and start; a failure ends the test. */
static inline void fake_open(struct fake *f, const char *name, const char *const *options)
{
	struct wq_err err = { 0 };
	ck_assert_msg(fake_create(f, name, options, &err) == 0, "create: %s", err.text);
	ck_assert_msg(f->plugin->start(f->self, &err) == 0, "start: %s", err.text);
}

/* destroy; what it had not given back is forgotten. */
static inline void fake_close(struct fake *f)
{
	f->plugin->destroy(f->self);
	for (int i = 0; i < f->n_tasks; i++)
		free(f->state[i]);
	free(f->self);
	free(f->host.ctx);
	pthread_cond_destroy(&f->woken);
	pthread_mutex_destroy(&f->lock);
}

static inline void drop_request(struct wq_cbor_out *o)
{
	if (o->len > 0)
		memset(o->buf, 0xff, o->len); /* it was lent for the call only */
	wq_cbor_out_free(o);
}

/* What validate answers to a request; the request is put into `o` and freed. */
static inline int32_t fake_validate(struct fake *f, struct wq_cbor_out *o, struct wq_err *err)
{
	struct wq_task task = { .struct_size = sizeof(task),
		.attempt = 1,
		.id = "1700000000.000001-0",
		.name = "spool.1700000000.000001-0.1",
		.key = "",
		.label = "",
		.request = { o->buf, o->len } };
	int32_t rc = f->plugin->validate(f->self, &task, err);
	drop_request(o);
	return rc;
}

/* What start_task answers; the request is freed, its bytes overwritten before that.  The task's id
 * is "1700000000.000001-<tid>", its tid counts from 1. */
static inline int32_t fake_start(
	struct fake *f, struct wq_cbor_out *o, wq_tid *ret_tid, struct wq_err *err)
{
	ck_assert_int_lt(f->n_tasks, FAKE_TASKS_MAX);
	int at = f->n_tasks++;
	char name[64], key[] = "key", label[] = "label";
	(void)snprintf(f->id[at], sizeof(f->id[at]), "1700000000.000001-%d", at + 1);
	(void)snprintf(name, sizeof(name), "spool.%s.1", f->id[at]);
	f->state[at] = calloc(1, f->plugin->task_size + 1);
	struct wq_task task = { .struct_size = sizeof(task),
		.attempt = 1,
		.tid = (wq_tid)at + 1,
		.id = f->id[at],
		.name = name,
		.key = key,
		.label = label,
		.request = { o->buf, o->len },
		.state = f->state[at] };
	int32_t rc = f->plugin->start_task(f->self, &task, err);
	memset(name, 0, sizeof(name));
	memset(key, 0, sizeof(key));
	memset(label, 0, sizeof(label));
	drop_request(o);
	if (rc != WQ_OK) {
		free(f->state[at]);
		f->state[at] = NULL;
	}
	if (ret_tid)
		*ret_tid = (wq_tid)at + 1;
	return rc;
}

static inline void fake_terminate(struct fake *f, wq_tid tid)
{
	struct wq_task task = { .struct_size = sizeof(task),
		.attempt = 1,
		.tid = tid,
		.id = f->id[tid - 1],
		.name = "",
		.key = "",
		.label = "",
		.state = f->state[tid - 1] };
	ck_assert_int_eq(f->plugin->terminate(f->self, &task, WQ_TERM_GRACEFUL), WQ_OK);
}

/* Is one given back now? */
static inline bool fake_reap(struct fake *f, struct fake_outcome *ret)
{
	struct wq_outcome outcome = { .struct_size = sizeof(outcome) };
	int32_t rc = f->plugin->reap(f->self, &outcome);
	if (rc == 0)
		return false;
	ck_assert_int_eq(rc, 1);
	ck_assert_uint_ge(outcome.tid, 1);
	ck_assert_uint_le(outcome.tid, (wq_tid)f->n_tasks);
	ck_assert_msg(f->state[outcome.tid - 1] != NULL, "task %" PRIu64 " was given back twice",
		outcome.tid);
	free(f->state[outcome.tid - 1]);
	f->state[outcome.tid - 1] = NULL;

	memset(ret, 0, sizeof(*ret));
	ret->how = outcome.how;
	ret->code = outcome.code;
	ret->tid = outcome.tid;
	ck_assert_uint_le(outcome.result.len, sizeof(ret->result));
	if (outcome.result.len > 0)
		memcpy(ret->result, outcome.result.ptr, outcome.result.len);
	ret->len = outcome.result.len;
	(void)snprintf(ret->error, sizeof(ret->error), "%s", outcome.error ? outcome.error : "");
	(void)snprintf(ret->text, sizeof(ret->text), "%s", outcome.text ? outcome.text : "");
	return true;
}

/* Wait, as the host does, for a wake-up; ten seconds without any end the test. */
static inline void fake_wait(struct fake *f, struct fake_outcome *ret)
{
	for (;;) {
		pthread_mutex_lock(&f->lock);
		unsigned seen = f->wakeups;
		pthread_mutex_unlock(&f->lock);
		if (fake_reap(f, ret))
			return;
		struct timespec until;
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 10;
		int rc = 0;
		pthread_mutex_lock(&f->lock);
		while (rc == 0 && f->wakeups == seen)
			rc = pthread_cond_timedwait(&f->woken, &f->lock, &until);
		pthread_mutex_unlock(&f->lock);
		ck_assert_msg(rc == 0, "no wakeup in ten seconds");
	}
}

/* Start, wait, give back. */
static inline void fake_run(struct fake *f, struct wq_cbor_out *o, struct fake_outcome *ret)
{
	struct wq_err err = { 0 };
	wq_tid tid;
	int32_t rc = fake_start(f, o, &tid, &err);
	ck_assert_msg(rc == WQ_OK, "start_task answered %d: %s", rc, err.text);
	fake_wait(f, ret);
	ck_assert_uint_eq(ret->tid, tid);
}
