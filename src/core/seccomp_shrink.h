/*
 * Shortens a compiled seccomp program without changing what it decides. The
 * kernel runs a filter for every system call number when it is loaded, once per
 * container start, so its length is time: docker's profile as libseccomp makes
 * it costs a quarter of a millisecond.
 */
#pragma once

#include <stddef.h>

struct arena;
struct sock_filter;

/* 1: *out is a shorter program that decides like `in`, checked by running
 * both; 0: none was found and *out is `in`; -ENOMEM. */
int seccomp_shrink(struct arena *a, const struct sock_filter *in, size_t n,
		   struct sock_filter **out, size_t *n_out);
