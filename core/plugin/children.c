/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/children.h"

#include "base/err.h"
#include "base/time.h"
#include "plugin/child_table.h"
#include "plugin/instance_priv.h"
#include "plugin/order.h"
#include "shepherd/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	STRAY_GRACE_MS = 5000, /* of children that nobody has an own grace for */
	UUID_MAX = 47
};

struct children {
	struct loop *loop;
	struct link *link;
	struct children_events events;
	char prefix[UUID_MAX + 2]; /* "<uuid>.": what else the shepherd may have is not ours */
	struct child_table table;
	TAILQ_HEAD(, child) news;     /* ends to be told, in the order in which they came */
	TAILQ_HEAD(, instance) waits; /* to be touched when there is room */
	struct loop_timer *later;     /* for what may not be done inside an operation */
	bool wake_later;
	bool is_up;
	bool was_up;
	bool is_full;    /* the link has answered WQ_BUSY */
	bool is_settled; /* recovery is over: what belongs to nobody is a stray */
	/* Has all been told that there was?  Once no, it stays so: a second shepherd of this boot cannot
	 * know better what was before. */
	bool is_complete;
	bool is_short;  /* of this listing something could not be taken in: no memory */
	uint64_t round; /* of listings: grows with each connection that begins or breaks */
};

/* ---- telling --------------------------------------------------------------------------------- */

static void add_news(struct children *c, struct child *ch)
{
	if (ch->is_news || ch->was_told)
		return;
	ch->is_news = true;
	TAILQ_INSERT_TAIL(&c->news, ch, news);
}

static void drop_news(struct children *c, struct child *ch)
{
	if (!ch->is_news)
		return;
	ch->is_news = false;
	TAILQ_REMOVE(&c->news, ch, news);
}

/* From the loop only.  An instance may spawn and end children while it hears of one. */
static void tell_news(struct children *c)
{
	struct child *ch;
	while ((ch = TAILQ_FIRST(&c->news)) != NULL) {
		drop_news(c, ch);
		ch->was_told = true;
		instance_child_ended(
			ch->family->instance, child_number(ch), ch->family->tid, &ch->end);
	}
}

/* From the loop only.  Who finds no room again goes to the end of the row. */
static void wake_waiting(struct children *c)
{
	struct instance *i;
	size_t n = 0;
	c->wake_later = false;
	TAILQ_FOREACH(i, &c->waits, room_link)
	n++;
	while (n-- > 0 && (i = TAILQ_FIRST(&c->waits)) != NULL) {
		TAILQ_REMOVE(&c->waits, i, room_link);
		i->waits_for_room = false;
		i->events.touched(i->events.arg, i);
	}
}

static void do_later(void *arg)
{
	struct children *c = arg;
	tell_news(c);
	if (c->wake_later)
		wake_waiting(c);
}

static void wait_for_room(struct children *c, struct instance *i)
{
	if (i->waits_for_room)
		return;
	i->waits_for_room = true;
	TAILQ_INSERT_TAIL(&c->waits, i, room_link);
}

/* ---- ending and forgetting ------------------------------------------------------------------- */

/* While there is no connection it is only written down: `up` tells it again. */
static int order_end(struct children *c, struct child *ch, uint32_t how, uint32_t grace_ms)
{
	if (ch->end_how != WQ_TERM_NOW) {
		ch->end_how = how;
		ch->end_grace_ms = grace_ms;
	}
	return c->is_up ? link_end(c->link, ch->name, ch->end_how, ch->end_grace_ms) : 0;
}

/*
 * Forget what has ended of a family whose result is safe.  An acknowledgement that does not arrive
 * loses nothing: the next listing has the child, which is then a stray that has ended.
 */
static void drop_ended(struct children *c, struct family *f)
{
	if (!f->is_acked || f->state != FAMILY_OVER)
		return;
	for (struct child *ch = LIST_FIRST(&f->children), *next; ch; ch = next) {
		next = LIST_NEXT(ch, sibling);
		if (!ch->has_ended)
			continue;
		drop_news(c, ch);
		if (c->is_up && !ch->is_imagined)
			(void)link_ack(c->link, ch->name);
		child_remove(&c->table, ch);
	}
	if (!LIST_EMPTY(&f->children))
		return;
	family_remove(&c->table, f);
	/* Somebody may wait for the name. */
	if (!TAILQ_EMPTY(&c->waits)) {
		c->wake_later = true;
		loop_set_timer(c->loop, c->later, 0);
	}
}

