/* The reader of a container's /etc/passwd: the answer may not depend on how the
 * file is cut into pieces. The first four bytes are the uid, the fifth the size
 * of a piece. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "home.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct home_reader whole, pieces;
	const char *text = (const char *)data + 5;
	uint32_t uid;
	size_t step;

	if (size < 5)
		return 0;
	memcpy(&uid, data, sizeof uid);
	uid %= 2000;
	step = 1 + data[4];
	size -= 5;

	home_reader_init(&whole, uid);
	home_reader_feed(&whole, text, size);
	home_reader_init(&pieces, uid);
	for (size_t i = 0; i < size; i += step)
		if (home_reader_feed(&pieces, text + i, size - i < step ? size - i : step))
			break;
	if (strcmp(home_reader_result(&whole), home_reader_result(&pieces)) ||
	    home_reader_result(&whole)[0] != '/')
		abort();
	return 0;
}
