/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Print where every member of every struct of <wq/plugin.h> and <wq/err.h> lies, for comparison
 * with plugin.layout.  A line may be added there when a struct grows at its end; a line that
 * changes or goes breaks every plugin that is already built.
 */
#include <wq/plugin.h>

#include <stdio.h>

#define SIZE(type)                                                                                 \
	printf("%-12s %-16s size %zu align %zu\n", #type, "", sizeof(struct type),                 \
		_Alignof(struct type))
#define MEMBER(type, member)                                                                       \
	printf("%-12s %-16s at %zu size %zu\n", #type, #member, offsetof(struct type, member),     \
		sizeof(((struct type *)0)->member))
#define CONSTANT(name) printf("%-29s %lld\n", #name, (long long)(name))

static void print_small(void)
{
	SIZE(wq_err);
	MEMBER(wq_err, struct_size);
	MEMBER(wq_err, code);
	MEMBER(wq_err, sys_errno);
	MEMBER(wq_err, reserved);
	MEMBER(wq_err, name);
	MEMBER(wq_err, text);
	SIZE(wq_bytes);
	MEMBER(wq_bytes, ptr);
	MEMBER(wq_bytes, len);
	SIZE(wq_note);
	MEMBER(wq_note, owner_size);
	MEMBER(wq_note, desc_size);
	MEMBER(wq_note, type);
	MEMBER(wq_note, owner);
	MEMBER(wq_note, abi_major);
	MEMBER(wq_note, abi_minor);
	MEMBER(wq_note, plugin_size);
	MEMBER(wq_note, name);
}

static void print_options(void)
{
	SIZE(wq_option);
	MEMBER(wq_option, name);
	MEMBER(wq_option, help);
	MEMBER(wq_option, def);
	MEMBER(wq_option, choices);
	MEMBER(wq_option, min);
	MEMBER(wq_option, max);
	MEMBER(wq_option, type);
	MEMBER(wq_option, flags);
	SIZE(wq_value);
	MEMBER(wq_value, type);
	MEMBER(wq_value, is_set);
	MEMBER(wq_value, u);
	MEMBER(wq_value, u.i);
	MEMBER(wq_value, u.f);
	MEMBER(wq_value, u.s);
	MEMBER(wq_value, u.list);
	MEMBER(wq_value, n);
	SIZE(wq_config);
	MEMBER(wq_config, struct_size);
	MEMBER(wq_config, n_values);
	MEMBER(wq_config, instance);
	MEMBER(wq_config, values);
	MEMBER(wq_config, result_limit);
}

static void print_tasks(void)
{
	SIZE(wq_task);
	MEMBER(wq_task, struct_size);
	MEMBER(wq_task, attempt);
	MEMBER(wq_task, tid);
	MEMBER(wq_task, id);
	MEMBER(wq_task, name);
	MEMBER(wq_task, key);
	MEMBER(wq_task, label);
	MEMBER(wq_task, request);
	MEMBER(wq_task, state);
	MEMBER(wq_task, work_dir);
	MEMBER(wq_task, handle);
	MEMBER(wq_task, children);
	MEMBER(wq_task, n_children);
	MEMBER(wq_task, uid);
	SIZE(wq_outcome);
	MEMBER(wq_outcome, struct_size);
	MEMBER(wq_outcome, how);
	MEMBER(wq_outcome, tid);
	MEMBER(wq_outcome, result);
	MEMBER(wq_outcome, error);
	MEMBER(wq_outcome, text);
	MEMBER(wq_outcome, code);
	MEMBER(wq_outcome, signal);
	MEMBER(wq_outcome, retry_after_ms);
	MEMBER(wq_outcome, reserved);
}

