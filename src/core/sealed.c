/* Sealed files in memory; see sealed.h. */
#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "sys.h"

#ifndef MFD_EXEC /* since Linux 6.3 */
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

static const int SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

int sealed_new(const char *name)
{
	/* Said where the kernel knows the word, since a host may have another default. */
	int fd = sys_memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	return fd == -EINVAL ? sys_memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

int sealed_finish(int fd)
{
	int r = sys_fchmod(fd, 0555);

	if (r >= 0)
		r = sys_fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_EXEC);
	return r == -EINVAL ? sys_fcntl(fd, F_ADD_SEALS, SEALS) : r;
}

bool sealed_is(int fd)
{
	int seals = sys_fcntl(fd, F_GET_SEALS, 0);

	return seals >= 0 && (seals & SEALS) == SEALS;
}
