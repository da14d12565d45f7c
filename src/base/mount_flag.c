/* A mount on the command line. */
#include "mount_flag.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static int add_option(struct mount_flag *m, const char *s)
{
	if (m->n_options == MOUNT_FLAG_OPTIONS)
		return -EINVAL;
	m->options[m->n_options++] = s;
	return 0;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return !strcmp(word, a) || !strcmp(word, b) || !strcmp(word, c);
}

/* "type=bind,src=/a,dst=/b,ro" */
static int split_keys(char *s, struct mount_flag *m)
{
	char *word;
	int r = 0;

	while (r == 0 && (word = strsep(&s, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (value && !strcmp(word, "type"))
			m->type = value;
		else if (value && is_one_of(word, "src", "source", "source"))
			m->source = value;
		else if (value && is_one_of(word, "dst", "target", "destination"))
			m->target = value;
		else if (!strcmp(word, "readonly"))
			r = add_option(m, "ro");
		else if (value)
			r = (value[-1] = '=', add_option(m, word)); /* size=1m: the file system's */
		else
			r = add_option(m, word);
	}
	return r;
}

/* "SRC:DST[:options]" */
static int split_colons(char *s, struct mount_flag *m)
{
	char *options, *word;
	int r = 0;

	m->source = strsep(&s, ":");
	m->target = strsep(&s, ":");
	options = s;
	while (r == 0 && options && (word = strsep(&options, ",")))
		r = add_option(m, word);
	return r;
}

int mount_flag_parse(char *s, struct mount_flag *ret)
{
	int r;

	*ret = (struct mount_flag){ .type = "bind" };
	if (strcspn(s, "=") < strcspn(s, ":"))
		r = split_keys(s, ret);
	else
		r = split_colons(s, ret);
	if (r < 0 || !ret->target || *ret->target != '/' || (!strcmp(ret->type, "bind") && !ret->source))
		return -EINVAL;
	return 0;
}
