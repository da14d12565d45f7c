/*
 * Shortens a seccomp program; see seccomp_shrink.h.
 *
 * libseccomp's programs compare with every number they know, though most
 * numbers of a profile are runs of neighbours that all return the same. Here
 * the program is run for every architecture value it compares with (and one
 * for all others) over the whole space of numbers, up to the first instruction
 * that decides or that loads an argument word. Neighbours that get to the same
 * place become a range, and the ranges a binary search. From argument loads on
 * the code stays as it is, less its repetitions.
 *
 * Why that is exact. Up to there, A holds the architecture or the number (or
 * the program is refused), X and scratch memory are not used (or it is
 * refused), so the way depends on these two only. The architecture is compared
 * for equality only, so all values the program does not name go one way. The
 * number is compared by
 *	== k	whose answer changes at k and k + 1 and nowhere else,
 *	>= k	at k,
 *	> k	at k + 1,
 *	& k	at multiples of the lowest bit of k; only bits 28 to 31 are taken,
 *		so at multiples of 2^28.
 * `marks` are all these places and 0. Between two neighbouring marks no answer
 * changes, so all these numbers go the way the first of them goes, and it is
 * enough to run that one. At the place they get to, A is about to be
 * overwritten or no more read: nothing of the state counts but the place.
 *
 * Nothing rests on this argument alone: both programs are run on what is most
 * likely to tell them apart, and with any difference the old one stays.
 */
#include "seccomp_shrink.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "seccomp_parts.h"

enum {
	WORD_NR = 0, /* struct seccomp_data, in words */
	WORD_ARCH = 1,
	WORD_OTHERS = 2,
	WORDS = sizeof(struct seccomp_data) / sizeof(uint32_t),

	MAX_JUMP = 250, /* less than 255: a trampoline may get in between */
	MAX_CHAIN = 3, /* of comparisons with one number each, in place of a search */
	MAX_STEPS = 16 * 1024 * 1024, /* instructions run in all: some ten ms */
	MAX_VALUES = 3 * 512 + 2,
	RANDOM_VECTORS = 256,
	NUMBERS = 2048, /* of each ABI, tried one by one */
	X32_BIT = 0x40000000
};

/* What A may hold before an instruction; 0: it is never reached. */
enum { HOLDS_NOTHING = 1, HOLDS_ARCH = 2, HOLDS_NR = 4, HOLDS_OTHER = 8 };

enum {
	LOAD = BPF_LD | BPF_W | BPF_ABS,
	AND = BPF_ALU | BPF_AND | BPF_K,
	RETURN = BPF_RET | BPF_K,
	JUMP = BPF_JMP | BPF_JA
};

/* An instruction with its successors by index instead of distance; equal ones
 * are one, and successors come before what they succeed. */
struct node {
	uint16_t code;
	uint32_t k;
	uint32_t jt, jf; /* the same when there is no choice */
};

struct range {
	uint32_t from;
	uint32_t node;
};

struct program {
	const struct sock_filter *insns;
	size_t n;
};

struct shrink {
	struct program in;
	struct program out;
	uint8_t *holds; /* by instruction of `in` */
	uint32_t *node_of; /* the same */
	struct node *nodes;
	size_t n_nodes, max_nodes;
	uint32_t *table; /* hash of nodes: index + 1 */
	size_t table_size;
	uint32_t *marks;
	size_t n_marks;
	struct range *ranges; /* of one architecture */
	size_t n_ranges;
	uint32_t arches[SECCOMP_MAX_ARCHES + 1]; /* and one for all others */
	size_t n_arches;
	uint32_t *numbers; /* to try */
	size_t n_numbers;
	uint32_t values[MAX_VALUES]; /* of argument words, to try */
	size_t n_values;
	uint32_t (*vectors)[WORDS];
	size_t n_vectors;
	uint32_t *tried; /* by instruction of `in` that loads an argument: see same_for() */
	bool reloads; /* the number or the architecture, after an argument */
	long steps; /* left */
};

