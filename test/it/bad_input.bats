#!/usr/bin/env bats
# bad_input.bats: what is wrong with a bundle, an id or the state directory is
# one error and exit code 1, as in runc; nothing is created, nothing is left.

load lib.bash
load life_lib.bash

setup_file() {
	it_need busybox python3
	it_world
	life_up
	# what there was before: nothing
	rt list >/dev/null
}

teardown_file() {
	it_end
}

setup() {
	RT=berth
	LEFT_BEFORE=$(bad_left)
}

# Everything a container leaves: state, cgroups, mounts, processes.
bad_left() {
	ns find "$IT/berth/root" -mindepth 1 2>/dev/null
	it_cgroup_dirs "$IT_CG/berth"
	ns cat /proc/mounts | wc -l
}

# bad TEXT COMMAND…: it fails with 1, one line of error that contains TEXT, and
# leaves nothing.
bad() {
	local want=$1 rc=0 out

	shift
	# A file: should it succeed, the container would keep a pipe open.
	rt "$@" >"$BATS_TEST_TMPDIR/said" 2>&1 || rc=$?
	out=$(cat "$BATS_TEST_TMPDIR/said")
	if [ "$rc" != 1 ] || [ "$(grep -c . <<<"$out")" != 1 ] || [[ $out != *level=error* ]]; then
		echo "exit status $rc; $*"
		echo "$out"
		rt delete -f c
		return 1
	fi
	expect_in "$want" "$out" || return 1
	if [ "$(bad_left)" != "$LEFT_BEFORE" ]; then
		echo "left behind by $*:"
		bad_left
		return 1
	fi
}

# bad_config TEXT PYTHON: a change of the good config.json that must be refused.
bad_config() {
	life_bundle berth | python3 -c '
import json, sys
c = json.load(sys.stdin)
exec(sys.argv[1])
json.dump(c, sys.stdout)' "$2" >"$BATS_TEST_TMPDIR/config"
	bad_text "$1" <"$BATS_TEST_TMPDIR/config"
}

# bad_text TEXT: config.json comes on stdin.
bad_text() {
	ns mkdir -p "$IT/bad"
	ns tee "$IT/bad/config.json" >/dev/null
	bad "$1" create -b "$IT/bad" c || return 1
	bad "$1" run -b "$IT/bad" c || return 1
}

good_text() {
	life_bundle berth
}

# ---- config.json as text ----------------------------------------------------

@test "bad: config.json cut off at any place" {
	good_text >"$BATS_TEST_TMPDIR/good"
	size=$(stat -c %s "$BATS_TEST_TMPDIR/good")
	for n in 0 1 2 10 100 $((size / 2)) $((size - 1)); do
		head -c "$n" "$BATS_TEST_TMPDIR/good" | bad_text 'config.json'
	done
}

@test "bad: config.json that is no JSON" {
	printf 'hello' | bad_text 'config.json:'
	printf '[]' | bad_text 'config.json'
	printf '"x"' | bad_text 'config.json'
	printf 'null' | bad_text 'config.json'
	printf '\377\376{}' | bad_text 'config.json:'
	{ good_text; echo '{}'; } | bad_text 'config.json:'
	good_text | sed 's/"sleep"/NaN/' | bad_text 'config.json:'
	good_text | sed 's/"sleep"/"sl\tep"/' | bad_text 'config.json:'
	good_text | sed "s/\"sleep\"/'sleep'/" | bad_text 'config.json:'
	good_text | sed 's/"sleep", /"sleep",,/' | bad_text 'config.json:'
}

@test "bad: duplicate keys" {
	good_text | sed 's/"hostname": "runc"/"hostname": "a", "hostname": "b"/' | bad_text 'hostname'
	good_text | sed 's/"noNewPrivileges": true/"noNewPrivileges": true, "noNewPrivileges": false/' |
		bad_text 'noNewPrivileges'
}

@test "bad: depth and size bombs" {
	python3 -c 'print("[" * 100000)' | bad_text 'config.json:'
	python3 -c 'print("{\"a\":" * 200 + "1" + "}" * 200)' | bad_text 'config.json:'
	python3 -c 'print("{\"ociVersion\":\"" + "x" * (5 << 20) + "\"}")' | bad_text ''
	python3 -c 'print("{\"annotations\":{" + ",".join("\"k%d\":\"\"" % i for i in range(300000)) + "}}")' |
		bad_text ''
}

# ---- its values -------------------------------------------------------------

@test "bad: wrong types are named by their place" {
	bad_config /process "c['process'] = 7"
	bad_config /process/args "c['process']['args'] = 'sh'"
	bad_config /process/args/0 "c['process']['args'] = [7]"
	bad_config /process/env "c['process']['env'] = {}"
	bad_config /process/terminal "c['process']['terminal'] = 'yes'"
	bad_config /process/user/uid "c['process']['user']['uid'] = 'root'"
	bad_config /mounts "c['mounts'] = {}"
	bad_config /mounts/0/options "c['mounts'][0]['options'] = 'ro'"
	bad_config /linux/namespaces "c['linux']['namespaces'] = 'pid'"
	bad_config /linux/resources/memory/limit "c['linux']['resources']['memory'] = {'limit': '1m'}"
	bad_config /root/path "c['root']['path'] = []"
	bad_config /hooks/prestart "c['hooks'] = {'prestart': {}}"
	bad_config /hostname "c['hostname'] = 7"
}

