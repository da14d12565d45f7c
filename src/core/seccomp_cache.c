/*
 * Compiled seccomp filters on disk: one file a filter, named by its key, mode
 * 0600, whole or absent. What is read becomes a container's filter, so a
 * file counts only if it is ours, nobody else can write it, and its header
 * (key, length, flags, checksum) fits. docs/formats/seccomp-cache.md describes the header.
 */
#include "seccomp_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "file.h"
#include "mem.h"
#include "seccomp_filter.h"
#include "sys.h"

struct cache_header {
	char magic[8];
	uint32_t version;
	uint32_t n; /* instructions that follow, 8 bytes each */
	uint32_t flags; /* for seccomp(2) */
	uint32_t reserved; /* 0 */
	uint64_t checksum; /* of the instructions */
	uint8_t key[SHA256_SIZE];
};

static const char magic[8] = "berthbpf";
enum { CACHE_VERSION = 1 };

/* FNV-1a over whole instructions: against damage, not against people, whom
 * owner and mode keep out. */
static uint64_t checksum_of(const struct sock_filter *insns, size_t n)
{
	uint64_t sum = 0xcbf29ce484222325u, v;

	for (size_t i = 0; i < n; i++) {
		memcpy(&v, &insns[i], sizeof v);
		sum = (sum ^ v) * 0x100000001b3u;
		sum ^= sum >> 32;
	}
	return sum;
}

static void name_of(const uint8_t key[SHA256_SIZE], char name[2 * SHA256_SIZE + 5])
{
	sha256_hex(key, name);
	memcpy(name + (size_t)2 * SHA256_SIZE, ".bpf", 5);
}

static bool is_trusted(const struct stat *st)
{
	size_t body = (size_t)st->st_size - sizeof(struct cache_header);

	return S_ISREG(st->st_mode) && st->st_uid == geteuid() && !(st->st_mode & 077) &&
	       st->st_size > (off_t)sizeof(struct cache_header) &&
	       body % sizeof(struct sock_filter) == 0 &&
	       body / sizeof(struct sock_filter) <= SECCOMP_MAX_INSNS;
}

static bool is_intact(const struct cache_header *h, size_t size, const uint8_t key[SHA256_SIZE])
{
	const struct sock_filter *insns = (const void *)(h + 1);

	return !memcmp(h->magic, magic, sizeof magic) && h->version == CACHE_VERSION &&
	       !memcmp(h->key, key, SHA256_SIZE) &&
	       size == sizeof *h + h->n * sizeof *insns && h->checksum == checksum_of(insns, h->n);
}

int seccomp_cache_read(struct arena *a, const char *dir, const uint8_t key[SHA256_SIZE],
		       struct seccomp_filter *ret)
{
	char name[2 * SHA256_SIZE + 5], path[PATH_MAX];
	struct cache_header *h;
	struct stat st;
	OWN_FD fd = -1;
	ssize_t n;

	name_of(key, name);
	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		return -ENAMETOOLONG;
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	n = sys_fstat(fd, &st);
	if (n < 0)
		return (int)n;
	if (!is_trusted(&st))
		return -EPERM;
	h = arena_alloc(a, (size_t)st.st_size);
	if (!h)
		return -ENOMEM;
	n = sys_read(fd, h, (size_t)st.st_size);
	if (n < 0)
		return (int)n;
	if (n != st.st_size || !is_intact(h, (size_t)n, key))
		return -EBADMSG;
	*ret = (struct seccomp_filter){ (void *)(h + 1), h->n, h->flags };
	return 0;
}

/* Through a file without a name, so that nothing is left of a writer that is
 * killed. -errno where the file system has no such files. */
static int write_nameless(int dir, const char *name, const void *data, size_t len)
{
	OWN_FD fd = sys_openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char self[32];
	int r;

	if (fd < 0)
		return fd;
	r = sys_fchmod(fd, 0600); /* whatever the umask says */
	if (r == 0)
		r = fd_write_all(fd, data, len);
	if (r < 0)
		return r;
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	r = sys_linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW);
	if (r == -EEXIST) { /* a damaged one; a link cannot replace it */
		sys_unlinkat(dir, name, 0);
		r = sys_linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW);
	}
	return r;
}

void seccomp_cache_write(const char *dir, const uint8_t key[SHA256_SIZE],
			 const struct seccomp_filter *f)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	size_t body = f->n * sizeof *f->insns;
	char name[2 * SHA256_SIZE + 5];
	struct cache_header *h;
	OWN_FD fd = -1;

	h = arena_alloc(&a, sizeof *h + body);
	fd = h ? file_mkdirs(dir, 0700, NULL) : -1;
	if (fd < 0)
		return;
	*h = (struct cache_header){ .version = CACHE_VERSION,
				    .n = (uint32_t)f->n,
				    .flags = f->flags,
				    .checksum = checksum_of(f->insns, f->n) };
	memcpy(h->magic, magic, sizeof magic);
	memcpy(h->key, key, SHA256_SIZE);
	memcpy(h + 1, f->insns, body);
	name_of(key, name);
	if (write_nameless(fd, name, h, sizeof *h + body) < 0)
		file_replace(fd, name, h, sizeof *h + body, 0600, NULL);
}
