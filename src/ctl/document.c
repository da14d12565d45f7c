/* Documents and paths that the caller names. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ctl.h"
#include "fd.h"
#include "file.h"
#include "json.h"
#include "sys.h"

int read_document(struct request *q, const char *path, char **ret, struct err *e)
{
	size_t len;
	int r;

	if (!strcmp(path, "-"))
		r = file_read_fd(q->arena, STDIN_FILENO, "standard input", JSON_MAX_SIZE, ret, &len, e);
	else
		r = file_read(q->arena, AT_FDCWD, path, JSON_MAX_SIZE, ret, &len, e);
	if (r < 0)
		return r;
	if (memchr(*ret, '\0', len))
		return err_set(e, ERR_INVALID, 0, "%s: holds a NUL: no JSON text", path);
	return 0;
}

int host_path(struct request *q, const char *path, const char **ret, struct err *e)
{
	OWN_FD fd = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, fd, "open '%s'", path) : file_path_of(q->arena, fd, ret, e);
}

const char *id_or_new(struct request *q, const char *id)
{
	unsigned char bytes[6];

	if (id)
		return id;
	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return NULL;
	return arena_printf(q->arena, "%02x%02x%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
			    bytes[5]);
}
