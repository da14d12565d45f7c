/*
 * What a client may send to a ttrpc server: the input goes through the frames
 * into requests, in pieces whose size the first byte tells. Every second call
 * is answered at once, the others when the connection has ended.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "ttrpc_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ttrpc_call *kept[64];
static unsigned n_calls, n_kept;

static void on_request(struct ttrpc_call *c)
{
	struct err e;

	ttrpc_metadata(c, "containerd-namespace-ttrpc");
	if (n_calls++ % 2 && n_kept < sizeof kept / sizeof kept[0]) {
		kept[n_kept++] = c;
		return;
	}
	err_set(&e, ERR_UNSUPPORTED, 0, "method %s of %s", c->req->method, c->req->service);
	ttrpc_fail(c, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ttrpc_server server;
	struct ttrpc_conn *conn;
	struct loop loop;
	int pair[2];

	if (!size || loop_init(&loop, NULL) < 0)
		return 0;
	n_calls = n_kept = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	if (ttrpc_server_init(&server, &loop, -1, on_request, NULL, NULL) < 0 ||
	    ttrpc_server_add(&server, pair[0], &conn) < 0)
		abort();
	for (size_t i = 1, n = data[0] + 1u; i < size; i += n)
		ttrpc_conn_feed(conn, data + i, n < size - i ? n : size - i);
	ttrpc_server_done(&server);
	for (unsigned i = 0; i < n_kept; i++)
		ttrpc_reply(kept[i], &kept[i]->req->base);
	loop_done(&loop);
	close(pair[1]);
	return 0;
}
