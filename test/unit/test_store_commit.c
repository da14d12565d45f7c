/* Changes together: few commits for many, one that fails beside others that do not, a
 * disk that is full or cannot be written, and the end. */
#include <errno.h>

#include "clock.h"
#include "store_db.h"
#include "store_for.h"

/* Commits in the WAL: frames that say how large the database is then. */
static unsigned commits(void)
{
	unsigned char header[32], frame[24];
	char path[64];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/meta.db-wal", dir);
	f = fopen(path, "rb");
	if (!f)
		return 0;
	if (fread(header, sizeof header, 1, f))
		while (fread(frame, sizeof frame, 1, f) && !memcmp(frame + 8, header + 16, 8)) {
			n += frame[4] || frame[5] || frame[6] || frame[7];
			fseek(f, 4096, SEEK_CUR);
		}
	fclose(f);
	return n;
}

/* A container of the name that is the change's number. */
static int insert_number(struct asked *a, struct store_db *db, struct err *e)
{
	Containerd__Services__Containers__V1__Container c = CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__INIT;
	char id[32];

	snprintf(id, sizeof id, "c%lld", (long long)a->number);
	c.id = id;
	return container_insert(db, a->ns, &c, e);
}

static int count(void *ctx, const Container *c)
{
	++*(int *)ctx;
	return 0;
}

static int containers(void)
{
	int n = 0;

	assert_int_equal(container_each(store_reader(store), "ns", count, &n, &said), 0);
	return n;
}

enum { MANY = 1000 };
static struct asked many[MANY];

static void ask_many(int n)
{
	for (int i = 0; i < n; i++) {
		many[i] = (struct asked){ .fn = insert_number, .ns = "ns", .number = i };
		ask(&many[i]);
	}
}

static void many_changes_few_commits(void **state)
{
	unsigned before = commits();

	ask_many(500);
	await();
	for (int i = 0; i < 500; i++)
		assert_int_equal(many[i].r, 0);
	assert_int_equal(containers(), 500);
	assert_true(commits() - before < 100); /* a sanitizer's are shorter */
	before = commits();
	for (int i = 500; i < 510; i++) {
		many[i] = (struct asked){ .fn = insert_number, .ns = "ns", .number = i };
		ask(&many[i]);
		await();
	}
	assert_int_equal(commits() - before, 10);
}

/* `done` in the order of asking. */
static int last;

static void in_order_done(struct store_change *c, int r, const struct err *e)
{
	assert_int_equal(((struct asked *)c)->number, last);
	last++;
	asked_done(c, r, e);
}

static void answers_in_order(void **state)
{
	last = 0;
	for (int i = 0; i < MANY; i++) {
		many[i] = (struct asked){ .fn = insert_number, .ns = "ns", .number = i };
		waiting++;
		many[i].change = (struct store_change){ .run = asked_run, .done = in_order_done };
		store_change(store, &many[i].change);
	}
	await();
	assert_int_equal(last, MANY);
}

/* Something, and then no: nothing of it is there. */
static int insert_and_fail(struct asked *a, struct store_db *db, struct err *e)
{
	int r = insert_number(a, db, e);

	return r < 0 ? r : err_set(e, ERR_STATE, 0, "no");
}

static void a_change_that_fails_is_alone(void **state)
{
	for (int i = 0; i < 300; i++) {
		many[i] = (struct asked){ .fn = i % 3 == 1 ? insert_and_fail : insert_number,
					  .ns = "ns",
					  .number = i / 3 };
		ask(&many[i]);
	}
	await();
	for (int i = 0; i < 300; i++) {
		assert_int_equal(many[i].r < 0, i % 3 != 0);
		if (i % 3)
			assert_int_equal(many[i].err.kind, ERR_EXISTS);
	}
	for (int i = 0; i < 100; i++) {
		many[i] = (struct asked){ .fn = i % 2 ? insert_and_fail : insert_number,
					  .ns = "ns",
					  .number = 1000 + i };
		ask(&many[i]);
	}
	await();
	for (int i = 0; i < 100; i++) {
		assert_int_equal(many[i].r < 0, i % 2);
		if (i % 2)
			assert_string_equal(many[i].err.msg, "no");
	}
	assert_int_equal(containers(), 150);
}

