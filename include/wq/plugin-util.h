/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wq/plugin-util.h: what most plugins would write again.  Header only, no ABI inside, nothing here
 * is needed to write a plugin: failures and log lines by printf, a thread that leaves signals to
 * the host, options by their place, and a queue on which own threads lay down what has ended.
 *
 * Threads and the queue need -pthread.  wq_start_thread needs POSIX (_GNU_SOURCE, or -std=gnu..).
 */
#ifndef WQ_PLUGIN_UTIL_H
#define WQ_PLUGIN_UTIL_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <wq/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- failures -------------------------------------------------------------------------------- */

/* Cut a text after its last whole UTF-8 character: a buffer that was too short splits one. */
static inline void wq_text_trim(char *text)
{
	size_t len = strlen(text), tail = 0;
	while (tail < 3 && tail < len && ((unsigned char)text[len - 1 - tail] & 0xc0u) == 0x80u)
		tail++;
	if (len == 0 || tail == len)
		return;
	unsigned char lead = (unsigned char)text[len - 1 - tail];
	size_t want = lead >= 0xf0u ? 3 : lead >= 0xe0u ? 2 : lead >= 0xc0u ? 1 : 0;
	if (lead >= 0xc0u && want != tail)
		text[len - 1 - tail] = '\0';
}

/*
 * Fill `err` (which may be NULL) and answer `code`, so that the idiom is one line:
 *	return wq_fail(err, WQ_REJECT, "bad-path", "'%s' is not absolute", path);
 *	return wq_fail(err, -errno, "no-file", "cannot open '%s'", path);
 * `name` may be NULL.  For an errno code ": <its text>" is appended.  err->code is `code` where that
 * is a failure, 0 where it is an answer.  [any-thread]
 */
static inline int32_t wq_fail_v(struct wq_err *err, int32_t code, const char *name, const char *fmt,
	va_list args) __attribute__((format(printf, 4, 0)));
