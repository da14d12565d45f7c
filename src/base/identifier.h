/* Ids of tasks and execs, as containerd allows them: 1 to 76 of letters and
 * digits, with one '.', '_' or '-' between them. They become names of files. */
#pragma once

struct err;

int identifier_check(const char *id, struct err *e);