/* The transaction is lost below a change: its neighbours are told, those in others not. */
static int lose_all(struct asked *a, struct store_db *db, struct err *e)
{
	db_exec(db, "ROLLBACK", NULL);
	return err_set(e, ERR_INTERNAL, -ENOSPC, "lost");
}

static int hold(struct asked *a, struct store_db *db, struct err *e)
{
	usleep(500000);
	return 0;
}

/* Asks for n at once, while another goes on; their numbers begin at `number`. */
static void ask_together(int n, int number, int other, int (*fn)(struct asked *a, struct store_db *db, struct err *e))
{
	struct asked first = { .fn = hold };

	ask(&first);
	for (int i = 0; i < n; i++) {
		many[i] = (struct asked){ .fn = i == other ? fn : insert_number, .ns = "ns", .number = number + i };
		ask(&many[i]);
	}
	await();
	assert_int_equal(first.r, 0);
}

/* A transaction lasts 20 ms at most, so that on a slow machine the one before is in it only now and then. */
enum { TRIES = 40 };

static void a_transaction_that_is_lost(void **state)
{
	int there = 0;

	for (int try = 0; try < TRIES; try++) {
		ask_together(60, 60 * try, 30, lose_all);
		for (int i = 0; i < 60; i++)
			there += many[i].r == 0;
		if (many[29].r < 0)
			break;
	}
	assert_int_equal(many[29].r, -ENOSPC);
	assert_string_equal(many[29].err.msg, "lost");
	assert_int_equal(many[30].r, -ENOSPC);
	assert_int_equal(many[31].r, 0);
	assert_int_equal(containers(), there);
}

/* A change is refused, and cannot be undone alone: its neighbours are not told what it
 * was refused for. */
static int refuse_and_lose(struct asked *a, struct store_db *db, struct err *e)
{
	db_exec(db, "RELEASE change", NULL);
	return err_set(e, ERR_NOT_FOUND, 0, "no such thing");
}

static void a_refusal_that_cannot_be_undone(void **state)
{
	int there = 0;

	for (int try = 0; try < TRIES; try++) {
		ask_together(3, 3 * try, 1, refuse_and_lose);
		there += (many[0].r == 0) + (many[2].r == 0);
		if (many[0].r < 0)
			break;
	}
	assert_int_equal(many[1].err.kind, ERR_NOT_FOUND);
	assert_true(many[0].r < 0);
	assert_int_equal(many[0].err.kind, ERR_INTERNAL);
	assert_int_equal(many[2].r, 0);
	assert_int_equal(containers(), there);
}

/* Its changes are done, and each is told so; what a `done` asks for is refused. */
static struct asked late = { .fn = insert_number, .ns = "ns", .number = MANY };

static void done_and_more(struct store_change *c, int r, const struct err *e)
{
	asked_done(c, r, e);
	ask(&late);
}

static void closing(void **state)
{
	ask_many(MANY);
	many[0].change.done = done_and_more;
	close_store();
	assert_int_equal(waiting, 0);
	for (int i = 0; i < MANY; i++)
		assert_true(many[i].ended && many[i].r == 0);
	assert_true(late.ended);
	assert_int_equal(late.err.kind, ERR_STATE);
	open_store();
	assert_int_equal(containers(), MANY);
}

/* ---- the disk ---------------------------------------------------------------- */

static int write_errno; /* what writing fails with; 0: not at all */
static ssize_t (*real_pwrite)(int fd, const void *buf, size_t n, off_t at);
static ssize_t (*real_pwrite64)(int fd, const void *buf, size_t n, off64_t at);
static ssize_t (*real_write)(int fd, const void *buf, size_t n);

#define FAIL_WHEN_TOLD                                            \
	do {                                                      \
		errno = __atomic_load_n(&write_errno, __ATOMIC_SEQ_CST); \
		if (errno)                                        \
			return -1;                                \
	} while (0)

static ssize_t fake_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	FAIL_WHEN_TOLD;
	return real_pwrite(fd, buf, n, at);
}

