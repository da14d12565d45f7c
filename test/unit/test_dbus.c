/* The D-Bus client: bytes of a call, messages that lie about their lengths,
 * and a conversation with a scripted peer. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "dbus.h"
#include "mem.h"
#include "str.h"

/* ---- bytes ------------------------------------------------------------ */

static void marshals_a_call(void **state)
{
	/* Written down from the specification, not from the program. */
	static const char want[] =
		"l\1\0\1"
		"\x06\0\0\0"
		"\x07\0\0\0"
		"\x37\0\0\0" /* of the fields, without the last padding */
		"\1\1o\0\x02\0\0\0/a\0\0\0\0\0\0" /* path, padded to 8 */
		"\6\1s\0\x03\0\0\0x.y\0\0\0\0\0" /* destination */
		"\3\1s\0\x01\0\0\0M\0\0\0\0\0\0\0" /* member */
		"\10\1g\0\1s\0\0" /* signature, and padding of the header */
		"\1\0\0\0Z\0";
	struct dbus_call c = { .destination = "x.y", .path = "/a", .member = "M", .signature = "s" };
	OWN_SB struct sb body = SB_INIT, out = SB_INIT;
	struct dbus_message m;

	dbus_put_string(&body, "Z");
	dbus_marshal_call(&out, &c, 7, &body);
	assert_false(out.failed);
	assert_int_equal(out.len, sizeof want - 1);
	assert_memory_equal(out.s, want, out.len);
	assert_int_equal(dbus_parse((const uint8_t *)want, sizeof want - 1, &m), sizeof want - 1);
	assert_int_equal(m.type, DBUS_CALL);
	assert_int_equal(m.serial, 7);
	assert_string_equal(m.path, "/a");
	assert_string_equal(m.member, "M");
	assert_string_equal(m.signature, "s");
	assert_string_equal(m.interface, "");
	assert_int_equal(m.len, 6);
}

static void marshals_arrays(void **state)
{
	OWN_SB struct sb b = SB_INIT;
	struct dbus_reader r;
	uint32_t n;
	size_t mark;

	/* At 4: length; at 8: padding to 8 is nothing; an empty array of structs
	 * still has the padding. */
	dbus_put_u32(&b, 5);
	mark = dbus_put_array(&b, 8);
	dbus_put_u64(&b, 6);
	dbus_end_array(&b, mark, 8);
	assert_int_equal(b.len, 16);
	memcpy(&n, b.s + 4, 4);
	assert_int_equal(n, 8);
	mark = dbus_put_array(&b, 8);
	dbus_end_array(&b, mark, 8);
	assert_int_equal(b.len, 24);
	memcpy(&n, b.s + 16, 4);
	assert_int_equal(n, 0);
	dbus_put_signature(&b, "ay");
	dbus_put_bytes(&b, "\1\2\3", 3);
	assert_int_equal(b.len, 35);

	r = (struct dbus_reader){ .p = (const uint8_t *)b.s, .len = b.len, .at = 24 };
	assert_string_equal(dbus_get_signature(&r), "ay");
	assert_int_equal(dbus_get_u32(&r), 3);
	assert_int_equal(dbus_get_u8(&r), 1);
	assert_false(r.bad);
	r.at = 33;
	assert_int_equal(dbus_get_u32(&r), 0);
	assert_true(r.bad);
	assert_string_equal(dbus_get_string(&r), "");
}

/* Every cut and every changed byte of a good message: a result, never a read
 * outside of it (the sanitizers look). */
