/* The program of a container without one; see builtin_init.h. */
#include "builtin_init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "err.h"
#include "fd.h"
#include "mem.h"
#include "sealed.h"

/* made by src/pause/meson.build */
extern const unsigned char pause_program[];
extern const size_t pause_program_size;

int builtin_init_open(struct err *e)
{
	OWN_FD fd = sealed_new(BUILTIN_INIT_NAME);
	int r = fd;

	if (r < 0)
		return err_sys(e, r, "make a file in memory (memfd_create) for the program of " BUILTIN_INIT_NAME);
	r = fd_write_all(fd, pause_program, pause_program_size);
	if (r >= 0)
		r = sealed_finish(fd);
	return r < 0 ? err_sys(e, r, "seal the program of " BUILTIN_INIT_NAME) : take_fd(&fd);
}

/* ---- the filter ----------------------------------------------------------- */

static bool chooses(uint16_t code, uint32_t v, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return v == k;
	case BPF_JGE:
		return v >= k;
	case BPF_JGT:
		return v > k;
	default:
		return v & k;
	}
}

/* What the filter says to a call. One that is made of more than libseccomp makes
 * them of is not judged here. */
static uint32_t decide(const struct sock_filter *p, size_t n, const struct seccomp_data *data)
{
	uint32_t words[sizeof *data / sizeof(uint32_t)], held = 0;

	memcpy(words, data, sizeof words);
	for (size_t pc = 0; pc < n; pc++)
		switch (p[pc].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			held = words[p[pc].k / sizeof *words % ARRAY_SIZE(words)];
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			held &= p[pc].k;
			break;
		case BPF_JMP | BPF_JA:
			pc += p[pc].k;
			break;
		case BPF_RET | BPF_K:
			return p[pc].k;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += chooses(p[pc].code, held, p[pc].k) ? p[pc].jt : p[pc].jf;
			break;
		default:
			return SECCOMP_RET_ALLOW;
		}
	return SECCOMP_RET_ALLOW;
}

static bool is_granted(uint32_t verdict, bool may_be_refused)
{
	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_USER_NOTIF:
		return true;
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
		return may_be_refused;
	default: /* the process ends */
		return false;
	}
}

int builtin_init_check(const struct sock_filter *filter, size_t n, struct err *e)
{
	static const struct {
		const char *name;
		int nr;
		long args[4];
		bool may_be_refused;
	} calls[] = {
#define X(name, a, b, c, d, may) { #name, SYS_##name, { a, b, c, d }, may },
		BUILTIN_INIT_CALLS(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct seccomp_data data = { .nr = calls[i].nr, .arch = seccomp_arch_native() };

		for (int k = 0; k < 4; k++)
			data.args[k] = (uint64_t)calls[i].args[k];
		if (!is_granted(decide(filter, n, &data), calls[i].may_be_refused))
			return err_set(e, ERR_INVALID, 0,
				       "/linux/seccomp: does not allow %s, which " BUILTIN_INIT_NAME " needs",
				       calls[i].name);
	}
	return 0;
}
