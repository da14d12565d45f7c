/* linux.sysctl: only what belongs to a namespace that the container has. */
#include "spec_decode.h"

#include <string.h>

#include "mem.h"
#include "str.h"

/* A name that ends with '.' stands for everything below it. */
static const struct {
	const char *name;
	enum ns_type ns;
} allowed[] = {
	{ "fs.mqueue.", NS_IPC },
	{ "kernel.msgmax", NS_IPC },
	{ "kernel.msgmnb", NS_IPC },
	{ "kernel.msgmni", NS_IPC },
	{ "kernel.sem", NS_IPC },
	{ "kernel.shm_rmid_forced", NS_IPC },
	{ "kernel.shmall", NS_IPC },
	{ "kernel.shmmax", NS_IPC },
	{ "kernel.shmmni", NS_IPC },
	{ "net.", NS_NETWORK },
	{ "kernel.domainname", NS_UTS },
};

/* As sysctl(8) has it, the separator that comes first is the separator; the
 * other one is then part of a name ("net.ipv4.conf.eth0/1.rp_filter"). */
static void with_dots(char *s)
{
	char *first = strpbrk(s, "./");

	if (!first || *first == '.')
		return;
	for (; *s; s++)
		*s = *s == '/' ? '.' : *s == '.' ? '/'
						 : *s;
}

static void dots_to_path(char *s)
{
	for (; *s; s++)
		*s = *s == '/' ? '.' : *s == '.' ? '/'
						 : *s;
}

static bool is_plain(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (!n || (n == 1 && path[0] == '.') || (n == 2 && !strncmp(path, "..", 2)))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

static int check_allowed(struct json_dec *d, const struct json *v, const char *name,
			 const struct spec_linux *l)
{
	if (!strcmp(name, "kernel.hostname"))
		return json_fail(d, v,
				 "sysctl '%s' is not allowed as it conflicts with the field 'hostname'",
				 name);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		const char *ok = allowed[i].name;

		if (str_ends(ok, ".") ? !str_starts(name, ok) : strcmp(name, ok))
			continue;
		if (l->ns[allowed[i].ns].present)
			return 0;
		return json_fail(d, v, "sysctl '%s' needs the container's own %s namespace", name,
				 namespace_name(allowed[i].ns));
	}
	return json_fail(d, v, "sysctl '%s' is not in a separate kernel namespace", name);
}

static int check_sysctl(struct json_dec *d, const struct json *v, struct kv *kv,
			const struct spec_linux *l)
{
	char *name = arena_strdup(d->a, kv->key);
	int r;

	if (!name)
		return json_nomem(d);
	with_dots(name);
	r = check_allowed(d, v, name, l);
	if (r < 0)
		return r;
	dots_to_path(name);
	kv->key = name;
	return is_plain(name) ? 0 : json_fail(d, v, "sysctl '%s' is not a name", v->key);
}

/* Two spellings of one key would be applied in an order nobody promised. */
static int check_twice(struct json_dec *d, const struct json *v, const struct kv *list, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(list[k].key, list[i].key))
			return json_fail(d, v, "sysctl '%s' is given twice", v->key);
	return 0;
}

int spec_check_sysctl(struct json_dec *d, const struct json *v, struct spec_linux *l)
{
	if (l->n_sysctl > 1024)
		return json_fail(d, v, "more than 1024 entries");
	for (size_t i = 0; i < l->n_sysctl; i++) {
		const struct json *m = json_get(v, l->sysctl[i].key);
		int r = check_sysctl(d, m, &l->sysctl[i], l);

		if (r == 0)
			r = check_twice(d, m, l->sysctl, i);
		if (r < 0)
			return r;
	}
	return 0;
}
