/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/plugin/parent.h"

#include "support/link/fake_link.h"
#include "support/link/probe.h"
#include "support/plugin/rig.h"

#include <check.h>
#include <string.h>

struct wq_err parent_err;
struct wq_spawn parent_spawn; /* what the next spawn_now asks for */
uint64_t parent_child;

static const char *const argv[] = { "true", "now", NULL };

void parent_setup(void)
{
	probe_reset();
	memset(&parent_err, 0, sizeof parent_err);
	rig_add_children();
	parent_spawn = (struct wq_spawn){
		.struct_size = sizeof parent_spawn, .argv = argv, .umask = 022, .grace_ms = 700
	};
}

void parent_teardown(void)
{
	rig_free();
}

int spawn_now(wq_tid tid, const char *label)
{
	parent_spawn.tid = tid;
	parent_spawn.label = label;
	parent_child = 0;
	parent_err = (struct wq_err){ .struct_size = sizeof parent_err };
	return probe.host->spawn(probe.host->ctx, &parent_spawn, &parent_child, &parent_err);
}

int end_now(uint64_t number, uint32_t how, uint32_t grace_ms)
{
	return probe.host->end_child(probe.host->ctx, number, how, grace_ms);
}

/* A shepherd with nothing, an instance, and a task that runs. */
wq_tid start_up(void)
{
	fake_link_up(true);
	rig_start(&probe_plugin, NULL);
	return rig_start_one();
}

uint64_t spawn_one(wq_tid tid, const char *label)
{
	ck_assert_msg(spawn_now(tid, label) == WQ_OK, "%s", parent_err.text);
	ck_assert_uint_ne(parent_child, 0);
	return parent_child;
}

void give_back(wq_tid tid)
{
	struct wq_outcome o;
	probe.outcomes[probe.n_outcomes++] = (struct wq_outcome){ .tid = tid, .how = WQ_DONE_OK };
	ck_assert_int_eq(instance_reap(rig_instance, &o), 1);
}

void assert_orders(const char *what)
{
	ck_assert_str_eq(fake_link_orders(), what);
}

void assert_ended(int n, uint64_t number, int32_t how)
{
	ck_assert_int_eq(probe.n_ends, n);
	ck_assert_uint_eq(probe.ended_child, number);
	ck_assert_int_eq(probe.end.how, how);
}
