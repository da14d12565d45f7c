#!/usr/bin/env bats
# grpc.bats: the gRPC server with clients that are not ours: python3-grpcio, and h2load
# for many requests at a time. Unit tests (test_grpc*.c) have the details.

load lib.bash

setup_file() {
	it_need h2load /usr/bin/python3
	if ! /usr/bin/python3 -c 'import grpc' 2>/dev/null; then
		[ "${BERTH_CI:-0}" != 1 ] || return 1
		skip "python3-grpcio is not installed"
	fi
	export GRPC_TOOL=${BERTH_BUILD:-$IT_TOP/build}/test/grpc_tool PYTHONDONTWRITEBYTECODE=1
	if [ ! -x "$GRPC_TOOL" ]; then
		echo "no server to test: build $GRPC_TOOL" >&2
		return 1
	fi
}

setup() {
	export GRPC_SOCKET=$BATS_TEST_TMPDIR/s
	"$GRPC_TOOL" "$GRPC_SOCKET" >"$BATS_TEST_TMPDIR/out" 3>&- 4>&- &
	export GRPC_PID=$!
	for _ in $(seq 600); do
		! grep -q ready "$BATS_TEST_TMPDIR/out" || return 0
		sleep 0.05
	done
	return 1
}

# Gracefully, and nothing is left of it: sanitizers look there.
teardown() {
	local i

	kill "$GRPC_PID" 2>/dev/null || return 0
	for i in $(seq 600); do
		kill -0 "$GRPC_PID" 2>/dev/null || break
		[ "$i" != 60 ] || kill "$GRPC_PID"
		sleep 0.05
	done
	wait "$GRPC_PID"
}

client() {
	/usr/bin/python3 "$IT_TOP/test/grpc/client.py" 3>&- 4>&-
}

# Requests of h2load: as many as are asked for are answered by a status.
flood() {
	printf '\0\0\0\0\5hello' >"$BATS_TEST_TMPDIR/message"
	run h2load "$@" -H 'content-type: application/grpc' -H 'te: trailers' -d "$BATS_TEST_TMPDIR/message" \
		-B "unix:$GRPC_SOCKET" http://localhost/test.Test/Echo
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *" 0 failed, 0 errored, 0 timeout"* ]]
}

@test "grpc: calls of any size, metadata, errors with their words, methods that are not there" {
	client <<-'PY'
		c = Client()
		for n in 0, 1, 1000, 65536, 15 << 20, 16 << 20:
		    body = bytes(n)
		    assert c.call("Echo", body) == body, n
		fails("RESOURCE_EXHAUSTED", "larger than max (16777217 vs. 16777216)", c.call, "Echo", bytes((16 << 20) + 1))
		eq(c.call("Namespace", metadata=[("containerd-namespace", "k8s.io"), ("x-bin", b"\0\xff")]), b"k8s.io")
		fails("NOT_FOUND", "täsk 100%\n: not found", c.call, "Fail", "2 täsk 100%\n".encode())
		fails("FAILED_PRECONDITION", "x" * 1000, c.call, "Fail", b"4 " + b"x" * 1000)
		fails("UNIMPLEMENTED", "method /test.Test/None", c.call, "None")
		fails("UNIMPLEMENTED", "method /a.B/C", c.channel.unary_unary("/a.B/C"), b"")
		# Of a client that goes on sending, too.
		endless = c.channel.stream_unary("/a.B/C")
		fails("UNIMPLEMENTED", "method /a.B/C", endless, iter(lambda: time.sleep(0.01) or b"x", None))
		eq(c.call("Echo", b"still"), b"still")
		fails("UNIMPLEMENTED", "", c.call, "Echo", b"x", compression=grpc.Compression.Gzip)
	PY
}

@test "grpc: streams of answers; one that is not read stops nobody; cancelled calls and deadlines are told" {
	client <<-'PY'
		c = Client()
		eq([len(m) for m in c.stream("Stream", b"1000 1000")], [1000] * 1000)
		eq(list(c.stream("Stream", b"0 0")), [])
		before = server_memory()
		stalled = c.stream("Stream", b"1000 1000000")
		eq(len(next(stalled)), 1000000)
		for i in range(100):
		    eq(c.call("Echo", b"beside"), b"beside")
		assert server_memory() < before + 8000, server_memory() # of a gigabyte
		eq(c.call("Gone"), b"0")
		stalled.cancel()
		until(lambda: c.call("Gone") == b"1")
		sleeper = c.future("Sleep", b"60000")
		eq(c.call("Echo", b"x"), b"x") # so that one has come, too
		sleeper.cancel()
		until(lambda: c.call("Gone") == b"2")
		fails("DEADLINE_EXCEEDED", "", c.call, "Sleep", b"60000", timeout=1)
		until(lambda: c.call("Gone") == b"3")
		left = Client()
		kept = [left.future("Sleep", b"60000") for i in range(10)]
		eq(left.call("Echo", b"x"), b"x")
		left.channel.close()
		until(lambda: c.call("Gone") == b"13")
	PY
}

@test "grpc: thousands of calls at a time on one connection, and hundreds of connections" {
	client <<-'PY'
		c = Client()
		calls = [c.future("Sleep", b"300") for i in range(3000)]
		for f in calls:
		    eq(f.result(timeout=60), b"")
		many = [Client() for i in range(100)]
		for f in [m.future("Echo", b"%d" % i) for i, m in enumerate(many)]:
		    f.result(timeout=60)
		for m in many:
		    m.channel.close()
		eq(c.call("Echo", b"x"), b"x")
	PY
}

@test "grpc: a flood of requests is answered, one by one and many at a time" {
	flood -c 1 -m 1 -n 5000
	flood -c 8 -m 16 -n 50000
	flood -c 2 -m 1000 -n 20000
	flood -c 500 -m 1 -n 2000
}

@test "grpc: a graceful stop: calls that run end well, new ones go elsewhere, then the server ends" {
	client <<-'PY'
		import signal
		c = Client()
		began = time.monotonic()
		sleepers = [c.future("Sleep", b"3000") for i in range(5)]
		eq(c.call("Echo", b"x"), b"x")
		os.kill(int(os.environ["GRPC_PID"]), signal.SIGTERM)
		def refused():
		    try:
		        return c.call("Echo", b"x") != b"x"
		    except grpc.RpcError as e:
		        return e.code() == grpc.StatusCode.UNAVAILABLE
		until(refused)
		early = [f for f in sleepers if f.done()]
		if time.monotonic() - began < 3:
		    eq(early, [])
		for f in sleepers:
		    eq(f.result(timeout=30), b"")
	PY
	wait "$GRPC_PID"
}

@test "grpc: other users are not served" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR"/.. "$BATS_TEST_TMPDIR"/../..
	chmod 777 "$GRPC_SOCKET"
	run setpriv --reuid 65534 --clear-groups /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.settimeout(30)
print("closed" if s.recv(1) == b"" else "served")' "$GRPC_SOCKET"
	echo "$output"
	[ "$output" = closed ]
}
