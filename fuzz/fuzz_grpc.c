/*
 * What a client may send to a gRPC server: the input goes through HTTP/2 into
 * requests, in pieces whose size the first byte tells; its highest bit puts a preface
 * and SETTINGS in front. A method's first letter says what is done with it: Reply,
 * Send several, Keep until the connection has ended, Leave alone, else fail.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "grpc_peer.h"
#include "status.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct grpc_call *kept[64];
static unsigned n_kept;

static void on_gone(struct grpc_call *c)
{
	for (unsigned i = 0; i < n_kept; i++)
		if (kept[i] == c)
			kept[i] = kept[--n_kept];
}

static void send_some(struct grpc_call *c)
{
	struct grpc_message *m = grpc_message_packed(c->body, c->len);

	for (int i = 0; m && i < 3; i++)
		grpc_send(c, m);
	grpc_message_unref(m);
	grpc_end(c);
}

static void on_request(struct grpc_call *c)
{
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	const char *method = strrchr(c->path, '/');
	char letter = method ? method[1] : '\0';
	struct err e;

	grpc_metadata(c, "containerd-namespace");
	if (letter == 'R') {
		grpc_reply(c, &status.base);
	} else if (letter == 'S') {
		send_some(c);
	} else if ((letter == 'K' || letter == 'L') && n_kept < sizeof kept / sizeof kept[0]) {
		if (letter == 'K')
			c->gone = on_gone;
		kept[n_kept++] = c;
	} else {
		err_set(&e, ERR_UNSUPPORTED, 0, "method %s", c->path);
		grpc_fail(c, &e);
	}
}

static bool knows(struct grpc_server *s, const char *path)
{
	return !strchr(path, '?');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	struct grpc_server server;
	struct grpc_peer *peer;
	struct loop loop;
	int pair[2];

	if (!size || loop_init(&loop, NULL) < 0)
		return 0;
	n_kept = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	if (grpc_server_init(&server, &loop, -1, on_request, NULL, NULL) < 0 ||
	    grpc_server_add(&server, pair[0], &peer) < 0)
		abort();
	server.knows = knows;
	loop_owner_hold(&peer->owner);
	if (data[0] & 0x80)
		grpc_peer_feed(peer, preface, sizeof preface);
	for (size_t i = 1, n = (data[0] & 0x7f) + 1u; i < size; i += n)
		grpc_peer_feed(peer, data + i, n < size - i ? n : size - i);
	loop_dispatch(&loop);
	for (int i = 0; i < 2 && server.sweep.loop; i++) { /* minutes pass */
		source_remove(&server.sweep);
		server.sweep.fn(&server.sweep, 0);
	}
	grpc_peer_flush(peer);
	grpc_server_done(&server);
	loop_owner_drop(&peer->owner);
	if (server.bodies)
		abort();
	for (unsigned i = 0; i < n_kept; i++)
		grpc_end(kept[i]);
	loop_done(&loop);
	close(pair[1]);
	return 0;
}
