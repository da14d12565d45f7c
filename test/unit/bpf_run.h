/* The classic BPF machine as the kernel has it for seccomp, to compare programs
 * by; more than what seccomp_shrink.c takes, and none of its code. */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* As in the kernel's check: known instructions, jumps inside, a return last.
 * Only a subset: what programs here are made of. */
static inline bool bpf_valid(const struct sock_filter *p, size_t n)
{
	if (n == 0 || n > 4096 || BPF_CLASS(p[n - 1].code) != BPF_RET)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t left = n - i - 1;

		switch (p[i].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (p[i].k % 4 || p[i].k >= sizeof(struct seccomp_data))
				return false;
			break;
		case BPF_ST:
		case BPF_LD | BPF_MEM:
			if (p[i].k >= BPF_MEMWORDS)
				return false;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
		case BPF_ALU | BPF_AND | BPF_X:
		case BPF_MISC | BPF_TAX:
		case BPF_MISC | BPF_TXA:
		case BPF_RET | BPF_K:
		case BPF_RET | BPF_A:
			break;
		case BPF_JMP | BPF_JA:
			if (p[i].k >= left)
				return false;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			if (p[i].jt >= left || p[i].jf >= left)
				return false;
			break;
		default:
			return false;
		}
	}
	return true;
}

static inline uint32_t bpf_run(const struct sock_filter *p, const struct seccomp_data *d)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };

	for (;; p++) {
		switch (p->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + p->k, sizeof a);
			break;
		case BPF_ST:
			mem[p->k] = a;
			break;
		case BPF_LD | BPF_MEM:
			a = mem[p->k];
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= p->k;
			break;
		case BPF_ALU | BPF_AND | BPF_X:
			a &= x;
			break;
		case BPF_MISC | BPF_TAX:
			x = a;
			break;
		case BPF_MISC | BPF_TXA:
			a = x;
			break;
		case BPF_RET | BPF_A:
			return a;
		case BPF_RET | BPF_K:
			return p->k;
		case BPF_JMP | BPF_JA:
			p += p->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			p += a == p->k ? p->jt : p->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			p += a >= p->k ? p->jt : p->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			p += a > p->k ? p->jt : p->jf;
			break;
		default:
			p += a & p->k ? p->jt : p->jf;
		}
	}
}