static ssize_t fake_pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	FAIL_WHEN_TOLD;
	return real_pwrite64(fd, buf, n, at);
}

static ssize_t fake_write(int fd, const void *buf, size_t n)
{
	FAIL_WHEN_TOLD;
	return real_write(fd, buf, n);
}

static void *replace(const char *name, void *fn)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	void *real = (void *)vfs->xGetSystemCall(vfs, name);

	assert_int_equal(vfs->xSetSystemCall(vfs, name, (sqlite3_syscall_ptr)fn), SQLITE_OK);
	return real;
}

static void disk_says(int sys)
{
	if (!real_write) {
		real_write = replace("write", fake_write);
		real_pwrite = replace("pwrite", fake_pwrite);
		real_pwrite64 = replace("pwrite64", fake_pwrite64);
	}
	__atomic_store_n(&write_errno, sys, __ATOMIC_SEQ_CST);
}

static void a_disk_that_refuses(int sys, const char *words)
{
	char text[1200];

	ask_many(10);
	await();
	disk_says(sys);
	for (int i = 10; i < 100; i++) {
		many[i] = (struct asked){ .fn = insert_number, .ns = "ns", .number = i };
		ask(&many[i]);
	}
	await();
	for (int i = 10; i < 100; i++) {
		assert_true(many[i].r < 0);
		assert_int_equal(many[i].err.kind, ERR_INTERNAL);
		err_text(&many[i].err, text, sizeof text);
		if (!strstr(text, words) || !strstr(text, dir))
			fail_msg("%s", text);
	}
	assert_int_equal(containers(), 10);
	disk_says(0);
	ask_many(100);
	await();
	for (int i = 0; i < 100; i++)
		assert_int_equal(many[i].r < 0, i < 10);
	assert_int_equal(containers(), 100);
	close_store();
	open_store();
	assert_int_equal(containers(), 100);
}

static void a_full_disk(void **state)
{
	a_disk_that_refuses(ENOSPC, "no space left on device");
}

static void a_disk_that_is_read_only(void **state)
{
	a_disk_that_refuses(EROFS, "read-only file system");
}

static void a_disk_that_fails(void **state)
{
	a_disk_that_refuses(EIO, "disk I/O error: input/output error");
}

/* Full while it is closed, and at the start. What was acknowledged is in the WAL. */
static void full_at_the_end_and_the_start(void **state)
{
	ask_many(10);
	await();
	disk_says(ENOSPC);
	close_store();
	if (try_store() >= 0)
		close_store();
	disk_says(0);
	open_store();
	assert_int_equal(containers(), 10);
}

/* ---- others ------------------------------------------------------------------ */

/* Somebody writes with sqlite3(1): the thread waits, and the loop does not. */
static void beside_another_program(void **state)
{
	struct store_db other;
	char path[64];
	int64_t start;

	snprintf(path, sizeof path, "%s/meta.db", dir);
	ask_many(10);
	await();
	assert_int_equal(db_open(&other, path, STORE_WRITES, &said), 0);
	assert_int_equal(db_exec(&other, "BEGIN IMMEDIATE; DELETE FROM containers WHERE id = 'c3'", &said), 0);
	many[10] = (struct asked){ .fn = insert_number, .ns = "ns", .number = 10 };
	ask(&many[10]);
	start = clock_ms();
	assert_int_equal(containers(), 10);
	assert_true(clock_ms() - start < 4000);
	assert_false(many[10].ended);
	assert_int_equal(db_exec(&other, "COMMIT", &said), 0);
	await();
	assert_int_equal(many[10].r, 0);
	assert_int_equal(containers(), 10);
	db_close(&other);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	const struct CMUnitTest tests[] = {
		T(many_changes_few_commits), T(answers_in_order), T(a_change_that_fails_is_alone),
		T(a_transaction_that_is_lost), T(a_refusal_that_cannot_be_undone), T(closing), T(a_full_disk),
		T(a_disk_that_is_read_only), T(a_disk_that_fails), T(full_at_the_end_and_the_start),
		T(beside_another_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
