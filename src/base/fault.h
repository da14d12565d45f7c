/*
 * Fault injection, only in the build made with -DBERTH_FAULTS (never
 * installed). The environment variable BERTH_FAULT is "FILE:N:WHAT": FILE holds
 * what all processes of the run share, N is the number of the call to hit (0:
 * none, only count), WHAT an errno number, or "kill" for SIGKILL. FILE is made
 * by the harness with 64 zero bytes; after the run its first 8 hold the number
 * of calls made (native byte order), the others the name of the one that was hit.
 */
#pragma once

#ifdef BERTH_FAULTS
int fault_hit(const char *call); /* 0, or the errno to fail with */
void fault_init(void); /* once, at the start of main */
#define FAULT_POINT(call)                  \
	do {                               \
		int f_ = fault_hit(call);  \
                                           \
		if (f_)                    \
			return -f_;        \
	} while (0)
#else
#define FAULT_POINT(call) ((void)0)
static inline void fault_init(void)
{
}
#endif
