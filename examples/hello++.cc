// hello++ ROOTFS: the same as hello.c, in C++: handles close themselves, and what
// fails is thrown.
#include <berth/computecore.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unistd.h>

template <auto Close> struct Closer {
	template <class T> void operator()(T *handle) const { Close(handle); }
};
template <class Handle, auto Close> using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Closer<Close>>;

using System = Owned<HCS_SYSTEM, HcsCloseComputeSystem>;
using Process = Owned<HCS_PROCESS, HcsCloseProcess>;
using Operation = Owned<HCS_OPERATION, HcsCloseOperation>;
using Result = Owned<char *, HcsFree>;

static void check(const std::string &what, HRESULT hr, const char *document)
{
	if (FAILED(hr))
		throw std::runtime_error(what + ": " + HcsResultToString(hr) + "\n" + (document ? document : ""));
}

// Calls with an operation, and waits for its end.
template <class Call> static Operation finish(const std::string &what, Call call)
{
	Operation op(HcsCreateOperation(nullptr, nullptr));
	HRESULT hr = call(op.get());
	char *document = nullptr;

	hr = SUCCEEDED(hr) ? HcsWaitForOperationResult(op.get(), INFINITE, &document) :
			     HcsGetOperationResult(op.get(), &document);
	Result owner(document);
	check(what, hr, document);
	return op;
}

static std::string read_all(int fd)
{
	std::string text;
	char buffer[4096];

	for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
		text.append(buffer, static_cast<size_t>(n));
	close(fd);
	return text;
}

static int run(const std::string &rootfs)
{
	const std::string configuration = R"({ "SchemaVersion": { "Major": 2, "Minor": 1 }, "Owner": "hello++",
		"ShouldTerminateOnLastHandleClosed": true,
		"Container": { "GuestOs": { "HostName": "hello" }, "Storage": { "Path": ")" + rootfs + R"(" } } })";
	HCS_SYSTEM handle = nullptr;
	finish("create", [&](HCS_OPERATION op) {
		return HcsCreateComputeSystem("hello-cc", configuration.c_str(), op, nullptr, &handle);
	});
	System system(handle);
	finish("start", [&](HCS_OPERATION op) { return HcsStartComputeSystem(system.get(), op, nullptr); });

	HCS_PROCESS process_handle = nullptr;
	auto op = finish("start a process", [&](HCS_OPERATION o) {
		return HcsCreateProcess(system.get(),
					R"({ "CommandArgs": [ "echo", "hello from C++" ], "CreateStdOutPipe": true,
					     "Environment": { "PATH": "/bin:/usr/bin" } })",
					o, nullptr, &process_handle);
	});
	Process process(process_handle);
	HCS_PROCESS_INFORMATION info{};
	check("its streams", HcsGetOperationResultAndProcessInfo(op.get(), &info, nullptr), nullptr);
	std::cout << read_all(info.StdOutput);

	char *status = nullptr;
	HRESULT hr = HcsWaitForProcessExit(process.get(), INFINITE, &status);
	Result owner(status);
	check("wait", hr, status);
	std::cout << status << "\n";
	finish("terminate", [&](HCS_OPERATION o) { return HcsTerminateComputeSystem(system.get(), o, nullptr); });
	return 0;
}

int main(int argc, char **argv)
try {
	if (argc != 2) {
		std::cerr << "usage: " << argv[0] << " ROOTFS\n";
		return 64;
	}
	return run(argv[1]);
} catch (const std::exception &e) {
	std::cerr << e.what() << "\n";
	return 1;
}
