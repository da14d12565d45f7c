/* A gRPC server's listening, its connections and its end; see grpc_server.h. */
#include "grpc_server.h"

#include <errno.h>
#include <stdlib.h>

#include "err.h"
#include "grpc_peer.h"
#include "sys.h"

/* ---- connections ---------------------------------------------------------------- */

int grpc_server_add(struct grpc_server *s, int fd, struct grpc_peer **ret)
{
	struct grpc_peer *p = s->n_peers < GRPC_PEERS_MAX ? calloc(1, sizeof *p) : NULL;
	int r;

	if (!p) {
		sys_close(fd);
		return -ENOMEM;
	}
	p->server = s;
	r = grpc_peer_init(p, fd);
	if (r < 0) {
		free(p);
		return r;
	}
	p->next = s->peers;
	if (p->next)
		p->next->prev = p;
	s->peers = p;
	s->n_peers++;
	grpc_server_watch(s);
	if (ret)
		*ret = p;
	return 0;
}

void grpc_server_left(struct grpc_peer *p)
{
	struct grpc_server *s = p->server;

	if (p->prev)
		p->prev->next = p->next;
	else
		s->peers = p->next;
	if (p->next)
		p->next->prev = p->prev;
	s->n_peers--;
	if (s->stopping && !s->n_peers)
		grpc_server_wake(s);
}

static void on_connected(struct listener *n, int fd)
{
	struct grpc_server *s = (struct grpc_server *)((char *)n - offsetof(struct grpc_server, listener));
	struct grpc_peer *p;

	/* Whoever connects has sent something by now, as a rule. */
	if (grpc_server_add(s, fd, &p) >= 0)
		grpc_peer_read(p);
}

/* ---- turns ---------------------------------------------------------------------- */

static int on_flush(struct source *src, uint32_t events)
{
	struct grpc_server *s = (struct grpc_server *)((char *)src - offsetof(struct grpc_server, flush));
	struct grpc_peer *p = s->dirty, *next;

	s->dirty = NULL; /* those that become dirty again have their turn later */
	for (; p; p = next) {
		next = p->next_dirty;
		p->is_dirty = false;
		grpc_peer_flush(p);
		loop_owner_drop(&p->owner);
	}
	if (s->stopping && !s->n_peers) {
		s->stopping = false;
		if (s->stopped)
			s->stopped(s);
	}
	return 0;
}

void grpc_server_wake(struct grpc_server *s)
{
	if (!s->flush.loop)
		source_timer(&s->flush, s->loop, 0, on_flush);
}

static int on_sweep(struct source *src, uint32_t events)
{
	struct grpc_server *s = (struct grpc_server *)((char *)src - offsetof(struct grpc_server, sweep));
	bool again = false;

	for (struct grpc_peer *p = s->peers; p; p = p->next) {
		bool is_half = !p->settled || p->block.open;

		if (is_half || p->n_half)
			again = true;
		if (is_half && !p->touched)
			grpc_peer_break(p);
		else if (p->n_half)
			grpc_request_sweep(p);
		p->touched = false;
	}
	return again ? source_timer(src, s->loop, GRPC_PATIENCE_MS, on_sweep) : 0;
}

void grpc_server_watch(struct grpc_server *s)
{
	if (!s->sweep.loop)
		source_timer(&s->sweep, s->loop, GRPC_PATIENCE_MS, on_sweep);
}

/* ---- beginning and end ---------------------------------------------------------- */

int grpc_server_init(struct grpc_server *s, struct loop *l, int fd, void (*request)(struct grpc_call *c), void *ctx,
		     struct err *e)
{
	int r;

	*s = (struct grpc_server){ .loop = l, .request = request, .ctx = ctx };
	r = listener_init(&s->listener, l, fd, on_connected);
	if (r >= 0)
		r = grpc_session_setup(s);
	if (r >= 0)
		return 0;
	grpc_server_done(s);
	return err_sys(e, r, "listen for calls");
}

void grpc_server_stop(struct grpc_server *s)
{
	if (s->stopping)
		return;
	listener_close(&s->listener);
	s->stopping = true;
	for (struct grpc_peer *p = s->peers; p; p = p->next)
		grpc_peer_stop(p);
	grpc_server_wake(s);
}

void grpc_server_done(struct grpc_server *s)
{
	s->stopping = false;
	while (s->peers)
		grpc_peer_close(s->peers);
	while (s->dirty) {
		struct grpc_peer *p = s->dirty;

		s->dirty = p->next_dirty;
		p->is_dirty = false;
		loop_owner_drop(&p->owner);
	}
	source_remove(&s->flush);
	source_remove(&s->sweep);
	listener_close(&s->listener);
	nghttp2_session_callbacks_del(s->callbacks);
	nghttp2_option_del(s->options);
	s->callbacks = NULL;
	s->options = NULL;
}
