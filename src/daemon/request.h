/*
 * The daemon's services on gRPC: a table of methods for each, with the type of the
 * request and a function that answers now, or later from an engine's operation, a
 * change of the store, or an event.
 */
#pragma once

#include "daemon.h"
#include "err.h"
#include "grpc_server.h"
#include "mem.h"
#include "store.h"

/* A call that is being served. It lives until it is answered, also when its client
 * has left meanwhile: then the answer is thrown away. */
struct engine_op;
struct method;
struct request {
	struct daemon *d;
	struct grpc_call *rpc; /* NULL: the client has left */
	ProtobufCMessage *m; /* the request's; NULL: of a method that does not look at it */
	const char *service;
	const struct method *method; /* NULL: there is none of that name */
	uint64_t since; /* CLOCK_MONOTONIC, ns */
	char *namespace; /* "": none was named, where none is needed */
	struct arena arena; /* the request's, for whatever lives as long */
	/* Of all that are being served, and what this one waits for: an operation, or what
	 * request_waits() said last. */
	struct request *prev, *next;
	const struct engine_op *op;
	const char *phase; /* static; NULL: nothing that has a name */
	struct timespec since_phase; /* CLOCK_MONOTONIC */
	void (*gone)(struct request *q); /* the client has left; NULL: nobody cares */
	void (*end)(struct request *q); /* it is answered, and freed after this; NULL: nothing to do */
	void *ctx; /* the service's */

	/* see request_change() */
	struct store_change change;
	int (*run)(struct request *q, struct store_db *db, struct err *e);
	void (*done)(struct request *q);
	ProtobufCMessage *made; /* what it has made, freed with the request */
};

struct method {
	const char *name; /* NULL: the end of a table, and what answers to all other names */
	const ProtobufCMessageDescriptor *request; /* NULL: it is not looked at */
	bool namespace; /* is needed */
	void (*serve)(struct request *q);
};

/* X(name, function, package of the request's type, its type, whether a namespace is needed) */
#define VERSION_METHODS(X) X(Version, version, google__protobuf, empty, false)

#define HEALTH_METHODS(X) X(Check, health_check, grpc__health__v1, health_check_request, false)

#define INTROSPECTION_METHODS(X)                                        \
	X(Plugins, plugins, containerd__services__introspection__v1, plugins_request, false) \
	X(Server, server, google__protobuf, empty, false)

#define NAMESPACES_METHODS(X)                                                                             \
	X(Get, namespace_get, containerd__services__namespaces__v1, get_namespace_request, false)          \
	X(List, namespace_list, containerd__services__namespaces__v1, list_namespaces_request, false)      \
	X(Create, namespace_create, containerd__services__namespaces__v1, create_namespace_request, false) \
	X(Update, namespace_update, containerd__services__namespaces__v1, update_namespace_request, false) \
	X(Delete, namespace_delete, containerd__services__namespaces__v1, delete_namespace_request, false)

#define LEASES_METHODS(X)                                                                                  \
	X(Create, lease_create, containerd__services__leases__v1, create_request, true)                     \
	X(Delete, lease_delete, containerd__services__leases__v1, delete_request, true)                     \
	X(List, lease_list, containerd__services__leases__v1, list_request, true)                           \
	X(AddResource, lease_add_resource, containerd__services__leases__v1, add_resource_request, true)    \
	X(DeleteResource, lease_delete_resource, containerd__services__leases__v1, delete_resource_request, \
	  true)                                                                                             \
	X(ListResources, lease_list_resources, containerd__services__leases__v1, list_resources_request, true)

#define CONTAINERS_METHODS(X)                                                                            \
	X(Get, container_get, containerd__services__containers__v1, get_container_request, true)          \
	X(List, container_list, containerd__services__containers__v1, list_containers_request, true)      \
	X(ListStream, container_list_stream, containerd__services__containers__v1, list_containers_request, true) \
	X(Create, container_create, containerd__services__containers__v1, create_container_request, true) \
	X(Update, container_update, containerd__services__containers__v1, update_container_request, true) \
	X(Delete, container_delete, containerd__services__containers__v1, delete_container_request, true)

