/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NOTE("name"): the note alone, for plugins whose descriptor WQ_PLUGIN would not make.
 */
#pragma once

#include "ops.h"

#define NOTE(name_)                                                                                \
	__attribute__((                                                                            \
		section(".note.wq"), used, aligned(4))) static const struct wq_note note = { 4u,   \
		(uint32_t)(sizeof(struct wq_note) - 16u), WQ_NOTE_TYPE, "WQP", WQ_ABI_MAJOR,       \
		WQ_ABI_MINOR, (uint32_t)sizeof(struct wq_plugin), name_ }