@test "bad: numbers out of range" {
	bad_config /process/user/uid "c['process']['user']['uid'] = -1"
	bad_config /process/user/uid "c['process']['user']['uid'] = 1 << 32"
	bad_config /process/user/uid "c['process']['user']['uid'] = 1.5"
	bad_config '' "c['process']['user']['uid'] = 10 ** 30"
	bad_config /linux/resources/memory/limit "c['linux']['resources']['memory'] = {'limit': 1 << 63}"
	bad_config /linux/resources/cpu/shares "c['linux']['resources']['cpu'] = {'shares': -5}"
	bad_config /process/rlimits/0/soft "c['process']['rlimits'] = [{'type': 'RLIMIT_CORE', 'soft': -1, 'hard': 0}]"
	bad_config /linux/resources/blockIO/weight "c['linux']['resources']['blockIO'] = {'weight': 70000}"
	bad_config /process/oomScoreAdj "c['process']['oomScoreAdj'] = 2000"
}

@test "bad: names that nobody knows" {
	bad_config NOSUCH "c['linux']['namespaces'].append({'type': 'NOSUCH'})"
	bad_config RLIMIT_NOSUCH "c['process']['rlimits'] = [{'type': 'RLIMIT_NOSUCH', 'soft': 1, 'hard': 1}]"
	bad_config SCMP_ACT_NOSUCH "c['linux']['seccomp'] = {'defaultAction': 'SCMP_ACT_NOSUCH'}"
	bad_config SCMP_ARCH_NOSUCH "c['linux']['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_NOSUCH']}"
	bad_config nosuch "c['linux']['rootfsPropagation'] = 'nosuch'"
	bad_config /linux/devices "c['linux']['devices'] = [{'path': '/dev/x', 'type': 'z', 'major': 1, 'minor': 1}]"
}

@test "bad: values that cannot be" {
	bad_config /process/args "c['process']['args'] = []"
	bad_config cwd "c['process']['cwd'] = 'relative'"
	bad_config cwd "c['process']['cwd'] = ''"
	bad_config '' "c['ociVersion'] = ''"
	bad_config '' "c['ociVersion'] = '9.0.0'"
	bad_config '' "del c['ociVersion']"
	bad_config /linux/namespaces "c['linux']['namespaces'].append({'type': 'pid'})"
	bad_config '..' "c['linux']['cgroupsPath'] = '/berth-test/../x'"
	bad_config '' "c['linux']['namespaces'] = [n for n in c['linux']['namespaces'] if n['type'] != 'uts']"
	bad_config '' "c['linux']['sysctl'] = {'kernel.nosuch/../../x': '1'}"
	bad_config '' "c['hooks'] = {'prestart': [{'path': 'relative'}]}"
}

@test "bad: mounts that cannot be made are undone" {
	bad_config 'no such device' "c['mounts'].append({'destination': '/x', 'type': 'nosuchfs', 'source': 'x'})"
	bad_config 'no such file or directory' "c['mounts'].append({'destination': '/tmp', 'type': 'bind', 'source': '/none', 'options': ['bind']})"
	bad_config 'not a directory' "c['mounts'].append({'destination': '/etc/passwd', 'type': 'bind', 'source': '/tmp', 'options': ['bind']})"
	bad_config '' "c['mounts'].append({'destination': '/proc/x', 'type': 'tmpfs', 'source': 'x'})"
}

@test "bad: a program that is none" {
	bad_config 'executable file not found in $PATH' "c['process']['args'] = ['no-such-program']"
	bad_config 'no such file or directory' "c['process']['args'] = ['/no/such']"
	bad_config 'permission denied' "c['process']['args'] = ['/noexec']"
	bad_config 'permission denied' "c['process']['args'] = ['/etc']"
}

# ---- bundle, root, id, state ------------------------------------------------

@test "bad: a bundle that is none" {
	bad 'no such file or directory' create -b "$IT/none" c
	bad 'config.json not found' create -b / c
	ns touch "$IT/file"
	bad 'not a directory' create -b "$IT/file" c
	ns mkdir -p "$IT/dir/config.json"
	bad 'config.json' create -b "$IT/dir" c
}

# A record that could not be read again; DEL is six bytes of JSON.
@test "bad: annotations that make a record too long" {
	life_bundle berth | python3 -c '
import json, sys
c = json.load(sys.stdin)
c["annotations"] = {"a": "@" * 1000000}
json.dump(c, sys.stdout)' | tr @ '\177' >"$BATS_TEST_TMPDIR/config"
	bad_text '/annotations: file too large' <"$BATS_TEST_TMPDIR/config"
}