static bool is_choice(uint16_t code)
{
	return code == (BPF_JMP | BPF_JEQ | BPF_K) || code == (BPF_JMP | BPF_JGE | BPF_K) ||
	       code == (BPF_JMP | BPF_JGT | BPF_K) || code == (BPF_JMP | BPF_JSET | BPF_K);
}

static bool chooses(uint16_t code, uint32_t v, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return v == k;
	case BPF_JGE:
		return v >= k;
	case BPF_JGT:
		return v > k;
	default:
		return v & k;
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Sorts, keeps one of each, returns how many. */
static size_t sort(uint32_t *v, size_t n)
{
	size_t kept = 0;

	qsort(v, n, sizeof *v, by_value);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || v[i] != v[kept - 1])
			v[kept++] = v[i];
	return kept;
}

/* ---- what is in the program ------------------------------------------- */

static bool is_known(const struct sock_filter *x, size_t left)
{
	switch (x->code) {
	case LOAD:
		return left > 0 && x->k % sizeof(uint32_t) == 0 && x->k < sizeof(struct seccomp_data);
	case AND:
		return left > 0;
	case RETURN:
		return true;
	case JUMP:
		return x->k < left;
	default:
		return is_choice(x->code) && x->jt < left && x->jf < left;
	}
}

static bool add_arch(struct shrink *s, uint32_t arch)
{
	for (size_t i = 0; i < s->n_arches; i++)
		if (s->arches[i] == arch)
			return true;
	if (s->n_arches == SECCOMP_MAX_ARCHES)
		return false;
	s->arches[s->n_arches++] = arch;
	return true;
}

static bool add_value(struct shrink *s, uint32_t v)
{
	for (size_t i = 0; i < s->n_values; i++)
		if (s->values[i] == v)
			return true;
	if (s->n_values == MAX_VALUES)
		return false;
	s->values[s->n_values++] = v;
	return true;
}

static bool add_argument(struct shrink *s, uint32_t k)
{
	return add_value(s, k) && add_value(s, k - 1) && add_value(s, k + 1);
}

static bool add_choice(struct shrink *s, const struct sock_filter *x, uint8_t holds)
{
	if (holds & HOLDS_NOTHING)
		return false;
	if (holds & HOLDS_ARCH && (BPF_OP(x->code) != BPF_JEQ || !add_arch(s, x->k)))
		return false;
	if (holds & HOLDS_OTHER && !add_argument(s, x->k))
		return false;
	if (!(holds & HOLDS_NR))
		return true;
	if (BPF_OP(x->code) == BPF_JSET)
		return !(x->k & 0x0fffffff);
	s->marks[s->n_marks++] = x->k;
	s->marks[s->n_marks++] = x->k + 1; /* 0 is a mark anyway */
	return true;
}

static uint8_t holds_after(const struct sock_filter *load)
{
	switch (load->k / sizeof(uint32_t)) {
	case WORD_NR:
		return HOLDS_NR;
	case WORD_ARCH:
		return HOLDS_ARCH;
	default:
		return HOLDS_OTHER;
	}
}

/* Jumps go forward only, so one pass sees all ways to an instruction. */
static bool survey(struct shrink *s)
{
	s->holds[0] = HOLDS_NOTHING;
	for (size_t pc = 0; pc < s->in.n; pc++) {
		const struct sock_filter *x = &s->in.insns[pc];
		uint8_t holds = s->holds[pc], *next = &s->holds[pc + 1];

		if (!is_known(x, s->in.n - pc - 1))
			return false;
		if (!holds || x->code == RETURN)
			continue;
		if (x->code == LOAD) {
			s->reloads |= holds & HOLDS_OTHER && holds_after(x) != HOLDS_OTHER;
			*next |= holds_after(x);
		} else if (x->code == JUMP) {
			next[x->k] |= holds;
		} else if (x->code == AND) {
			if (holds != HOLDS_OTHER || !add_argument(s, x->k))
				return false;
			*next |= holds;
		} else {
			if (!add_choice(s, x, holds))
				return false;
			next[x->jt] |= holds;
			next[x->jf] |= holds;
		}
	}
	for (uint32_t i = 0; i < 16; i++)
		s->marks[s->n_marks++] = i << 28;
	s->n_marks = sort(s->marks, s->n_marks);
	return add_value(s, 0) && add_value(s, UINT32_MAX);
}

