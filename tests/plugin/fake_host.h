/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_host: a host small enough for a test.  It loads a plugin by its public entry, runs one
 * instance on the test's thread, and keeps the host's side of wq/plugin.h: what it lends to an
 * operation is gone after it, and a task that is given back twice or never was there ends the test.
 * Header only, so that each test is one program of one file.
 *
 * Children are not run: what a plugin spawns is written down, a deep copy each, and the test says how
 * each ends (fake_end, fake_exited).  A plugin that asks for work directories gets real ones.
 *
 * The plugins are looked for in the directory WQ_PLUGINS.
 */
#pragma once

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <wq/cbor.h>
#include <wq/plugin.h>

enum {
	FAKE_TASKS_MAX = 2048,
	FAKE_RESULT_MAX = 4096,
	FAKE_CHILDREN_MAX = 64,
	FAKE_HANDLE_MAX = 4096,
	FAKE_PATH_MAX = 512
};

/* A child, with a copy of all that spawn was given. */
struct fake_child {
	uint64_t child;
	wq_tid tid;
	struct wq_spawn what; /* its pointers are to copies; label "" for NULL, env never NULL */
	bool running; /* on_child has not told of its end, and its task has not been given back */
	bool dropped; /* its task was given back while it ran */
	unsigned n_ends; /* calls of end_child while it ran; the last one's: */
	uint32_t end_how, end_grace_ms;
};

struct fake {
	const struct wq_plugin *plugin;
	struct wq_host host;
	wq_self *self;
	struct wq_value values[16];
	int n_tasks;
	void *state[FAKE_TASKS_MAX]; /* by tid - 1; NULL once it was given back */
	char id[FAKE_TASKS_MAX][32];
	uint32_t uid;             /* of those whose requests come */
	char root[FAKE_PATH_MAX]; /* above the work directories, "" where the plugin wants none */

