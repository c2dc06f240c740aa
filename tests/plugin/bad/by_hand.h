/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NOTE("name"): the note alone, for plugins whose descriptor WQ_PLUGIN would not make.
 * NOTE_OF("name", minor) for one of an older ABI.
 */
#pragma once

#include "ops.h"

#define NOTE_OF(name_, minor)                                                                      \
	__attribute__((                                                                            \
		section(".note.wq"), used, aligned(4))) static const struct wq_note note = { 4u,   \
		(uint32_t)(sizeof(struct wq_note) - 16u), WQ_NOTE_TYPE, "WQP", WQ_ABI_MAJOR,       \
		minor, (uint32_t)sizeof(struct wq_plugin), name_ }
#define NOTE(name_) NOTE_OF(name_, WQ_ABI_MINOR)
