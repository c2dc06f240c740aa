/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/siphash.h"

static inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void round_(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t siphash_pair(const uint64_t key[2], uint64_t a, uint64_t b)
{
	/* The message is 16 bytes, so the last word holds the length alone. */
	const uint64_t words[3] = { a, b, UINT64_C(16) << 56 };
	uint64_t v[4] = { key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573) };
	for (int i = 0; i < 3; i++) {
		v[3] ^= words[i];
		round_(v);
		round_(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		round_(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