/* Its task is over, or there is none: end what runs. */
static void let_go(struct children *c, struct family *f)
{
	struct child *ch;
	family_take(&c->table, f, FAMILY_OVER);
	LIST_FOREACH(ch, &f->children, sibling)
	{
		drop_news(c, ch);
		if (!ch->has_ended)
			(void)order_end(c, ch, WQ_TERM_GRACEFUL,
				ch->grace_ms ? ch->grace_ms : STRAY_GRACE_MS);
	}
	drop_ended(c, f);
}

static void forget(struct children *c, struct family *f)
{
	f->is_acked = true;
	if (f->state == FAMILY_OVER)
		drop_ended(c, f);
	else if (f->state != FAMILY_OWNED)
		let_go(c, f);
}

/* ---- news from the shepherd ------------------------------------------------------------------ */

static bool is_ours(const struct children *c, const char *name)
{
	return strncmp(name, c->prefix, strlen(c->prefix)) == 0 && strlen(name) <= FRAME_NAME_MAX;
}

static struct child *find_or_add(struct children *c, const char *name)
{
	struct child *ch = child_find(&c->table, name);
	if (ch)
		return ch;
	size_t len = child_task_len(name);
	struct family *f = family_find(&c->table, name, len);
	bool is_new = !f;
	if (is_new)
		f = family_add(&c->table, name, len);
	ch = f ? child_add(&c->table, f, name) : NULL;
	if (!ch) {
		if (f && is_new)
			family_remove(&c->table, f);
		c->is_short = true;
		return NULL;
	}
	/* A running task's plugin cannot know this one: it ends, and nobody is told. */
	if (f->state == FAMILY_OWNED) {
		ch->was_told = true;
		ch->end_how = WQ_TERM_NOW;
	}
	return ch;
}

static void on_known(void *arg, const struct frame_child *child)
{
	struct children *c = arg;
	if (!is_ours(c, child->name))
		return;
	struct child *ch = find_or_add(c, child->name);
	if (!ch)
		return;
	ch->was_listed = true;
	ch->listed_round = c->round;
	ch->pid = (pid_t)child->pid;
}

static void on_ended(void *arg, const char *name, const struct wq_child_end *end)
{
	struct children *c = arg;
	if (!is_ours(c, name))
		return;
	struct child *ch = find_or_add(c, name);
	if (!ch)
		return;
	ch->listed_round = c->round;
	if (ch->has_ended)
		return; /* told twice */
	struct family *f = ch->family;
	child_set_end(&c->table, ch, end);
	if (f->state == FAMILY_OWNED)
		add_news(c, ch);
	if (!c->is_up)
		return; /* a listing: its `up` sees to all of it */
	bool was_cleared = f->is_cleared;
	if (f->state == FAMILY_UNCLAIMED && c->is_settled)
		forget(c, f);
	else
		drop_ended(c, f);
	tell_news(c);
	if (was_cleared && c->events.cleared)
		c->events.cleared(c->events.arg);
}

/* It ran, as far as we knew, and this shepherd does not have it. */
static void miss(struct children *c, struct child *ch, const struct frame_hello *hello)
{
	/*
	 * The shepherd writes a record before it makes a child, so without one the order has never
	 * arrived; but for records that the machine has lost, or that were there once.
	 */
	bool never_began = hello->same_boot && !ch->was_listed && !c->is_short;
	struct wq_child_end end = { .struct_size = sizeof end,
		.how = never_began ? WQ_CHILD_NOT_STARTED : WQ_CHILD_UNKNOWN,
		.error = never_began ? "shepherd-lost" : "lost",
		.text = never_began ? "the shepherd was lost before the order had reached it"
				    : "the shepherd was lost, and with it how this child ended" };
	child_set_end(&c->table, ch, &end);
	if (ch->family->state == FAMILY_OWNED)
		add_news(c, ch);
}