static void print_children(void)
{
	SIZE(wq_child);
	MEMBER(wq_child, child);
	MEMBER(wq_child, label);
	SIZE(wq_limit);
	MEMBER(wq_limit, resource);
	MEMBER(wq_limit, reserved);
	MEMBER(wq_limit, value);
	SIZE(wq_spawn);
	MEMBER(wq_spawn, struct_size);
	MEMBER(wq_spawn, flags);
	MEMBER(wq_spawn, tid);
	MEMBER(wq_spawn, label);
	MEMBER(wq_spawn, argv);
	MEMBER(wq_spawn, env);
	MEMBER(wq_spawn, dir);
	MEMBER(wq_spawn, dirs_allowed);
	MEMBER(wq_spawn, input);
	MEMBER(wq_spawn, out_limit);
	MEMBER(wq_spawn, err_limit);
	MEMBER(wq_spawn, limits);
	MEMBER(wq_spawn, n_limits);
	MEMBER(wq_spawn, processes);
	MEMBER(wq_spawn, umask);
	MEMBER(wq_spawn, nice);
	MEMBER(wq_spawn, grace_ms);
	MEMBER(wq_spawn, reserved);
	SIZE(wq_child_end);
	MEMBER(wq_child_end, struct_size);
	MEMBER(wq_child_end, how);
	MEMBER(wq_child_end, code);
	MEMBER(wq_child_end, signal);
	MEMBER(wq_child_end, flags);
	MEMBER(wq_child_end, rest);
	MEMBER(wq_child_end, error);
	MEMBER(wq_child_end, text);
	MEMBER(wq_child_end, began_us);
	MEMBER(wq_child_end, ended_us);
	MEMBER(wq_child_end, ran_ns);
	MEMBER(wq_child_end, user_us);
	MEMBER(wq_child_end, system_us);
	MEMBER(wq_child_end, max_rss_kib);
	MEMBER(wq_child_end, minor_faults);
	MEMBER(wq_child_end, major_faults);
	MEMBER(wq_child_end, blocks_in);
	MEMBER(wq_child_end, blocks_out);
	MEMBER(wq_child_end, switches);
	MEMBER(wq_child_end, preemptions);
	MEMBER(wq_child_end, out_bytes);
	MEMBER(wq_child_end, out_kept);
	MEMBER(wq_child_end, err_bytes);
	MEMBER(wq_child_end, err_kept);
}

static void print_host_and_plugin(void)
{
	SIZE(wq_host);
	MEMBER(wq_host, struct_size);
	MEMBER(wq_host, abi_major);
	MEMBER(wq_host, abi_minor);
	MEMBER(wq_host, ctx);
	MEMBER(wq_host, server_version);
	MEMBER(wq_host, log);
	MEMBER(wq_host, wakeup);
	MEMBER(wq_host, progress);
	MEMBER(wq_host, clock_ns);
	MEMBER(wq_host, watch);
	MEMBER(wq_host, rewatch);
	MEMBER(wq_host, unwatch);
	MEMBER(wq_host, spawn);
	MEMBER(wq_host, end_child);
	MEMBER(wq_host, save_handle);
	SIZE(wq_plugin);
	MEMBER(wq_plugin, magic);
	MEMBER(wq_plugin, struct_size);
	MEMBER(wq_plugin, abi_major);
	MEMBER(wq_plugin, abi_minor);
	MEMBER(wq_plugin, caps);
	MEMBER(wq_plugin, name);
	MEMBER(wq_plugin, version);
	MEMBER(wq_plugin, summary);
	MEMBER(wq_plugin, self_size);
	MEMBER(wq_plugin, task_size);
	MEMBER(wq_plugin, options);
	MEMBER(wq_plugin, n_options);
	MEMBER(wq_plugin, option_size);
	MEMBER(wq_plugin, start_task);
	MEMBER(wq_plugin, reap);
	MEMBER(wq_plugin, terminate);
	MEMBER(wq_plugin, has_capacity);
	MEMBER(wq_plugin, create);
	MEMBER(wq_plugin, destroy);
	MEMBER(wq_plugin, start);
	MEMBER(wq_plugin, stop);
	MEMBER(wq_plugin, validate);
	MEMBER(wq_plugin, on_ready);
	MEMBER(wq_plugin, tick);
	MEMBER(wq_plugin, ack);
	MEMBER(wq_plugin, on_child);
	MEMBER(wq_plugin, recover);
	MEMBER(wq_plugin, recover_end);
}