	struct fake_child children[FAKE_CHILDREN_MAX]; /* in order of their spawn */
	int n_children;
	/* What the next spawn or save_handle answers, when not WQ_OK; for that one call. */
	int32_t spawn_answer, save_answer;
	/* The last handle that was saved. */
	wq_tid handle_tid;
	uint8_t handle[FAKE_HANDLE_MAX];
	size_t handle_len;

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
	int32_t how, code, signal;
	uint32_t retry_after_ms;
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

/* ---- children -------------------------------------------------------------------------------- */

static inline struct fake_child *fake_find_child(struct fake *f, uint64_t child)
{
	for (int i = 0; i < f->n_children; i++)
		if (f->children[i].child == child)
			return &f->children[i];
	return NULL;
}

static inline const char *const *fake_copy_words(const char *const *words)
{
	size_t n = 0;
	while (words && words[n])
		n++;
	char **copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = strdup(words[i]);
	return (const char *const *)copy;
}

static inline void fake_free_words(const char *const *words)
{
	for (size_t i = 0; words && words[i]; i++)
		free((void *)(uintptr_t)words[i]);
	free((void *)(uintptr_t)words);
}

static inline void *fake_copy_bytes(const void *bytes, size_t len)
{
	void *copy = malloc(len + 1);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static inline void fake_keep_spawn(struct fake_child *c, const struct wq_spawn *spawn)
{
	c->what = *spawn;
	c->what.label = strdup(spawn->label ? spawn->label : "");
	c->what.argv = fake_copy_words(spawn->argv);
	c->what.env = fake_copy_words(spawn->env);
	c->what.dir = spawn->dir ? strdup(spawn->dir) : NULL;
	c->what.dirs_allowed = spawn->dirs_allowed ? fake_copy_words(spawn->dirs_allowed) : NULL;
	c->what.input.ptr = fake_copy_bytes(spawn->input.ptr, spawn->input.len);
	c->what.limits = fake_copy_bytes(spawn->limits, spawn->n_limits * sizeof(*spawn->limits));
}

static inline void fake_free_child(struct fake_child *c)
{
	free((void *)(uintptr_t)c->what.label);
	fake_free_words(c->what.argv);
	fake_free_words(c->what.env);
	free((void *)(uintptr_t)c->what.dir);
	fake_free_words(c->what.dirs_allowed);
	free((void *)(uintptr_t)c->what.input.ptr);
	free((void *)(uintptr_t)c->what.limits);
}

static inline int32_t host_spawn(
	wq_host_ctx *ctx, const struct wq_spawn *spawn, uint64_t *ret_child, struct wq_err *err)
{
	struct fake *f = ctx->fake;
	int32_t answer = f->spawn_answer;
	f->spawn_answer = WQ_OK;
	ck_assert_msg((f->plugin->caps & WQ_CAP_CHILDREN) != 0, "spawn without WQ_CAP_CHILDREN");
	ck_assert_uint_eq(spawn->struct_size, sizeof(*spawn));
	if (answer != WQ_OK) {
		if (err && answer < 0)
			(void)snprintf(err->text, sizeof(err->text), "cannot spawn");
		return answer;
	}
	if (!spawn->argv || !spawn->argv[0])
		return -EINVAL;
	if (spawn->tid < 1 || spawn->tid > (wq_tid)f->n_tasks || !f->state[spawn->tid - 1])
		return -WQ_E_UNKNOWN;
	for (int i = 0; i < f->n_children; i++)
		if (f->children[i].tid == spawn->tid &&
			strcmp(f->children[i].what.label, spawn->label ? spawn->label : "") == 0)
			return -WQ_E_DUPLICATE;
	ck_assert_int_lt(f->n_children, FAKE_CHILDREN_MAX);
	struct fake_child *c = &f->children[f->n_children++];
	*c = (struct fake_child){
		.child = 1000 + (uint64_t)f->n_children, .tid = spawn->tid, .running = true
	};
	fake_keep_spawn(c, spawn);
	*ret_child = c->child;
	return WQ_OK;
}

static inline int32_t host_end_child(
	wq_host_ctx *ctx, uint64_t child, uint32_t how, uint32_t grace_ms)
{
	struct fake_child *c = fake_find_child(ctx->fake, child);
	ck_assert(how == WQ_TERM_GRACEFUL || how == WQ_TERM_NOW);
	if (!c || !c->running)
		return -WQ_E_UNKNOWN;
	c->n_ends++;
	c->end_how = how;
	c->end_grace_ms = grace_ms;
	return 0;
}

static inline int32_t host_save_handle(wq_host_ctx *ctx, wq_tid tid, const void *bytes, size_t len)
{
	struct fake *f = ctx->fake;
	int32_t answer = f->save_answer;
	f->save_answer = WQ_OK;
	if (answer != WQ_OK)
		return answer;
	if (tid < 1 || tid > (wq_tid)f->n_tasks || !f->state[tid - 1])
		return -WQ_E_UNKNOWN;
	if (len > FAKE_HANDLE_MAX)
		return -WQ_E_LIMIT;
	f->handle_tid = tid;
	f->handle_len = len;
	if (len > 0)
		memcpy(f->handle, bytes, len);
	return 0;
}

/* The child that was spawned last; there is one. */
static inline const struct fake_child *fake_last_spawn(const struct fake *f)
{
	ck_assert_int_gt(f->n_children, 0);
	return &f->children[f->n_children - 1];
}

/* The value of `name` in what it was spawned with, NULL for none. */
static inline const char *fake_env(const struct fake_child *c, const char *name)
{
	size_t len = strlen(name);
	for (const char *const *e = c->what.env; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

/* It has ended so: on_child is called.  struct_size is filled in; the texts are lent for the call
 * only. */
static inline void fake_end(struct fake *f, uint64_t child, const struct wq_child_end *end)
{
	struct fake_child *c = fake_find_child(f, child);
	ck_assert_msg(c && c->running, "child %" PRIu64 " does not run", child);
	c->running = false;
	char *error = end->error ? strdup(end->error) : NULL;
	char *text = end->text ? strdup(end->text) : NULL;
	struct wq_child_end lent = *end;
	lent.struct_size = sizeof(lent);
	lent.error = error;
	lent.text = text;
	f->plugin->on_child(f->self, child, c->tid, &lent);
	free(error);
	free(text);
}

/* It has exited with `code`. */
static inline void fake_exited(struct fake *f, uint64_t child, int32_t code)
{
	fake_end(f, child, &(struct wq_child_end){ .how = WQ_CHILD_EXITED, .code = code });
}

/* ---- work directories ------------------------------------------------------------------------ */

/* The work directory of a task, "" where the plugin wants none. */
static inline char *fake_work_dir(const struct fake *f, wq_tid tid, char ret[FAKE_PATH_MAX])
{
	ret[0] = '\0';
	if (f->root[0])
		(void)snprintf(ret, FAKE_PATH_MAX, "%.400s/%s.1", f->root, f->id[tid - 1]);
	return ret;
}

/* Write a file there, as the shepherd does with "stdout" and "stderr". */
static inline void fake_write(
	const struct fake *f, wq_tid tid, const char *file, const void *bytes, size_t len)
{
	char dir[FAKE_PATH_MAX], path[FAKE_PATH_MAX + 64];
	(void)snprintf(path, sizeof(path), "%s/%s", fake_work_dir(f, tid, dir), file);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	(void)close(fd);
}

static inline void fake_make_root(struct fake *f)
{
	const char *tmp = getenv("TMPDIR");
	if (!(f->plugin->caps & WQ_CAP_WORK_DIR))
		return;
	(void)snprintf(f->root, sizeof(f->root), "%.300s/wq-fake-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(f->root));
}

static inline int fake_remove_one(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void fake_remove_root(struct fake *f)
{
	if (f->root[0])
		(void)nftw(f->root, fake_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- plugins and instances ------------------------------------------------------------------- */

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
		.spawn = host_spawn,
		.end_child = host_end_child,
		.save_handle = host_save_handle,
	};
	f->uid = getuid();
	fake_make_root(f);
	set_values(f, options);
	struct wq_config config = { .struct_size = sizeof(config),
		.n_values = f->plugin->n_options,
		.instance = "test",
		.values = f->values,
		.result_limit = 1024 * 1024 };
	f->self = calloc(1, f->plugin->self_size);
	int32_t rc = f->plugin->create(f->self, &f->host, &config, err);
	if (rc < 0) {
		fake_remove_root(f);
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
	for (int i = 0; i < f->n_children; i++)
		fake_free_child(&f->children[i]);
	fake_remove_root(f);
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
		.request = { o->buf, o->len },
		.uid = f->uid };
	int32_t rc = f->plugin->validate(f->self, &task, err);
	drop_request(o);
	return rc;
}

/* The texts of a task, lent for one call. */
struct fake_lent {
	char name[64], key[8], label[8], work_dir[FAKE_PATH_MAX];
};

static inline struct wq_task fake_task(struct fake *f, wq_tid tid, struct fake_lent *lent)
{
	const char *id = f->id[tid - 1];
	(void)snprintf(lent->name, sizeof(lent->name), "spool.%s.1", id);
	(void)snprintf(lent->key, sizeof(lent->key), "key");
	(void)snprintf(lent->label, sizeof(lent->label), "label");
	(void)fake_work_dir(f, tid, lent->work_dir);
	return (struct wq_task){ .struct_size = sizeof(struct wq_task),
		.attempt = 1,
		.tid = tid,
		.id = id,
		.name = lent->name,
		.key = lent->key,
		.label = lent->label,
		.state = f->state[tid - 1],
		.work_dir = lent->work_dir[0] ? lent->work_dir : NULL,
		.uid = f->uid };
}

/* A task with the next number; its work directory is made. */
static inline wq_tid fake_add_task(struct fake *f)
{
	char dir[FAKE_PATH_MAX];
	ck_assert_int_lt(f->n_tasks, FAKE_TASKS_MAX);
	wq_tid tid = (wq_tid)++f->n_tasks;
	(void)snprintf(f->id[tid - 1], sizeof(f->id[tid - 1]), "1700000000.000001-%d", f->n_tasks);
	f->state[tid - 1] = calloc(1, f->plugin->task_size + 1);
	if (*fake_work_dir(f, tid, dir))
		ck_assert_int_eq(mkdir(dir, 0700), 0);
	return tid;
}

/* It is over: what still runs of it is forgotten. */
static inline void fake_drop_task(struct fake *f, wq_tid tid)
{
	free(f->state[tid - 1]);
	f->state[tid - 1] = NULL;
	for (int i = 0; i < f->n_children; i++) {
		struct fake_child *c = &f->children[i];
		if (c->tid != tid || !c->running)
			continue;
		c->running = false;
		c->dropped = true;
	}
}

/* What start_task answers; the request is freed, its bytes overwritten before that.  The task's id
 * is "1700000000.000001-<tid>", its tid counts from 1. */
static inline int32_t fake_start(
	struct fake *f, struct wq_cbor_out *o, wq_tid *ret_tid, struct wq_err *err)
{
	struct fake_lent lent;
	wq_tid tid = fake_add_task(f);
	struct wq_task task = fake_task(f, tid, &lent);
	task.request = (struct wq_bytes){ o->buf, o->len };
	int32_t rc = f->plugin->start_task(f->self, &task, err);
	memset(&lent, 0, sizeof(lent));
	drop_request(o);
	if (rc != WQ_OK)
		fake_drop_task(f, tid);
	if (ret_tid)
		*ret_tid = tid;
	return rc;
}

/*
 * What recover answers to a task that an earlier server had started, with children of these labels
 * (NULL at the end, "" for a task's only one), which have the numbers of the last f->children and end
 * by fake_end, and with a handle.  The work directory is there; `prepare` may put something into it
 * before (NULL: nothing).
 */
static inline int32_t fake_recover(struct fake *f, const char *const *labels,
	struct wq_bytes handle, void (*prepare)(struct fake *f, wq_tid tid), wq_tid *ret_tid,
	struct wq_err *err)
{
	static const char *const no_words[] = { NULL };
	struct wq_child told[FAKE_CHILDREN_MAX];
	struct fake_lent lent;
	wq_tid tid = fake_add_task(f);
	struct wq_task task = fake_task(f, tid, &lent);
	for (; labels && *labels; labels++) {
		struct wq_spawn unknown = { .struct_size = sizeof(unknown),
			.tid = tid,
			.label = *labels,
			.argv = no_words };
		ck_assert_int_lt(f->n_children, FAKE_CHILDREN_MAX);
		struct fake_child *c = &f->children[f->n_children++];
		*c = (struct fake_child){
			.child = 1000 + (uint64_t)f->n_children, .tid = tid, .running = true
		};
		fake_keep_spawn(c, &unknown);
		told[task.n_children++] =
			(struct wq_child){ .child = c->child, .label = c->what.label };
	}
	task.children = task.n_children ? told : NULL;
	task.handle = handle;
	if (prepare)
		prepare(f, tid);
	int32_t rc = f->plugin->recover(f->self, &task, err);
	memset(&lent, 0, sizeof(lent));
	memset(told, 0, sizeof(told));
	if (rc != WQ_ADOPTED)
		fake_drop_task(f, tid);
	if (ret_tid)
		*ret_tid = tid;
	return rc;
}

static inline void fake_terminate_how(struct fake *f, wq_tid tid, uint32_t how)
{
	struct fake_lent lent;
	struct wq_task task = fake_task(f, tid, &lent);
	ck_assert_int_eq(f->plugin->terminate(f->self, &task, how), WQ_OK);
	memset(&lent, 0, sizeof(lent));
}

static inline void fake_terminate(struct fake *f, wq_tid tid)
{
	fake_terminate_how(f, tid, WQ_TERM_GRACEFUL);
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
	memset(ret, 0, sizeof(*ret));
	ret->how = outcome.how;
	ret->code = outcome.code;
	ret->signal = outcome.signal;
	ret->retry_after_ms = outcome.retry_after_ms;
	ret->tid = outcome.tid;
	ck_assert_uint_le(outcome.result.len, sizeof(ret->result));
	if (outcome.result.len > 0)
		memcpy(ret->result, outcome.result.ptr, outcome.result.len);
	ret->len = outcome.result.len;
	(void)snprintf(ret->error, sizeof(ret->error), "%s", outcome.error ? outcome.error : "");
	(void)snprintf(ret->text, sizeof(ret->text), "%s", outcome.text ? outcome.text : "");
	fake_drop_task(f, outcome.tid);
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