/* ---- nodes ------------------------------------------------------------ */

static size_t hash_of(const struct node *x)
{
	uint64_t h = 0xcbf29ce484222325u;

	h = (h ^ x->code) * 0x100000001b3u;
	h = (h ^ x->k) * 0x100000001b3u;
	h = (h ^ x->jt) * 0x100000001b3u;
	h = (h ^ x->jf) * 0x100000001b3u;
	return (size_t)(h ^ h >> 29);
}

/* When there is no room, n_nodes gets to max_nodes and the result is of no use. */
static uint32_t node(struct shrink *s, uint16_t code, uint32_t k, uint32_t jt, uint32_t jf)
{
	const struct node x = { code, k, jt, jf };
	size_t i = hash_of(&x) & (s->table_size - 1);

	if (code == JUMP || (is_choice(code) && jt == jf))
		return jt;
	while (s->table[i]) {
		const struct node *y = &s->nodes[s->table[i] - 1];

		if (y->code == code && y->k == k && y->jt == jt && y->jf == jf)
			return s->table[i] - 1;
		i = (i + 1) & (s->table_size - 1);
	}
	if (s->n_nodes == s->max_nodes)
		return 0;
	s->nodes[s->n_nodes] = x;
	s->table[i] = (uint32_t)++s->n_nodes;
	return (uint32_t)(s->n_nodes - 1);
}

static void make_nodes(struct shrink *s)
{
	for (size_t pc = s->in.n; pc-- > 0;) {
		const struct sock_filter *x = &s->in.insns[pc];
		const uint32_t *next = &s->node_of[pc + 1];
		uint32_t jt = 0, jf = 0;

		if (x->code == JUMP) {
			jt = jf = next[x->k];
		} else if (is_choice(x->code)) {
			jt = next[x->jt];
			jf = next[x->jf];
		} else if (x->code != RETURN) {
			jt = jf = next[0];
		}
		s->node_of[pc] = node(s, x->code, x->k, jt, jf);
	}
}

/* ---- ranges and the search in them ------------------------------------ */

/* Where a call gets to without its arguments. */
static uint32_t outcome(struct shrink *s, uint32_t arch, uint32_t nr)
{
	uint32_t held = 0;
	size_t pc = 0;

	for (;; pc++) {
		const struct sock_filter *x = &s->in.insns[pc];

		s->steps--;
		if (x->code == RETURN || x->code == AND)
			break;
		if (x->code == LOAD && x->k / sizeof(uint32_t) >= WORD_OTHERS)
			break;
		if (x->code == LOAD)
			held = x->k / sizeof(uint32_t) == WORD_NR ? nr : arch;
		else if (x->code == JUMP)
			pc += x->k;
		else
			pc += chooses(x->code, held, x->k) ? x->jt : x->jf;
	}
	return s->node_of[pc];
}

static void make_ranges(struct shrink *s, uint32_t arch)
{
	s->n_ranges = 0;
	for (size_t i = 0; i < s->n_marks && s->steps > 0; i++) {
		uint32_t to = outcome(s, arch, s->marks[i]);

		if (s->n_ranges && s->ranges[s->n_ranges - 1].node == to)
			continue;
		s->ranges[s->n_ranges++] = (struct range){ s->marks[i], to };
	}
}