@test "bad: a root file system that is none" {
	bad_config 'no such file or directory' "c['root']['path'] = '/none'"
	bad_config 'not a directory' "c['root']['path'] = '$IT_OUT/rootfs/data/seed'"
	bad_config '' "c['root']['path'] = ''"
	bad_config '' "del c['root']"
}

@test "bad: ids" {
	for id in '' . .. .seccomp a/b ../x 'a b' $'a\nb' 'ä' a:b "$(printf 'x%.0s' {1..2000})"; do
		bad '' create -b "$IT/berth" -- "$id"
		[ "$id" = '' ] || bad '' run --rootfs "$IT_OUT/rootfs" --cgroup-path "$IT_CG/berth" -- "$id" true
	done
	for verb in state start pause resume kill delete ps; do
		bad '' "$verb" ''
		bad '' "$verb" ../x
	done
}

@test "bad: a record of another version, or damaged: told by every verb, and left alone" {
	for text in '{"version":999}' '{}' 'hello' ''; do
		ns mkdir -p "$IT/berth/root/c"
		ns sh -c "printf %s '$text' >$IT/berth/root/c/record.json"
		ns touch "$IT/berth/root/c/lock"
		LEFT_BEFORE=$(bad_left)
		for verb in state start pause kill delete 'delete -f'; do
			# shellcheck disable=SC2086
			bad '' $verb c
		done
		out=$(rt state c 2>&1) || true
		[ "$text" != '{"version":999}' ] || expect_in version "$out"
		# the others are listed all the same
		rt list 2>/dev/null | grep -q '^ID'
		ns rm -r "$IT/berth/root/c"
	done
	# what a create that was killed leaves has no record yet
	ns mkdir "$IT/berth/root/c"
	LEFT_BEFORE=$(bad_left)
	bad 'does not exist' state c
	rt delete -f c
	[ -z "$(ns find "$IT/berth/root" -mindepth 1)" ]
}

@test "bad: a state root that cannot be" {
	ns touch "$IT/file"
	for verb in 'state c' 'list' 'delete c' "create -b $IT/berth c"; do
		rc=0
		# shellcheck disable=SC2086
		out=$(ns "$BERTH" --root "$IT/file" $verb 2>&1 </dev/null) || rc=$?
		[ "$rc" = 1 ] || { echo "$verb: $rc $out"; return 1; }
	done
}

@test "bad: more passed sockets than there can be" {
	# shellcheck disable=SC2016 # the inner shell's
	output=$(ns sh -c 'LISTEN_FDS=4294967295 LISTEN_PID=$$ exec "$0" --root "$1" list' \
		"$BERTH" "$IT/berth/root" 2>&1) && return 1
	expect_in 'invalid number of fds to preserve'
}

@test "bad: flags of run --rootfs" {
	for flags in '--memory x' '--memory 0' '--cpus x' '--cpus 0' '--net x' '--user x' '--user 1:x' \
		'--mount x' '--mount a:b' '--mount type=bind,dst=/x' '--seccomp /none' '--cwd rel'; do
		# shellcheck disable=SC2086
		bad '' run --rootfs "$IT_OUT/rootfs" --cgroup-path "$IT_CG/berth" $flags c true
	done
	bad 'no such file or directory' run --rootfs /none c true
}

@test "bad: validate prints every problem with its line and pointer" {
	life_bundle berth | python3 -c '
import json, sys
c = json.load(sys.stdin)
c["process"]["terminal"] = "yes"
c["process"]["user"]["uid"] = -1
c["mounts"][0]["options"] = 7
c["linux"]["namespaces"].append({"type": "NOSUCH"})
json.dump(c, sys.stdout, indent=1)' >"$BATS_TEST_TMPDIR/config.json"
	ns mkdir -p "$IT/bad"
	ns tee "$IT/bad/config.json" <"$BATS_TEST_TMPDIR/config.json" >/dev/null
	rc=0
	out=$(rt validate "$IT/bad") || rc=$?
	echo "$out"
	[ "$rc" = 1 ]
	for pointer in /process/terminal /process/user/uid /mounts/0/options /linux/namespaces/; do
		grep -qE "^[1-9][0-9]* +$pointer" <<<"$out"
	done
	rc=0
	out=$(rt validate --json "$IT/bad") || rc=$?
	[ "$rc" = 1 ]
	python3 -c '
import json, sys
lines = open(sys.argv[1]).read().splitlines()
for p in json.load(sys.stdin):
    assert p["problem"] and p["pointer"].split("/")[-1].strip("0123456789") in lines[p["line"] - 1], p' \
		"$BATS_TEST_TMPDIR/config.json" <<<"$out"
	good_text | ns tee "$IT/bad/config.json" >/dev/null
	rt validate "$IT/bad"
	[ "$(rt validate --json "$IT/bad")" = '[]' ]
	bad 'no such file or directory' validate /none
}
