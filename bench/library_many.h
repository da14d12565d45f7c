/*
 * A program with many open systems, as a process of its own that the driver
 * starts, asks and kills. It says what it did on its standard output, a line
 * each, and does what lines on its standard input say:
 *
 *	-> ready BEGIN END       all systems are open; CLOCK_MONOTONIC, ns
 *	list -> list NS RUNNING PAUSED ID    how long it took, what was true; ID: the paused one
 *	memory -> memory KIB THREADS FDS     private memory
 *	end                      all are terminated and closed
 */
#pragma once

/* `how`: "make" them, "open" them, "list" them once without opening any, or "none". */
int many(const char *how, long n, const char *document);
