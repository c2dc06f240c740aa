/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/instance_priv.h"

#include "base/err.h"
#include "base/time.h"
#include "base/utf8.h"
#include "plugin/children.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	LOG_LINES_A_SECOND = 100,
	HANDLE_MAX_BYTES = 4096,
	WATCH_EVENTS = WQ_READABLE | WQ_WRITABLE,
};

_Static_assert((int)WQ_READABLE == (int)EPOLLIN && (int)WQ_WRITABLE == (int)EPOLLOUT &&
		       (int)WQ_FD_ERROR == (int)EPOLLERR && (int)WQ_FD_HANGUP == (int)EPOLLHUP,
	"events are handed through as epoll(7) has them");

/* ---- log ------------------------------------------------------------------------------------- */

static bool bucket_take(struct bucket *b, int64_t now)
{
	b->tokens += (double)(now - b->filled_ns) / (double)NS_PER_S * LOG_LINES_A_SECOND;
	if (b->tokens > LOG_LINES_A_SECOND || b->filled_ns == 0)
		b->tokens = LOG_LINES_A_SECOND;
	b->filled_ns = now;
	if (b->tokens < 1) {
		b->dropped++;
		return false;
	}
	b->tokens -= 1;
	return true;
}

static void say_dropped(struct instance *i, uint64_t dropped)
{
	char text[64];
	if (dropped == 0)
		return;
	snprintf(text, sizeof text, "%llu messages dropped", (unsigned long long)dropped);
	i->events.log(i->events.arg, i, WQ_LOG_WARN, NULL, text);
}

void host_log(struct instance *i, struct bucket *b, int level, wq_tid tid, const char *text)
{
	char line[LOG_TEXT_MAX + 1], id[LOG_ID_MAX + 1] = "";
	pthread_mutex_lock(&i->lock);
	bool passes = bucket_take(b, time_mono_ns());
	uint64_t dropped = passes ? b->dropped : 0;
	if (passes)
		b->dropped = 0;
	const struct plugin_task *t = tid ? task_table_find(&i->tasks, tid) : NULL;
	if (t)
		snprintf(id, sizeof id, "%s", t->info.id);
	pthread_mutex_unlock(&i->lock);
	say_dropped(i, dropped);
	if (!passes)
		return;
	snprintf(line, sizeof line, "%s", text);
	utf8_clean(line);
	i->events.log(i->events.arg, i, level, id[0] ? id : NULL, line);
}

/* A plugin that floods and then falls silent would never tell how much was dropped. */
void host_flush_log(struct instance *i, bool now)
{
	struct bucket *const buckets[] = { &i->log_bucket, &i->strike_bucket };
	uint64_t dropped = 0;
	pthread_mutex_lock(&i->lock);
	for (size_t k = 0; k < sizeof buckets / sizeof *buckets; k++) {
		struct bucket *b = buckets[k];
		if (b->dropped == 0 || (!now && time_mono_ns() - b->filled_ns < NS_PER_S))
			continue;
		dropped += b->dropped;
		b->dropped = 0;
	}
	pthread_mutex_unlock(&i->lock);
	say_dropped(i, dropped);
}

static void service_log(wq_host_ctx *ctx, int32_t level, wq_tid tid, const char *text)
{
	struct instance *i = ctx->instance;
	if (level < WQ_LOG_ERR || level > WQ_LOG_DEBUG)
		level = WQ_LOG_INFO;
	if (text)
		host_log(i, &i->log_bucket, level, tid, text);
}

/* ---- wake-up --------------------------------------------------------------------------------- */

static void service_wakeup(wq_host_ctx *ctx)
{
	struct instance *i = ctx->instance;
	uint64_t one = 1;
	if (i->wakefd < 0 || atomic_exchange(&i->wake_pending, true))
		return;
	int saved = errno;
	ssize_t n = write(i->wakefd, &one, sizeof one);
	(void)n; /* one write a read, so the counter cannot be full */
	errno = saved;
}

static void on_wakeup(void *arg, uint32_t events)
{
	struct instance *i = arg;
	uint64_t count;
	(void)events;
	ssize_t n = read(i->wakefd, &count, sizeof count);
	(void)n;
	/*
	 * After the read, before the look: a wakeup that comes later writes again, and what was
	 * made ready before an earlier one is seen by the look.
	 */
	atomic_exchange(&i->wake_pending, false);
	if (i->state != INSTANCE_STARTED && i->state != INSTANCE_STOPPED)
		return;
	if (i->ticker) /* which touches as well */
		instance_tick_soon(i);
	else
		i->events.touched(i->events.arg, i);
}

/* ---- progress and clock ---------------------------------------------------------------------- */

