/*
 * What all drivers of the bench measure with: clocks, the CPU that everything
 * below one cgroup has used, and a random order that a seed repeats. What must
 * not fail ends the program.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...);

uint64_t clock_ns(clockid_t id);
uint64_t timeval_ns(struct timeval t);
void idle(long ms);

/* We, and all that we start from now on, below this directory of cpuacct or v2. */
int usage_enter(const char *dir);
/* Of all that has ever been there, in ns. */
uint64_t usage_ns(int fd);

/* `used` when it has come to rest: what goes on after an answer belongs to the sample. */
uint64_t settled_ns(uint64_t (*used)(const void *ctx), const void *ctx);

void shuffle(void *items, size_t n, size_t size, uint64_t *seed);
