# life_lib.bash: one container called `c`, made by the runtime $RT (berth, peer
# or crun) inside the world, brought into a state, and asked for something.

life_up() {
	local rt

	for rt in berth peer crun; do
		ns mkdir -p "$IT/$rt"
		life_bundle "$rt" | ns tee "$IT/$rt/config.json" >/dev/null
	done
	it_rootfs "$IT_OUT/rootfs"
	chmod 755 "$IT_OUT" "$BATS_RUN_TMPDIR" 2>/dev/null || true
}

# What `runc spec` writes, with a program that stays, our root and our cgroup.
life_bundle() {
	rm -f "$IT_OUT/config.json"
	"$PEER" spec -b "$IT_OUT"
	python3 -c '
import json, sys
c = json.load(sys.stdin)
c["process"]["terminal"] = False
c["process"]["args"] = ["sleep", "600"]
c["process"].pop("rlimits", None)
c["root"]["path"] = sys.argv[1]
c["linux"]["cgroupsPath"] = sys.argv[2]
json.dump(c, sys.stdout)' "$IT_OUT/rootfs" "$IT_CG/$1" <"$IT_OUT/config.json"
}

# The runtime $RT; its standard input is empty, and a call that hangs fails.
rt() {
	local bin=$BERTH

	[ "$RT" != peer ] || bin=$PEER
	[ "$RT" != crun ] || bin=$(command -v crun)
	ns timeout -k 1 60 "$bin" --root "$IT/$RT/root" "$@" </dev/null 3>&- 4>&-
}

life_status() {
	rt state c 2>/dev/null | sed -n 's/^ *"status": "\(.*\)",*$/\1/p' | grep . || echo none
}

life_is() {
	[ "$(life_status)" = "$1" ]
}

life_gone() {
	rt delete -f c >/dev/null 2>&1 || true
}

# A fresh container in this state.
life_make() {
	life_gone
	[ "$1" != none ] || return 0
	rt create -b "$IT/$RT" c >/dev/null 2>&1 || return 1
	case $1 in
	running | paused | stopped) rt start c ;;
	esac
	case $1 in
	paused) rt pause c ;;
	stopped) rt kill c KILL && it_wait 30 life_is stopped ;;
	esac
	life_is "$1"
}

# life_try STATE VERB…: exit status, state afterwards, and what was said.
life_try() {
	local state=$1 rc=0 out after verb

	shift
	life_make "$state" || { echo "$RT: cannot make a container that is $state"; return 1; }
	# A file: a container that runs on keeps what it was given open.
	rt "$@" >"$BATS_TEST_TMPDIR/said" 2>&1 || rc=$?
	out=$(cat "$BATS_TEST_TMPDIR/said")
	verb=$*
	case $rc-$verb in
	'0-kill c KILL' | '0-kill -a c KILL') it_wait 30 life_is stopped || true ;;
	esac
	after=$(life_status)
	echo "$verb: exit $rc, then $after"
	LIFE_SAID=$out
}

# What is compared with runc is also what it says when it fails.
life_cell() {
	life_try "$@" || return 1
	life_words <<<"$LIFE_SAID"
	life_gone
}

life_code() {
	life_try "$@" || return 1
	life_gone
}

# Errors alone: pids and times differ; other output has tests of its own.
life_words() {
	grep -o 'level=error msg=.*' | sed -E 's/\\"/'"'"'/g; s/(runc|berth) (create|run) failed/\2 failed/' || true
}
