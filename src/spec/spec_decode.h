/*
 * What the decoders of config.json share, and those of HCS's documents. Only for
 * the spec_*.c and schema_*.c files.
 */
#pragma once

#include "json.h"
#include "names.h"
#include "spec.h"

/* arg of the spec_dec_name family */
struct spec_choice {
	const struct name *table;
	const char *what; /* "unknown <what> 'FOO'" */
};

JSON_DECODER(spec_dec_text); /* char *; "" counts as absent */
JSON_DECODER(spec_dec_abs_path); /* char *; absolute */
JSON_DECODER(spec_dec_abs_paths); /* char ** and n_ */
JSON_DECODER(spec_dec_name); /* int; arg: struct spec_choice */
JSON_DECODER(spec_dec_name_u32);
JSON_DECODER(spec_dec_name_char);
JSON_DECODER(spec_dec_flags); /* uint64_t: names or-ed */
JSON_DECODER(spec_dec_flags_u32);
JSON_DECODER(spec_dec_map); /* struct kv * and n_ */
JSON_DECODER(spec_dec_id); /* uint32_t: uid or gid, not -1 */
JSON_DECODER(spec_dec_nonzero_u16); /* 0 counts as absent */
JSON_DECODER(spec_dec_nonzero_u64);
JSON_DECODER(spec_dec_nonzero_i64);
JSON_DECODER(spec_dec_unsupported); /* any value is an error */
JSON_DECODER(spec_dec_unsupported_content); /* any but {} and [] */

/* The value of a name; false: *r is what to return. */
bool spec_want_name(struct json_dec *d, const struct json *v, const struct spec_choice *c,
		    uint64_t *value, int *r);
/* Whether a name was there and known: when not, that was the problem reported,
 * and what depends on it is not worth a second one. */
bool spec_is_known(const struct json *object, const char *key, const struct name *table);
/* "0-3,7" */
bool spec_is_cpu_list(const char *s);

extern const struct json_struct spec_id_map_struct;
/* Sizes, overflow, overlap of the list of maps that was decoded from v. */
int spec_check_id_maps(struct json_dec *d, const struct json *v, const struct spec_id_map *maps,
		       size_t n);

/* The sections. */
extern const struct json_struct spec_process_struct;
extern const struct json_struct spec_mount_struct;
extern const struct json_struct spec_linux_struct;
extern const struct json_struct spec_resources_struct;
extern const struct json_struct spec_seccomp_struct;
int spec_check_sysctl(struct json_dec *d, const struct json *v, struct spec_linux *l);