static void compare(struct children *c, const struct frame_hello *hello)
{
	struct child *ch;
	for (struct family *f = TAILQ_FIRST(&c->table.families), *next; f; f = next) {
		next = TAILQ_NEXT(f, link);
		LIST_FOREACH(ch, &f->children, sibling)
		{
			if (ch->has_ended)
				continue;
			if (ch->listed_round != c->round)
				miss(c, ch, hello);
			else if (ch->end_how)
				(void)order_end(c, ch, ch->end_how, ch->end_grace_ms);
		}
		if (f->state == FAMILY_UNCLAIMED && c->is_settled)
			forget(c, f);
		else
			drop_ended(c, f);
	}
}

static void say(struct children *c, int level, const char *text)
{
	if (c->events.log)
		c->events.log(c->events.arg, level, text);
}

static void on_up(void *arg, const struct frame_hello *hello)
{
	struct children *c = arg;
	char text[160];
	c->is_up = c->was_up = true;
	c->is_full = false;
	if (!hello->same_boot || c->is_short)
		c->is_complete = false;
	snprintf(text, sizeof text, "wq-shepherd %s (pid %lld) keeps %zu running; containment: %s",
		hello->version, (long long)hello->pid, c->table.n_running, hello->containment);
	say(c, WQ_LOG_INFO, text);
	compare(c, hello);
	c->round++;
	tell_news(c);
	wake_waiting(c);
	if (c->events.up)
		c->events.up(c->events.arg);
}

static void on_down(void *arg, const char *why)
{
	struct children *c = arg;
	char text[512];
	snprintf(text, sizeof text, "%s: %s",
		c->is_up ? "the connection to wq-shepherd is lost, what it runs goes on"
			 : "there is no wq-shepherd yet, no children can be started",
		why);
	c->is_up = false;
	c->is_short = false;
	c->round++;
	say(c, WQ_LOG_WARN, text);
}

static void on_room(void *arg)
{
	struct children *c = arg;
	c->is_full = false;
	wake_waiting(c);
}

/* ---- making ---------------------------------------------------------------------------------- */

static int begin(struct children *c, const struct link_place *place, struct wq_err *err)
{
	const struct link_events events = { .arg = c,
		.known = on_known,
		.up = on_up,
		.down = on_down,
		.ended = on_ended,
		.room = on_room };
	int rc = child_table_init(&c->table);
	if (rc == 0) {
		c->later = loop_add_timer(c->loop, do_later, c);
		rc = c->later ? 0 : -ENOMEM;
	}
	if (rc < 0)
		return err_set(err, rc, "children");
	return link_new(&c->link, c->loop, place, &events, err);
}

int children_new(struct children **ret, struct loop *loop, const struct link_place *place,
	const struct children_events *events, struct wq_err *err)
{
	struct children *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(err, -ENOMEM, "children");
	wq_check(strlen(place->uuid) <= UUID_MAX);
	c->loop = loop;
	c->events = *events;
	c->is_complete = true;
	c->round = 1;
	snprintf(c->prefix, sizeof c->prefix, "%s.", place->uuid);
	TAILQ_INIT(&c->news);
	TAILQ_INIT(&c->waits);
	int rc = begin(c, place, err);
	if (rc < 0) {
		children_free(c, false);
		return rc;
	}
	*ret = c;
	return 0;
}

void children_free(struct children *c, bool quit)
{
	if (!c)
		return;
	wq_check(TAILQ_EMPTY(&c->waits)); /* instances go first */
	if (c->link)
		link_free(c->link, quit);
	if (c->later)
		loop_del_timer(c->loop, c->later);
	child_table_fini(&c->table);
	free(c);
}

bool children_is_up(const struct children *c)
{
	return c->is_up;
}

const char *children_containment(const struct children *c)
{
	return link_containment(c->link);
}

size_t children_running(const struct children *c)
{
	return c->table.n_running;
}

/* ---- for an instance ------------------------------------------------------------------------- */

bool children_has_room(struct children *c, struct instance *i)
{
	if (c->is_up && !c->is_full)
		return true;
	wait_for_room(c, i);
	return false;
}

/*
 * The family of a task that spawns.  WQ_BUSY where children of the same name, of a task that has not
 * begun after all, are still being ended; -ENOMEM.
 */
