# setup_containerd.bash: a containerd of our own in the private world, which may
# be killed and come back, and what its events say.

# What a test may leave there is nothing; a suite may name more.
CTD_STATE=${CTD_STATE:-/run/containerd/runc/default}

# containerd_up [DIR]: with DIR before all others in its PATH.
containerd_up() {
	export CTD_PATH=${1:+$1:}$PATH
	ns mkdir -p "$IT/ctd"
	containerd_start 1 || return 1
	# shellcheck disable=SC2086
	it_mark $CTD_STATE
	it_rootfs "$IT_OUT/rootfs"
}

# containerd_start TURN: each has a socket of its own for the events of shims.
containerd_start() {
	echo "$1" >"$IT_OUT/turn"
	ns sh -c "cat >$IT/ctd/config.toml" <<-C
		version = 2
		root = "$IT/ctd/root"
		state = "$IT/ctd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
		  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
		  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt",
		  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
		[grpc]
		  address = "$IT/ctd/sock"
		[ttrpc]
		  address = "$IT/ctd/events-$1"
	C
	ns_daemon containerd env "PATH=$CTD_PATH" containerd -c "$IT/ctd/config.toml" -l warn
	if ! it_wait 30 c version; then
		tail -n 30 "$IT_OUT/containerd.log" >&2
		return 1
	fi
}

# containerd_away: killed, without a word to anybody.
containerd_away() {
	local pid

	pid=$(ns cat "$IT/containerd.itpid")
	ns kill -KILL "$pid"
	it_wait 30 ns_gone "$pid"
}

# containerd_back: a new one. What shims have to tell it waits until somebody
# listens: only then it is found at the socket that they know.
containerd_back() {
	local turn i

	turn=$(($(cat "$IT_OUT/turn") + 1))
	containerd_start "$turn" || return 1
	events_listen "$turn" || return 1
	for ((i = 1; i < turn; i++)); do
		ns ln -sf "events-$turn" "$IT/ctd/events-$i"
	done
}

events_listen() {
	ns_daemon "events-$1" ctr -a "$IT/ctd/sock" events
	it_until 30 "c namespaces label default turn=\$RANDOM; grep -q /namespaces/update '$IT_OUT/events-$1.log'"
}

# said ID: all that was told of a container: "exit x 4" is of its exec x.
said() {
	# ctr says in the same log why it ends.
	grep -h ' /tasks/' "$IT_OUT"/events-*.log | python3 -c '
import json, sys
for line in sys.stdin:
    topic, m = line.split(None, 6)[5:]
    m = json.loads(m)
    if m["container_id"] == sys.argv[1]:
        process = m.get("exec_id", m.get("id", ""))
        print(topic[7:], *[process] * (process not in ("", sys.argv[1])),
            *[m.get("exit_status", 0)] * (topic in ("/tasks/exit", "/tasks/delete")))' "$1"
}

# said_all ID WHAT…: all of it, in this order, and soon.
said_all() {
	local id=$1 want

	shift
	want=$(printf '%s\n' "$@")
	it_until 30 "[ \$(said '$id' | wc -l) -ge $# ]" || true
	expect "$want" "$(said "$id")"
}

containerd_down() {
	local id bad=0

	[ -n "${IT_PID:-}" ] || return 0
	for id in $(c task ls -q 2>/dev/null); do
		c task rm -f "$id" >/dev/null 2>&1
	done
	for id in $(c c ls -q 2>/dev/null); do
		c c rm "$id" >/dev/null 2>&1
	done
	for id in "$IT_OUT"/events-*.log; do
		[ ! -e "$id" ] || ns_stop "$(basename "$id" .log)"
	done
	it_wait 30 only_containerd
	# shellcheck disable=SC2086
	it_unchanged $CTD_STATE || bad=1
	ns_stop containerd || bad=1
	return "$bad"
}

only_containerd() {
	[ "$(ns_left | wc -l)" = 1 ]
}

c() {
	ns ctr -a "$IT/ctd/sock" "$@"
}

# c_import FILE: an image. containerd 2 has its daemon import it, to a snapshotter of its
# configuration, unless ctr is told to do it.
c_import() {
	local how=

	! c images import --help | grep -q -e ' --local ' || how=--local
	# shellcheck disable=SC2086
	c images import $how --snapshotter native "$1" >/dev/null
}
