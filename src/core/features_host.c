/* What this build can do, wherever it runs, and what the kernel takes; see
 * features_host.h. */
#include "features_host.h"

#include <errno.h>
#include <linux/seccomp.h>

#include "spec.h"
#include "spec_features.h"
#include "sys.h"

/* A flag the kernel knows fails on the missing program, an unknown one on the
 * flag itself. */
static uint32_t kernel_seccomp_flags(void)
{
	uint32_t flags = 0;

	for (unsigned bit = 0; bit < 16; bit++)
		if (sys_seccomp(SECCOMP_SET_MODE_FILTER, 1u << bit, NULL) == -EFAULT)
			flags |= 1u << bit;
	return flags;
}

void features_host_read(struct features_host *h)
{
	static const char *const unsafe_annotations[] = { SPEC_BUILTIN_INIT, NULL };

	*h = (struct features_host){
		.cgroup_v1 = true,
		.cgroup_v2 = true,
		.systemd = true,
		.rdma = true,
		.seccomp = true,
		.libseccomp_version = LIBSECCOMP_VERSION,
		.seccomp_flags = kernel_seccomp_flags(),
		.apparmor = true,
		.selinux = true,
		.intel_rdt = true,
		.idmap = true,
		.version = BERTH_VERSION,
		.unsafe_annotations = unsafe_annotations,
	};
}