static int family_for(struct children *c, struct instance *i, const struct wq_task *task,
	struct family **ret, struct wq_err *err)
{
	struct family *f = family_of_task(&c->table, task->tid);
	size_t len = strlen(task->name);
	if (!f && (f = family_find(&c->table, task->name, len)) != NULL) {
		/* That it starts again says that nobody asks for that one's end. */
		forget(c, f);
		if (family_find(&c->table, task->name, len)) {
			wait_for_room(c, i);
			return WQ_BUSY;
		}
		f = NULL;
	}
	if (!f) {
		f = family_add(&c->table, task->name, len);
		if (!f)
			return err_set(err, -ENOMEM, "spawn");
		family_give(&c->table, f, i, task->tid);
	}
	*ret = f;
	return 0;
}

static int spawn_child(struct children *c, struct family *f, const struct order *o,
	uint64_t *ret_child, struct wq_err *err)
{
	struct child *ch = child_find(&c->table, o->frame.name);
	if (ch)
		return err_set(err, -WQ_E_DUPLICATE, "spawn: the task has a child '%s' already",
			*ch->label ? ch->label : "without a label");
	ch = child_add(&c->table, f, o->frame.name);
	if (!ch)
		return err_set(err, -ENOMEM, "spawn");
	int rc = link_spawn(c->link, &o->frame, err);
	if (rc != WQ_OK) {
		child_remove(&c->table, ch);
		return rc;
	}
	ch->grace_ms = o->frame.what.grace_ms;
	*ret_child = child_number(ch);
	return WQ_OK;
}

int children_spawn(struct children *c, struct instance *i, const char *task_manager,
	const struct wq_task *task, const struct wq_spawn *spawn, uint64_t *ret_child,
	struct wq_err *err)
{
	struct order o;
	struct family *f = NULL;
	int rc = order_make(&o, task_manager, task, spawn, err);
	if (rc == 0 && !children_has_room(c, i))
		rc = WQ_BUSY;
	if (rc == 0)
		rc = family_for(c, i, task, &f, err);
	if (rc == 0)
		rc = spawn_child(c, f, &o, ret_child, err);
	if (f && LIST_EMPTY(&f->children))
		family_remove(&c->table, f);
	if (f && rc == WQ_BUSY) {
		c->is_full = true;
		wait_for_room(c, i);
	}
	order_fini(&o);
	return rc;
}

int children_end(
	struct children *c, struct instance *i, uint64_t child, uint32_t how, uint32_t grace_ms)
{
	struct child *ch = child_by_number(&c->table, child);
	if (how != WQ_TERM_GRACEFUL && how != WQ_TERM_NOW)
		return -EINVAL;
	if (!ch || ch->family->instance != i || ch->has_ended)
		return -WQ_E_UNKNOWN;
	return order_end(c, ch, how, grace_ms);
}

/* What nobody can know any more must not be taken for what never was. */
static int imagine(struct children *c, const char *task_name, struct family **ret)
{
	const struct wq_child_end end = { .struct_size = sizeof end,
		.how = WQ_CHILD_UNKNOWN,
		.error = "lost",
		.text = "what ran before the machine was started cannot be known" };
	struct family *f = family_add(&c->table, task_name, strlen(task_name));
	struct child *ch = f ? child_add(&c->table, f, task_name) : NULL;
	if (!ch) {
		if (f)
			family_remove(&c->table, f);
		return -ENOMEM;
	}
	ch->is_imagined = true;
	child_set_end(&c->table, ch, &end);
	*ret = f;
	return 0;
}

int children_adopt(struct children *c, struct instance *i, wq_tid tid, const char *task_name,
	struct wq_child **ret, uint32_t *ret_n)
{
	struct child *ch;
	uint32_t n = 0;
	*ret = NULL;
	*ret_n = 0;
	if (!c->was_up)
		return -WQ_E_STATE;
	if (strlen(task_name) > FRAME_NAME_MAX)
		return 0; /* spawn has refused it, too */
	struct family *f = family_find(&c->table, task_name, strlen(task_name));
	if (!f && c->is_complete)
		return 0;
	if (!f && imagine(c, task_name, &f) < 0)
		return -ENOMEM;
	LIST_FOREACH(ch, &f->children, sibling)
	n++;
	family_give(&c->table, f, i, tid);
	struct wq_child *told = calloc(n, sizeof *told);
	if (!told) {
		children_disown(c, i, tid);
		return -ENOMEM;
	}
	LIST_FOREACH(ch, &f->children, sibling)
	{
		told[(*ret_n)++] = (struct wq_child){ child_number(ch), ch->label };
		ch->was_told = false;
		if (ch->has_ended)
			add_news(c, ch);
	}
	loop_set_timer(c->loop, c->later, 0);
	*ret = told;
	return 0;
}

