/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugin/instance_priv.h"

#include "base/err.h"
#include "plugin/children.h"

#include <errno.h>
#include <stdlib.h>

bool instance_can_recover(const struct instance *i)
{
	return i->plugin->desc.recover != NULL;
}

static int check_may_recover(const struct instance *i, struct wq_err *err)
{
	if (!instance_can_recover(i))
		return err_set(err, -WQ_E_UNSUPPORTED,
			"task manager '%s' (plugin '%s') cannot recover tasks", i->name,
			i->plugin->desc.name);
	if (i->state != INSTANCE_STARTED || !i->is_recovering)
		return err_set(err, -WQ_E_STATE, "task manager '%s' does not recover now", i->name);
	/* "None" would be a lie where nobody could be asked. */
	if ((i->plugin->desc.caps & WQ_CAP_CHILDREN) && !i->children)
		return err_set(err, -WQ_E_STATE,
			"task manager '%s': there is no shepherd to ask for its children", i->name);
	return 0;
}

enum {
	RETRY_DEFAULT_MS = 1000
};

/* The answer of recover; all below 0 are "cannot be known". */
static int answer(struct instance *i, int32_t rc, struct wq_err *said, struct wq_err *err)
{
	switch (rc) {
	case WQ_RETRY: {
		int32_t delay_ms = said->code > 0 ? said->code : RETRY_DEFAULT_MS;
		guard_clean_err(said, "it cannot be told yet what became of the task");
		err_set_name(err, delay_ms, said->name, "%s", said->text);
		return rc;
	}
	case WQ_ADOPTED:
	case WQ_NEVER_BEGAN:
	case WQ_ENDED:
		return rc;
	case -WQ_E_UNKNOWN: /* the plain way to say so */
		guard_clean_err(said, "what became of the task cannot be known");
		return err_set_name(err, rc, said->name, "%s", said->text);
	default:
		return guard_fault(i, "recover", rc, said, err);
	}
}

static int call_recover(struct instance *i, struct plugin_task *t, const struct wq_bytes *handle,
	struct wq_child *children, uint32_t n_children, struct wq_err *err)
{
	struct wq_err said;
	t->info.handle = *handle;
	t->info.children = children;
	t->info.n_children = n_children;
	guard_enter(i, "recover");
	int32_t rc = i->plugin->desc.recover(i->self, &t->info, guard_empty_err(&said));
	guard_leave(i);
	t->info.request = t->info.handle = (struct wq_bytes){ 0 };
	t->info.children = NULL;
	t->info.n_children = 0;
	return answer(i, rc, &said, err);
}

int instance_recover(
	struct instance *i, const struct instance_task *task, wq_tid *ret_tid, struct wq_err *err)
{
	struct wq_child *children = NULL;
	uint32_t n_children = 0;
	int rc = check_may_recover(i, err);
	if (rc < 0)
		return rc;
	struct plugin_task *t = instance_add_task(i, task);
	if (!t)
		return err_set(err, -ENOMEM, "task manager '%s'", i->name);
	wq_tid tid = t->info.tid;
	if (instance_may_spawn(i))
		rc = children_adopt(i->children, i, tid, t->info.name, &children, &n_children);
	if (rc < 0)
		err_set(err, rc, "task manager '%s': its children cannot be told", i->name);
	else
		rc = call_recover(i, t, &task->handle, children, n_children, err);
	free(children);
	if (rc == WQ_ADOPTED) {
		*ret_tid = tid;
		instance_tick_soon(i);
		return rc;
	}
	if (instance_may_spawn(i))
		children_disown(i->children, i, tid);
	instance_remove_task(i, t);
	task_free(t);
	return rc;
}

void instance_recover_end(struct instance *i)
{
	if (i->state != INSTANCE_STARTED || !i->is_recovering)
		return;
	if (i->plugin->desc.recover_end) {
		guard_enter(i, "recover_end");
		i->plugin->desc.recover_end(i->self);
		guard_leave(i);
	}
	i->is_recovering = false;
	instance_tick_soon(i);
	i->events.touched(i->events.arg, i);
}
