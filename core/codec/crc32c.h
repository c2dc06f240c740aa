/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec/crc32c: CRC-32C (Castagnoli), the checksum of the check item.  It finds blocks of zeros
 * and flipped bits; it is no protection against a person.  Parameters and test vectors: RFC 3720
 * sections 12.1 and B.4.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *bytes, size_t len);

/* The same without the processor's instruction; what crc32c uses where there is none. */
uint32_t crc32c_portable(const void *bytes, size_t len);
