/* A numbered JSON document in a bundle; see bundle_document.h. */
#include "bundle_document.h"

#include <errno.h>
#include <fcntl.h>

#include "err.h"
#include "fd.h"
#include "file.h"
#include "str.h"
#include "sys.h"

enum { MAX_SIZE = 64 << 10 };

static int open_bundle(const char *bundle, struct err *e)
{
	int fd = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, fd, "open the bundle '%s'", bundle) : fd;
}

int bundle_document_write(const char *bundle, const char *name, const struct sb *text, struct err *e)
{
	OWN_FD dir = open_bundle(bundle, e);

	if (dir < 0)
		return dir;
	if (text->failed)
		return err_sys(e, -ENOMEM, "write %s", name);
	return file_replace(dir, name, text->s, text->len, 0600, e);
}

int bundle_document_read(struct arena *a, const char *bundle, const char *name, int32_t version,
			 const struct json_field *fields, void *ret, struct err *e)
{
	OWN_FD dir = open_bundle(bundle, e);
	struct json_doc doc;
	struct json_dec d = { .doc = &doc, .a = a, .e = e };
	const int32_t *found = ret;
	char *text;
	size_t len;
	int r = dir;

	if (r >= 0)
		r = file_read(a, dir, name, MAX_SIZE, &text, &len, e);
	if (r >= 0)
		r = json_parse(a, text, len, name, &doc, e);
	if (r >= 0)
		r = json_decode(&d, doc.root, fields, ret);
	if (r >= 0)
		r = json_dec_end(&d);
	if (r < 0)
		return r;
	if (*found != version)
		return err_set(e, ERR_UNSUPPORTED, 0, "%s: /version: %d, but this program knows only %d", name, *found,
			       version);
	return 0;
}
