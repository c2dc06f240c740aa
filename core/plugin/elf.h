/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin/elf: what a plugin's file says of itself, read without running any of it.
 *
 * The file may be hostile: every offset, size and count is held against the file and against a
 * bound of ours before it is used.
 */
#pragma once

#include <wq/plugin.h>

/*
 * Read the note "WQP" of the ELF file behind `fd`.  Returns 0, or -WQ_E_REFUSED with `err`: not a
 * shared object of this machine, or one without the note; the text begins with "is" or "has", for
 * the caller to put the file's name in front.
 */
int elf_read_note(int fd, struct wq_note *ret, struct wq_err *err);
