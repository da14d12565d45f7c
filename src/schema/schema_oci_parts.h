/* What the schema_oci_*.c files share; see schema_oci.h. */
#pragma once

#include "schema_oci.h"
#include "spec_make.h"
#include "str.h"

int schema_no_memory(struct err *e);
/* The text of `b`, in the arena, unless it is larger than what can be read. */
int schema_take_text(struct arena *a, const struct sb *b, char **ret_text, size_t *ret_len,
		     struct err *e);

bool schema_has_key(const struct kv *list, size_t n, const char *key);

/* ---- limits ------------------------------------------------------------- */

int schema_set_processor(struct spec_make *m, const struct schema_processor *p,
			 const struct schema_oci_input *in, struct err *e);
void schema_set_memory(struct spec_make *m, uint64_t megabytes);

/* ---- binds -------------------------------------------------------------- */

struct schema_bind schema_bind_directory(const struct schema_mapped_directory *d);
int schema_bind_pipe(struct arena *a, const struct schema_mapped_pipe *p, struct schema_bind *ret,
		     struct err *e);

/* ---- the root file system ------------------------------------------------ */

/* Where what is written goes: for limits. */
const char *schema_root_directory(const struct schema_storage *s);
int schema_root_of_storage(struct arena *a, const struct schema_storage *s,
			   struct schema_oci_output *out, struct err *e);
/* An overlay of one directory, which stays as it is. */
int schema_root_over(struct arena *a, const char *lower, const char *scratch,
		     struct schema_oci_output *out, struct err *e);

/* ---- a document of the caller's ------------------------------------------ */

int schema_oci_pass(struct arena *a, const struct schema_container *c,
		    const struct schema_oci_input *in, struct schema_oci_output *out,
		    struct err *e);
