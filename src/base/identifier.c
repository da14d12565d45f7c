/* Which ids are allowed; see identifier.h. */
#include "identifier.h"

#include <stdbool.h>
#include <string.h>

#include "err.h"

enum { ID_MAX = 76 };

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int identifier_check(const char *id, struct err *e)
{
	size_t len = strlen(id);

	if (!len)
		return err_set(e, ERR_INVALID, 0, "identifier must not be empty");
	if (len > ID_MAX)
		return err_set(e, ERR_INVALID, 0, "identifier \"%.80s...\" greater than maximum length (%d characters)",
			       id, ID_MAX);
	for (size_t i = 0; i < len; i++)
		if (!is_alphanumeric(id[i]) &&
		    (!strchr("._-", id[i]) || !i || i + 1 == len || !is_alphanumeric(id[i - 1])))
			return err_set(e, ERR_INVALID, 0,
				       "identifier \"%s\" must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$", id);
	return 0;
}
