/* Maps of messages. */
#include "daemon_for.h"

#include "leases.pb-c.h"

/* One whose entries are of the heap, as of a message that was unpacked. */
static struct map map_of(const char *const *pairs)
{
	struct map m = { 0 };

	while (pairs[m.n * 2])
		m.n++;
	m.entries = calloc(m.n + 1, sizeof *m.entries);
	for (size_t i = 0; i < m.n; i++) {
		Containerd__Services__Leases__V1__Lease__LabelsEntry *x = malloc(sizeof *x);

		containerd__services__leases__v1__lease__labels_entry__init(x);
		x->key = strdup(pairs[i * 2]);
		x->value = strdup(pairs[i * 2 + 1]);
		m.entries[i] = (struct map_entry *)x;
	}
	return m;
}

static void done(struct map *m)
{
	for (size_t i = 0; i < m->n; i++)
		protobuf_c_message_free_unpacked(&m->entries[i]->base, NULL);
	free(m->entries);
}

#define IS(m, text) assert_string_equal(labels_text(m), text)

static void tidy(void **state)
{
	struct map m = map_of(PAIRS("b", "1", "a", "2", "b", "3", "", "4", "c", "", "b", "5", "a", ""));

	assert_int_equal(map_tidy(&m), 0);
	IS(&m, "=4 a= b=5 c=");
	assert_int_equal(map_tidy_labels(&m), 0);
	IS(&m, "=4 b=5");
	done(&m);
	m = map_of(PAIRS(NULL));
	assert_int_equal(map_tidy_labels(&m), 0);
	assert_int_equal(m.n, 0);
	done(&m);
}

static void label(void **state)
{
	struct map m = map_of(PAIRS("a", "1", "a.b", "2", "com.example/x.y", "3", "", "4", "a.", "5"));
	static const struct {
		const char *path[4];
		size_t n;
		const char *value;
	} of[] = {
		{ { "a" }, 1, "1" },
		{ { "a", "b" }, 2, "2" },
		{ { "a.b" }, 1, "2" },
		{ { "com.example/x", "y" }, 2, "3" },
		{ { "com", "example/x", "y" }, 3, "3" },
		{ { "com", "example/x" }, 2, NULL },
		{ { "ab" }, 1, NULL },
		{ { "a", "" }, 2, "5" },
		{ { "" }, 1, "4" },
		{ { NULL }, 0, "4" }, /* "labels" alone */
		{ { "a", "b", "c" }, 3, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		const char *value = map_label(&m, of[i].path, of[i].n);

		assert_true(str_eq(value, of[i].value));
	}
	done(&m);
}

static void move(void **state)
{
	struct map to = map_of(PAIRS("b", "1", "d", "2", "f", "3")), from = map_of(PAIRS("a", "4", "d", "5", "g", "6"));

	assert_int_equal(map_move(&to, &from, "d"), 0); /* instead of another */
	IS(&to, "b=1 d=5 f=3");
	assert_int_equal(map_move(&to, &from, "a"), 0); /* the first */
	assert_int_equal(map_move(&to, &from, "g"), 0); /* the last */
	IS(&to, "a=4 b=1 d=5 f=3 g=6");
	assert_int_equal(from.n, 0);
	assert_int_equal(map_move(&to, &from, "f"), 0); /* there is none */
	assert_int_equal(map_move(&to, &from, "x"), 0); /* in neither */
	IS(&to, "a=4 b=1 d=5 g=6");
	done(&to);
	done(&from);
}

/* 4096 bytes of key and value together. */
static void sizes(void **state)
{
	static char key[4098], value[4098];
	char words[200];
	struct map m;
	struct err e;

	for (size_t n = 0; n <= 4097; n += n == 4096 ? 1 : 1024) {
		for (size_t total = 4096; total <= 4097; total++) {
			if (n > total)
				continue;
			memset(key, 'k', n);
			key[n] = '\0';
			memset(value, 'v', total - n);
			value[total - n] = '\0';
			m = map_of(PAIRS("x", "y", key, value));
			assert_int_equal(map_check_labels(&m, "what", &e) < 0, total > 4096);
			done(&m);
			snprintf(words, sizeof words,
				 "what: label key and value greater than maximum size (4096 bytes), key: %.10s", key);
			if (total > 4096)
				assert_string_equal(e.msg, words);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tidy),
		cmocka_unit_test(label),
		cmocka_unit_test(move),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
