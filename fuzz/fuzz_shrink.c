/* A seccomp program in, and what becomes of it decides alike. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../test/unit/bpf_run.h"
#include "mem.h"
#include "seccomp_shrink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct sock_filter *p, const struct sock_filter *q, uint32_t nr, uint32_t arch,
		    uint32_t arg)
{
	uint32_t words[16];
	struct seccomp_data d;

	for (size_t i = 2; i < 16; i++)
		words[i] = arg;
	words[0] = nr;
	words[1] = arch;
	memcpy(&d, words, sizeof d);
	if (bpf_run(p, &d) != bpf_run(q, &d))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	size_t n = size / sizeof(struct sock_filter), n_out;
	struct sock_filter *in = arena_calloc(&a, n + 1, sizeof *in), *out;
	int r;

	if (!in)
		return 0;
	memcpy(in, data, n * sizeof *in);
	r = seccomp_shrink(&a, in, n, &out, &n_out);
	if (r == 0 && (out != in || n_out != n))
		abort();
	if (r <= 0)
		return 0;
	if (n_out >= n || !bpf_valid(in, n) || !bpf_valid(out, n_out))
		abort();
	for (size_t i = 0; i < n && i < 64; i++)
		for (size_t k = 0; k < n && k < 64; k++)
			for (uint32_t by = 0; by < 3; by++)
				compare(in, out, in[i].k - 1 + by, in[k].k, in[(i + k) % n].k);
	return 0;
}
