/* A terminal that nobody reads; see unread.h. */
#include "unread.h"

#include <stdint.h>
#include <sys/epoll.h>

#include "fifo.h"
#include "shim.h"
#include "sys.h"

enum { GRACE_MS = 1000, TOO_MUCH = 2048, AT_ONCE = 64 };

static int on_output(struct source *s, uint32_t events);

/* Told of each time that something is written, and not all the time that it is there. */
static void wait_for_output(struct process *p)
{
	source_fd(&p->unread, p->shim->loop, p->master, EPOLLIN | EPOLLET, on_output);
}

/* All of it: who waits to write is woken when there is next to nothing left. It cannot
 * block, as nobody else reads. */
static int on_output(struct source *s, uint32_t events)
{
	struct process *p = (struct process *)((char *)s - offsetof(struct process, unread));
	char buf[TOO_MUCH];
	int turns = 0;

	if (fifo_waiting_bytes(p->master) < TOO_MUCH)
		return 0;
	while (turns < AT_ONCE && fifo_waiting_bytes(p->master) && sys_read(p->master, buf, sizeof buf) > 0)
		turns++;
	if (turns == AT_ONCE) { /* the others have their turn; and then we are told again */
		source_remove(s);
		wait_for_output(p);
	}
	return 0;
}

static int on_grace(struct source *s, uint32_t events)
{
	wait_for_output((struct process *)((char *)s - offsetof(struct process, unread)));
	return 0;
}

void unread_begin(struct process *p)
{
	source_timer(&p->unread, p->shim->loop, GRACE_MS, on_grace);
}

void unread_end(struct process *p)
{
	source_remove(&p->unread);
}
