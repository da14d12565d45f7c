/* Reading a directory; see dir.h. */
#include "dir.h"

#include <string.h>

#include "sys.h"

const struct dir_entry *dir_next(struct dir_reader *r)
{
	for (;;) {
		const struct dir_entry *d;

		if (r->at >= r->n) {
			r->at = 0;
			r->n = sys_getdents(r->fd, r->buf, sizeof r->buf);
			if (r->n <= 0)
				return NULL;
		}
		d = (const void *)(r->buf + r->at);
		r->at += d->len;
		if (strcmp(d->name, ".") && strcmp(d->name, ".."))
			return d;
	}
}
