/*
 * libberth's functions as a simple program calls them: each is waited for, and
 * what fails ends the program.
 */
#pragma once

#include <berth/computecore.h>

/* A system's name in the bench: the n-th. */
enum { ID_SIZE = 16 };
void system_id(char id[ID_SIZE], long n);

/* Waits for what was begun with the operation, and closes it. The result is the
 * caller's, by HcsFree(). */
char *finish(const char *what, HCS_OPERATION op, HRESULT hr);

HCS_SYSTEM system_create(const char *id, const char *document);
HCS_SYSTEM system_open(const char *id);

typedef HRESULT (*system_call)(HCS_SYSTEM system, HCS_OPERATION operation, const char *options);
void system_do(const char *what, HCS_SYSTEM s, system_call call);

/* Runs /bin/true in it to its end; its exit code. */
int system_process(HCS_SYSTEM s);
