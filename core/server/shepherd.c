/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shepherd, as the server sees it: there where a task manager has children, and news for the log.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "shepherd/record.h"

static void on_up(void *arg)
{
	struct server *s = arg;
	adopt_tasks(s);
}

static void on_cleared(void *arg)
{
	lost_look(arg);
}

static void on_log(void *arg, int level, const char *text)
{
	(void)arg;
	log_line((enum log_level)level, "%s", text);
}

/* Has any task manager children, or had one that was there before? */
static bool has_children(const struct server *s)
{
	for (uint32_t i = 0; i < s->n_tms; i++)
		if (s->tms[i].plugin->desc.caps & WQ_CAP_CHILDREN)
			return true;
	return record_any(s->spool.own_fd);
}

int shepherd_open(struct server *s, struct wq_err *err)
{
	struct children_events events = {
		.arg = s, .up = on_up, .cleared = on_cleared, .log = on_log
	};
	struct link_place place = { .own_fd = s->spool.own_fd,
		.root = s->config.spool,
		.uuid = s->spool.uuid,
		.program = s->shepherd_program,
		.linger_ns = s->config.shepherd_linger_ns };
	if (!has_children(s))
		return 0;
	return children_new(&s->children, s->loop, &place, &events, err);
}

void shepherd_close(struct server *s)
{
	size_t running = s->children ? children_running(s->children) : 0;
	if (running > 0)
		log_notice("%zu children go on; the next start finds them again", running);
	children_free(s->children, true);
	s->children = NULL;
}
