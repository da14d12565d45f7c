/* One page over HTTP; see prometheus_http.h. */
#include "prometheus_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "listen.h"
#include "str.h"
#include "sys.h"

enum { CONNS_MAX = 16, REQUEST_MAX = 8192, PATIENCE_MS = 5000 };

struct metrics_conn {
	struct prometheus_http *http;
	struct metrics_conn *next, **link;
	int fd;
	struct source io, end;
	char request[REQUEST_MAX];
	size_t have;
	struct sb answer;
	size_t sent;
};

static void conn_free(struct metrics_conn *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->http->n--;
	source_remove(&c->io);
	source_remove(&c->end);
	close(c->fd);
	sb_done(&c->answer);
	free(c);
}

static int on_end(struct source *s, uint32_t events)
{
	conn_free((struct metrics_conn *)((char *)s - offsetof(struct metrics_conn, end)));
	return 0;
}

static void answer(struct metrics_conn *c)
{
	OWN_SB struct sb page = SB_INIT;
	const char *status = "200 OK", *path = c->request + 4;
	size_t n = strlen(c->http->path);

	if (strncmp(c->request, "GET ", 4) != 0)
		status = "405 Method Not Allowed";
	else if (strncmp(path, c->http->path, n) != 0 || (path[n] != ' ' && path[n] != '?'))
		status = "404 Not Found";
	else
		c->http->print(c->http->ctx, &page);
	sb_printf(&c->answer,
		  "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		  status, c->http->type, page.len);
	if (page.len)
		sb_add(&c->answer, page.s, page.len);
	if (page.failed)
		c->answer.failed = true;
}

/* Whether there is more to be sent. */
static bool send_some(struct metrics_conn *c)
{
	ssize_t n = send(c->fd, c->answer.s + c->sent, c->answer.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN;
	c->sent += (size_t)n;
	return c->sent < c->answer.len;
}

static int on_io(struct source *s, uint32_t events)
{
	struct metrics_conn *c = (struct metrics_conn *)((char *)s - offsetof(struct metrics_conn, io));
	ssize_t n;

	if (!c->answer.len) {
		n = recv(c->fd, c->request + c->have, sizeof c->request - 1 - c->have, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return 0;
		c->have += n > 0 ? (size_t)n : 0;
		c->request[c->have] = '\0';
		if (n <= 0 || (!strstr(c->request, "\r\n\r\n") && c->have == sizeof c->request - 1)) {
			conn_free(c);
			return 0;
		}
		if (!strstr(c->request, "\r\n\r\n"))
			return 0;
		answer(c);
	}
	if (c->answer.failed || !send_some(c))
		conn_free(c);
	else
		source_change(&c->io, EPOLLOUT);
	return 0;
}

static void on_connected(struct listener *l, int fd)
{
	struct prometheus_http *h = (struct prometheus_http *)((char *)l - offsetof(struct prometheus_http, listener));
	struct metrics_conn *c = h->n < CONNS_MAX ? calloc(1, sizeof *c) : NULL;

	if (!c) {
		close(fd);
		return;
	}
	c->http = h;
	c->fd = fd;
	c->link = &h->conns;
	c->next = h->conns;
	if (c->next)
		c->next->link = &c->next;
	h->conns = c;
	h->n++;
	if (source_fd(&c->io, h->loop, c->fd, EPOLLIN, on_io) < 0 ||
	    source_timer(&c->end, h->loop, PATIENCE_MS, on_end) < 0)
		conn_free(c);
}

/* ---- where ------------------------------------------------------------------------- */

static int parse_inet(const char *address, struct sockaddr_storage *sa, socklen_t *len)
{
	const char *colon = strrchr(address, ':');
	int64_t port;
	char host[64];
	size_t n = colon ? (size_t)(colon - address) : 0;
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;

	if (!n || n >= sizeof host || parse_i64(colon + 1, &port) < 0 || port < 1 || port > 65535)
		return -EINVAL;
	memcpy(host, address, n);
	host[n] = '\0';
	memset(sa, 0, sizeof *sa);
	if (!strcmp(host, "[::1]")) {
		*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
		v6->sin6_addr = in6addr_loopback;
		*len = sizeof *v6;
		return 0;
	}
	*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	*len = sizeof *v4;
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1 || (ntohl(v4->sin_addr.s_addr) >> 24) != 127)
		return -EINVAL;
	return 0;
}

static int listen_inet(const char *address, struct err *e)
{
	struct sockaddr_storage sa;
	socklen_t len;
	OWN_FD fd = -1;
	int r = parse_inet(address, &sa, &len), on = 1;

	if (r < 0)
		return err_set(e, ERR_INVALID, 0, "metrics: '%s' is neither a path nor a port of loopback", address);
	fd = sys_socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, fd, "metrics: '%s'", address);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	r = sys_bind(fd, (const struct sockaddr *)&sa, len);
	if (r >= 0)
		r = sys_listen(fd, CONNS_MAX);
	return r < 0 ? err_sys(e, r, "metrics: listen at '%s'", address) : take_fd(&fd);
}

void prometheus_http_init(struct prometheus_http *h, struct loop *l, void (*print)(void *ctx, struct sb *out),
			  void *ctx)
{
	*h = (struct prometheus_http){ .loop = l, .listener.fd = -1, .print = print, .ctx = ctx };
	h->path = "/metrics";
	h->type = "text/plain; version=0.0.4; charset=utf-8";
}

int prometheus_http_listen(struct prometheus_http *h, const char *address, struct err *e)
{
	int fd = *address == '/' ? listen_unix(address, 0, 0, e) : listen_inet(address, e), r;

	if (fd < 0)
		return fd;
	r = listener_init(&h->listener, h->loop, fd, on_connected);
	h->listener.anyone = true; /* whom the socket's mode lets, or who is on this host */
	return r < 0 ? err_sys(e, r, "metrics: '%s'", address) : 0;
}

void prometheus_http_done(struct prometheus_http *h)
{
	struct metrics_conn *next;

	for (struct metrics_conn *c = h->conns; c; c = next) {
		next = c->next;
		conn_free(c);
	}
	listener_close(&h->listener);
}
