/* The JSON reader: no input may crash it, and what it accepts is printed and
 * accepted again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "json.h"
#include "mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	char *text = arena_strndup(&a, (const char *)data, size);
	struct err e = { 0 };
	struct json_doc doc;
	char words[2048];
	int r;

	if (!text)
		return 0;
	r = json_parse(&a, text, size, "fuzz.json", &doc, &e);
	if (r < 0 && (!e.msg[0] || !err_text(&e, words, sizeof words)[0]))
		abort(); /* failing always says why */
	return 0;
}
