/* ProcessParameters of schema 2.x, ProcessConfig of 1.0: they differ in members
 * that mean nothing here, and neither says which of them it is. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "schema_table.h"
#include "str.h"

/* ---- the command line --------------------------------------------------- */

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r' || (s[0] == '\\' && s[1] == '\n'))
		s += *s == '\\' ? 2 : 1;
	return s;
}

static bool ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_escapable(char c)
{
	return c && strchr("\\\"$`\n", c);
}

/* One word from *from to *to; returns what is wrong with it, or NULL. */
static const char *take_word(const char **from, char **to)
{
	const char *s = *from;
	char *out = *to, quote = '\0';

	for (; *s && (quote || !ends_word(*s)); s++) {
		if (quote && *s == quote) {
			quote = '\0';
			continue;
		}
		if (!quote && (*s == '\'' || *s == '"')) {
			quote = *s;
			continue;
		}
		if (*s == '\\' && (!quote || (quote == '"' && is_escapable(s[1])))) {
			if (!*++s)
				return "ends with a backslash";
			if (*s == '\n')
				continue;
		}
		*out++ = *s;
	}
	if (quote)
		return quote == '"' ? "has a \" that is not closed" : "has a ' that is not closed";
	*out++ = '\0';
	*from = s;
	*to = out;
	return NULL;
}

int schema_split(struct arena *a, const char *line, const char ***ret_args, size_t *ret_n,
		 const char **ret_words)
{
	size_t len = strlen(line), n = 0;
	const char **args = arena_calloc(a, len / 2 + 2, sizeof *args);
	char *out = arena_alloc(a, len + 2);

	if (!args || !out)
		return -ENOMEM;
	for (line = skip_blanks(line); *line; line = skip_blanks(line)) {
		const char *word = out, *problem = take_word(&line, &out);

		if (problem) {
			*ret_words = problem;
			return -EINVAL;
		}
		args[n++] = word;
	}
	*ret_args = args;
	*ret_n = n;
	return 0;
}

/* ---- the table ---------------------------------------------------------- */

JSON_DECODER(schema_dec_oci_process)
{
	struct schema_process *p = obj;
	int r = 0;

	(void)f;
	if (!json_want(d, v, JSON_OBJECT, &r))
		return r;
	p->oci_document = v;
	return spec_decode_process(d, v, &p->oci);
}

/* clang-format off */
static const char windows_only[] = "it is Windows' own";
static const char no_virtual_machines[] = "there are no virtual machines here";
static const char of_the_system[] = "a system's document says it, in a Container or HostedSystem of schema 2.x";

#define OF struct schema_process
static const struct json_field process_fields[] = {
	ROW("ApplicationName",           spec_dec_text,           application_name, 0),
	ROW("CommandLine",               spec_dec_text,           command_line, 0),
	ROW_LIST("CommandArgs",          json_dec_strings,        command_args, NULL),
	ROW("User",                      spec_dec_text,           user, 0),
	ROW("WorkingDirectory",          schema_dec_path,         working_directory, 0),
	ROW_LIST("Environment",          schema_dec_environment,  environment, NULL),
	ROW("RestrictedToken",           json_dec_bool,           restricted_token, 0),
	ROW("EmulateConsole",            json_dec_bool,           emulate_console, 0),
	ROW("CreateStdInPipe",           json_dec_bool,           create_stdin, 0),
	ROW("CreateStdOutPipe",          json_dec_bool,           create_stdout, 0),
	ROW("CreateStdErrPipe",          json_dec_bool,           create_stderr, 0),
	ROW("ConsoleSize",               schema_dec_console_size, console_height, 0),
	ROW("OciProcess",                schema_dec_oci_process,  oci_document, 0),
	ROW_NOTHING("UseExistingLogin",  windows_only),
	ROW_NOTHING("UseLegacyConsole",  windows_only),
	ROW_NOTHING("CreateInUtilityVm", no_virtual_machines),
	ROW_NOTHING("CreateInUtilityVM", no_virtual_machines),
	ROW_NOTHING("OCISpecification",  of_the_system),
	{ 0 }
};
#undef OF
/* clang-format on */

/* ---- what it executes --------------------------------------------------- */

static int split_line(struct json_dec *d, const struct json *v, struct schema_process *p)
{
	const char *problem;
	int r = schema_split(d->a, p->command_line, &p->args, &p->n_args, &problem);

	if (r == -ENOMEM)
		return json_nomem(d);
	if (r < 0)
		return json_fail(d, json_get(v, "CommandLine"), "%s", problem);
	if (!p->n_args && !p->application_name)
		return json_fail(d, json_get(v, "CommandLine"), "has no word in it");
	return 0;
}

static int copy_args(struct json_dec *d, struct schema_process *p)
{
	p->args = arena_calloc(d->a, p->n_command_args + 1, sizeof *p->args);
	if (!p->args)
		return json_nomem(d);
	for (size_t i = 0; i < p->n_command_args; i++)
		p->args[i] = p->command_args[i];
	p->n_args = p->n_command_args;
	return 0;
}