#define TASKS_METHODS(X)                                                                          \
	X(Create, task_create, containerd__services__tasks__v1, create_task_request, true)         \
	X(Start, task_start, containerd__services__tasks__v1, start_request, true)                 \
	X(Delete, task_delete, containerd__services__tasks__v1, delete_task_request, true)         \
	X(DeleteProcess, task_delete_process, containerd__services__tasks__v1, delete_process_request, true) \
	X(Get, task_get, containerd__services__tasks__v1, get_request, true)                       \
	X(List, task_list, containerd__services__tasks__v1, list_tasks_request, true)              \
	X(Kill, task_kill, containerd__services__tasks__v1, kill_request, true)                    \
	X(Exec, task_exec, containerd__services__tasks__v1, exec_process_request, true)            \
	X(ResizePty, task_resize_pty, containerd__services__tasks__v1, resize_pty_request, true)   \
	X(CloseIO, task_close_io, containerd__services__tasks__v1, close_iorequest, true)          \
	X(Pause, task_pause, containerd__services__tasks__v1, pause_task_request, true)            \
	X(Resume, task_resume, containerd__services__tasks__v1, resume_task_request, true)         \
	X(ListPids, task_list_pids, containerd__services__tasks__v1, list_pids_request, true)      \
	X(Checkpoint, task_checkpoint, containerd__services__tasks__v1, checkpoint_task_request, true) \
	X(Update, task_update, containerd__services__tasks__v1, update_task_request, true)         \
	X(Metrics, task_metrics, containerd__services__tasks__v1, metrics_request, true)           \
	X(Wait, task_wait, containerd__services__tasks__v1, wait_request, true)

#define EVENTS_METHODS(X)                                                                \
	X(Publish, event_publish, containerd__services__events__v1, publish_request, true) \
	X(Forward, event_forward, containerd__events, forward_request, false)             \
	X(Subscribe, event_subscribe, containerd__services__events__v1, subscribe_request, false)

/* One service_*.c each; of the tasks: tasks_*.c. */
#define X(name, function, package, type, ns) void serve_##function(struct request *q);
VERSION_METHODS(X)
HEALTH_METHODS(X)
INTROSPECTION_METHODS(X)
NAMESPACES_METHODS(X)
LEASES_METHODS(X)
CONTAINERS_METHODS(X)
TASKS_METHODS(X)
EVENTS_METHODS(X)
#undef X

/* Services of what berthd does not have: their lists are empty, and no more
 * (service_empty.c). X(service, table) */
#define EMPTY_SERVICES(X)                                                  \
	X("containerd.services.content.v1.Content", empty_streams)          \
	X("containerd.services.snapshots.v1.Snapshots", empty_streams)      \
	X("containerd.services.images.v1.Images", empty_lists)              \
	X("containerd.services.sandbox.v1.Store", empty_lists)              \
	X("containerd.services.diff.v1.Diff", empty_all)
extern const struct method empty_streams[], empty_lists[], empty_all[];

/* For grpc_server_init(); its ctx is the daemon. */
void service_request(struct grpc_call *rpc);
/* For its `knows`: whether there is such a method. */
bool service_knows(struct grpc_server *s, const char *path);
/* Whether there is one of this name: "containerd.services.tasks.v1.Tasks". */
bool service_is_known(const char *name);

/* Since it came, in microseconds. */
uint64_t request_age_us(const struct request *q);

/* For who wants to know why there is no answer yet: "ask the shims". */
void request_waits(struct request *q, const char *phase);

/* ---- answering: once; the request is freed ----------------------------------- */

void request_reply(struct request *q, const ProtobufCMessage *m);
void request_empty(struct request *q); /* google.protobuf.Empty */
void request_fail(struct request *q, const struct err *e);
/* That, or nothing when r >= 0. */
void request_end(struct request *q, int r, const struct err *e);
/* The end of a stream of answers; also for one whose client has left. */
void request_close(struct request *q);

/* ---- changing what is kept ---------------------------------------------------- */

/*
 * `run` reads, checks and writes in the store's thread: of the request only m,
 * namespace, arena, ctx and made are its own meanwhile. When what it did is kept,
 * `done` tells who wants to know, and answers; else the request has failed.
 */
void request_change(struct request *q, int (*run)(struct request *q, struct store_db *db, struct err *e),
		    void (*done)(struct request *q));
