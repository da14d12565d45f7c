/*
 * The durable record of a container, <root>/<id>/record.json: written by
 * atomic replace before anyone is told; format in docs/formats/record.md.
 * A version that is not ours is an error that says so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;
struct kv;

#define RECORD_FILE "record.json"
#define RECORD_VERSION 1

struct record {
	char *id;
	char *oci_version; /* of the bundle */
	char *bundle, *rootfs; /* absolute */
	char *created; /* RFC 3339, nanoseconds, UTC */
	uint32_t owner; /* uid of the creator */
	char *status; /* creating, created, running: what was last done */
	pid_t pid; /* 0: none yet */
	uint64_t start_time; /* field 22 of /proc/PID/stat, so that a reused pid is not ours */
	char *boot_id;
	char *cgroup_path; /* NULL: none */
	bool systemd_cgroup;
	char *systemd_unit; /* the scope's name; NULL unless systemd_cgroup */
	bool systemd_user; /* it belongs to the caller's own manager */
	char *rdt_group; /* resctrl group that we made; NULL: none */
	bool no_new_keyring; /* it keeps its caller's session keyring, and so does an exec */
	bool needs_spec; /* start or delete has hooks or a seccomp listener to serve: read config.json */
	struct kv *annotations;
	size_t n_annotations;
};

int record_read(struct arena *a, int dir, struct record **ret, struct err *e);
int record_write(int dir, const struct record *r, struct err *e);
