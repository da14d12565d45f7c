/*
 * shell ROOTFS [COMMAND...]: an interactive shell in a new system.
 *
 * The process gets a terminal of its own (EmulateConsole); its master end comes as
 * StdInput and StdOutput. Ours is made raw, bytes are carried both ways, and a
 * change of our window's size becomes one of the process's: HcsModifyProcess().
 * The library is driven by the same poll(2).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <berth/computecore.h>

static struct termios saved;
static int is_terminal;

static void restore(void)
{
	if (is_terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static void fail(const char *what, HRESULT hr, char *document)
{
	restore();
	fprintf(stderr, "%s: %s\n%s\n", what, HcsResultToString(hr), document ? document : "");
	exit(1);
}

static void finish(const char *what, HRESULT hr, HCS_OPERATION op)
{
	char *document = NULL;

	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResult(op, INFINITE, &document);
	else
		HcsGetOperationResult(op, &document);
	if (FAILED(hr))
		fail(what, hr, document);
	HcsFree(document);
	HcsCloseOperation(op);
}

/* ---- documents ------------------------------------------------------------- */

static void json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		if ((unsigned char)*s < ' ')
			fprintf(f, "\\u%04x", (unsigned)*s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static char *system_document(const char *rootfs)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f, "{ \"SchemaVersion\": { \"Major\": 2, \"Minor\": 1 }, \"Owner\": \"shell\","
		   " \"ShouldTerminateOnLastHandleClosed\": true,"
		   " \"Container\": { \"GuestOs\": { \"HostName\": \"shell\" }, \"Storage\": { \"Path\": ");
	json_string(f, rootfs);
	fprintf(f, " } } }");
	fclose(f);
	return text;
}

static char *process_document(char **words)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	fprintf(f, "{ \"EmulateConsole\": true, \"CreateStdInPipe\": true, \"CreateStdOutPipe\": true,"
		   " \"ConsoleSize\": [ %d, %d ],"
		   " \"Environment\": { \"PATH\": \"/usr/sbin:/usr/bin:/sbin:/bin\", \"TERM\": ",
		size.ws_row, size.ws_col);
	json_string(f, getenv("TERM") ? getenv("TERM") : "xterm");
	fprintf(f, " }, \"CommandArgs\": [ ");
	if (!*words)
		fprintf(f, "\"sh\"");
	for (int i = 0; words[i]; i++) {
		fputs(i ? ", " : "", f);
		json_string(f, words[i]);
	}
	fprintf(f, " ] }");
	fclose(f);
	return text;
}

/* ---- the terminal ------------------------------------------------------------ */

static void resize(HCS_PROCESS process)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	struct winsize size;
	char document[128];

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		snprintf(document, sizeof document,
			 "{\"Operation\":\"ConsoleSize\",\"ConsoleSize\":{\"Height\":%d,\"Width\":%d}}",
			 size.ws_row, size.ws_col);
		HcsModifyProcess(process, op, document);
	}
	HcsCloseOperation(op); /* nobody waits for its end */
}

/* What is there is written, whole. 0: no more will come. */
static int copy(int from, int to)
{
	char buffer[4096];
	ssize_t n = read(from, buffer, sizeof buffer), done = 0;

	while (done < n) {
		ssize_t k = write(to, buffer + done, (size_t)(n - done));

		if (k < 0 && errno != EINTR)
			return 0;
		done += k > 0 ? k : 0;
	}
	return n > 0;
}

static void carry(HCS_PROCESS process, HCS_PROCESS_INFORMATION *info)
{
	struct signalfd_siginfo si;
	int library, open = 1;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	HcsGetDispatchFd(&library);
	struct pollfd p[] = {
		{ .fd = info->StdOutput, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = library, .events = POLLIN },
		{ .fd = signalfd(-1, &mask, SFD_CLOEXEC), .events = POLLIN },
	};
	while (open) {
		if (poll(p, 4, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			open = copy(info->StdOutput, STDOUT_FILENO);
		if (p[1].revents && !copy(STDIN_FILENO, info->StdInput))
			p[1].fd = -1; /* the process keeps its terminal */
		if (p[2].revents)
			HcsDispatch(0);
		if (p[3].revents && read(p[3].fd, &si, sizeof si) == sizeof si)
			resize(process);
	}
	close(p[3].fd);
}

int main(int argc, char **argv)
{
	HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
	char id[32], *document, *status = NULL, *code;
	HCS_PROCESS_INFORMATION info;
	struct termios raw;
	HCS_PROCESS process;
	HCS_SYSTEM system;
	HRESULT hr;

	if (argc < 2)
		return fprintf(stderr, "usage: %s ROOTFS [COMMAND...]\n", argv[0]), 64;
	snprintf(id, sizeof id, "shell-%d", (int)getpid());
	document = system_document(argv[1]);
	hr = HcsCreateComputeSystem(id, document, op, NULL, &system);
	finish("create", hr, op);
	free(document);
	op = HcsCreateOperation(NULL, NULL);
	finish("start", HcsStartComputeSystem(system, op, NULL), op);

	op = HcsCreateOperation(NULL, NULL);
	document = process_document(argv + 2);
	hr = HcsCreateProcess(system, document, op, NULL, &process);
	if (SUCCEEDED(hr))
		hr = HcsWaitForOperationResultAndProcessInfo(op, INFINITE, &info, &status);
	if (FAILED(hr))
		fail("start a shell", hr, status);
	HcsFree(status);
	HcsCloseOperation(op);
	free(document);

	is_terminal = tcgetattr(STDIN_FILENO, &saved) == 0;
	if (is_terminal) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	carry(process, &info);
	restore();

	hr = HcsWaitForProcessExit(process, INFINITE, &status);
	if (FAILED(hr))
		fail("wait", hr, status);
	code = strstr(status, "\"ExitCode\":");
	return code ? atoi(code + strlen("\"ExitCode\":")) & 0xff : 1; /* the system ends with us */
}
