/* gRPC's spelling of things in HTTP/2's headers: pure functions of their texts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clients bound what they take of headers, some at 8 KiB. */
enum { GRPC_WORDS_MAX = 4096 };

/* `grpc-message`: percent-encoded, and cut between characters where it would be longer
 * than GRPC_WORDS_MAX. Returns its length. */
size_t grpc_words_encode(const char *words, char ret[GRPC_WORDS_MAX + 1]);

/* `grpc-timeout`: at most eight digits and a unit; in ms, rounded up. 0 or -EINVAL. */
int grpc_timeout_parse(const char *s, uint64_t *ms);

/* "application/grpc", "application/grpc+proto", "application/grpc;..." in any case. */
bool grpc_type_is_known(const char *s);
