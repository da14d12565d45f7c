/*
 * berthctl inside: what its files share. It stands on the library's public
 * headers and on base, and on nothing else.
 *
 *	main.c      the command line, the one place that prints errors
 *	fail.c      an HRESULT and its document -> an error
 *	drive.c     waiting: the library driven by our loop, signals, what is told meanwhile
 *	show.c      tables, documents, numbers for people
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <berth/computecore.h>

#include "cli.h"
#include "err.h"
#include "loop.h"
#include "mem.h"
#include "str.h"
#include "table.h"

#define PROGRAM "berthctl"
enum { EXIT_USAGE = 64 };

struct json;
struct json_doc;

/* What every verb takes: the first member of each struct of options. */
struct common {
	const char *ns;
	bool json;
};
#define COMMON_FLAGS(strct)                                                                    \
	OPTION("namespace", 'n', OPT_STRING, strct, common.ns, NULL,                           \
	       "namespace of the ids (default: that of the configuration)"),                   \
	OPTION("json", 0, OPT_BOOL, strct, common.json, NULL, "print one JSON document instead")

/* Verbs without options of their own. */
struct plain_flags {
	struct common common;
};
extern const struct option_def plain_options[];

struct request {
	struct arena *arena;
	const struct verb *verb;
	struct common common;
	char **args; /* after the verb's flags, NULL-terminated */
	size_t n_args;
	bool dashes; /* there was a "--", */
	size_t n_before; /* with so many arguments before it; else all of them */
	bool usage; /* what failed is how we were called */
	bool printed; /* a part of the document is out */
	HRESULT hr; /* of what failed, */
	char *report; /* and its ResultError; NULL: none */
};

/* In the order of the help page. */
#define VERBS(X)                                                               \
	X(create)                                                              \
	X(validate)                                                            \
	X(run)                                                                 \
	X(start)                                                               \
	X(shutdown)                                                            \
	X(terminate)                                                           \
	X(kill)                                                                \
	X(wait)                                                                \
	X(pause)                                                               \
	X(resume)                                                              \
	X(modify)                                                              \
	X(exec)                                                                \
	X(console)                                                             \
	X(read)                                                                \
	X(write)                                                               \
	X(share)                                                               \
	X(list)                                                                \
	X(inspect)                                                             \
	X(ps)                                                                  \
	X(stats)                                                               \
	X(top)                                                                 \
	X(events)                                                              \
	X(operations)                                                          \
	X(stacks)                                                              \
	X(rm)                                                                  \
	X(status)                                                              \
	X(attach)                                                              \
	X(crash)                                                               \
	X(vhd)                                                                 \
	X(completion)

#define X(name) extern const struct verb verb_##name;
VERBS(X)
#undef X

extern const struct program program;

/* ---- failing (fail.c) -------------------------------------------------------- */

/* Fills `e` with what the library said: "words: what it says". `doc` is a
 * ResultError or NULL, and is freed. Returns what the verb returns. */
