/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops.h"

#undef WQ_PLUGIN_MAGIC
#define WQ_PLUGIN_MAGIC 0x0badcafeu

WQ_PLUGIN("bad-magic", "1.0", "has a wrong magic number", OPS);
