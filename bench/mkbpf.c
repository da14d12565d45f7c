/*
 * Compiles the rules bench/bundles writes (bpf.txt, stdin) to a ready-made BPF
 * filter (stdout), so that the floor only has to load it.
 */
#include <ctype.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGS 6

static uint32_t action(const char *name, unsigned int code)
{
	if (!strcmp(name, "SCMP_ACT_ALLOW"))
		return SCMP_ACT_ALLOW;
	if (!strcmp(name, "SCMP_ACT_ERRNO"))
		return SCMP_ACT_ERRNO(code);
	fprintf(stderr, "mkbpf: action '%s' is not known here\n", name);
	exit(1);
}

static enum scmp_compare compare(const char *name)
{
	if (!strcmp(name, "SCMP_CMP_EQ"))
		return SCMP_CMP_EQ;
	if (!strcmp(name, "SCMP_CMP_NE"))
		return SCMP_CMP_NE;
	if (!strcmp(name, "SCMP_CMP_MASKED_EQ"))
		return SCMP_CMP_MASKED_EQ;
	fprintf(stderr, "mkbpf: comparison '%s' is not known here\n", name);
	exit(1);
}

static void add_rule(scmp_filter_ctx ctx, uint32_t deny, const char *line)
{
	struct scmp_arg_cmp args[MAX_ARGS];
	char act[64], name[64], op[64];
	unsigned int code, index, n = 0;
	unsigned long long a, b;
	int used = 0, nr;

	if (sscanf(line, "rule %63s %u %63s%n", act, &code, name, &used) != 3)
		return;
	line += used;
	while (n < MAX_ARGS && sscanf(line, "%u %63s %llu %llu%n", &index, op, &a, &b, &used) == 4) {
		args[n++] = SCMP_CMP(index, compare(op), a, b);
		line += used;
	}
	nr = seccomp_syscall_resolve_name(name);
	/* a call this libseccomp does not know, or what the default does anyway */
	if (nr == __NR_SCMP_ERROR || action(act, code) == deny)
		return;
	if (seccomp_rule_add_array(ctx, action(act, code), nr, n, args) < 0)
		fprintf(stderr, "mkbpf: rule for '%s' not added\n", name);
}

int main(void)
{
	scmp_filter_ctx ctx = NULL;
	char line[512], name[64];
	unsigned int code;
	uint32_t deny = 0;

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "default %63s %u", name, &code) == 2) {
			deny = action(name, code);
			ctx = seccomp_init(deny);
			seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
			/*
			 * A binary tree: the kernel walks the filter once for every
			 * system call when it is loaded, a third of the time of a list.
			 */
			seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		} else if (sscanf(line, "arch SCMP_ARCH_%63s", name) == 1) {
			for (char *p = name; *p; p++)
				*p = (char)tolower(*p);
			seccomp_arch_add(ctx, seccomp_arch_resolve_name(name));
		} else if (ctx) {
			add_rule(ctx, deny, line);
		}
	}
	if (!ctx || seccomp_export_bpf(ctx, 1) < 0)
		return 1;
	seccomp_release(ctx);
	return 0;
}