int failed(struct request *q, HRESULT hr, char *doc, struct err *e);
/* The same of a function without an operation. */
int failed_last(struct request *q, HRESULT hr, struct err *e);
/* How we were called is wrong: exit status 64. */
int bad_usage(struct request *q, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* This is no Linux container's: HCS_E_ERROR_NOT_SUPPORTED. */
int not_supported(struct request *q, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static inline int no_memory(struct err *e)
{
	return err_sys(e, -ENOMEM, "out of memory");
}
/* The ResultError that stands for `e`. */
void fail_json(const struct request *q, const struct err *e, struct sb *out);
/* What people read: the first line says all there is for one, the others are the
 * document's problems. */
void fail_text(const struct request *q, const struct err *e, struct sb *out);

/* ---- handles ------------------------------------------------------------------- */

static inline void close_systemp(HCS_SYSTEM *s)
{
	HcsCloseComputeSystem(*s);
}
static inline void close_processp(HCS_PROCESS *p)
{
	HcsCloseProcess(*p);
}
static inline void close_operationp(HCS_OPERATION *op)
{
	HcsCloseOperation(*op);
}
static inline void hcs_freep(char **p)
{
	HcsFree(*p);
}
#define OWN_SYSTEM __attribute__((cleanup(close_systemp))) HCS_SYSTEM
#define OWN_PROCESS __attribute__((cleanup(close_processp))) HCS_PROCESS
#define OWN_OPERATION __attribute__((cleanup(close_operationp))) HCS_OPERATION
#define OWN_RESULT __attribute__((cleanup(hcs_freep))) char *

/* The system that an argument names. */
int open_system(struct request *q, const char *id, HCS_SYSTEM *ret, struct err *e);

/* ---- waiting (drive.c) ------------------------------------------------------------ */

/* What people are told while it takes long. */
struct progress {
	const char *what; /* "start web" */
	HCS_OPERATION op; /* its phase; NULL: `phase` */
	const char *phase;
	int64_t since_ms; /* of the whole; set by drive() */
};

enum { FOREVER = -1 };

/* Drives the library until `done` says so: 0. -ETIMEDOUT at `until` (clock_ms()),
 * -EINTR when we are told to end (INT, TERM, HUP). `p` may be NULL. */
int drive(bool (*done)(void *ctx), void *ctx, int64_t until, struct progress *p, struct err *e);

/* In a loop of the caller's own: the library works there. */
int drive_within(struct source *s, struct loop *l, struct err *e);

/* Waits for the operation whose call answered `hr`; 0 or `e` filled. We are told
 * to end: it is cancelled. `*doc` (may be NULL) is its result document. */
int finish(struct request *q, HCS_OPERATION op, HRESULT hr, char **doc, struct err *e);
/* The same without making an error of it. */
int settle(struct request *q, HCS_OPERATION op, HRESULT *hr, char **doc, struct err *e);
HCS_OPERATION operation_new(struct err *e); /* NULL: e says why */

/* Until the system has stopped; `*ret` is the SystemExitStatus (may be NULL). */
int wait_exit(struct request *q, HCS_SYSTEM s, int64_t until, const char *phase, char **ret, struct err *e);

/* "start web": what the request is about. */
const char *request_what(const struct request *q);

/* ---- showing (show.c) --------------------------------------------------------------- */

/* A JSON text of the library, in the arena. */
int read_json(struct request *q, const char *text, const char *name, struct json_doc *ret, struct err *e);
/* The same text as our document. */
int show_json(struct request *q, const char *text, struct err *e);
/* Where the library keeps its systems, and the namespace that ids belong to, by name. Each
 * may be NULL. */
int find_settings(struct request *q, const char **state, const char **ns, struct err *e);
/* Properties of a system, by types ("Statistics"), NULL-terminated; or NULL. */
int get_properties(struct request *q, HCS_SYSTEM s, const char *const *types, char **ret, struct err *e);
/* ... as our document, when --json asks for one: what a verb has made of the system. */
int show_system(struct request *q, HCS_SYSTEM s, struct err *e);

/* A cell of text that a container may have written: nothing in it moves the
 * cursor. Printf's. */
int cell(struct table *t, struct request *q, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int cells(struct table *t, struct request *q, const char *const *head); /* as they are; NULL-terminated */
void sanitize(char *s);
int show_table(const struct table *t, struct err *e);

/* "1.5 MiB", "12 s", "3 min 4 s", in the arena; NULL: out of memory. */
const char *size_words(struct request *q, uint64_t bytes);
const char *time_words(struct request *q, uint64_t units_100ns);

/* ---- documents (document.c) -------------------------------------------------------------- */

/* A file of the host, or standard input ("-"). */
int read_document(struct request *q, const char *path, char **ret, struct err *e);
/* A path of the host as an absolute one; it must be there. */
int host_path(struct request *q, const char *path, const char **ret, struct err *e);
/* The id that the caller gave, or one of our own making. */
const char *id_or_new(struct request *q, const char *id);
