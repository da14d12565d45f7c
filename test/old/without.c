/*
 * without [--errno ENOSYS|EPERM] [CALL[,CALL...]] -- COMMAND: runs the command
 * where these system calls fail, for it and all that it starts: ENOSYS (as is)
 * is a kernel that lacks them, EPERM a sandbox that refuses them.
 *
 * Without CALL there is a filter, but it lets everything pass: what a runtime
 * is compared with sees "Seccomp: 2" as well.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void fail(const char *what, int r)
{
	fprintf(stderr, "without: %s%s%s\n", what, r ? ": " : "", r ? strerror(r) : "");
	exit(125);
}

static void add_calls(scmp_filter_ctx ctx, char *calls, int sys)
{
	for (char *name = strtok(calls, ","); name; name = strtok(NULL, ",")) {
		int nr = seccomp_syscall_resolve_name(name), r;

		if (nr == __NR_SCMP_ERROR)
			fail(name, ENOSYS);
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)sys), nr, 0);
		if (r < 0)
			fail(name, -r);
	}
}

int main(int argc, char **argv)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int sys = ENOSYS, at = 1, r;

	if (!ctx)
		fail("no memory", 0);
	if (argc > 2 && !strcmp(argv[1], "--errno")) {
		if (strcmp(argv[2], "ENOSYS") != 0 && strcmp(argv[2], "EPERM") != 0)
			fail("--errno is ENOSYS or EPERM", 0);
		sys = strcmp(argv[2], "EPERM") ? ENOSYS : EPERM;
		at = 3;
	}
	if (at < argc && strcmp(argv[at], "--") != 0)
		add_calls(ctx, argv[at++], sys);
	if (at + 1 >= argc || strcmp(argv[at], "--") != 0)
		fail("usage: without [--errno ENOSYS|EPERM] [CALL[,CALL...]] -- COMMAND...", 0);

	/* The command keeps what it may gain by an execve, as in a sandbox. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
	r = seccomp_load(ctx);
	if (r < 0)
		fail("load the filter", -r);
	seccomp_release(ctx);
	execvp(argv[at + 1], argv + at + 1);
	fail(argv[at + 1], errno);
}
