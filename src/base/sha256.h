/*
 * SHA-256 (FIPS 180-4), for naming things by their contents. Not for secrets.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32

struct sha256 {
	uint32_t h[8];
	uint64_t len; /* bytes so far */
	uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_end(struct sha256 *s, uint8_t ret[SHA256_SIZE]);
/* 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(const uint8_t sum[SHA256_SIZE], char ret[2 * SHA256_SIZE + 1]);
