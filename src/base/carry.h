/*
 * Bytes between our standard streams and those of a process in the foreground,
 * in the caller's loop. Signals are heard also while nobody takes our output:
 * they come by the caller's signalfd, and it says what they mean.
 *
 *	struct carry c = { .loop = &l, .signals = fd, .hear = hear, .terminal = true };
 *	carry_output(&c, master_1, STDOUT_FILENO, e);
 *	carry_input(&c, master_2, e);
 *	loop_run(&l);		// until the process has ended
 *	carry_rest(&c);		// what it wrote before that
 *	carry_done(&c);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "loop.h"

struct err;

enum { CARRY_OUTPUTS = 2, CARRY_INPUT = 4096 };

struct carry_output {
	struct source src;
	struct carry *carry;
	int from; /* -1: none, or ended */
	int to;
	int own; /* the terminal that `to` is, once more; -1: it is none */
};

struct carry {
	/* the caller's */
	struct loop *loop;
	int signals; /* a signalfd */
	/* Takes one signal. -ESRCH: it was to end the process, which is gone already:
	 * from then on nobody is waited for to take our output. */
	int (*hear)(struct carry *c);
	/* What is given is ends of one terminal, which stays when one side closes, and
	 * what nobody reads is dropped. Else they are pipes, and an end is passed on. */
	bool terminal;
	/* May be NULL: the sink of pipes is closed; one of the outputs is at its end. */
	void (*input_ended)(struct carry *c);
	void (*output_ended)(struct carry *c);
	/* inside */
	struct carry_output out[CARRY_OUTPUTS];
	size_t n_out;
	struct source input_src, sink_src;
	int sink; /* what it reads; with has_input */
	bool has_input, input_is_file; /* the latter cannot be polled: read whenever there is room */
	bool ending;
	char input[CARRY_INPUT]; /* read, and not yet taken by the sink */
	size_t input_len;
};

/* What comes from `from` goes to our descriptor `to`; what our standard input
 * has, to `sink`. These and `from` become the carry's, and do not block any more;
 * the three of them are different numbers. */
int carry_output(struct carry *c, int from, int to, struct err *e);
int carry_input(struct carry *c, int sink, struct err *e);
/* Whether there may be more to come. */
bool carry_has_output(const struct carry *c);
/* What there is to read now. */
void carry_rest(struct carry *c);
void carry_done(struct carry *c);
