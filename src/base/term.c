/* Terminals: raw mode and window sizes. */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys.h"

int term_raw(struct term *t, int fd)
{
	struct termios raw;

	if (tcgetattr(fd, &t->saved) < 0)
		return errno == ENOTTY ? 0 : -errno;
	raw = t->saved;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0)
		return -errno;
	t->fd = fd;
	t->raw = true;
	return 0;
}

void term_restore(struct term *t)
{
	if (t->raw)
		tcsetattr(t->fd, TCSANOW, &t->saved);
	t->raw = false;
}

int term_open_again(int fd)
{
	struct termios t;
	struct stat st;
	char path[32];
	int r = sys_fstat(fd, &st);

	if (r < 0)
		return r;
	if (!S_ISCHR(st.st_mode) || st.st_rdev == makedev(5, 2) || tcgetattr(fd, &t) < 0)
		return -ENOTTY;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return sys_openat(AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
}

int term_get_size(int fd, uint16_t *rows, uint16_t *cols)
{
	struct winsize ws;
	int r = sys_ioctl(fd, TIOCGWINSZ, &ws);

	if (r < 0)
		return r;
	*rows = ws.ws_row;
	*cols = ws.ws_col;
	return 0;
}

int term_own_size(uint16_t *rows, uint16_t *cols)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (term_get_size(fd, rows, cols) == 0)
			return 0;
	return -ENOTTY;
}

int term_set_size(int fd, uint16_t rows, uint16_t cols)
{
	struct winsize ws = { .ws_row = rows, .ws_col = cols };

	return sys_ioctl(fd, TIOCSWINSZ, &ws);
}