static void survives_damage(void **state)
{
	struct dbus_call c = { "a.b", "/c/d", "e.f", "G", "su" };
	OWN_SB struct sb body = SB_INIT, out = SB_INIT;
	struct dbus_message m;

	dbus_put_string(&body, "text");
	dbus_put_u32(&body, 9);
	dbus_marshal_call(&out, &c, 1, &body);
	for (size_t len = 0; len < out.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, out.s, len);
		assert_int_equal(dbus_parse(copy, len, &m), 0);
		free(copy);
	}
	for (size_t at = 0; at < out.len; at++)
		for (int value = 0; value < 256; value += 5) {
			uint8_t *copy = malloc(out.len);
			ssize_t n;

			memcpy(copy, out.s, out.len);
			copy[at] = (uint8_t)value;
			n = dbus_parse(copy, out.len, &m);
			if (n > 0) {
				struct dbus_reader r = { .p = m.body, .len = m.len };

				assert_true((size_t)n <= out.len);
				dbus_get_string(&r);
				dbus_get_u32(&r);
			}
			free(copy);
		}
}

static void bounds_messages(void **state)
{
	uint8_t head[16] = "l\2\0\1";
	struct dbus_message m;

	memset(head + 4, 0, 12);
	assert_int_equal(dbus_parse(head, 16, &m), 16);
	head[6] = 5; /* a body of 5 * 64 KiB */
	assert_int_equal(dbus_parse(head, 16, &m), -EMSGSIZE);
	head[6] = 0;
	memset(head + 12, 0xff, 4);
	assert_int_equal(dbus_parse(head, 16, &m), -EMSGSIZE);
	memset(head + 12, 0, 4);
	head[0] = 'B';
	assert_int_equal(dbus_parse(head, 16, &m), -EPROTO);
	head[0] = 'l';
	head[3] = 2;
	assert_int_equal(dbus_parse(head, 16, &m), -EPROTO);
}

/* ---- a conversation --------------------------------------------------- */

/* A scripted peer in a child: says `auth`, then after the first message `says`. */
static pid_t peer(int *ret_fd, const char *auth, const struct sb *says)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		char buf[4096];
		size_t at = 0;

		close(fds[0]);
		alarm(20);
		/* We may close at its first bad byte. */
		signal(SIGPIPE, SIG_IGN);
		if (read(fds[1], buf, sizeof buf) <= 0 || buf[0] != '\0')
			_exit(1);
		if (write(fds[1], auth, strlen(auth)) < 0)
			_exit(2);
		if (!says)
			_exit(0);
		if (read(fds[1], buf, sizeof buf) <= 0)
			_exit(3);
		/* In small pieces: a message comes as it comes. */
		while (at < says->len) {
			size_t n = says->len - at < 7 ? says->len - at : 7;

			if (write(fds[1], says->s + at, n) != (ssize_t)n)
				_exit(4);
			at += n;
		}
		while (read(fds[1], buf, sizeof buf) > 0)
			;
		_exit(0);
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

static void ends(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
}

#define AUTH_OK "DATA\r\nOK 0123456789abcdef\r\n"

/* A message other than a call, with a string as body. */
static void say(struct sb *out, enum dbus_type type, uint32_t reply_serial, const char *member,
		const char *text)
{
	OWN_SB struct sb m = SB_INIT;
	char head[4] = { 'l', (char)type, 0, 1 };
	size_t mark;

	sb_add(&m, head, 4);
	dbus_put_u32(&m, (uint32_t)(4 + strlen(text) + 1));
	dbus_put_u32(&m, 99);
	mark = dbus_put_array(&m, 8);
	if (reply_serial) {
		sb_putc(&m, 5);
		dbus_put_signature(&m, "u");
		dbus_put_u32(&m, reply_serial);
	}
	if (member) {
		dbus_put_align(&m, 8);
		sb_putc(&m, type == DBUS_ERROR ? 4 : 3);
		dbus_put_signature(&m, "s");
		dbus_put_string(&m, member);
	}
	dbus_put_align(&m, 8);
	sb_putc(&m, 8);
	dbus_put_signature(&m, "g");
	dbus_put_signature(&m, "s");
	dbus_end_array(&m, mark, 8);
	dbus_put_align(&m, 8);
	/* The body's alignment starts anew, at a multiple of 8. */
	dbus_put_string(&m, text);
	sb_add(out, m.s, m.len);
}

