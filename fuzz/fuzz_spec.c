/*
 * config.json: stopping at the first problem and collecting all of them agree,
 * and what is accepted keeps the promises of spec.h.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "spec.h"
#include "str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
	if (!ok)
		abort();
}

static void count(void *ctx, const char *pointer, int line, const char *words)
{
	require(pointer && words && *words && line >= 0);
	++*(size_t *)ctx;
}

static void check_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		require(list[i] != NULL);
	require(!list || !list[n]);
}

static void check_spec(const struct spec *s)
{
	require(s->oci_version && s->linux && s->linux->resources);
	if (s->process) {
		require(s->process->n_args > 0 && s->process->cwd && s->process->cwd[0] == '/');
		require(s->process->env != NULL);
		check_list(s->process->args, s->process->n_args);
		check_list(s->process->env, s->process->n_env);
	}
	for (size_t i = 0; i < s->n_mounts; i++) {
		require(s->mounts[i].destination[0] == '/' && s->mounts[i].n_propagation <= 4);
		require((s->mounts[i].rec_set & s->mounts[i].rec_clear & ~0x70ull) == 0);
		check_list(s->mounts[i].options, s->mounts[i].n_options);
	}
	for (int k = 0; k < HOOK_COUNT; k++) {
		for (size_t i = 0; i < s->hooks.n[k]; i++) {
			require(s->hooks.list[k][i].path[0] == '/' && s->hooks.list[k][i].n_args > 0);
			check_list(s->hooks.list[k][i].args, s->hooks.list[k][i].n_args);
		}
	}
	for (size_t i = 0; i < s->linux->n_sysctl; i++)
		require(s->linux->sysctl[i].key[0] != '/' && !strstr(s->linux->sysctl[i].key, "/../"));
}

static void parse_spec(const char *text, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec *spec = NULL, *same = NULL;
	struct err first = { 0 }, all = { 0 };
	size_t problems = 0;
	const struct spec_problems collect = { count, &problems };
	int r1 = spec_parse(&a, text, size, "fuzz", NULL, &spec, &first);
	int r2 = spec_parse(&a, text, size, "fuzz", &collect, &same, &all);

	require(r1 == r2 && (r1 == 0) == (problems == 0));
	require((r1 == 0) == (spec != NULL) && strcmp(first.msg, all.msg) == 0);
	if (r1 == 0)
		check_spec(spec);
	else
		require(first.msg[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	const char *text = (const char *)data;
	struct spec_process *p;
	struct spec_resources *r;
	struct spec_mount *m;

	parse_spec(text, size);
	(void)spec_parse_process(&a, text, size, "fuzz", &p, NULL);
	(void)spec_parse_resources(&a, text, size, "fuzz", &r, NULL);
	if (spec_parse_mount(&a, text, size, "fuzz", &m, NULL) >= 0 && m->destination[0] != '/')
		abort();
	return 0;
}
