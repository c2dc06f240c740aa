/* SPDX-License-Identifier: BSD-2-Clause */
#include "limit.h"

#include <sys/resource.h>

const struct limit_kind limit_kinds[LIMIT_MAX] = {
	[LIMIT_CPU] = { "cpu", "seconds", RLIMIT_CPU, 1 },
	[LIMIT_MEMORY] = { "memory", "bytes", RLIMIT_AS, 1 },
	[LIMIT_FILE_SIZE] = { "file-size", "bytes", RLIMIT_FSIZE, 0 },
	[LIMIT_OPEN_FILES] = { "open-files", "descriptors", RLIMIT_NOFILE, 3 },
	[LIMIT_PROCESSES] = { "processes", "processes", RLIMIT_NPROC, 1 },
	[LIMIT_CORE] = { "core", "bytes", RLIMIT_CORE, 0 },
};

uint32_t limits_merge(
	const struct limits *general, const struct limits *own, struct wq_limit ret[LIMIT_MAX])
{
	uint32_t n = 0;
	for (int i = 0; i < LIMIT_MAX; i++) {
		const struct limits *from = own->is_set[i] ? own : general;
		if (from->is_set[i])
			ret[n++] = (struct wq_limit){ .resource = limit_kinds[i].resource,
				.value = from->value[i] };
	}
	return n;
}