static int is_wanted(const struct dbus_message *m, void *ctx)
{
	struct dbus_reader r = { .p = m->body, .len = m->len };

	return m->type == DBUS_SIGNAL && strcmp(dbus_get_string(&r), ctx) == 0;
}

static void talks(void **state)
{
	struct dbus_call c = { "a.b", "/c", "e.f", "G", NULL };
	OWN_SB struct sb says = SB_INIT;
	struct dbus_message m;
	struct dbus_reader r;
	struct dbus b;
	pid_t pid;
	int fd;

	say(&says, DBUS_SIGNAL, 0, "Early", "noise");
	say(&says, DBUS_RETURN, 77, NULL, "not for us");
	say(&says, DBUS_RETURN, 1, NULL, "answer");
	say(&says, DBUS_SIGNAL, 0, "Done", "other");
	say(&says, DBUS_SIGNAL, 0, "Done", "mine");
	pid = peer(&fd, AUTH_OK, &says);
	assert_int_equal(dbus_open_fd(&b, fd, DBUS_PEER, 5000), 0);
	assert_int_equal(dbus_call(&b, &c, NULL, &m, 5000), 0);
	r = (struct dbus_reader){ .p = m.body, .len = m.len };
	assert_string_equal(dbus_get_string(&r), "answer");
	assert_int_equal(dbus_wait(&b, is_wanted, (void *)"mine", 5000), 0);
	/* Nothing more comes: the deadline holds. */
	assert_int_equal(dbus_wait(&b, is_wanted, (void *)"mine", 50), -ETIMEDOUT);
	dbus_close(&b);
	ends(pid);
}

static void tells_errors(void **state)
{
	struct dbus_call c = { "a.b", "/c", "e.f", "G", NULL };
	OWN_SB struct sb says = SB_INIT;
	OWN_SB struct sb garbage = SB_INIT;
	struct dbus_message m;
	struct dbus b;
	pid_t pid;
	int fd;

	say(&says, DBUS_ERROR, 1, "x.Y.NoSuchUnit", "Unit c1.scope not loaded.");
	pid = peer(&fd, AUTH_OK, &says);
	assert_int_equal(dbus_open_fd(&b, fd, DBUS_PEER, 5000), 0);
	assert_int_equal(dbus_call(&b, &c, NULL, &m, 5000), -EREMOTEIO);
	assert_string_equal(b.error, "x.Y.NoSuchUnit: Unit c1.scope not loaded.");
	dbus_close(&b);
	ends(pid);

	sb_puts(&garbage, "this is not a D-Bus message at all");
	pid = peer(&fd, AUTH_OK, &garbage);
	assert_int_equal(dbus_open_fd(&b, fd, DBUS_PEER, 5000), 0);
	assert_int_equal(dbus_call(&b, &c, NULL, &m, 5000), -EPROTO);
	dbus_close(&b);
	ends(pid);
}

static void fails_to_connect(void **state)
{
	static const struct {
		const char *auth;
		int r;
	} t[] = {
		{ "REJECTED EXTERNAL\r\n", -EACCES },
		{ "ERROR\r\n", -EACCES },
		{ "DATA\r\n", -ECONNRESET },
		{ "", -ECONNRESET },
	};
	struct dbus b;
	int fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		int fd;
		pid_t pid = peer(&fd, t[i].auth, NULL);

		assert_int_equal(dbus_open_fd(&b, fd, DBUS_PEER, 5000), t[i].r);
		assert_int_equal(b.fd, -1);
		assert_null(b.in);
		ends(pid);
	}
	/* Somebody who never answers. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(dbus_open_fd(&b, fds[0], DBUS_BUS, 50), -ETIMEDOUT);
	close(fds[1]);
	assert_int_equal(dbus_open(&b, "/no/such/socket", DBUS_BUS, 50), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marshals_a_call), cmocka_unit_test(marshals_arrays),
		cmocka_unit_test(survives_damage), cmocka_unit_test(bounds_messages),
		cmocka_unit_test(talks),	   cmocka_unit_test(tells_errors),
		cmocka_unit_test(fails_to_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