static bool is_single(const struct shrink *s, size_t i)
{
	uint32_t last = i + 1 < s->n_ranges ? s->ranges[i + 1].from - 1 : UINT32_MAX;

	return s->ranges[i].from == last;
}

/* One outcome but for a few single numbers: they take a comparison each, where
 * a search needs one for either side. False: it is not so. */
static bool make_chain(struct shrink *s, size_t lo, size_t hi, uint32_t *ret)
{
	size_t but[MAX_CHAIN], n = 0, usual = lo;

	while (usual < hi - 1 && is_single(s, usual))
		usual++;
	for (size_t i = lo; i < hi; i++) {
		if (s->ranges[i].node == s->ranges[usual].node)
			continue;
		if (n == MAX_CHAIN || !is_single(s, i))
			return false;
		but[n++] = i;
	}
	*ret = s->ranges[usual].node;
	while (n-- > 0)
		*ret = node(s, BPF_JMP | BPF_JEQ | BPF_K, s->ranges[but[n]].from,
			    s->ranges[but[n]].node, *ret);
	return true;
}

/* As deep as the logarithm of the number of ranges. */
static uint32_t make_search(struct shrink *s, size_t lo, size_t hi)
{
	size_t middle = lo + (hi - lo) / 2;
	uint32_t ret, below;

	if (make_chain(s, lo, hi, &ret))
		return ret;
	below = make_search(s, lo, middle);
	return node(s, BPF_JMP | BPF_JGE | BPF_K, s->ranges[middle].from,
		    make_search(s, middle, hi), below);
}

/* A value that is none of the program's. */
static uint32_t foreign_arch(const struct shrink *s)
{
	uint32_t arch = 0x5a5a5a5a;

	for (size_t i = 0; i < s->n_arches; i++)
		if (s->arches[i] == arch) {
			arch++;
			i = SIZE_MAX; /* from the start again */
		}
	return arch;
}

/* The root of the new program. */
static uint32_t make_all(struct shrink *s)
{
	uint32_t root = 0;

	make_nodes(s);
	s->arches[s->n_arches] = foreign_arch(s);
	for (size_t i = s->n_arches + 1; i-- > 0;) {
		uint32_t part;

		make_ranges(s, s->arches[i]);
		if (!s->n_ranges)
			break; /* no steps left */
		part = make_search(s, 0, s->n_ranges);
		if (s->n_ranges > 1)
			part = node(s, LOAD, WORD_NR, part, part);
		root = i == s->n_arches ? part :
					  node(s, BPF_JMP | BPF_JEQ | BPF_K, s->arches[i], part, root);
	}
	if (s->n_arches)
		root = node(s, LOAD, WORD_ARCH * sizeof(uint32_t), root, root);
	return root;
}

/* ---- code ------------------------------------------------------------- */

/* Written from its end: successors lie behind, so their place is known. */
struct code {
	const struct node *nodes;
	struct sock_filter *insns;
	uint32_t *at; /* by node: the nearest place to jump to, counted from the end */
	size_t n, max;
};

static void emit(struct code *c, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (c->n < c->max)
		c->insns[c->max - c->n - 1] = (struct sock_filter){ op, jt, jf, k };
	c->n++;
}

static uint32_t distance(const struct code *c, uint32_t to)
{
	return (uint32_t)c->n - c->at[to] - 1;
}

/* Another way to a node, here: a return is as long as a jump to one. */
static void bring_near(struct code *c, uint32_t to)
{
	const struct node *x = &c->nodes[to];

	if (x->code == RETURN)
		emit(c, RETURN, x->k, 0, 0);
	else
		emit(c, JUMP, distance(c, to), 0, 0);
	c->at[to] = (uint32_t)c->n - 1;
}

