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

static struct {
	uint64_t *counter; /* shared by all processes of the run */
	uint64_t target;
	int err; /* -1: kill */
	int hit_fd;
} fault;

void fault_init(void)
{
	const char *env = getenv("BERTH_FAULT");
	char path[256], *colon, *end;
	int fd;

	if (!env || strlen(env) >= sizeof path - 8)
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
	fault.counter = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (fault.counter == MAP_FAILED)
		fault.counter = NULL;
	strcat(path, ".hit");
	fault.hit_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fault.hit_fd >= 0 && fault.hit_fd < 200) {
		int high = fcntl(fault.hit_fd, F_DUPFD_CLOEXEC, 900);

		close(fault.hit_fd);
		fault.hit_fd = high;
	}
}

int fault_hit(const char *call)
{
	if (!fault.counter)
		return 0;
	if (__atomic_add_fetch(fault.counter, 1, __ATOMIC_SEQ_CST) != fault.target)
		return 0;
	(void)!write(fault.hit_fd, call, strlen(call));
	if (fault.err < 0) {
		kill(getpid(), SIGKILL);
		_exit(137); /* pid 1 of a namespace ignores its own SIGKILL */
	}
	return fault.err;
}
#endif
extern int fault_not_empty; /* ISO C wants a declaration in every file */
