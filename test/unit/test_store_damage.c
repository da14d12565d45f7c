/* A database that is damaged, or not ours, or of a later version; who may read it; and
 * what kill -9 leaves, at any moment. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "dir.h"
#include "fd.h"
#include "log.h"
#include "store_db.h"
#include "store_for.h"

static char path[64], told[2000];
static uint64_t seed = 20261122;

static void take_line(enum log_level level, const char *words)
{
	snprintf(told, sizeof told, "%s", words);
}

static uint32_t number(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static int count(void *ctx, const Container *c)
{
	++*(int *)ctx;
	return 0;
}

/* -1: it is an error. */
static int containers(void)
{
	int n = 0;

	return container_each(store_reader(store), "ns", count, &n, &said) < 0 ? -1 : n;
}

static void fill(int n)
{
	char id[32];

	for (int i = 0; i < n; i++) {
		snprintf(id, sizeof id, "c%d", i);
		assert_int_equal(call(do_container_insert, "ns", NULL, some_container(id, 3000)), 0);
	}
}

/* Files of the directory with that in their names. */
static int files(const char *part, char *first, size_t cap)
{
	OWN_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dir_reader rd = { .fd = fd };
	const struct dir_entry *d;
	int n = 0;

	while ((d = dir_next(&rd))) {
		if (!strstr(d->name, part))
			continue;
		if (!n++ && first)
			snprintf(first, cap, "%s/%s", dir, d->name);
	}
	return n;
}

static int setup(void **state)
{
	int r = store_setup(state);

	snprintf(path, sizeof path, "%s/meta.db", dir);
	told[0] = '\0';
	log_hook(take_line);
	return r;
}

static void put_file(const char *name, const void *data, size_t n)
{
	OWN_FD fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_all(fd, data, n), 0);
}

/* The store opens, is empty, works, and the other one is beside it. */
static void set_aside(int beside)
{
	char uuid[64];

	open_store();
	assert_int_equal(containers(), 0);
	assert_int_equal(call(do_container_insert, "ns", NULL, some_container("new", 10)), 0);
	snprintf(uuid, sizeof uuid, "%s", store_uuid(store));
	assert_int_equal(strlen(uuid), 36);
	assert_int_equal(files("meta.db.damaged-", NULL, 0), beside);
	assert_non_null(strstr(told, "meta.db.damaged-2"));
	close_store();
	told[0] = '\0';
	open_store();
	assert_int_equal(containers(), 1);
	assert_string_equal(store_uuid(store), uuid);
	assert_string_equal(told, "");
	assert_int_equal(files("meta.db.damaged-", NULL, 0), beside);
}

static void a_text_file(void **state)
{
	char name[128], text[100] = { 0 };
	FILE *f;

	close_store();
	put_file(path, "this is no database, but a text that is long enough to be taken for one", 71);
	set_aside(1);
	assert_int_equal(files("meta.db.damaged-", name, sizeof name), 1);
	f = fopen(name, "r");
	assert_int_equal(fread(text, 1, sizeof text, f), 71);
	fclose(f);
	/* and again, in the same second */
	close_store();
	put_file(path, "another text", 12);
	set_aside(2);
}

static void a_directory(void **state)
{
	close_store();
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	set_aside(1);
}

static void another_programs_database(void **state)
{
	sqlite3 *sql;

	close_store();
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sql);
	set_aside(1);
}

/* The pages are sound, and yet it is none that berthd has made. */
static void other_tables(void **state)
{
	static const char *const changes[] = {
		"ALTER TABLE meta RENAME COLUMN value TO walue",
		"DROP TABLE lease_resources",
		"DELETE FROM meta",
	};
	struct store_db db;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		close_store();
		assert_int_equal(db_open(&db, path, STORE_WRITES, &said), 0);
		assert_int_equal(db_exec(&db, changes[i], &said), 0);
		db_close(&db);
		set_aside((int)i + 1);
	}
}

static void a_short_file(void **state)
{
	fill(100);
	close_store();
	assert_int_equal(truncate(path, 100000), 0);
	set_aside(1);
	close_store();
	assert_int_equal(truncate(path, 50), 0);
	set_aside(2);
}

/* Of no length it is as good as none. */
static void an_empty_file(void **state)
{
	fill(1);
	close_store();
	assert_int_equal(truncate(path, 0), 0);
	open_store();
	assert_int_equal(containers(), 0);
	assert_int_equal(files("damaged", NULL, 0), 0);
}

/* Whatever bytes are changed: it opens with what there is, or sets it aside, or says
 * what it is; and it answers, or fails with words. */