static void print_constants(void)
{
	CONSTANT(WQ_ABI_MAJOR);
	CONSTANT(WQ_PLUGIN_MAGIC);
	CONSTANT(WQ_OK);
	CONSTANT(WQ_BUSY);
	CONSTANT(WQ_RETRY);
	CONSTANT(WQ_REJECT);
	CONSTANT(WQ_ADOPTED);
	CONSTANT(WQ_NEVER_BEGAN);
	CONSTANT(WQ_ENDED);
	CONSTANT(WQ_DONE_OK);
	CONSTANT(WQ_DONE_FAILED);
	CONSTANT(WQ_DONE_ABORTED);
	CONSTANT(WQ_DONE_LOST);
	CONSTANT(WQ_DONE_REJECTED);
	CONSTANT(WQ_DONE_NOT_STARTED);
	CONSTANT(WQ_DONE_KILLED);
	CONSTANT(WQ_TERM_GRACEFUL);
	CONSTANT(WQ_TERM_NOW);
	CONSTANT(WQ_STOP_DETACH);
	CONSTANT(WQ_STOP_KILL);
	CONSTANT(WQ_LOG_ERR);
	CONSTANT(WQ_LOG_WARN);
	CONSTANT(WQ_LOG_NOTICE);
	CONSTANT(WQ_LOG_INFO);
	CONSTANT(WQ_LOG_DEBUG);
	CONSTANT(WQ_READABLE);
	CONSTANT(WQ_WRITABLE);
	CONSTANT(WQ_FD_ERROR);
	CONSTANT(WQ_FD_HANGUP);
	CONSTANT(WQ_CAP_WAKES);
	CONSTANT(WQ_CAP_WORK_DIR);
	CONSTANT(WQ_CAP_CHILDREN);
	CONSTANT(WQ_SPAWN_JOIN_OUTPUT);
	CONSTANT(WQ_SPAWN_LEAVE_REST);
	CONSTANT(WQ_CHILD_EXITED);
	CONSTANT(WQ_CHILD_SIGNALLED);
	CONSTANT(WQ_CHILD_NOT_STARTED);
	CONSTANT(WQ_CHILD_UNKNOWN);
	CONSTANT(WQ_CHILD_WAS_TOLD);
	CONSTANT(WQ_CHILD_CORE);
	CONSTANT(WQ_T_BOOL);
	CONSTANT(WQ_T_INT);
	CONSTANT(WQ_T_FLOAT);
	CONSTANT(WQ_T_STRING);
	CONSTANT(WQ_T_CHOICE);
	CONSTANT(WQ_T_PATH);
	CONSTANT(WQ_T_DURATION);
	CONSTANT(WQ_T_SIZE);
	CONSTANT(WQ_T_LIST);
	CONSTANT(WQ_OPT_REQUIRED);
	CONSTANT(WQ_OPT_SECRET);
	CONSTANT(WQ_NOTE_TYPE);
	CONSTANT(WQ_E_CONFIG);
	CONSTANT(WQ_E_FORMAT);
	CONSTANT(WQ_E_LIMIT);
	CONSTANT(WQ_E_STATE);
	CONSTANT(WQ_E_UNKNOWN);
	CONSTANT(WQ_E_DUPLICATE);
	CONSTANT(WQ_E_THREAD);
	CONSTANT(WQ_E_UNSUPPORTED);
	CONSTANT(WQ_E_TIMEOUT);
	CONSTANT(WQ_E_GONE);
	CONSTANT(WQ_E_NOT_A_SPOOL);
	CONSTANT(WQ_E_LOCKED);
	CONSTANT(WQ_E_REFUSED);
	CONSTANT(WQ_E_FAULT);
}

int main(void)
{
	print_small();
	print_options();
	print_tasks();
	print_children();
	print_host_and_plugin();
	print_constants();
	printf("entry symbol %s\n", WQ_ENTRY_SYMBOL);
	return 0;
}