static void service_progress(wq_host_ctx *ctx, wq_tid tid, int32_t permille, const char *text)
{
	struct instance *i = ctx->instance;
	char clean[PROGRESS_TEXT_MAX + 1];
	snprintf(clean, sizeof clean, "%s", text ? text : "");
	utf8_clean(clean);
	pthread_mutex_lock(&i->lock);
	/* A thread may report on a task that the loop has just taken back: nothing to say. */
	struct plugin_task *t = task_table_find(&i->tasks, tid);
	if (t) {
		t->permille = permille < 0 ? -1 : permille > 1000 ? 1000 : permille;
		memcpy(t->progress, clean, sizeof clean);
	}
	pthread_mutex_unlock(&i->lock);
}

int32_t instance_progress(struct instance *i, wq_tid tid, char *ret_text, size_t size)
{
	int32_t permille = -1;
	pthread_mutex_lock(&i->lock);
	const struct plugin_task *t = task_table_find(&i->tasks, tid);
	if (t)
		permille = t->permille;
	snprintf(ret_text, size, "%s", t ? t->progress : "");
	pthread_mutex_unlock(&i->lock);
	return permille;
}

static int64_t service_clock_ns(wq_host_ctx *ctx)
{
	(void)ctx;
	return time_mono_ns();
}

/* ---- watch ----------------------------------------------------------------------------------- */

static void on_ready(void *arg, uint32_t events)
{
	const struct plugin_watch *w = arg;
	struct instance *i = w->instance;
	if (i->state != INSTANCE_STARTED && i->state != INSTANCE_STOPPED)
		return;
	guard_enter(i, "on_ready");
	i->plugin->desc.on_ready(i->self, w->id, events); /* may unwatch: w is gone then */
	guard_leave(i);
	i->events.touched(i->events.arg, i);
}

static bool is_on_loop(struct instance *i, const char *service)
{
	if (guard_is_loop_thread(i))
		return true;
	guard_strike(i, INSTANCE_STRIKE_THREAD, service,
		"called from a thread of the plugin; it is for the loop only");
	return false;
}

static struct plugin_watch *find_watch(struct instance *i, const char *service, uint64_t id)
{
	struct plugin_watch *w;
	LIST_FOREACH(w, &i->watches, link)
	if (w->id == id)
		return w;
	guard_strike(i, INSTANCE_STRIKE_WATCH, service, "there is no watch %llu",
		(unsigned long long)id);
	return NULL;
}

static uint64_t service_watch(wq_host_ctx *ctx, int32_t fd, uint32_t events)
{
	struct instance *i = ctx->instance;
	if (!is_on_loop(i, "watch") || !i->loop)
		return 0;
	const char *wrong = NULL;
	if (!i->plugin->desc.on_ready)
		wrong = "called without an operation on_ready";
	else if (i->state == INSTANCE_MADE && (!i->op || strcmp(i->op, "start") != 0))
		wrong = "called before start";
	if (wrong) {
		guard_strike(i, INSTANCE_STRIKE_WATCH, "watch", "%s", wrong);
		return 0;
	}
	struct plugin_watch *w = calloc(1, sizeof *w);
	if (!w)
		return 0;
	w->instance = i;
	w->src = loop_add_fd(i->loop, fd, events & WATCH_EVENTS, on_ready, w);
	if (!w->src) {
		free(w);
		return 0;
	}
	w->id = ++i->last_watch;
	LIST_INSERT_HEAD(&i->watches, w, link);
	return w->id;
}

static int32_t service_rewatch(wq_host_ctx *ctx, uint64_t watch, uint32_t events)
{
	struct instance *i = ctx->instance;
	if (!is_on_loop(i, "rewatch"))
		return -WQ_E_THREAD;
	struct plugin_watch *w = find_watch(i, "rewatch", watch);
	return w ? loop_mod_fd(i->loop, w->src, events & WATCH_EVENTS) : -WQ_E_UNKNOWN;
}

static void drop_watch(struct instance *i, struct plugin_watch *w)
{
	LIST_REMOVE(w, link);
	loop_del_fd(i->loop, w->src);
	free(w);
}

static void service_unwatch(wq_host_ctx *ctx, uint64_t watch)
{
	struct instance *i = ctx->instance;
	if (!is_on_loop(i, "unwatch"))
		return;
	struct plugin_watch *w = find_watch(i, "unwatch", watch);
	if (w)
		drop_watch(i, w);
}

/* ---- children -------------------------------------------------------------------------------- */

