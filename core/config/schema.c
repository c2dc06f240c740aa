/* SPDX-License-Identifier: BSD-2-Clause */
/* The core's own options.  wq.conf(5) and conf/wq.conf are held against these tables by tests. */
#include "config/schema.h"

#include "base/time.h"

const struct wq_option config_top_options[] = {
	[TOP_SPOOL] = { .name = "spool",
		.help = "The directory in which requests and results live",
		.type = WQ_T_PATH,
		.flags = WQ_OPT_REQUIRED },
	[TOP_DEFAULT_TASK_MANAGER] = { .name = "default-task-manager",
		.help = "Where requests go that name no task manager; the only one if there is "
			"just one",
		.type = WQ_T_STRING },
	[TOP_PLUGIN_PATH] = { .name = "plugin-path",
		.help = "Directories that are searched for plugins before the installed one",
		.def = "",
		.type = WQ_T_LIST },
	[TOP_ON_START] = { .name = "on-start",
		.help = "Whether a starting server goes on with what the spool holds or empties it",
		.def = "recover",
		.choices = "recover|wipe",
		.type = WQ_T_CHOICE },
	[TOP_DURABILITY] = { .name = "durability",
		.help = "What a power cut may take: the last seconds, what no client was told of, "
			"or "
			"nothing that was acknowledged",
		.def = "batch",
		.choices = "none|batch|strict",
		.type = WQ_T_CHOICE },
	[TOP_LOG_LEVEL] = { .name = "log-level",
		.help = "Messages above this level are dropped",
		.def = "info",
		.choices = "err|warn|notice|info|debug",
		.type = WQ_T_CHOICE },
	[TOP_HEARTBEAT_INTERVAL] = { .name = "heartbeat-interval",
		.help = "How often a line at level debug says how many requests are pending and "
			"running",
		.def = "10m",
		.min = NS_PER_S,
		.max = INT64_MAX,
		.type = WQ_T_DURATION },
	[TOP_SAMPLE_INTERVAL] = { .name = "sample-interval",
		.help = "How often a plugin that cannot call by itself is asked for capacity and "
			"outcomes",
		.def = "1s",
		.min = 10 * NS_PER_MS,
		.max = INT64_MAX,
		.type = WQ_T_DURATION },
	[TOP_SAFETY_INTERVAL] = { .name = "safety-interval",
		.help = "How often the spool is looked at even if nothing was announced",
		.def = "60s",
		.min = NS_PER_S,
		.max = INT64_MAX,
		.type = WQ_T_DURATION },
	[TOP_DRAIN_LIMIT] = { .name = "drain-limit",
		.help = "How long a server that ends waits for running tasks",
		.def = "30s",
		.type = WQ_T_DURATION },
	[TOP_REQUEST_LIMIT] = { .name = "request-limit",
		.help = "Larger requests are refused",
		.def = "1M",
		.min = 1 << 10,
		.max = 16 << 20,
		.type = WQ_T_SIZE },
	[TOP_RESULT_LIMIT] = { .name = "result-limit",
		.help = "Larger results of tasks are replaced by an error",
		.def = "1M",
		.min = 1 << 10,
		.max = 16 << 20,
		.type = WQ_T_SIZE },
	[TOP_KEEP_FINISHED] = { .name = "keep-finished",
		.help = "How many results stay in the history after they were collected; 0 is none",
		.def = "1000",
		.min = 0,
		.max = 1000000,
		.type = WQ_T_INT },
	[TOP_KEEP_FINISHED_FOR] = { .name = "keep-finished-for",
		.help = "Older requests leave the history, however few there are; 0s is never",
		.def = "7d",
		.type = WQ_T_DURATION },
	[TOP_SHEPHERD_LINGER] = { .name = "shepherd-linger",
		.help = "How long the process that runs commands stays when there is no server and "
			"nothing is running",
		.def = "60s",
		.type = WQ_T_DURATION },
};
const size_t config_n_top_options = TOP_MAX;
_Static_assert(sizeof config_top_options / sizeof *config_top_options == TOP_MAX, "top options");

const struct wq_option config_tm_options[] = {
	[TM_PLUGIN] = { .name = "plugin",
		.help = "The plugin that runs the tasks: a name, or a path to its .so",
		.type = WQ_T_STRING,
		.flags = WQ_OPT_REQUIRED },
	[TM_MAX_RUNNING] = { .name = "max-running",
		.help = "How many tasks of this task manager may run at once",
		.def = "1",
		.min = 1,
		.max = 100000,
		.type = WQ_T_INT },
	[TM_RUN_LIMIT] = { .name = "run-limit",
		.help = "How long a task may run before it is ended as failed; 0s is without limit",
		.def = "0s",
		.type = WQ_T_DURATION },
	[TM_KEEP_WORK] = { .name = "keep-work",
		.help = "Whose work directory, output included, stays after the end: of every task "
			"that is finished, as long as its result is kept; only where it failed; or "
			"never",
		.def = "finished",
		.choices = "finished|failed|never",
		.type = WQ_T_CHOICE },
};
const size_t config_n_tm_options = TM_MAX;
_Static_assert(sizeof config_tm_options / sizeof *config_tm_options == TM_MAX, "section options");
