/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/kept.h"

#include "cli/cli.h"

#include <wq/cbor.h>

#include <inttypes.h>

/* 0 where it is not there, or is no number that it can be. */
static uint64_t find_number(const struct wq_cbor_in *map, const char *key)
{
	int64_t ret = 0;
	size_t len = (size_t)(map->end - map->p);
	return wq_cbor_find_int(map->p, len, key, &ret) == 1 && ret > 0 ? (uint64_t)ret : 0;
}

void kept_read(const struct wq_result_info *info, int32_t which, struct kept *ret)
{
	struct wq_cbor_in map;
	bool out = which == WQ_STDOUT;
	*ret = (struct kept){ .name = out ? "standard output" : "standard error" };
	if (!info->payload || wq_cbor_map_find(info->payload, info->payload_len,
				      out ? "stdout" : "stderr", &map) != 1)
		return;
	ret->bytes = find_number(&map, "bytes");
	ret->kept = find_number(&map, "kept");
}

bool kept_say_cut(const struct wq_result_info *info, const struct kept *k)
{
	if (k->kept >= k->bytes)
		return false;
	cli_say("%s: only the first %" PRIu64 " of %" PRIu64
		" bytes of its %s were kept: output-limit of task manager '%s' says how many "
		"are (wq-fork-exec(7))",
		info->id, k->kept, k->bytes, k->name, info->task_manager);
	return true;
}
