/*
 * Maps in messages: of texts (labels), and of others. What unpacks them keeps the list
 * of entries as it came, each type of map with its type of entry; they differ in
 * nothing but the value.
 *
 *	map_tidy(MAP(container, labels));
 */
#pragma once

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct err;

struct map_entry {
	ProtobufCMessage base;
	char *key;
	void *value; /* of labels: a text */
};

struct map { /* as the members of a message lie */
	size_t n;
	struct map_entry **entries;
};
#define MAP(m, field) ((struct map *)&(m)->n_##field)

/* In the order of their keys, and of entries with one key the last that came. */
int map_tidy(struct map *m); /* or -ENOMEM */
/* The same for labels; one without a value is none. */
int map_tidy_labels(struct map *m);

/* The label whose key is these parts with dots between; NULL: there is none. */
const char *map_label(const struct map *m, const char *const *path, size_t n);
/* An entry of one map instead of that of the other, or none when there is none. Both
 * are tidy, and stay so. */
int map_move(struct map *to, struct map *from, const char *key);
void map_swap(struct map *a, struct map *b);

/* As containerd's: no key and value of more than 4096 bytes. */
int map_check_labels(const struct map *m, const char *what, struct err *e);
