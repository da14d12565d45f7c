/* The long-lived process: from a listening socket to Shutdown. */
#pragma once

#include <stdbool.h>

struct cgroup_host;
struct err;
struct settings;

struct server_options {
	const char *namespace;
	const char *socket; /* its path, removed at the end */
	int listen_fd;
	int ready_fd; /* closed when it serves; a struct err is written to it if it cannot */
	const char *events_address; /* containerd's ttrpc socket; NULL: none */
	const char *bundle; /* for which it is started */
	const char *name; /* of its directory below settings->state_dir, to which its pid is added */
	const struct settings *settings;
	const struct cgroup_host *cgroup_host; /* NULL: none */
	bool spare; /* the first container is, as far as one knows, the built-in runtime's */
};

int server_run(const struct server_options *o, struct err *e);