static void emit_node(struct code *c, uint32_t i)
{
	const struct node *x = &c->nodes[i];

	if (is_choice(x->code)) {
		if (distance(c, x->jt) > MAX_JUMP)
			bring_near(c, x->jt);
		if (distance(c, x->jf) > MAX_JUMP)
			bring_near(c, x->jf);
		emit(c, x->code, x->k, (uint8_t)distance(c, x->jt), (uint8_t)distance(c, x->jf));
	} else {
		if (x->code != RETURN && distance(c, x->jt) > 0)
			bring_near(c, x->jt);
		emit(c, x->code, x->k, 0, 0);
	}
	c->at[i] = (uint32_t)c->n - 1;
}

/* False: no shorter than before. */
static bool emit_all(struct shrink *s, struct arena *a, uint32_t root)
{
	struct code c = { .nodes = s->nodes, .max = s->in.n - 1 };
	bool *used = arena_calloc(a, s->n_nodes, sizeof *used);

	c.insns = arena_calloc(a, s->in.n, sizeof *c.insns);
	c.at = arena_calloc(a, s->n_nodes, sizeof *c.at);
	if (!used || !c.insns || !c.at)
		return false;
	used[root] = true;
	for (uint32_t i = root + 1; i-- > 0;) {
		if (!used[i] || s->nodes[i].code == RETURN)
			continue;
		used[s->nodes[i].jt] = used[s->nodes[i].jf] = true;
	}
	for (uint32_t i = 0; i <= root && c.n <= c.max; i++)
		if (used[i])
			emit_node(&c, i);
	if (c.n > c.max)
		return false;
	s->out = (struct program){ c.insns + (c.max - c.n), c.n };
	return true;
}

/* ---- both on trial ---------------------------------------------------- */

/* What a program says; *looks: the first instruction that loads an argument,
 * from 1, or 0: arguments had no part in it. */
static uint32_t run(struct shrink *s, const struct program *p, const uint32_t *data, size_t *looks)
{
	uint32_t held = 0;

	*looks = 0;
	for (size_t pc = 0; pc < p->n && s->steps > 0; pc++) {
		const struct sock_filter *x = &p->insns[pc];

		s->steps--;
		switch (x->code) {
		case LOAD:
			held = data[x->k / sizeof(uint32_t)];
			if (x->k / sizeof(uint32_t) >= WORD_OTHERS && !*looks)
				*looks = pc + 1;
			break;
		case AND:
			held &= x->k;
			break;
		case RETURN:
			return x->k;
		case JUMP:
			pc += x->k;
			break;
		default:
			pc += chooses(x->code, held, x->k) ? x->jt : x->jf;
		}
	}
	s->steps = 0; /* the end of steps or, which cannot be, of the program */
	return 0;
}

/* Two numbers that get to the same argument loads in both programs need the
 * vectors once, unless the code behind looks at the number again. */
static bool same_for(struct shrink *s, uint32_t arch, uint32_t nr)
{
	size_t n = 1, looks[2];

	for (size_t i = 0; i < n && s->steps > 0; i++) {
		uint32_t *data = s->vectors[i];

		data[WORD_NR] = nr;
		data[WORD_ARCH] = arch;
		if (run(s, &s->in, data, &looks[0]) != run(s, &s->out, data, &looks[1]))
			return false;
		if (i > 0 || (!looks[0] && !looks[1]))
			continue;
		if (!s->reloads && s->tried[looks[0]] == looks[1] + 1)
			continue;
		s->tried[looks[0]] = (uint32_t)looks[1] + 1;
		n = s->n_vectors;
	}
	return s->steps > 0;
}

/* Every value in all words, in the low halves and in the high halves; then
 * mixtures, always the same ones. The first vector is all zeros. */
