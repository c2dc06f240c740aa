/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/link/probe.h"

#include <stdio.h>
#include <string.h>

struct wq_self {
	_Alignas(16) uint8_t bytes[48];
};

struct probe probe;

static void called(wq_self *me, const char *op)
{
	size_t used = strlen(probe.calls);
	probe.self = me;
	snprintf(probe.calls + used, sizeof probe.calls - used, "%s ", op);
}

static void saw_task(const struct wq_task *task)
{
	probe.task = *task;
	snprintf(probe.task_id, sizeof probe.task_id, "%s", task->id);
	if (task->request.len && task->request.len <= sizeof probe.request)
		memcpy(probe.request, task->request.ptr, task->request.len);
}

static void inside(void (*fn)(void))
{
	if (fn)
		fn();
}

static void write_err(struct wq_err *err)
{
	if (probe.err.code || probe.err.name[0] || probe.err.text[0])
		*err = probe.err;
}

static int32_t probe_create(
	wq_self *me, const struct wq_host *host, const struct wq_config *config, struct wq_err *err)
{
	(void)config;
	called(me, "create");
	probe.host = host;
	inside(probe.in_create);
	write_err(err);
	return probe.create;
}

static void probe_destroy(wq_self *me)
{
	called(me, "destroy");
	inside(probe.in_destroy);
}

static int32_t probe_start(wq_self *me, struct wq_err *err)
{
	called(me, "start");
	inside(probe.in_start);
	write_err(err);
	return probe.start;
}

static int32_t probe_stop(wq_self *me, uint32_t how)
{
	called(me, "stop");
	probe.how = how;
	return probe.stop;
}

static int32_t probe_validate(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	called(me, "validate");
	saw_task(task);
	write_err(err);
	return probe.validate;
}

static int32_t probe_start_task(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	called(me, "start_task");
	saw_task(task);
	inside(probe.in_start_task);
	write_err(err);
	return probe.start_task;
}

static int32_t probe_reap(wq_self *me, struct wq_outcome *ret)
{
	called(me, "reap");
	if (probe.n_outcomes == 0)
		return 0;
	*ret = probe.outcomes[0];
	memmove(probe.outcomes, probe.outcomes + 1, (size_t)--probe.n_outcomes * sizeof *ret);
	return probe.reap;
}

static int32_t probe_terminate(wq_self *me, const struct wq_task *task, uint32_t how)
{
	called(me, "terminate");
	saw_task(task);
	probe.how = how;
	return probe.terminate;
}

static int32_t probe_has_capacity(wq_self *me)
{
	called(me, "has_capacity");
	return probe.capacity;
}

static void probe_on_ready(wq_self *me, uint64_t watch, uint32_t events)
{
	called(me, "on_ready");
	probe.ready_watch = watch;
	probe.ready_events = events;
	inside(probe.in_on_ready);
}

static int64_t probe_tick(wq_self *me, int64_t now_ns)
{
	called(me, "tick");
	probe.now_ns = now_ns;
	return probe.next_tick;
}

static void probe_ack(wq_self *me, wq_tid tid)
{
	called(me, "ack");
	probe.acked = tid;
}

static void probe_on_child(wq_self *me, uint64_t child, wq_tid tid, const struct wq_child_end *end)
{
	called(me, "on_child");
	probe.n_ends++;
	probe.ended_child = child;
	probe.ended_tid = tid;
	probe.end = *end;
	snprintf(probe.end_error, sizeof probe.end_error, "%s", end->error ? end->error : "");
	snprintf(probe.end_text, sizeof probe.end_text, "%s", end->text ? end->text : "");
	inside(probe.in_on_child);
}

static int32_t probe_recover(wq_self *me, const struct wq_task *task, struct wq_err *err)
{
	called(me, "recover");
	saw_task(task);
	snprintf(probe.handle, sizeof probe.handle, "%.*s", (int)task->handle.len,
		(const char *)(task->handle.ptr ? task->handle.ptr : ""));
	for (uint32_t k = 0; k < task->n_children && k < 8; k++) {
		probe.children[k] = task->children[k];
		snprintf(probe.labels[k], sizeof probe.labels[k], "%s", task->children[k].label);
	}
	write_err(err);
	inside(probe.in_recover);
	return probe.recover;
}

static void probe_recover_end(wq_self *me)
{
	called(me, "recover_end");
}

struct plugin probe_plugin = {
	.desc = {
		.name = "probe",
		.version = "1.0",
		.self_size = sizeof(wq_self),
		.task_size = 40,
		.start_task = probe_start_task,
		.reap = probe_reap,
		.terminate = probe_terminate,
		.has_capacity = probe_has_capacity,
		.create = probe_create,
		.destroy = probe_destroy,
		.start = probe_start,
		.stop = probe_stop,
		.validate = probe_validate,
		.on_ready = probe_on_ready,
		.tick = probe_tick,
		.ack = probe_ack,
		.on_child = probe_on_child,
	},
};

void probe_reset(void)
{
	probe = (struct probe){
		.reap = 1, .capacity = 8, .recover = WQ_ADOPTED, .next_tick = INT64_MAX
	};
	probe_plugin.desc.caps = WQ_CAP_WAKES | WQ_CAP_WORK_DIR | WQ_CAP_CHILDREN;
	probe_plugin.desc.recover = NULL;
	probe_plugin.desc.recover_end = NULL;
}

void probe_can_recover(void)
{
	probe_plugin.desc.recover = probe_recover;
	probe_plugin.desc.recover_end = probe_recover_end;
}

int probe_calls(const char *op)
{
	char word[32];
	int n = 0;
	snprintf(word, sizeof word, "%s ", op);
	for (const char *at = probe.calls; (at = strstr(at, word)); at += strlen(word))
		n += at == probe.calls || at[-1] == ' ';
	return n;
}