static inline int32_t wq_fail(struct wq_err *err, int32_t code, const char *name, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

static inline int32_t wq_fail_v(
	struct wq_err *err, int32_t code, const char *name, const char *fmt, va_list args)
{
	if (!err)
		return code;
	int is_errno = code < 0 && code > -WQ_E_CONFIG;
	err->code = code < 0 ? code : 0;
	err->sys_errno = is_errno ? -code : 0;
	(void)snprintf(err->name, sizeof(err->name), "%s", name ? name : "");
	(void)vsnprintf(err->text, sizeof(err->text), fmt, args);
	size_t len = strlen(err->text);
	if (is_errno)
		(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(-code));
	wq_text_trim(err->text);
	return code;
}

static inline int32_t wq_fail(
	struct wq_err *err, int32_t code, const char *name, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	code = wq_fail_v(err, code, name, fmt, args);
	va_end(args);
	return code;
}

/* For start_task: answers WQ_RETRY, so that this one is tried again after `delay_ms`. */
static inline int32_t wq_retry(struct wq_err *err, int32_t delay_ms, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline int32_t wq_retry(struct wq_err *err, int32_t delay_ms, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)wq_fail_v(err, WQ_RETRY, NULL, fmt, args);
	va_end(args);
	if (err)
		err->code = delay_ms;
	return WQ_RETRY;
}

/* ---- log ------------------------------------------------------------------------------------- */

/* One line of at most 1023 bytes about task `tid`, or about none (0).  [any-thread] */
static inline void wq_logf(const struct wq_host *host, int32_t level, wq_tid tid, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

static inline void wq_logf(
	const struct wq_host *host, int32_t level, wq_tid tid, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	if (!WQ_HAS(host, log))
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	wq_text_trim(text);
	host->log(host->ctx, level, tid, text);
}

/* ---- options, by their place in the plugin's table ------------------------------------------- */

static inline const struct wq_value *wq_option_value(const struct wq_config *config, uint32_t i)
{
	return config && i < config->n_values ? &config->values[i] : NULL;
}

/* Did the user write it? */
static inline int wq_option_is_set(const struct wq_config *config, uint32_t i)
{
	const struct wq_value *v = wq_option_value(config, i);
	return v && v->is_set;
}

/* BOOL (0, 1), INT, DURATION (ns), SIZE (bytes), CHOICE (place); `def` where there is no value. */
static inline int64_t wq_option_int(const struct wq_config *config, uint32_t i, int64_t def)
{
	const struct wq_value *v = wq_option_value(config, i);
	if (!v || (v->type != WQ_T_BOOL && v->type != WQ_T_INT && v->type != WQ_T_DURATION &&
			  v->type != WQ_T_SIZE && v->type != WQ_T_CHOICE))
		return def;
	return v->type == WQ_T_CHOICE ? (int64_t)v->n : v->u.i;
}

/* FLOAT; `def` where there is no value. */
static inline double wq_option_float(const struct wq_config *config, uint32_t i, double def)
{
	const struct wq_value *v = wq_option_value(config, i);
	return v && v->type == WQ_T_FLOAT ? v->u.f : def;
}

/* STRING, PATH and CHOICE; NULL where there is no value.  As long as the config: copy to keep. */
static inline const char *wq_option_text(const struct wq_config *config, uint32_t i)
{
	const struct wq_value *v = wq_option_value(config, i);
	if (!v || (v->type != WQ_T_STRING && v->type != WQ_T_PATH && v->type != WQ_T_CHOICE))
		return NULL;
	return v->u.s;
}

/* LIST and the number of its entries; NULL and 0 where there is no value.  As long as the config. */
static inline const char *const *wq_option_list(
	const struct wq_config *config, uint32_t i, size_t *ret_n)
{
	const struct wq_value *v = wq_option_value(config, i);
	int is_list = v && v->type == WQ_T_LIST && v->u.list;
	*ret_n = is_list ? v->n : 0;
	return is_list ? v->u.list : NULL;
}

/* ---- threads --------------------------------------------------------------------------------- */

#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 199506L
/*
 * pthread_create with all signals blocked in the new thread, as the rules of plugin.h ask: signals
 * are the host's.  0 or -errno.
 */
static inline int32_t wq_start_thread(pthread_t *ret, void *(*run)(void *), void *arg)
{
	sigset_t all, old;
	(void)sigfillset(&all);
	int rc = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (rc != 0)
		return -rc;
	rc = pthread_create(ret, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}
#endif

/*
 * Done queue: own threads push what has ended, reap pops it, in that order.  Embed a struct wq_done
 * as the first member of your task.  A push allocates nothing, never fails, and wakes the host; the
 * task belongs to the loop from then on.
 */
struct wq_done {
	struct wq_done *next;
};

struct wq_done_queue {
	pthread_mutex_t lock;
	struct wq_done *first, *last;
	const struct wq_host *host;
};

/* 0 or -errno. */
static inline int32_t wq_done_init(struct wq_done_queue *q, const struct wq_host *host)
{
	q->first = q->last = NULL;
	q->host = host;
	return -pthread_mutex_init(&q->lock, NULL);
}

/* What is still queued stays its owner's: pop it first. */
static inline void wq_done_fini(struct wq_done_queue *q)
{
	(void)pthread_mutex_destroy(&q->lock);
}

/* [any-thread] */
static inline void wq_done_push(struct wq_done_queue *q, struct wq_done *done)
{
	done->next = NULL;
	(void)pthread_mutex_lock(&q->lock);
	if (q->last)
		q->last->next = done;
	else
		q->first = done;
	q->last = done;
	(void)pthread_mutex_unlock(&q->lock);
	q->host->wakeup(q->host->ctx);
}

/* NULL: none. */
static inline struct wq_done *wq_done_pop(struct wq_done_queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	struct wq_done *done = q->first;
	if (done) {
		q->first = done->next;
		if (!q->first)
			q->last = NULL;
	}
	(void)pthread_mutex_unlock(&q->lock);
	return done;
}

#ifdef __cplusplus
}
#endif
#endif