static void changed_bytes(void **state)
{
	static uint8_t good[400000], bad[400000];
	int rounds = getenv("BERTH_SOAK") ? 2000 : 60, aside = 0, there;
	size_t n;
	FILE *f;

	fill(50);
	close_store();
	f = fopen(path, "rb");
	n = fread(good, 1, sizeof good, f);
	fclose(f);
	assert_true(n > 100000 && n < sizeof good);
	for (int i = 0; i < rounds; i++) {
		memcpy(bad, good, n);
		for (uint32_t k = number(i % 2 ? 20 : 200) + 1; k; k--)
			bad[i % 3 ? number((uint32_t)n) : number(100)] ^= (uint8_t)(1 + number(255));
		put_file(path, bad, n);
		if (try_store() < 0) {
			assert_non_null(strstr(said.msg, "version"));
			continue;
		}
		there = containers();
		if (there < 0)
			assert_true(said.msg[0]);
		if (call(do_container_insert, "ns", NULL, some_container("another", 10)) < 0)
			assert_true(said.msg[0]);
		close_store();
		aside += files("damaged", NULL, 0);
		assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
	assert_true(aside > rounds / 3);
	open_store();
}

static void a_newer_version(void **state)
{
	struct store_db db;

	fill(1);
	close_store();
	assert_int_equal(db_open(&db, path, STORE_WRITES, &said), 0);
	assert_int_equal(db_exec(&db, "PRAGMA user_version = 2", &said), 0);
	db_close(&db);
	assert_true(try_store() < 0);
	assert_int_equal(said.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(said.msg, "has version 2, which is newer than this berthd's 1"));
	assert_int_equal(db_open(&db, path, STORE_WRITES, &said), 0);
	assert_int_equal(db_exec(&db, "PRAGMA user_version = 1", &said), 0);
	db_close(&db);
	open_store();
	assert_int_equal(containers(), 1);
}

static void modes(void **state)
{
	static const char *const names[] = { "meta.db", "meta.db-wal", "meta.db-shm" };
	char name[128];
	struct stat st;

	fill(1);
	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			snprintf(name, sizeof name, "%s/%s", dir, names[k]);
			assert_int_equal(stat(name, &st), 0);
			assert_int_equal(st.st_mode & 07777, 0600);
		}
		close_store();
		assert_int_equal(chmod(path, 0644), 0);
		open_store();
		assert_int_equal(call(do_container_remove, "ns", i ? "c1" : "c0", NULL) < 0, i);
		assert_int_equal(call(do_container_insert, "ns", NULL, some_container("x", 1)) < 0, i);
	}
}

/* In a child that is not root, for whom a directory can be read-only. */
static void a_read_only_directory(void **state)
{
	int status;
	pid_t pid;

	fill(1);
	close_store();
	if (!getuid()) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(chown(dir, 65534, 65534), 0);
	}
	assert_int_equal(chmod(dir, 0500), 0);
	pid = fork();
	if (!pid) {
		if (!getuid() && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
			_exit(2);
		if (try_store() >= 0)
			_exit(3);
		_exit(strstr(said.msg, dir) && said.kind == ERR_INTERNAL ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(dir, 0700), 0);
	open_store();
	assert_int_equal(containers(), 1);
}

/* ---- kill -9 ----------------------------------------------------------------- */

struct shared {
	int asked, acknowledged; /* containers 0 .. n-1 */
};

static struct shared *shared;

static void acknowledge(struct store_change *c, int r, const struct err *e)
{
	if (r < 0)
		_exit(1);
	__atomic_store_n(&shared->acknowledged, (int)((struct asked *)c)->number + 1, __ATOMIC_SEQ_CST);
	waiting--;
	free(c);
}

static int insert_number(struct asked *a, struct store_db *db, struct err *e)
{
	char id[32];

	snprintf(id, sizeof id, "c%lld", (long long)a->number);
	return container_insert(db, "ns", some_container(id, 3000), e);
}

/* Commits until it is killed: now one change, now several at a time. */
static _Noreturn void commit_for_ever(int from)
{
	alarm(60);
	open_store();
	for (int n = from;;) {
		for (uint32_t k = 1 + number(20); k; k--) {
			struct asked *a = calloc(1, sizeof *a);

			*a = (struct asked){ .fn = insert_number, .number = n++ };
			a->change = (struct store_change){ .run = asked_run, .done = acknowledge };
			waiting++;
			__atomic_store_n(&shared->asked, n, __ATOMIC_SEQ_CST);
			store_change(store, &a->change);
		}
		while (waiting > 10) {
			struct pollfd p = { loop.epoll, POLLIN, 0 };

			poll(&p, 1, -1);
			loop_dispatch(&loop);
		}
	}
}

static int check_order(void *ctx, const Container *c)
{
	assert_int_equal(c->spec->value.len, 3000);
	++*(int *)ctx;
	return 0;
}

/* All that was acknowledged is there, and nothing that was not asked for: of what is
 * between, a beginning. */
static void killed_at_any_moment(void **state)
{
	int rounds = getenv("BERTH_SOAK") ? 500 : 40, n = 0, status, acknowledged;
	Container *c;
	char id[32];
	pid_t pid;

	close_store();
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	for (int i = 0; i < rounds; i++) {
		*shared = (struct shared){ n, n };
		number(2); /* another course for the child */
		pid = fork();
		if (!pid)
			commit_for_ever(n);
		/* a third of them while they open, or whenever it is */
		for (int ms = 0; i % 3 && ms < 10000; ms++) {
			if (__atomic_load_n(&shared->acknowledged, __ATOMIC_SEQ_CST) > n)
				break;
			usleep(1000);
		}
		usleep(number(30000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		acknowledged = shared->acknowledged;
		open_store();
		assert_string_equal(told, "");
		n = 0;
		assert_int_equal(container_each(store_reader(store), "ns", check_order, &n, &said), 0);
		assert_true(n >= acknowledged && n <= shared->asked);
		snprintf(id, sizeof id, "c%d", n - 1);
		if (n) {
			assert_int_equal(container_get(store_reader(store), "ns", id, &c, &said), 0);
			protobuf_c_message_free_unpacked(&c->base, NULL);
		}
		close_store();
	}
	assert_true(n > rounds / 2);
	munmap(shared, sizeof *shared);
	open_store();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, store_teardown)
	const struct CMUnitTest tests[] = {
		T(a_text_file), T(a_directory), T(another_programs_database), T(other_tables), T(a_short_file),
		T(an_empty_file),
		T(changed_bytes), T(a_newer_version), T(modes), T(a_read_only_directory), T(killed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