void children_disown(struct children *c, struct instance *i, wq_tid tid)
{
	struct family *f = family_of_task(&c->table, tid);
	if (!f || f->instance != i)
		return;
	family_take(&c->table, f, FAMILY_UNCLAIMED);
	for (struct child *ch = LIST_FIRST(&f->children), *next; ch; ch = next) {
		next = LIST_NEXT(ch, sibling);
		drop_news(c, ch);
		if (ch->is_imagined)
			child_remove(&c->table, ch);
	}
	if (LIST_EMPTY(&f->children))
		family_remove(&c->table, f);
	else if (c->is_settled)
		forget(c, f);
}

void children_task_over(struct children *c, struct instance *i, wq_tid tid)
{
	struct family *f = family_of_task(&c->table, tid);
	if (f && f->instance == i)
		let_go(c, f);
}

void children_instance_gone(struct children *c, struct instance *i)
{
	struct family *f;
	struct child *ch;
	if (i->waits_for_room)
		TAILQ_REMOVE(&c->waits, i, room_link);
	i->waits_for_room = false;
	TAILQ_FOREACH(f, &c->table.families, link)
	{
		if (f->instance != i)
			continue;
		LIST_FOREACH(ch, &f->children, sibling)
		drop_news(c, ch);
		family_take(&c->table, f, FAMILY_LEFT);
	}
}

/* ---- for the server -------------------------------------------------------------------------- */

size_t children_clear(struct children *c, const char *task_name)
{
	struct family *f = family_find(&c->table, task_name, strlen(task_name));
	const struct child *ch;
	size_t n = 0;
	if (f && f->state != FAMILY_OVER)
		let_go(c, f); /* and it is gone where it was acknowledged */
	f = family_find(&c->table, task_name, strlen(task_name));
	if (!f)
		return 0;
	f->is_cleared = true;
	LIST_FOREACH(ch, &f->children, sibling)
	n += !ch->has_ended;
	return n;
}

void children_leave(struct children *c, const char *task_name)
{
	struct family *f = family_find(&c->table, task_name, strlen(task_name));
	if (f && f->state == FAMILY_UNCLAIMED)
		family_take(&c->table, f, FAMILY_LEFT);
}

bool children_has(const struct children *c, const char *task_name)
{
	const struct family *f = family_find(&c->table, task_name, strlen(task_name));
	const struct child *ch;
	if (!f)
		return false;
	LIST_FOREACH(ch, &f->children, sibling)
	if (!ch->is_imagined)
		return true;
	return false;
}

bool children_knows_all(const struct children *c)
{
	return c->was_up && c->is_complete;
}

int64_t children_began_ns(const struct children *c, const char *task_name)
{
	const struct family *f = family_find(&c->table, task_name, strlen(task_name));
	const struct child *ch;
	uint64_t first = 0;
	if (!f)
		return 0;
	LIST_FOREACH(ch, &f->children, sibling)
	{
		uint64_t ticks = ch->pid > 0 && !ch->has_ended ? tree_start_ticks(ch->pid) : 0;
		if (ticks && (!first || ticks < first))
			first = ticks;
	}
	return (int64_t)(first * (uint64_t)(NS_PER_S / sysconf(_SC_CLK_TCK)));
}

void children_ack(struct children *c, const char *task_name)
{
	struct family *f = family_find(&c->table, task_name, strlen(task_name));
	if (f)
		forget(c, f);
}

size_t children_end_strays(struct children *c)
{
	struct child *ch;
	size_t n = 0;
	c->is_settled = true;
	for (struct family *f = TAILQ_FIRST(&c->table.families), *next; f; f = next) {
		next = TAILQ_NEXT(f, link);
		if (f->state != FAMILY_UNCLAIMED)
			continue;
		LIST_FOREACH(ch, &f->children, sibling)
		n++;
		forget(c, f);
	}
	return n;
}
