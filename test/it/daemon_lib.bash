# daemon_lib.bash: the daemon under test, and containerd beside it, each with a
# socket, root and state of its own in the private world; they may be stopped,
# killed and come back. DAEMON says which of the two is meant.
#
#   BERTHD=/path/to/berthd bats test/it/daemon_ctr.bats
#
# Needs lib.bash and shim_lib.bash.

# The daemon under test: $BERTHD, or what was built with the runtime under test.
it_daemon() {
	local dir

	it_shim || return 1
	if [ -z "${BERTHD:-}" ]; then
		dir=$(dirname "$BERTH")
		for BERTHD in "$dir/../daemon/berthd" "${BERTH_BUILD:-$IT_TOP/build}/src/daemon/berthd" \
			"$(command -v berthd)"; do
			[ ! -x "$BERTHD" ] || break
		done
	fi
	if [ ! -x "$BERTHD" ]; then
		echo "no daemon to test: set BERTHD or build it" >&2
		return 1
	fi
	BERTHD=$(realpath "$BERTHD")
	export BERTHD DAEMON=${DAEMON:-berthd}
}

# it_client: containerd's Go client (test/daemon), compiled, in $CLIENT. What was
# compiled once is kept: it takes 13 s from nothing. Two suites may do it at a time.
it_client() {
	local go=$IT_TOP/build/go # of all builds

	export CLIENT=$IT_OUT/client
	mkdir -p "$go"
	GOFLAGS='' GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$go go build -o "$CLIENT" "$IT_TOP"/test/daemon/*.go
}

# daemon_up DAEMON…: for the first time. What they may leave behind is compared
# with what is there now.
daemon_up() {
	local DAEMON

	[ -d "$IT_OUT/rootfs" ] || it_rootfs "$IT_OUT/rootfs"
	for DAEMON; do
		ns mkdir -p "$IT/$DAEMON"
		"config_$DAEMON"
		daemon_start || return 1
	done
	# shellcheck disable=SC2046
	it_mark $(daemon_traces)
}

# Where tasks have something: bundles, states of runtimes.
daemon_traces() {
	local ns

	for ns in default moby other; do
		echo "$IT/containerd/state/io.containerd.runtime.v2.task/$ns" "/run/containerd/runc/$ns" \
			"$IT/berthd/state/$ns" "/run/berth/runc/$ns"
	done
	echo /run/berth/shim
}

config_containerd() {
	ns sh -c "cat >$IT/containerd/config" <<-C
		version = 2
		root = "$IT/containerd/root"
		state = "$IT/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
		  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
		  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt",
		  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
		[grpc]
		  address = "$IT/containerd/sock"
		[ttrpc]
		  address = "$IT/containerd/events"
	C
}

# Tasks without a cgroup of their own (docker's have one) are below the suite's, too.
config_berthd() {
	ns sh -c "cat >$IT/berthd/config" <<-C
		{ "root": "$IT/berthd/root", "address": "$IT/berthd/sock", "log_level": "info", "shims": ${SHIMS:-null},
		  "engine": { "state": "$IT/berthd/state", "cgroup_parent": "$IT_CG/berthd", "shim": "$SHIM" } }
	C
}

# daemon_start [OPTION…]: and it answers. What it says is kept over restarts.
daemon_start() {
	local program=containerd log="$IT_OUT/$DAEMON.log"

	[ "$DAEMON" = containerd ] || program=$BERTHD
	[ ! -e "$log" ] || cat "$log" >>"$IT_OUT/$DAEMON.old-log"
	ns_daemon "$DAEMON" "$program" -c "$IT/$DAEMON/config" "$@"
	if ! it_wait 30 dc version; then
		tail -n 30 "$log" >&2
		return 1
	fi
}

daemon_pid() {
	ns cat "$IT/$DAEMON.itpid"
}

daemon_stop() {
	ns_stop "$DAEMON"
}

# daemon_kill: without a word to anybody.
daemon_kill() {
	local pid

	pid=$(daemon_pid)
	ns kill -KILL "$pid"
	it_wait 30 ns_gone "$pid"
}

# daemon_down DAEMON…: their containers are removed, the daemons end, and nothing is
# left.
daemon_down() {
	local DAEMON bad=0

	[ -n "${IT_PID:-}" ] || return 0
	for DAEMON; do
		daemon_empty
	done
	it_wait 30 only_daemons "$#" || bad=1
	# shellcheck disable=SC2046
	it_unchanged $(daemon_traces) || bad=1
	for DAEMON; do
		daemon_stop || bad=1
		daemon_sane || bad=1
	done
	return "$bad"
}

# Nothing that a sanitizer found, in any of its lives.
daemon_sane() {
	! grep -hE -A 30 'ERROR: .*Sanitizer|runtime error: ' "$IT_OUT/$DAEMON.log" "$IT_OUT/$DAEMON.old-log" 2>/dev/null
} >&2

daemon_empty() {
	local ns id

	for ns in $(dc namespaces ls -q 2>/dev/null); do
		for id in $(dc -n "$ns" tasks ls -q 2>/dev/null); do
			dc -n "$ns" tasks rm -f "$id" >/dev/null 2>&1
		done
		for id in $(dc -n "$ns" containers ls -q 2>/dev/null); do
			dc -n "$ns" containers rm "$id" >/dev/null 2>&1
		done
	done
}

only_daemons() {
	[ "$(ns_left | wc -l)" = "$1" ]
}

# ctr, at the daemon that is meant.
dc() {
	ns ctr -a "$IT/$DAEMON/sock" "$@"
}

# The shim of a task, which has its id in its command line, and the tasks themselves.
shim_of() { # ID
	ns_left | awk -v n="$1" '$2 ~ /containerd-shim/ { for (i = 3; i < NF; i++) if ($i == "-id" && $(i + 1) == n) { print $1; exit } }'
}

status_of() { # ID
	dc tasks ls | awk -v n="$1" '$1 == n { print $3 }'
}

pid_of() { # ID: of the first process, in the world
	dc tasks ls | awk -v n="$1" '$1 == n { print $2 }'
}

is() { # ID STATUS
	it_until 30 "[ \"\$(status_of $1)\" = '$2' ]" || expect "$2" "$(status_of "$1")"
}
