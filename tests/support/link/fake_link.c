/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/link/fake_link.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link {
	struct link_events events;
};

struct fake_link fake_link;
static struct link *the_link;
static char orders[sizeof fake_link.calls];

void fake_link_reset(void)
{
	fake_link = (struct fake_link){ .spawn_answer = WQ_OK };
}

/* ---- the server's side ----------------------------------------------------------------------- */

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *fmt, ...)
{
	size_t used = strlen(fake_link.calls);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(fake_link.calls + used, sizeof fake_link.calls - used, fmt, ap);
	va_end(ap);
}

int link_new(struct link **ret, struct loop *loop, const struct link_place *place,
	const struct link_events *events, struct wq_err *err)
{
	(void)loop, (void)place, (void)err;
	ck_assert(!fake_link.exists);
	the_link = calloc(1, sizeof *the_link);
	ck_assert_ptr_nonnull(the_link);
	the_link->events = *events;
	fake_link.exists = true;
	*ret = the_link;
	return 0;
}

void link_free(struct link *l, bool quit)
{
	fake_link.exists = fake_link.is_up = false;
	fake_link.has_quit = quit;
	the_link = NULL;
	free(l);
}

bool link_is_up(const struct link *l)
{
	(void)l;
	return fake_link.is_up;
}

const char *link_containment(const struct link *l)
{
	(void)l;
	return fake_link.is_up ? "best effort" : "";
}

static void join(char *ret, size_t size, const char *const *words)
{
	size_t used = 0;
	ret[0] = '\0';
	for (; words && *words && used < size; words++)
		used += (size_t)snprintf(ret + used, size - used, "%s\n", *words);
}

int link_spawn(struct link *l, const struct frame_spawn *spawn, struct wq_err *err)
{
	(void)l, (void)err;
	if (!fake_link.is_up)
		return WQ_BUSY;
	if (fake_link.spawn_answer != WQ_OK)
		return fake_link.spawn_answer;
	note("spawn %s, ", spawn->name);
	memcpy(fake_link.name, spawn->name, sizeof fake_link.name);
	memcpy(fake_link.tag, spawn->tag, sizeof fake_link.tag);
	snprintf(fake_link.work_dir, sizeof fake_link.work_dir, "%s", spawn->work_dir);
	snprintf(fake_link.out_name, sizeof fake_link.out_name, "%s", spawn->out_name);
	snprintf(fake_link.err_name, sizeof fake_link.err_name, "%s", spawn->err_name);
	join(fake_link.argv, sizeof fake_link.argv, spawn->what.argv);
	join(fake_link.env, sizeof fake_link.env, spawn->what.env);
	fake_link.what = spawn->what;
	fake_link.what.label = fake_link.what.dir = NULL;
	fake_link.what.argv = fake_link.what.env = fake_link.what.dirs_allowed = NULL;
	fake_link.what.input.ptr = NULL;
	fake_link.what.limits = NULL;
	return WQ_OK;
}

int link_end(struct link *l, const char *name, uint32_t how, uint32_t grace_ms)
{
	(void)l;
	note("end %s %s %u, ", name, how == WQ_TERM_NOW ? "now" : "graceful", grace_ms);
	return fake_link.end_answer;
}

int link_ack(struct link *l, const char *name)
{
	(void)l;
	note("ack %s, ", name);
	return 0;
}

/* ---- the shepherd's side --------------------------------------------------------------------- */

void fake_link_known(const char *name)
{
	struct frame_child child = { .pid = fake_link.known_pid };
	snprintf(child.name, sizeof child.name, "%s", name);
	the_link->events.known(the_link->events.arg, &child);
}

void fake_link_up(bool same_boot)
{
	struct frame_hello hello = { .major = FRAME_MAJOR,
		.pid = 77,
		.containment = "best effort",
		.version = "0.9",
		.same_boot = same_boot };
	fake_link.is_up = true;
	the_link->events.up(the_link->events.arg, &hello);
}

void fake_link_down(void)
{
	fake_link.is_up = false;
	the_link->events.down(the_link->events.arg, "it was killed");
}

void fake_link_ended(const char *name, const struct wq_child_end *end)
{
	/* Lent for the call. */
	char *own = strdup(name);
	char *text = end->text ? strdup(end->text) : NULL;
	char *error = end->error ? strdup(end->error) : NULL;
	struct wq_child_end lent = *end;
	lent.struct_size = sizeof lent;
	lent.text = text;
	lent.error = error;
	the_link->events.ended(the_link->events.arg, own, &lent);
	free(own);
	free(text);
	free(error);
}

void fake_link_exited(const char *name, int32_t code)
{
	fake_link_ended(name, &(struct wq_child_end){ .how = WQ_CHILD_EXITED, .code = code });
}

void fake_link_room(void)
{
	fake_link.spawn_answer = WQ_OK;
	the_link->events.room(the_link->events.arg);
}

const char *fake_link_orders(void)
{
	snprintf(orders, sizeof orders, "%s", fake_link.calls);
	fake_link.calls[0] = '\0';
	return orders;
}
