/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config/schema: the places of the core's options in their tables.
 */
#pragma once

#include "config/config.h"

enum top_option {
	TOP_SPOOL,
	TOP_DEFAULT_TASK_MANAGER,
	TOP_PLUGIN_PATH,
	TOP_ON_START,
	TOP_DURABILITY,
	TOP_LOG_LEVEL,
	TOP_HEARTBEAT_INTERVAL,
	TOP_SAMPLE_INTERVAL,
	TOP_SAFETY_INTERVAL,
	TOP_DRAIN_LIMIT,
	TOP_REQUEST_LIMIT,
	TOP_RESULT_LIMIT,
	TOP_KEEP_FINISHED,
	TOP_KEEP_FINISHED_FOR,
	TOP_SHEPHERD_LINGER,
	TOP_MAX
};

enum tm_option {
	TM_PLUGIN,
	TM_MAX_RUNNING,
	TM_RUN_LIMIT,
	TM_KEEP_WORK,
	TM_MAX
};
