/*
 * Sysctls: only those that belong to a namespace of the container's own, as
 * runc allows them; any other would be the host's.
 */
#include <string.h>

#include "planner_parts.h"
#include "str.h"

static const char *const ipc_keys[] = {
	"kernel/msgmax",
	"kernel/msgmnb",
	"kernel/msgmni",
	"kernel/sem",
	"kernel/shmall",
	"kernel/shmmax",
	"kernel/shmmni",
	"kernel/shm_rmid_forced",
};

static bool is_plain(const char *path)
{
	if (!*path)
		return false;
	for (;;) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

static bool is_ipc(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(ipc_keys); i++)
		if (strcmp(path, ipc_keys[i]) == 0)
			return true;
	return str_starts(path, "fs/mqueue/");
}

static int check_key(struct planner *pl, const char *path, const char *pointer)
{
	enum ns_type needs;
	const char *name;

	if (!is_plain(path))
		return plan_bad(pl, pointer, "no name of a sysctl");
	if (strcmp(path, "kernel/hostname") == 0)
		return plan_bad(pl, pointer, "the host name is set by /hostname");
	if (strcmp(path, "kernel/domainname") == 0 && !str_empty(pl->s->domainname))
		return plan_bad(pl, pointer, "the domain name is set by /domainname");
	if (is_ipc(path)) {
		needs = NS_IPC;
		name = "ipc";
	} else if (str_starts(path, "net/")) {
		needs = NS_NETWORK;
		name = "network";
	} else if (strcmp(path, "kernel/domainname") == 0) {
		needs = NS_UTS;
		name = "uts";
	} else {
		return plan_bad(pl, pointer, "no namespace has this sysctl to itself");
	}
	if (!plan_has_ns(pl->s, needs))
		return plan_bad(pl, pointer, "it needs a %s namespace in /linux/namespaces", name);
	return 0;
}

/* Where it stands in config.json, if it was written with dots as nearly
 * always; a "/" of such a key is "~1" in a pointer. */
static char *pointer_of(struct arena *a, const char *path)
{
	static const char base[] = "/linux/sysctl/";
	char *out = arena_alloc(a, sizeof base + 2 * strlen(path)), *p;

	if (!out)
		return NULL;
	p = stpcpy(out, base);
	for (; *path; path++) {
		if (*path == '.' || *path == '~') {
			*p++ = '~';
			*p++ = *path == '.' ? '1' : '0';
		} else {
			*p++ = *path == '/' ? '.' : *path;
		}
	}
	*p = '\0';
	return out;
}

int plan_sysctl(struct planner *pl)
{
	const struct spec_linux *l = pl->s->linux;
	struct plan_kv *kv = arena_calloc(pl->a, l->n_sysctl, sizeof *kv);

	if (!kv)
		return plan_nomem(pl);
	for (size_t i = 0; i < l->n_sysctl; i++) {
		int r;

		kv[i].key = l->sysctl[i].key;
		kv[i].value = l->sysctl[i].value;
		kv[i].pointer = pointer_of(pl->a, l->sysctl[i].key);
		if (!kv[i].pointer)
			return plan_nomem(pl);
		r = check_key(pl, kv[i].key, kv[i].pointer);
		if (r < 0)
			return r;
	}
	pl->p->sysctl = kv;
	pl->p->n_sysctl = l->n_sysctl;
	return 0;
}
