/* Device rules; see cgroup_devices.h. */
#include "cgroup_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "file.h"
#include "mem.h"
#include "spec.h"
#include "sys.h"

#define FIELD "/linux/resources/devices"

enum { MAX_RULES = 2048, MAX_ATTACHED = 64 };

/* ---- rules to policy -------------------------------------------------- */

static bool same_devices(const struct device_exception *x, const struct device_exception *y)
{
	return x->type == y->type && x->major == y->major && x->minor == y->minor;
}

static struct device_exception *find(struct device_policy *p, const struct device_exception *x)
{
	for (size_t i = 0; i < p->n; i++)
		if (same_devices(&p->list[i], x))
			return &p->list[i];
	return NULL;
}

/* Whether `wide` names more devices than x, x among them. */
static bool is_wider(const struct device_exception *wide, const struct device_exception *x)
{
	return wide->type == x->type && !same_devices(wide, x) &&
	       (wide->major == -1 || wide->major == x->major) &&
	       (wide->minor == -1 || wide->minor == x->minor);
}

static void add_exception(struct device_policy *p, const struct device_exception *x)
{
	struct device_exception *old = find(p, x);

	if (old)
		old->access |= x->access;
	else
		p->list[p->n++] = *x;
}

static int remove_exception(struct device_policy *p, const struct device_exception *x, size_t rule,
			    struct err *e)
{
	struct device_exception *old = find(p, x);

	for (size_t i = 0; i < p->n; i++)
		if (is_wider(&p->list[i], x) && (p->list[i].access & x->access))
			return err_set(e, ERR_INVALID, 0,
				       FIELD "/%zu: a hole in an earlier rule for more devices is "
					     "not possible",
				       rule);
	if (!old)
		return 0;
	old->access &= (uint8_t)~x->access;
	if (!old->access)
		*old = p->list[--p->n];
	return 0;
}

static uint8_t access_of(const struct spec_device_rule *r)
{
	return (uint8_t)((r->read ? DEVICE_READ : 0) | (r->write ? DEVICE_WRITE : 0) |
			 (r->mknod ? DEVICE_MKNOD : 0));
}

int device_policy_make(struct arena *a, const struct spec_device_rule *rules, size_t n,
		       struct device_policy *ret, struct err *e)
{
	/* Without a first rule for all devices, nothing is allowed, as in runc. */
	struct device_policy p = { .allow = false };
	int r = 0;

	if (n > MAX_RULES)
		return err_set(e, ERR_INVALID, -E2BIG, FIELD ": more than %d rules", MAX_RULES);
	p.list = arena_calloc(a, n ? n : 1, sizeof *p.list);
	if (!p.list)
		return err_sys(e, -ENOMEM, FIELD);
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct spec_device_rule *s = &rules[i];
		struct device_exception x = { s->type, access_of(s), s->major, s->minor };

		if (s->type == 'a') {
			p.allow = s->allow;
			p.n = 0;
		} else if (!x.access) {
			continue;
		} else if (s->allow != p.allow) {
			add_exception(&p, &x);
		} else {
			r = remove_exception(&p, &x, i, e);
		}
	}
	if (r == 0)
		*ret = p;
	return r;
}

/* ---- v1 --------------------------------------------------------------- */

static char *put_number(char *p, int64_t v)
{
	char digits[24];
	int n = 0;

	if (v < 0)
		digits[n++] = '*'; /* any */
	for (; v > 0 || !n; v /= 10)
		digits[n++] = (char)('0' + v % 10);
	while (n)
		*p++ = digits[--n];
	return p;
}

/* "c 1:3 rwm"; a dozen for every container, so without printf. */
static size_t v1_line(char line[64], const struct device_exception *x)
{
	char *p = line;

	*p++ = x->type;
	*p++ = ' ';
	p = put_number(p, x->major);
	*p++ = ':';
	p = put_number(p, x->minor);
	*p++ = ' ';
	if (x->access & DEVICE_READ)
		*p++ = 'r';
	if (x->access & DEVICE_WRITE)
		*p++ = 'w';
	if (x->access & DEVICE_MKNOD)
		*p++ = 'm';
	*p = '\0';
	return (size_t)(p - line);
}

