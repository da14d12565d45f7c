/* What a process keeps across fork and needs the host's privileges for. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fd.h"
#include "init.h"
#include "sys.h"

enum { MAX_CPUS = 8192, IOPRIO_WHO_PROCESS = 1 };

/* Decimal, at the end of `end`; returns where it begins. */
static char *decimal(char *end, unsigned long v)
{
	do
		*--end = (char)('0' + v % 10);
	while (v /= 10);
	return end;
}

static int set_oom_score(int proc, pid_t pid, int score)
{
	char path[48], number[24], *p = number + sizeof number;
	OWN_FD fd = -1;

	strcpy(path, "self");
	if (pid) {
		char digits[24] = { 0 };

		strcpy(path, decimal(digits + sizeof digits - 1, (unsigned long)pid));
	}
	strcat(path, "/oom_score_adj");
	fd = sys_openat(proc, path, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	p = decimal(p, (unsigned long)(score < 0 ? -score : score));
	if (score < 0)
		*--p = '-';
	return fd_write_all(fd, p, (size_t)(number + sizeof number - p));
}

/* "0-3,7"; the planner has checked the form. */
int affinity_set(pid_t pid, const char *list)
{
	unsigned long mask[MAX_CPUS / (8 * sizeof(long))] = { 0 };
	const unsigned bits = 8 * sizeof(long);

	while (*list) {
		unsigned long first = 0, last;

		while (*list >= '0' && *list <= '9')
			first = first * 10 + (unsigned long)(*list++ - '0');
		last = first;
		if (*list == '-')
			for (last = 0, list++; *list >= '0' && *list <= '9';)
				last = last * 10 + (unsigned long)(*list++ - '0');
		for (; first <= last; first++) {
			if (first >= MAX_CPUS)
				return -EINVAL;
			mask[first / bits] |= 1ul << first % bits;
		}
		if (*list && *list++ != ',')
			return -EINVAL;
	}
	return sys_sched_setaffinity(pid, sizeof mask, mask);
}

/* Only the hard limit, and only upwards: a low limit would hinder what init
 * still has to do. */
static int raise_hard_limit(pid_t pid, const struct plan_rlimit *l)
{
	struct rlimit64 now;
	int r = sys_prlimit(pid, l->resource, NULL, &now);

	if (r < 0 || l->hard <= now.rlim_max)
		return r;
	now.rlim_max = l->hard;
	return sys_prlimit(pid, l->resource, &now, NULL);
}

int settings_apply(const struct plan *p, int proc, pid_t pid, uint32_t *ret_index)
{
	const struct plan_process *pr = &p->process;
	int r = 0;

	*ret_index = SETTING_OOM_SCORE;
	if (pr->has_oom_score_adj)
		r = set_oom_score(proc, pid, pr->oom_score_adj);
	if (r >= 0 && pr->scheduler) {
		*ret_index = SETTING_SCHEDULER;
		r = sys_sched_setattr(pid, pr->scheduler);
	}
	if (r >= 0 && pr->ioprio >= 0) {
		*ret_index = SETTING_IOPRIO;
		r = sys_ioprio_set(IOPRIO_WHO_PROCESS, pid, pr->ioprio);
	}
	if (r >= 0 && pr->affinity_initial) {
		*ret_index = SETTING_AFFINITY;
		r = affinity_set(pid, pr->affinity_initial);
	}
	for (uint32_t i = 0; r >= 0 && i < pr->n_rlimits; i++) {
		*ret_index = SETTING_RLIMIT + i;
		r = raise_hard_limit(pid, &pr->rlimits[i]);
	}
	return r;
}

const char *setting_name(const struct plan *p, uint32_t index)
{
	static const char *const names[] = {
		[SETTING_OOM_SCORE] = "oom_score_adj (/process/oomScoreAdj)",
		[SETTING_SCHEDULER] = "the scheduler (/process/scheduler)",
		[SETTING_IOPRIO] = "the I/O priority (/process/ioPriority)",
		[SETTING_AFFINITY] = "the CPU affinity (/process/execCPUAffinity)",
	};

	if (index < SETTING_RLIMIT)
		return names[index];
	index -= SETTING_RLIMIT;
	return index < p->process.n_rlimits ? p->process.rlimits[index].name : "a limit";
}

void init_rlimits(struct init *in)
{
	const struct plan_process *pr = &in->p->process;

	for (uint32_t i = 0; i < pr->n_rlimits; i++) {
		struct rlimit64 l = { pr->rlimits[i].soft, pr->rlimits[i].hard };

		init_must(in, sys_prlimit(0, pr->rlimits[i].resource, &l, NULL), STAGE_RLIMIT, i);
	}
}
