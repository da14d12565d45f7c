/* Who the container's program is: the same for its first process, for exec, and
 * for the hooks that run as it. */
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "handshake.h"
#include "plan.h"
#include "sys.h"

static int said(struct identity_error *e, enum init_stage stage, uint32_t index, int r)
{
	if (r < 0)
		*e = (struct identity_error){ stage, index };
	return r;
}

int identity_set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct sys_cap_header h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct sys_cap_data d[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
		  (uint32_t)(inheritable >> 32) },
	};

	return sys_capset(&h, d);
}

static int drop_bounding(const struct plan_process *pr, struct identity_error *e)
{
	for (uint32_t cap = 0; cap <= pr->last_cap; cap++)
		if (!(pr->caps.bounding >> cap & 1)) {
			int r = sys_prctl(PR_CAPBSET_DROP, cap, 0, 0);

			/* Without CAP_SETPCAP the set can only shrink at exec;
			 * fine as long as the bit is not there. */
			if (r < 0 && sys_prctl(PR_CAPBSET_READ, cap, 0, 0) != 0)
				return said(e, STAGE_BOUNDING, cap, r);
		}
	return 0;
}

int identity_set_ids(const struct plan *p, struct identity_error *e)
{
	const struct plan_process *pr = &p->process;
	int r = drop_bounding(pr, e);

	umask(pr->has_umask ? pr->umask : 0022);
	if (r >= 0)
		r = said(e, STAGE_CAPS, 0, sys_prctl(PR_SET_KEEPCAPS, 1, 0, 0));
	if (r >= 0 && (!p->deny_setgroups || pr->n_groups))
		r = said(e, STAGE_GROUPS, 0, sys_setgroups(pr->n_groups, pr->groups));
	if (r >= 0)
		r = said(e, STAGE_IDS, 1, sys_setresgid(pr->gid));
	if (r >= 0)
		r = said(e, STAGE_IDS, 0, sys_setresuid(pr->uid));
	return r < 0 ? r : said(e, STAGE_CAPS, 0, sys_prctl(PR_SET_KEEPCAPS, 0, 0, 0));
}

int identity_take_caps(const struct plan *p, uint64_t extra, struct identity_error *e)
{
	const struct plan_process *pr = &p->process;
	const struct plan_caps *c = &pr->caps;
	int r = said(e, STAGE_CAPS, 0,
		     identity_set_caps(c->effective | extra, c->permitted | extra, c->inheritable));
	/* no ambient set in this kernel: none asked for, or it fails below */
	bool ambient = r >= 0 && sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0) >= 0;

	for (uint32_t cap = 0; ambient && r >= 0 && cap <= pr->last_cap; cap++)
		if (c->ambient >> cap & 1)
			r = said(e, STAGE_AMBIENT, cap, sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0));
	if (r >= 0 && pr->no_new_privs)
		r = said(e, STAGE_NO_NEW_PRIVS, 0, sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0));
	return r;
}
