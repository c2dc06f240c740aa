/* SPDX-License-Identifier: BSD-2-Clause */
#include "by_hand.h"

NOTE("no-entry");
