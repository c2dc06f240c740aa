/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool/probe: what this file system can do, found out by doing it in .wq/tmp.  Nothing is decided
 * by the file system's name but one danger that no trial shows (see probe.c).
 */
#pragma once

#include "spool/spool.h"

/* What takes part in the trial.  A server that is killed meanwhile leaves it where it stands, and the
 * next trial removes it. */
extern const char probe_name[];

/* Sets named_tmp and no_exchange.  -WQ_E_UNSUPPORTED: no spool can work here. */
int probe_file_system(struct spool *sp, const char *path, struct wq_err *err);
