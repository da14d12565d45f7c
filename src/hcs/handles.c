/* The table of handles; see handles.h. */
#include "handles.h"

#include <errno.h>
#include <stdlib.h>

/* |  generation  |  index  | kind |, the latter never 0: an odd address at best. */
enum {
	KIND_BITS = 2,
	INDEX_BITS = sizeof(uintptr_t) == 8 ? 24 : 14,
	GENERATION_SHIFT = KIND_BITS + INDEX_BITS,
};
#define GENERATION_MAX (UINTPTR_MAX >> GENERATION_SHIFT)
#define INDEX_MAX (((uint32_t)1 << INDEX_BITS) - 1)

struct handle_slot {
	struct obj *o; /* NULL: free */
	uintptr_t generation;
	uint32_t next; /* of the free ones: 1 + place */
};

static int grow(struct handles *t)
{
	uint32_t n = t->n ? t->n * 2 : 64;
	struct handle_slot *slots;

	if (t->n > INDEX_MAX)
		return -ENOMEM;
	slots = realloc(t->slots, n * sizeof *slots);
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = n; i > t->n; i--) {
		slots[i - 1] = (struct handle_slot){ .generation = 1, .next = t->free };
		t->free = i;
	}
	t->slots = slots;
	t->n = n;
	return 0;
}

int handle_open(struct handles *t, struct obj *o, enum obj_kind kind, void (*release)(struct obj *o))
{
	struct handle_slot *s;
	uint32_t i;
	int r = t->free ? 0 : grow(t);

	if (r < 0)
		return r;
	i = t->free - 1;
	s = &t->slots[i];
	t->free = s->next;
	s->o = o;
	t->open[kind]++;
	o->kind = kind;
	o->refs = 1;
	o->closed = false;
	o->release = release;
	o->handle = (void *)(s->generation << GENERATION_SHIFT | (uintptr_t)i << KIND_BITS | (uintptr_t)kind);
	return 0;
}

void *handle_find(const struct handles *t, const void *handle, enum obj_kind kind)
{
	uintptr_t value = (uintptr_t)handle, i = value >> KIND_BITS & INDEX_MAX;

	if (i >= t->n || !t->slots[i].o || t->slots[i].o->handle != handle || t->slots[i].o->kind != kind)
		return NULL;
	return t->slots[i].o;
}

void handle_close(struct handles *t, struct obj *o)
{
	uint32_t i = (uint32_t)((uintptr_t)o->handle >> KIND_BITS & INDEX_MAX);
	struct handle_slot *s = &t->slots[i];

	s->o = NULL;
	o->closed = true;
	t->open[o->kind]--;
	if (s->generation++ == GENERATION_MAX)
		return;
	s->next = t->free;
	t->free = i + 1;
}

void *obj_ref(void *o)
{
	((struct obj *)o)->refs++;
	return o;
}

void obj_unref(void *o)
{
	struct obj *obj = o;

	if (obj && !--obj->refs)
		obj->release(obj);
}
