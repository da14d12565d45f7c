/*
 * Terminals: raw mode for the caller's own, and window sizes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct term { /* a terminal in raw mode, to be put back */
	int fd; /* borrowed */
	bool raw;
	struct termios saved;
};
#define TERM_INIT { .fd = -1 }

/* Not a terminal: 0, and nothing happens. */
int term_raw(struct term *t, int fd);
void term_restore(struct term *t);

/* The same terminal once more, for writing that does not block: whoever shares
 * `fd` is not to notice. -ENOTTY; a master's end would be another terminal. */
int term_open_again(int fd);

int term_get_size(int fd, uint16_t *rows, uint16_t *cols);
/* Of the first of our standard descriptors that is a terminal. */
int term_own_size(uint16_t *rows, uint16_t *cols);
int term_set_size(int fd, uint16_t rows, uint16_t cols);