void instance_child_ended(
	struct instance *i, uint64_t child, wq_tid tid, const struct wq_child_end *end)
{
	if (i->state != INSTANCE_STARTED && i->state != INSTANCE_STOPPED)
		return;
	guard_enter(i, "on_child");
	i->plugin->desc.on_child(i->self, child, tid, end);
	guard_leave(i);
	i->events.touched(i->events.arg, i);
}

/* May it be called now, by this plugin, here?  0, or the refusal; what the plugin did is a strike. */
static int check_child_service(struct instance *i, const char *service, struct wq_err *err)
{
	const char *wrong = NULL;
	if (!is_on_loop(i, service))
		return err_set(err, -WQ_E_THREAD, "%s: called from another thread", service);
	if (!(i->plugin->desc.caps & WQ_CAP_CHILDREN))
		wrong = "called without the capability WQ_CAP_CHILDREN";
	else if (i->op && strcmp(i->op, "recover") == 0)
		wrong = "called inside recover, which starts nothing";
	if (wrong) {
		guard_strike(i, INSTANCE_STRIKE_CHILD, service, "%s", wrong);
		return err_set(err, -WQ_E_STATE, "%s: %s", service, wrong);
	}
	if (!i->children)
		return err_set(err, -WQ_E_UNSUPPORTED, "%s: this server runs no children", service);
	return 0;
}

static int32_t service_spawn(
	wq_host_ctx *ctx, const struct wq_spawn *spawn, uint64_t *ret_child, struct wq_err *err)
{
	struct instance *i = ctx->instance;
	uint64_t child = 0;
	int rc = check_child_service(i, "spawn", err);
	if (rc < 0)
		return rc;
	const struct plugin_task *t = task_table_find(&i->tasks, spawn->tid);
	if (!t)
		return err_set(err, -WQ_E_UNKNOWN, "spawn: there is no task %llu",
			(unsigned long long)spawn->tid);
	rc = children_spawn(i->children, i, i->name, &t->info, spawn, &child, err);
	if (rc == WQ_BUSY)
		i->spawn_was_busy = true;
	if (rc == WQ_OK && ret_child)
		*ret_child = child;
	return rc;
}

static int32_t service_end_child(wq_host_ctx *ctx, uint64_t child, uint32_t how, uint32_t grace_ms)
{
	struct instance *i = ctx->instance;
	int rc = check_child_service(i, "end_child", NULL);
	return rc < 0 ? rc : children_end(i->children, i, child, how, grace_ms);
}

static int32_t service_save_handle(wq_host_ctx *ctx, wq_tid tid, const void *bytes, size_t len)
{
	struct instance *i = ctx->instance;
	if (!is_on_loop(i, "save_handle"))
		return -WQ_E_THREAD;
	if (!i->events.save_handle)
		return -WQ_E_UNSUPPORTED;
	const struct plugin_task *t = task_table_find(&i->tasks, tid);
	if (!t)
		return -WQ_E_UNKNOWN;
	if (len > HANDLE_MAX_BYTES)
		return -WQ_E_LIMIT;
	if (len > 0 && !bytes)
		return -EINVAL;
	return i->events.save_handle(i->events.arg, i, t->info.id, t->info.attempt, bytes, len);
}

/* ---- making ---------------------------------------------------------------------------------- */

int host_init(struct instance *i)
{
	i->ctx.instance = i;
	i->host = (struct wq_host){
		.struct_size = sizeof i->host,
		.abi_major = WQ_ABI_MAJOR,
		.abi_minor = WQ_ABI_MINOR,
		.ctx = &i->ctx,
		.server_version = WQ_VERSION,
		.log = service_log,
		.wakeup = service_wakeup,
		.progress = service_progress,
		.clock_ns = service_clock_ns,
		.watch = service_watch,
		.rewatch = service_rewatch,
		.unwatch = service_unwatch,
		.spawn = service_spawn,
		.end_child = service_end_child,
		.save_handle = service_save_handle,
	};
	i->wakefd = -1;
	if (!i->loop)
		return 0;
	i->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (i->wakefd < 0)
		return -errno;
	i->wake_src = loop_add_fd(i->loop, i->wakefd, EPOLLIN, on_wakeup, i);
	return i->wake_src ? 0 : -errno;
}

void host_fini(struct instance *i)
{
	size_t left = 0;
	while (!LIST_EMPTY(&i->watches)) {
		drop_watch(i, LIST_FIRST(&i->watches));
		left++;
	}
	if (left)
		guard_strike(
			i, INSTANCE_STRIKE_LEFTOVER, "destroy", "left %zu watches behind", left);
	host_flush_log(i, true);
	if (i->wake_src)
		loop_del_fd(i->loop, i->wake_src);
	if (i->wakefd >= 0)
		(void)close(i->wakefd);
}
