/* The long-lived process: from a listening socket to Shutdown. */
#pragma once

struct err;
struct settings;

struct server_options {
	const char *namespace;
	const char *socket; /* its path, removed at the end */
	int listen_fd;
	int ready_fd; /* closed when it serves; a struct err is written to it if it cannot */
	const char *events_address; /* containerd's ttrpc socket; NULL: none */
	const char *directory; /* of its own, below settings->state_dir; removed at the end */
	const struct settings *settings;
};

int server_run(const struct server_options *o, struct err *e);
