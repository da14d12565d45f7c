# ctl_lib.bash: tests of berthctl: the program under test, a world for it, and
# systems in a state.

ctl_up() {
	it_need busybox python3 jq script
	it_shim || return 1
	CTL=${BERTHCTL:-${BERTH_BUILD:-$IT_TOP/build}/src/ctl/berthctl}
	if [ ! -x "$CTL" ]; then
		echo "no berthctl to test: build $CTL" >&2
		return 1
	fi
	CTL=$(realpath "$CTL")
	export CTL
	it_world || return 1
	it_rootfs "$IT_OUT/rootfs"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$IT_OUT" 2>/dev/null || true
	echo '{}' >"$IT_OUT/engine.json"
	export BERTH_SHIM=$SHIM BERTH_STATE=$IT/state BERTH_CGROUP_PARENT=$IT_CG BERTH_CONFIG=$IT_OUT/engine.json
	export ROOTFS=$IT_OUT/rootfs DOC=$IT_OUT/doc.json OWN=$IT_OUT/own.json
	cat >"$DOC" <<-END
		{ "SchemaVersion": { "Major": 2, "Minor": 1 }, "Owner": "test",
		  "Container": { "Storage": { "Path": "$ROOTFS" } } }
	END
}

ctl_down() {
	it_end
}

# berthctl in the world; one that hangs fails.
ctl() {
	ns timeout --foreground -k 1 100 "$CTL" "$@" 3>&- 4>&-
}

# Every system, whatever its state.
ctl_clean() {
	local ns id

	ctl list -A --json </dev/null 2>/dev/null | jq -r '.[] | "\(.Namespace) \(.Id)"' | while read -r ns id; do
		ctl rm -f -n "$ns" "$id" </dev/null >/dev/null
	done
}

# own_document COMMAND…: a document that brings its own command, to standard output.
own_document() {
	rm -f "$IT_OUT/config.json"
	"$BERTH" spec -b "$IT_OUT"
	python3 - "$@" <<-'PY'
		import json, os, sys
		with open(os.environ["IT_OUT"] + "/config.json") as f:
		    c = json.load(f)
		c["process"].pop("rlimits", None)
		c["linux"].pop("resources", None)
		c["process"].update(terminal=bool(os.environ.get("OWN_TTY")), args=sys.argv[1:])
		c["root"] = {"path": os.environ["ROOTFS"]}
		json.dump({"SchemaVersion": {"Major": 2, "Minor": 1}, "Owner": "test",
		           "Container": {"OciSpecification": c}}, sys.stdout)
	PY
}

ctl_state() {
	ctl list --json </dev/null | jq -r '.[] | select(.Id == "c") | .State' | grep . || echo none
}

# A fresh system called c in this state.
ctl_make() {
	ctl rm -f c || return 1
	[ "$1" != none ] || return 0
	ctl create -f "$DOC" c >/dev/null || return 1
	case $1 in
	Running | Paused | Stopped) ctl start c || return 1 ;;
	esac
	case $1 in
	Paused) ctl pause c || return 1 ;;
	Stopped) ctl terminate c || return 1 ;;
	esac
	[ "$(ctl_state)" = "$1" ]
}

# The first process of system c, in the world.
ctl_pid() {
	ctl ps --json c | jq '[.[].ProcessId] | min'
}

# told SIGNAL READY ARG…: berthctl in the world, and the signal, as soon as it catches that (a shell has SIGINT ignored for
# what it begins in the background) and the command READY succeeds.
told() {
	local number

	number=$(kill -l "$1")
	# shellcheck disable=SC2016
	ns timeout --foreground -k 1 100 sh -c '
		number=$1 ready=$2
		shift 2
		"$CTL" "$@" &
		mask() { sed -n "s/^$1:.//p" /proc/$!/status; }
		until [ $(((0x$(mask SigCgt) | 0x$(mask SigBlk)) >> (number - 1) & 1)) = 1 ] && eval "$ready"; do
			kill -0 $! || break
			sleep 0.05
		done
		kill -"$number" $!
		wait $!' - "$number" "${@:2}" 3>&- 4>&-
}

# said WANT COMMAND…: its exit status is WANT; what it says, on both, is in $output.
said() {
	local want=$1 rc=0

	shift
	output=$("$@" 2>&1) || rc=$?
	[ "$rc" = "$want" ] || { echo "exit status $rc instead of $want: $*"; echo "$output"; return 1; }
}

# json WANT COMMAND…: the same, and what it writes to standard output is one JSON
# document: in $output, on one line. What is said on standard error is dropped.
json() {
	local want=$1 rc=0 text

	shift
	text=$("$@" 2>/dev/null) || rc=$?
	[ "$rc" = "$want" ] || { echo "exit status $rc instead of $want: $*"; echo "$text"; return 1; }
	output=$(python3 -c 'import json, sys; print(json.dumps(json.loads(sys.stdin.read())))' <<<"$text") ||
		{ echo "not one JSON document: $text"; return 1; }
}

# is FILTER: the document in $output, as jq's filter has it, is true.
is() {
	[ "$(jq -r "$1" <<<"$output")" = true ] || { echo "not so: $1"; echo "$output"; return 1; }
}