static int v1_exceptions(int dir, const struct device_policy *p, struct err *e)
{
	const char *file = p->allow ? "devices.deny" : "devices.allow";
	OWN_FD fd = sys_openat(dir, file, O_WRONLY | O_CLOEXEC, 0);
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; i < p->n && r == 0; i++) {
		const struct device_exception *x = &p->list[i];
		char line[64];

		r = fd_write_all(fd, line, v1_line(line, x));
		if (r < 0)
			return err_sys(e, r, FIELD ": write '%s' to %s", line, file);
	}
	return r < 0 ? err_sys(e, r, FIELD ": open %s", file) : 0;
}

static int v1_apply(const struct cgroup *cg, const struct device_policy *p, struct err *e)
{
	int i = cgroup_hierarchy_of(cg->host, "devices");
	int dir = i < 0 ? -1 : cgroup_fd(cg, (size_t)i), r;
	const char *file = p->allow ? "devices.allow" : "devices.deny";

	if (dir < 0)
		return err_set(e, ERR_UNSUPPORTED, -EOPNOTSUPP,
			       FIELD ": the devices controller is not available");
	/* Also drops whatever exceptions an earlier policy left. */
	r = file_write_string(dir, file, "a");
	if (r < 0)
		return err_sys(e, r, FIELD ": write 'a' to %s", file);
	return p->n ? v1_exceptions(dir, p, e) : 0;
}

/* ---- v2 --------------------------------------------------------------- */

struct program {
	struct bpf_insn *insns;
	size_t n;
};

static void emit(struct program *p, uint8_t code, unsigned regs, int16_t off, int32_t imm)
{
	struct bpf_insn *i = &p->insns[p->n++];

	*i = (struct bpf_insn){ .code = code, .off = off, .imm = imm };
	i->dst_reg = regs & 15;
	i->src_reg = regs >> 4 & 15;
}

/* Registers: r1 the context, r2 type, r3 access, r4 major, r5 minor. */
enum { INSNS_START = 6, INSNS_RULE = 8, INSNS_END = 2 };
#define REGS(dst, src) ((unsigned)(dst) | (unsigned)(src) << 4)

static void emit_start(struct program *p)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, REGS(2, 1), 0, 0);
	emit(p, BPF_ALU | BPF_MOV | BPF_X, REGS(3, 2), 0, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, REGS(2, 0), 0, 0xffff);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, REGS(3, 0), 0, 16);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, REGS(4, 1), 4, 0);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, REGS(5, 1), 8, 0);
}

static void emit_return(struct program *p, bool allow)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, REGS(0, 0), 0, allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

/* JMP32, so that a number above 2^31 is not sign-extended. */
static void emit_exception(struct program *p, const struct device_exception *x, bool default_allow)
{
	const uint8_t jne = BPF_JMP32 | BPF_JNE | BPF_K;
	size_t at[5], n = 0;

	at[n++] = p->n;
	emit(p, jne, REGS(2, 0), 0, x->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (x->access != DEVICE_ALL) {
		/* A request is for several accesses at once. An "allow" must cover
		 * all of them, a "deny" only one. */
		emit(p, BPF_ALU | BPF_MOV | BPF_X, REGS(1, 3), 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, REGS(1, 0), 0, x->access);
		at[n++] = p->n;
		if (default_allow)
			emit(p, BPF_JMP32 | BPF_JEQ | BPF_K, REGS(1, 0), 0, 0);
		else
			emit(p, BPF_JMP32 | BPF_JNE | BPF_X, REGS(1, 3), 0, 0);
	}
	if (x->major >= 0) {
		at[n++] = p->n;
		emit(p, jne, REGS(4, 0), 0, (int32_t)(uint32_t)x->major);
	}
	if (x->minor >= 0) {
		at[n++] = p->n;
		emit(p, jne, REGS(5, 0), 0, (int32_t)(uint32_t)x->minor);
	}
	emit_return(p, !default_allow);
	while (n--)
		p->insns[at[n]].off = (int16_t)(p->n - at[n] - 1);
}

int device_policy_program(struct arena *a, const struct device_policy *p, struct bpf_insn **ret,
			  size_t *n, struct err *e)
{
	size_t max = INSNS_START + p->n * INSNS_RULE + INSNS_END;
	struct program prog = { arena_calloc(a, max, sizeof *prog.insns), 0 };

	if (!prog.insns)
		return err_sys(e, -ENOMEM, FIELD);
	emit_start(&prog);
	for (size_t i = 0; i < p->n; i++)
		emit_exception(&prog, &p->list[i], p->allow);
	emit_return(&prog, p->allow);
	*ret = prog.insns;
	*n = prog.n;
	return 0;
}

static int load_program(const struct bpf_insn *insns, size_t n)
{
	static const char license[] = "Apache";
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)insns,
		.insn_cnt = (uint32_t)n,
		.license = (uintptr_t)license,
	};

	memcpy(attr.prog_name, "berth_devices", sizeof "berth_devices");
	return sys_bpf(BPF_PROG_LOAD, &attr, sizeof attr);
}

