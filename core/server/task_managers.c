/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The task managers of wq.conf: their plugins loaded, their options checked, their instances made.
 */
#include "server/server.h"

#include "base/err.h"
#include "base/log.h"
#include "spool/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int task_managers_find(const struct server *s, const char *name)
{
	if (!name[0])
		return (int)s->default_tm;
	for (uint32_t i = 0; i < s->n_tms; i++)
		if (strcmp(s->config.tms[i].name, name) == 0)
			return (int)i;
	return -1;
}

int64_t task_managers_run_limit(const struct server *s, int tm, const struct request *req)
{
	int64_t of_tm = s->tms[tm].config->run_limit_ns, own = req->run_limit_ns;
	return own > 0 && (of_tm == 0 || own < of_tm) ? own : of_tm;
}

char *task_managers_names(const struct server *s, char *ret, size_t size)
{
	size_t used = 0;
	for (uint32_t i = 0; i < s->n_tms && used < size; i++)
		used += (size_t)snprintf(
			ret + used, size - used, "%s%s", i ? ", " : "", s->config.tms[i].name);
	return ret;
}

static int load_one(struct server *s, struct task_manager *tm, struct problems *p)
{
	const struct config_tm *c = tm->config;
	char section[96];
	struct wq_err err = { 0 };
	snprintf(section, sizeof section, "task-manager '%s'", c->name);
	struct problem_at at = { .file = s->config_name,
		.line = c->line,
		.section = section,
		.key = "plugin",
		.value = c->plugin };
	if (!c->plugin) /* a problem says so already */
		return -WQ_E_CONFIG;
	if (plugin_load(c->plugin, (const char *const *)s->plugin_dirs, &tm->plugin, &err) < 0) {
		problems_add(p, &at, "%s", err.text);
		return -WQ_E_CONFIG;
	}
	int policy = policy_load(s, tm, &at, p);
	snprintf(section, sizeof section, "task-manager '%s' options", c->name);
	at.key = at.value = NULL;
	const struct wq_plugin *desc = &tm->plugin->desc;
	options_mark_secrets(tm->plugin->options, desc->n_options, c->options, c->n_options);
	int rc = options_check(tm->plugin->options, desc->n_options, c->options, c->n_options,
		s->config.base_dir, &at, p, &tm->values);
	tm->has_values = rc == 0;
	return rc == 0 ? policy : rc;
}

int task_managers_load(struct server *s, struct problems *p)
{
	int rc = 0;
	s->n_tms = (uint32_t)s->config.n_tms;
	s->tms = calloc(s->n_tms, sizeof *s->tms);
	if (!s->tms)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct task_manager *tm = &s->tms[i];
		*tm = (struct task_manager){ .server = s, .index = i, .config = &s->config.tms[i] };
		if (load_one(s, tm, p) < 0)
			rc = -WQ_E_CONFIG; /* go on: all problems are shown at once */
	}
	if (s->config.default_task_manager)
		s->default_tm = (uint32_t)task_managers_find(s, s->config.default_task_manager);
	return rc;
}

static void touched(void *arg, struct instance *i)
{
	struct task_manager *tm = arg;
	(void)i;
	if (tm->server->sched)
		sched_wakeup(tm->server->sched, tm->index);
}

/* [any-thread] */
static void log_for_plugin(
	void *arg, struct instance *i, int level, const char *id, const char *text)
{
	struct task_manager *tm = arg;
	(void)i;
	if (id)
		log_line((enum log_level)level, "%s: %s: %s", id, tm->config->name, text);
	else
		log_line((enum log_level)level, "%s: %s", tm->config->name, text);
}

static int save_handle(void *arg, struct instance *i, const char *id, uint32_t attempt,
	const void *bytes, size_t len)
{
	struct task_manager *tm = arg;
	struct server *s = tm->server;
	struct reqid reqid;
	(void)i;
	if (!reqid_parse(id, strlen(id), &reqid))
		return -WQ_E_UNKNOWN;
	int rc = work_put_handle(&s->spool, reqid, attempt, bytes, len);
	struct task *t = tasks_next(&s->tasks, 0);
	while (t && !(t->tm == (int)tm->index && reqid_is(t->id, reqid)))
		t = tasks_next(&s->tasks, t->ref);
	if (t)
		t->has_handle = true;
	return rc;
}

int task_managers_create(struct server *s, struct problems *p)
{
	int rc = 0;
	for (uint32_t i = 0; i < s->n_tms; i++) {
		struct task_manager *tm = &s->tms[i];
		struct instance_host host = { .loop = s->loop,
			.result_limit = (size_t)s->config.result_limit,
			.children = s->children,
			.events = { .arg = tm,
				.touched = touched,
				.log = log_for_plugin,
				.save_handle = save_handle } };
		struct wq_err err = { 0 };
		if (!tm->has_values) /* a problem says why */
			continue;
		if (instance_new(&tm->instance, tm->plugin, tm->config->name, &tm->values, &host,
			    &err) == 0)
			continue;
		char section[96];
		snprintf(section, sizeof section, "task-manager '%s' options", tm->config->name);
		struct problem_at at = {
			.file = s->config_name, .line = tm->config->line, .section = section
		};
		problems_add(p, &at, "%s", err.text);
		rc = -WQ_E_CONFIG;
	}
	return rc;
}

int task_managers_start(struct server *s, struct wq_err *err)
{
	for (uint32_t i = 0; i < s->n_tms; i++) {
		int rc = instance_start(s->tms[i].instance, err);
		if (rc < 0)
			return rc;
		sched_hold(s->sched, i, true); /* until adopt_tasks */
	}
	return 0;
}

void task_managers_free(struct server *s)
{
	for (uint32_t i = 0; i < s->n_tms; i++) {
		instance_free(s->tms[i].instance);
		options_fini(&s->tms[i].values);
	}
	free(s->tms);
	s->tms = NULL;
	s->n_tms = 0;
}
