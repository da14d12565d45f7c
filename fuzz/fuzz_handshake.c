/*
 * The parent's side of the handshake against a child that says anything. The
 * input is a list of messages: one byte of length, then so many bytes (at most
 * the size of a message and a bit). The parent must come back, with words.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "fd.h"
#include "launch.h"
#include "mem.h"
#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "true", *const argv[] = { name, NULL };
	static char *env[] = { NULL, NULL };
	static const struct plan_kv sysctl[] = { { "kernel.shmmax", "1", "/linux/sysctl/kernel.shmmax" } };
	struct plan plan = { .id = "fuzz",
			     .rootfs = "/root",
			     .sysctl = sysctl,
			     .n_sysctl = 1,
			     .process = { .argv = argv, .env = env, .cwd = "/", .ioprio = -1 } };
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_FD ours = -1, theirs = -1;
	struct err e = { 0 };
	struct launch l;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	ours = pair[0];
	theirs = pair[1];
	for (size_t i = 0, n; i < size; i += n + 1) {
		n = data[i] % (sizeof(struct hs_msg) + 4);
		if (i + 1 + n > size || send(theirs, data + i + 1, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	}
	shutdown(theirs, SHUT_WR);

	launch_init(&l, &a, &plan);
	r = launch_resume(&l, ours, 0, -1, &e);
	if (r < 0 && !e.msg[0])
		abort();
	launch_done(&l);
	return 0;
}
