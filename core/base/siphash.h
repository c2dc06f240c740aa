/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/siphash: SipHash-2-4 of two words (Aumasson and Bernstein, "SipHash: a fast short-input
 * PRF", 2012).  Clients choose ids, so a table of ids needs a hash that they cannot foresee.
 */
#pragma once

#include <stdint.h>

uint64_t siphash_pair(const uint64_t key[2], uint64_t a, uint64_t b);