static bool make_vectors(struct shrink *s, struct arena *a)
{
	uint32_t random = 1;

	s->vectors = arena_calloc(a, 1 + 3 * s->n_values + RANDOM_VECTORS, sizeof *s->vectors);
	if (!s->vectors)
		return false;
	s->n_vectors = 1;
	for (size_t i = 0; i < 3 * s->n_values; i++, s->n_vectors++)
		for (size_t w = WORD_OTHERS; w < WORDS; w++)
			if (i % 3 == 0 || w % 2 == i % 3 - 1)
				s->vectors[s->n_vectors][w] = s->values[i / 3];
	for (size_t i = 0; i < RANDOM_VECTORS; i++, s->n_vectors++)
		for (size_t w = WORD_OTHERS; w < WORDS; w++) {
			random = random * 1664525 + 1013904223;
			s->vectors[s->n_vectors][w] = s->values[(random >> 8) % s->n_values];
		}
	return true;
}

static void add_numbers(struct shrink *s, const struct program *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (is_choice(p->insns[i].code))
			for (uint32_t k = 0; k < 3; k++)
				s->numbers[s->n_numbers++] = p->insns[i].k - 1 + k;
}

static bool verify(struct shrink *s, struct arena *a)
{
	for (uint32_t i = 0; i <= NUMBERS; i++) {
		s->numbers[s->n_numbers++] = i;
		s->numbers[s->n_numbers++] = i + X32_BIT;
	}
	s->numbers[s->n_numbers++] = UINT32_MAX;
	add_numbers(s, &s->in);
	add_numbers(s, &s->out);
	s->n_numbers = sort(s->numbers, s->n_numbers);
	if (!make_vectors(s, a))
		return false;
	for (size_t i = 0; i <= s->n_arches; i++)
		for (size_t k = 0; k < s->n_numbers; k++)
			if (!same_for(s, s->arches[i], s->numbers[k]))
				return false;
	return s->steps > 0;
}

/* ---- all of it -------------------------------------------------------- */

static int allocate(struct shrink *s, struct arena *a)
{
	size_t n = s->in.n;

	s->max_nodes = 4 * n + 16;
	for (s->table_size = 64; s->table_size < 2 * s->max_nodes;)
		s->table_size *= 2;
	s->holds = arena_calloc(a, n + 1, sizeof *s->holds);
	s->node_of = arena_calloc(a, n + 1, sizeof *s->node_of);
	s->tried = arena_calloc(a, n + 1, sizeof *s->tried);
	s->nodes = arena_calloc(a, s->max_nodes, sizeof *s->nodes);
	s->table = arena_calloc(a, s->table_size, sizeof *s->table);
	s->marks = arena_calloc(a, 2 * n + 16, sizeof *s->marks);
	s->ranges = arena_calloc(a, 2 * n + 16, sizeof *s->ranges);
	s->numbers = arena_calloc(a, 6 * n + 2 * (NUMBERS + 1) + 1, sizeof *s->numbers);
	if (!s->holds || !s->node_of || !s->nodes || !s->table)
		return -ENOMEM;
	return s->tried && s->marks && s->ranges && s->numbers ? 0 : -ENOMEM;
}

int seccomp_shrink(struct arena *a, const struct sock_filter *in, size_t n,
		   struct sock_filter **out, size_t *n_out)
{
	OWN_ARENA struct arena own = ARENA_INIT;
	struct shrink *s = arena_alloc(&own, sizeof *s);
	uint32_t root;

	*out = (struct sock_filter *)in;
	*n_out = n;
	if (!s)
		return -ENOMEM;
	if (n < 2 || n > SECCOMP_MAX_INSNS)
		return 0;
	s->in = (struct program){ in, n };
	s->steps = MAX_STEPS;
	if (allocate(s, &own) < 0)
		return -ENOMEM;
	if (!survey(s))
		return 0;
	root = make_all(s);
	if (s->n_nodes == s->max_nodes || s->steps <= 0 || !emit_all(s, &own, root) || !verify(s, &own))
		return 0;
	*out = arena_calloc(a, s->out.n, sizeof **out);
	if (!*out)
		return -ENOMEM;
	memcpy(*out, s->out.insns, s->out.n * sizeof **out);
	*n_out = s->out.n;
	return 1;
}
