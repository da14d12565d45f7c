/*
 * What foreign shims forward: events of their tasks, which the engine makes of them what
 * they are to whoever subscribes; and those that anybody else does.
 */
#pragma once

struct ttrpc_call;

/* For ttrpc_server_init(), whose ctx is the daemon: containerd.services.events.ttrpc.v1
 * .Events/Forward. */
void forward_ttrpc_request(struct ttrpc_call *c);
