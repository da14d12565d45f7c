/* Layers, directories and pipes of HCS's documents as mounts. */
#include <errno.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "schema_oci_parts.h"

/* ---- the root file system ------------------------------------------------ */

const char *schema_root_directory(const struct schema_storage *s)
{
	return s->path ? s->path : s->volume;
}

/* A list of overlayfs ends at a ':', all options end at a ',', and a backslash
 * makes a character of either: so the kernel reads them (ovl_parse_opt). */
static void put_path(struct sb *b, const char *path, const char *rest)
{
	for (; *path; path++) {
		if (strchr(":,\\", *path))
			sb_putc(b, '\\');
		sb_putc(b, *path);
	}
	for (; *rest; rest++)
		sb_putc(b, *rest);
}

static int put_option(struct arena *a, const struct sb *b, const char **option, struct err *e)
{
	*option = b->failed ? NULL : arena_strndup(a, b->s, b->len);
	return *option ? 0 : schema_no_memory(e);
}

static int lower_option(struct arena *a, const struct schema_layer *layers, size_t n,
			const char **option, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;

	sb_puts(&b, "lowerdir=");
	for (size_t i = 0; i < n; i++)
		put_path(&b, layers[i].path, i + 1 < n ? ":" : "");
	return put_option(a, &b, option, e);
}

static int below_option(struct arena *a, const char *key, const char *dir, const char *below,
			const char **option, struct err *e)
{
	OWN_SB struct sb b = SB_INIT;

	sb_printf(&b, "%s=", key);
	put_path(&b, dir, below);
	return put_option(a, &b, option, e);
}

static int add_mount(struct arena *a, const char *type, const char *source, size_t n_options,
		     struct schema_oci_output *out, struct err *e)
{
	struct schema_mount *m = arena_alloc(a, sizeof *m);

	if (m)
		m->options = arena_calloc(a, n_options + 1, sizeof *m->options);
	if (!m || !m->options)
		return schema_no_memory(e);
	m->type = type;
	m->source = source;
	m->n_options = n_options;
	out->rootfs = m;
	out->n_rootfs = 1;
	return 0;
}

/* What changes is kept in two directories of the scratch directory. */
static int add_overlay(struct arena *a, const struct schema_layer *layers, size_t n,
		       const char *scratch, struct schema_oci_output *out, struct err *e)
{
	static const char *const made[] = { "/upper", "/work" };
	int r = add_mount(a, "overlay", "overlay", 3, out, e);

	if (r < 0)
		return r;
	out->directories = arena_calloc(a, ARRAY_SIZE(made) + 1, sizeof *out->directories);
	if (!out->directories)
		return schema_no_memory(e);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		out->directories[i] = arena_printf(a, "%s%s", scratch, made[i]);
		if (!out->directories[i])
			return schema_no_memory(e);
		out->n_directories++;
	}
	r = lower_option(a, layers, n, &out->rootfs->options[0], e);
	if (r == 0)
		r = below_option(a, "upperdir", scratch, made[0], &out->rootfs->options[1], e);
	if (r == 0)
		r = below_option(a, "workdir", scratch, made[1], &out->rootfs->options[2], e);
	return r;
}

int schema_root_of_storage(struct arena *a, const struct schema_storage *s,
			   struct schema_oci_output *out, struct err *e)
{
	int r;

	if (s->n_layers)
		return add_overlay(a, s->layers, s->n_layers, s->path, out, e);
	r = add_mount(a, "bind", schema_root_directory(s), 2, out, e);
	if (r == 0) {
		out->rootfs->options[0] = "rbind";
		out->rootfs->options[1] = "rw";
	}
	return r;
}

int schema_root_over(struct arena *a, const char *lower, const char *scratch,
		     struct schema_oci_output *out, struct err *e)
{
	const struct schema_layer layer = { .path = lower };

	return add_overlay(a, &layer, 1, scratch, out, e);
}

/* ---- directories, pipes -------------------------------------------------- */

struct schema_bind schema_bind_directory(const struct schema_mapped_directory *d)
{
	return (struct schema_bind){
		.source = d->host_path,
		.destination = d->container_path,
		.read_only = d->read_only,
		.is_directory = true,
	};
}

int schema_bind_pipe(struct arena *a, const struct schema_mapped_pipe *p, struct schema_bind *ret,
		     struct err *e)
{
	const char *name = p->container_pipe_name;

	*ret = (struct schema_bind){
		.source = p->host_path,
		.destination = name[0] == '/' ? name : arena_printf(a, "/run/%s", name),
	};
	return ret->destination ? 0 : schema_no_memory(e);
}

int schema_bind_of(struct arena *a, const struct schema_modify *m, struct schema_bind *ret,
		   struct err *e)
{
	if (m->resource == SCHEMA_RESOURCE_PIPE)
		return schema_bind_pipe(a, &m->pipe, ret, e);
	if (m->resource != SCHEMA_RESOURCE_DIRECTORY)
		return err_set(e, ERR_INVALID, 0, "map a change: it is none of a directory or pipe");
	*ret = schema_bind_directory(&m->directory);
	return 0;
}
