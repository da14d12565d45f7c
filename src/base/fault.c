/* Fault injection; see fault.h. Empty in the build that is installed. */
#include "fault.h"

#ifdef BERTH_FAULTS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NAME_SIZE = 56 };

struct shared { /* by all processes of the run */
	uint64_t count;
	char name[NAME_SIZE];
};

static struct {
	struct shared *shared;
	uint64_t target;
	int err; /* -1: kill */
} fault;

void fault_init(void)
{
	const char *env = getenv("BERTH_FAULT");
	char path[256], *colon, *end;
	int fd;

	if (!env || strlen(env) >= sizeof path)
		return;
	strcpy(path, env);
	colon = strchr(path, ':');
	if (!colon)
		return;
	*colon = '\0';
	fault.target = strtoull(colon + 1, &end, 10);
	fault.err = *end == ':' && strcmp(end + 1, "kill") ? atoi(end + 1) : -1;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	fault.shared = mmap(NULL, sizeof *fault.shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (fault.shared == MAP_FAILED)
		fault.shared = NULL;
}

int fault_hit(const char *call)
{
	if (!fault.shared)
		return 0;
	if (__atomic_add_fetch(&fault.shared->count, 1, __ATOMIC_SEQ_CST) != fault.target)
		return 0;
	strncpy(fault.shared->name, call, NAME_SIZE - 1);
	if (fault.err < 0) {
		kill(getpid(), SIGKILL);
		__builtin_trap(); /* pid 1 of a namespace ignores its own SIGKILL */
	}
	return fault.err;
}
#endif
extern int fault_not_empty; /* ISO C wants a declaration in every file */