/* The program takes the place of the first word. */
static int put_application(struct json_dec *d, struct schema_process *p)
{
	if (!p->application_name)
		return 0;
	if (!p->n_args) {
		p->args = arena_calloc(d->a, 2, sizeof *p->args);
		if (!p->args)
			return json_nomem(d);
		p->n_args = 1;
	}
	p->args[0] = p->application_name;
	return 0;
}

static int make_args(struct json_dec *d, const struct json *v, struct schema_process *p)
{
	int r = 0;

	if (p->command_line && p->n_command_args)
		return json_fail(d, json_get(v, "CommandArgs"), "is exclusive with CommandLine");
	if (p->command_line)
		r = split_line(d, v, p);
	else if (p->n_command_args)
		r = copy_args(d, p);
	if (r == 0)
		r = put_application(d, p);
	if (r < 0 || !p->n_args)
		return r;
	p->command = SCHEMA_COMMAND_ARGS;
	if (!*p->args[0])
		return json_fail(d, json_get(v, p->command_line ? "CommandLine" : "CommandArgs"),
				 "the first word, the program, must not be empty");
	return 0;
}

/* ---- what goes together -------------------------------------------------- */

static int parse_id(struct json_dec *d, const struct json *v, const char *s, size_t n, uint32_t *ret)
{
	char digits[16];

	if (n && n < sizeof digits) {
		memcpy(digits, s, n);
		digits[n] = '\0';
		if (parse_u32(digits, ret) == 0 && *ret != UINT32_MAX)
			return 0;
	}
	return json_fail(d, v, "'%.*s' is not a number up to %" PRIu32, (int)n, s, UINT32_MAX - 1);
}

/* "UID", "UID:GID", or a name. */
static int parse_user(struct json_dec *d, const struct json *v, struct schema_process *p)
{
	const char *s = p->user;
	size_t uid = strspn(s, "0123456789"), len = strlen(s);
	int r;

	if (uid < len && s[uid] != ':') {
		if (strpbrk(s, ":\n"))
			return json_fail(d, v, "'%s' must be UID, UID:GID or a name", s);
		p->user_name = s;
		return 0;
	}
	r = parse_id(d, v, s, uid, &p->uid);
	p->gid = p->uid;
	if (r == 0 && uid < len)
		r = parse_id(d, v, s + uid + 1, len - uid - 1, &p->gid);
	return r;
}

static bool has_command(const struct json *v)
{
	return schema_is_given(v, "ApplicationName") || schema_is_given(v, "CommandLine") ||
	       schema_is_given(v, "CommandArgs");
}

/* These describe a command: without one, or beside OCI's, they would be lost. */
static int check_described(struct json_dec *d, const struct json *v, const struct schema_process *p)
{
	/* clang-format off */
	static const char *const described[] = {
		"ApplicationName", "CommandLine", "CommandArgs",
		"User", "WorkingDirectory", "Environment", "RestrictedToken",
	};
	/* clang-format on */

	if (p->command != SCHEMA_COMMAND_OCI && has_command(v))
		return 0; /* it was wrong, as was told */
	for (size_t i = 0; i < ARRAY_SIZE(described); i++) {
		const struct json *m = json_get(v, described[i]);
		int r = 0;

		if (!schema_is_given(v, described[i]))
			continue;
		if (p->command == SCHEMA_COMMAND_OCI)
			r = json_unsupported(d, m, "is not supported beside OciProcess, which says it itself");
		else
			r = json_fail(d, m, "needs a command: CommandLine, CommandArgs or ApplicationName");
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_console(struct json_dec *d, const struct json *v, struct schema_process *p)
{
	if (p->oci) {
		if (p->emulate_console && !p->oci->terminal)
			return json_fail(d, json_get(v, "EmulateConsole"), "OciProcess wants no terminal");
		p->emulate_console = p->oci->terminal;
	}
	if (p->has_console_size && !p->emulate_console)
		return json_fail(d, json_get(v, "ConsoleSize"), "needs EmulateConsole");
	if (p->emulate_console) /* as HCS has it */
		p->create_stderr = false;
	return 0;
}

static int check_process(struct json_dec *d, const struct json *v, void *obj)
{
	struct schema_process *p = obj;
	int r = 0;

	if (p->oci_document)
		p->command = SCHEMA_COMMAND_OCI;
	else
		r = make_args(d, v, p);
	if (r == 0 && p->command != SCHEMA_COMMAND_ARGS)
		r = check_described(d, v, p);
	if (r == 0 && p->user && p->command == SCHEMA_COMMAND_ARGS)
		r = parse_user(d, json_get(v, "User"), p);
	return r < 0 ? r : check_console(d, v, p);
}

const struct schema_type schema_type_process = {
	.name = "ProcessParameters",
	.s = { sizeof(struct schema_process), process_fields, check_process },
};

/* The same as a member of a system's. */
const struct json_struct schema_process_struct = { sizeof(struct schema_process), process_fields, check_process };
