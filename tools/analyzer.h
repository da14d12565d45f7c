/*
 * Included before every file that clang-tidy looks at (tools/lint), so that it
 * knows what the comment in err.h promises: these always return a failure.
 */
#pragma once

#include "err.h"

#define err_set(e, kind, r, ...) ((void)err_set(e, kind, r, __VA_ARGS__), -1)
#define err_sys(e, r, ...) ((void)err_sys(e, r, __VA_ARGS__), -1)
#define err_wrap(e, r, ...) ((void)err_wrap(e, r, __VA_ARGS__), -1)