static int prog_fd_by_id(uint32_t id)
{
	union bpf_attr attr = { .prog_id = id };

	return sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof attr);
}

/* Whether the program is one of ours (an earlier call's, not systemd's). */
static bool is_ours(int prog)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = {
		.info = { .bpf_fd = (uint32_t)prog,
			  .info_len = sizeof info,
			  .info = (uintptr_t)&info },
	};

	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) == 0 &&
	       !strcmp(info.name, "berth_devices");
}

/* An fd of the program we attached here before; -ENOENT: none. */
static int find_attached(int dir)
{
	uint32_t ids[MAX_ATTACHED] = { 0 };
	union bpf_attr attr = {
		.query = { .target_fd = (uint32_t)dir,
			   .attach_type = BPF_CGROUP_DEVICE,
			   .prog_ids = (uintptr_t)ids,
			   .prog_cnt = MAX_ATTACHED },
	};
	int r = sys_bpf(BPF_PROG_QUERY, &attr, sizeof attr);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < attr.query.prog_cnt; i++) {
		int fd = prog_fd_by_id(ids[i]);

		if (fd >= 0 && is_ours(fd))
			return fd;
		sys_close(fd);
	}
	return -ENOENT;
}

static int attach(int dir, int prog, int replaces)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)dir,
		.attach_bpf_fd = (uint32_t)prog,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	if (replaces >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)replaces;
	}
	return sys_bpf(BPF_PROG_ATTACH, &attr, sizeof attr);
}

static int v2_apply(struct arena *a, const struct cgroup *cg, const struct device_policy *p,
		    struct err *e)
{
	OWN_FD dir = -1;
	OWN_FD prog = -1;
	OWN_FD old = -1;
	struct bpf_insn *insns;
	size_t n;
	int r;

	r = device_policy_program(a, p, &insns, &n, e);
	if (r < 0)
		return r;
	/* bpf(2) takes no O_PATH fd. */
	dir = sys_openat(cg->fd[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return err_sys(e, dir, FIELD ": open cgroup '%s'", cg->path);
	prog = load_program(insns, n);
	if (prog < 0)
		return err_sys(e, prog, FIELD ": load the BPF program");
	/* A cgroup that was just made has none. */
	if (!cg->made[0])
		old = find_attached(dir);
	r = attach(dir, prog, old);
	return r < 0 ? err_sys(e, r, FIELD ": attach the BPF program") : 0;
}

int cgroup_devices_apply(const struct cgroup *cg, const struct spec_device_rule *rules, size_t n,
			 struct err *e)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct device_policy p;
	int r = device_policy_make(&a, rules, n, &p, e);

	if (r < 0)
		return r;
	return cg->host->mode == CGROUP_V2 ? v2_apply(&a, cg, &p, e) : v1_apply(cg, &p, e);
}
