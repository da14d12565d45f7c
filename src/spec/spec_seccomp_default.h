/*
 * The seccomp profile of a container that names none (berth run --rootfs): a
 * list of the system calls that are allowed, more for some capabilities, the
 * rest fails with EPERM. New namespaces, mounts, modules, clocks and the like
 * are not in it.
 */
#pragma once

#include <stdint.h>

struct jw;

/* Writes the value of linux.seccomp for a process with these capabilities (bit
 * n is capability n). */
void spec_seccomp_default(struct jw *w, uint64_t capabilities);
