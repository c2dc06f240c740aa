/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/instance_priv.h"

#include "base/err.h"
#include "base/time.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	STRIKE_WINDOW_S = 600
};

static const int64_t OP_BUDGET_NS = 50 * NS_PER_MS;
static const int64_t START_BUDGET_NS = 200 * NS_PER_MS;
static const int64_t DESTROY_BUDGET_NS = 5 * NS_PER_S;
static const int64_t SLOW_QUIET_NS = NS_PER_S;

static const struct {
	const char *name;
	bool counts; /* towards quarantine */
} kinds[INSTANCE_STRIKE_MAX] = {
	[INSTANCE_STRIKE_SLOW] = { "slow", false },
	[INSTANCE_STRIKE_OVERPROMISE] = { "overpromise", false },
	[INSTANCE_STRIKE_LARGE_RESULT] = { "large-result", false },
	[INSTANCE_STRIKE_FAULT] = { "fault", true },
	[INSTANCE_STRIKE_UNKNOWN_ANSWER] = { "unknown-answer", true },
	[INSTANCE_STRIKE_UNKNOWN_TASK] = { "unknown-task", true },
	[INSTANCE_STRIKE_TWICE] = { "given-back-twice", true },
	[INSTANCE_STRIKE_BAD_OUTCOME] = { "bad-outcome", true },
	[INSTANCE_STRIKE_BAD_RESULT] = { "bad-result", true },
	[INSTANCE_STRIKE_THREAD] = { "wrong-thread", true },
	[INSTANCE_STRIKE_WATCH] = { "bad-watch", true },
	[INSTANCE_STRIKE_CHILD] = { "bad-child", true },
	[INSTANCE_STRIKE_LEFTOVER] = { "leftover", true },
};

bool guard_is_loop_thread(const struct instance *i)
{
	return pthread_equal(i->thread, pthread_self()) != 0;
}

/* Both checks are of our own code: a plugin has no way to call an operation. */
void guard_enter(struct instance *i, const char *op)
{
	wq_check(guard_is_loop_thread(i));
	wq_check(!i->op);
	task_free(i->reaped);
	i->reaped = NULL;
	i->op = op;
	i->op_began_ns = time_mono_ns();
}

static int64_t budget_of(const char *op)
{
	if (strcmp(op, "start") == 0)
		return START_BUDGET_NS;
	return strcmp(op, "destroy") == 0 ? DESTROY_BUDGET_NS : OP_BUDGET_NS;
}

void guard_leave(struct instance *i)
{
	const char *op = i->op;
	int64_t now = time_mono_ns();
	int64_t took = now - i->op_began_ns;
	int64_t budget = budget_of(op);
	i->op = NULL;
	if (took > budget) {
		/* Counted each time, told once a second: the loop has lost enough time. */
		if (now >= i->slow_quiet_until_ns) {
			guard_strike(i, INSTANCE_STRIKE_SLOW, op,
				"took %lld ms and held up the server; at most %lld ms is right",
				(long long)(took / NS_PER_MS), (long long)(budget / NS_PER_MS));
			i->slow_quiet_until_ns = now + SLOW_QUIET_NS;
		} else {
			pthread_mutex_lock(&i->lock);
			i->strikes[INSTANCE_STRIKE_SLOW]++;
			pthread_mutex_unlock(&i->lock);
		}
	}
	host_flush_log(i, false);
}

/* Called with the lock held.  Is this the strike that is one too many? */
static bool is_last_straw(struct instance *i, int64_t now)
{
	size_t place = i->n_strike_times++ % INSTANCE_MAX_STRIKES;
	i->strike_times[place] = now;
	if (i->n_strike_times < INSTANCE_MAX_STRIKES || i->quarantined)
		return false;
	int64_t oldest = i->strike_times[i->n_strike_times % INSTANCE_MAX_STRIKES];
	return now - oldest < STRIKE_WINDOW_S * NS_PER_S;
}

void guard_strike(
	struct instance *i, enum instance_strike kind, const char *op, const char *fmt, ...)
{
	char what[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);

	pthread_mutex_lock(&i->lock);
	i->strikes[kind]++;
	bool quarantine = kinds[kind].counts && is_last_straw(i, time_mono_ns());
	if (quarantine)
		i->quarantined = true;
	pthread_mutex_unlock(&i->lock);

	char line[LOG_TEXT_MAX + 1];
	snprintf(line, sizeof line, "plugin '%s' is misbehaving (%s): %s: %s", i->plugin->desc.name,
		kinds[kind].name, op, what);
	host_log(i, &i->strike_bucket, WQ_LOG_WARN, 0, line);
	if (!quarantine)
		return;
	snprintf(line, sizeof line,
		"quarantined after %d faults of plugin '%s' in ten minutes: nothing new starts "
		"until the server is started again",
		INSTANCE_MAX_STRIKES, i->plugin->desc.name);
	i->events.log(i->events.arg, i, WQ_LOG_ERR, NULL, line);
}

bool guard_is_error_name(const char *name, size_t max)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-");
	return len > 0 && len <= max && name[len] == '\0';
}

/* ---- what plugins say ------------------------------------------------------------------------ */

void guard_clean_err(struct wq_err *said, const char *fallback)
{
	said->name[sizeof said->name - 1] = '\0';
	said->text[sizeof said->text - 1] = '\0';
	if (said->name[0] && !guard_is_error_name(said->name, sizeof said->name - 1))
		snprintf(said->name, sizeof said->name, "plugin-error");
	utf8_clean(said->text);
	if (!said->text[0])
		snprintf(said->text, sizeof said->text, "%s", fallback);
}

int guard_fault(
	struct instance *i, const char *op, int32_t rc, struct wq_err *said, struct wq_err *err)
{
	char fallback[64];
	snprintf(fallback, sizeof fallback, "answered %d%s%s%s", rc, rc < 0 ? " (" : "",
		rc < 0 ? err_code_name(rc) : "", rc < 0 ? ")" : "");
	guard_clean_err(said, fallback);
	if (rc >= 0) {
		guard_strike(i, INSTANCE_STRIKE_UNKNOWN_ANSWER, op,
			"answered %d, which means nothing", rc);
		rc = -WQ_E_FAULT;
	} else {
		guard_strike(i, INSTANCE_STRIKE_FAULT, op, "%s", said->text);
	}
	/* Its text may already contain that of an errno, so no second one is wanted. */
	err_set_name(err, -WQ_E_FAULT, said->name, "task manager '%s' (plugin '%s'): %s: %s",
		i->name, i->plugin->desc.name, op, said->text);
	if (err)
		err->code = rc;
	return rc;
}

struct wq_err *guard_empty_err(struct wq_err *e)
{
	*e = (struct wq_err){ .struct_size = sizeof *e };
	return e;
}
