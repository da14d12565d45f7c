#!/usr/bin/env bats
# life_output.bats: what the verbs print, how `run` and `exec` end, and the
# command line itself, beside runc.
# bats file_tags=sansoak

load lib.bash
load life_lib.bash

setup_file() {
	it_need busybox script python3
	it_world
	life_up
}

teardown_file() {
	for RT in berth peer; do
		life_gone
	done
	it_end
}

setup() {
	RT=berth
}

# life_run [FLAGS] -- COMMAND…: the bundle's config with another command.
life_run() {
	local flags=()

	while [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	shift
	life_config "c['process']['args'] = sys.argv[2:]" "$@"
	rt run "${flags[@]}" -b "$IT/$RT.d" c
}

# life_config PYTHON ARG…: a bundle in $IT/$RT.d, changed by a line of Python.
life_config() {
	ns mkdir -p "$IT/$RT.d"
	life_bundle "$RT" | python3 -c '
import json, sys
c = json.load(sys.stdin)
exec(sys.argv[1])
json.dump(c, sys.stdout)' "$@" | ns tee "$IT/$RT.d/config.json" >/dev/null
}

# ---- what is printed --------------------------------------------------------

no_numbers() {
	sed -E 's/"pid": [1-9][0-9]*/"pid": N/; s/20[0-9-]{8}T[0-9:.]*Z +/TIME /; s/20[0-9-]{8}T[0-9:.]*Z/TIME/;
		s/^(c +)[1-9][0-9]* +/\1N /; s/"pid":[1-9][0-9]*/"pid":N/; s/ {3,}/   /g'
}

@test "life: state, list and list -f json are those of runc" {
	print_all() {
		for s in created running paused stopped; do
			life_make "$s"
			rt state c | no_numbers
			rt list | no_numbers
			rt list -f json | no_numbers
			rt list -q
		done
		life_gone
		rt list
		rt list -f json
	}
	both print_all
}

@test "life: list --json is an array, also when it is empty or filled" {
	[ "$(rt list --json)" = '[]' ]
	life_make created
	rt list --json | python3 -c '
import json, sys
(c,) = json.load(sys.stdin)
assert c["id"] == "c" and c["status"] == "created" and c["owner"] == "root", c'
	life_gone
}

@test "life: list has an id that begins with a dot, and not the cache of filters" {
	rt run -d -b "$IT/berth" .dot >/dev/null 2>&1
	ns mkdir -p "$IT/berth/root/.seccomp"
	output=$(rt list -q)
	rt delete -f .dot
	expect .dot
}

@test "life: ps prints the lines of the container's processes" {
	print_ps() {
		life_make running
		rt exec -d c sleep 7
		# runc's is still itself for a moment.
		[ "$RT" = berth ] || it_until 30 'rt ps c | grep -q "sleep 7$"'
		rt ps c | awk '{ print $NF }'
		rt ps c aux | awk '{ print $1, $NF }'
		rt ps c -o user,pid,comm | awk '{ print $1, $NF }'
		rt ps -f json c | tr -dc '[],'
		rt ps c -o comm
		rt ps -f nosuch c
		life_gone
	}
	both print_ps
}

@test "life: events --stats has runc's keys" {
	keys() {
		life_make running
		rt events --stats c | python3 -c '
import json, sys
def walk(v, path):
    if isinstance(v, dict):
        for k in sorted(v):
            walk(v[k], path + "." + k)
    else:
        print(path)
d = json.load(sys.stdin)
print(d["type"], d["id"])
for k in ("cpu", "memory", "pids"):
    d["data"][k].pop("raw", None)
    walk({k: d["data"][k]}, "")'
		life_gone
	}
	both keys
}

@test "life: events follows: statistics at intervals, an OOM kill, the end" {
	life_config "c['linux']['resources']['memory'] = {'limit': 8 << 20}
c['process']['args'] = ['sh', '-c', 'sleep 4; x=\$(tr \"\\\\0\" x </dev/zero | head -c 60000000); sleep 1']"
	rt run -d -b "$IT/berth.d" c >/dev/null 2>&1
	out=$(rt events --interval 400ms c)
	echo "$out" | cut -c1-60
	[ "$(grep -c '^{"type":"stats","id":"c","data":{' <<<"$out")" -ge 2 ]
	grep -qx '{"type":"oom","id":"c"}' <<<"$out"
	life_gone
}

# ---- how it ends ------------------------------------------------------------

@test "life: run ends as its process does" {
	codes() {
		local rc

		for cmd in 'exit 0' 'exit 7' 'exit 255'; do
			rc=0
			life_run -- sh -c "$cmd" || rc=$?
			echo "$cmd: $rc"
		done
		rt state c
	}
	both codes
}

@test "life: run: a process ended by a signal is 128 and its number" {
	by_signal() {
		local rc=0

		life_run --pid-file "$BATS_TEST_TMPDIR/pid-$RT" -- sleep 60 >/dev/null 2>&1 &
		it_until 30 "[ -s '$BATS_TEST_TMPDIR/pid-$RT' ]"
		it_wait 30 life_is running
		rt kill c KILL
		wait $! || rc=$?
		echo "$rc"
		life_status
	}
	both by_signal
	expect $'137\nnone'
}

@test "life: run forwards signals" {
	# the signal goes to the runtime itself, found by what it runs
	forward() {
		local rc=0 pid

		life_config "c['process']['args'] = ['sh', '-c', 'trap \"echo got; exit 5\" TERM; echo up; while :; do sleep 0.1; done']"
		local bin=$BERTH
		[ "$RT" = berth ] || bin=$PEER
		# shellcheck disable=SC2086
		$IT_ENTER -- "$bin" --root "$IT/$RT/root" run -b "$IT/$RT.d" c >"$BATS_TEST_TMPDIR/out-$RT" 2>&1 </dev/null 3>&- 4>&- &
		pid=$!
		it_until 30 "grep -q up '$BATS_TEST_TMPDIR/out-$RT'"
		kill -TERM "$(life_runtime_pid "$pid")"
		wait "$pid" || rc=$?
		cat "$BATS_TEST_TMPDIR/out-$RT"
		echo "$rc"
	}
	both forward
	expect $'up\ngot\n5'
}

# 34 is below what some C libraries call SIGRTMIN.
@test "life: run forwards every real-time signal, and kill knows their names" {
	forward_rt() {
		local rc=0 pid

		life_config "c['process']['args'] = ['sh', '-c', 'trap \"echo got; exit 5\" $1; echo up; while :; do sleep 0.1; done']"
		: >"$BATS_TEST_TMPDIR/out-$RT" # the one before was up, too
		# shellcheck disable=SC2086
		$IT_ENTER -- "$BERTH" --root "$IT/$RT/root" run -b "$IT/$RT.d" c >"$BATS_TEST_TMPDIR/out-$RT" 2>&1 </dev/null 3>&- 4>&- &
		pid=$!
		it_until 30 "grep -q up '$BATS_TEST_TMPDIR/out-$RT'"
		if [ -n "${2:-}" ]; then
			rt kill c "$2"
		else
			kill "-$1" "$(life_runtime_pid "$pid")"
		fi
		wait "$pid" || rc=$?
		expect $'up\ngot' "$(cat "$BATS_TEST_TMPDIR/out-$RT")"
		expect 5 "$rc"
	}
	forward_rt 34
	forward_rt 64
	forward_rt 37 SIGRTMIN+3
	forward_rt 62 RTMAX-2
}

# The runtime below what entered the world: the last of a chain of one child each.
life_runtime_pid() {
	local pid=$1 next

	while next=$(pgrep -P "$pid" -f -- "--root $IT/$RT/root run" | head -n 1) && [ -n "$next" ]; do
		pid=$next
	done
	echo "$pid"
}

@test "life: run --keep leaves it stopped, delete removes it" {
	keep() {
		life_run --keep -- true
		life_status
		rt delete c
		life_status
	}
	both keep
	expect $'stopped\nnone'
}

@test "life: exec: exit codes, streams, user, groups, directory, environment" {
	execs() {
		local rc

		life_make running
		for cmd in 'exit 0' 'exit 9' 'kill -9 $$'; do
			rc=0
			rt exec c sh -c "$cmd" || rc=$?
			echo "$cmd: $rc"
		done
		rt exec c sh -c 'echo out; echo err >&2' 2>/dev/null
		rt exec -u 1000:6 -g 5 -g 7 c id
		rt exec -u 1000 c id
		rt exec --cwd /tmp -e A=1 -e B=2 c sh -c 'pwd; echo $A$B'
		rt exec --cap CAP_SYS_ADMIN c grep Cap /proc/self/status
		rt exec --no-new-privs=false c grep NoNewPrivs /proc/self/status
		for bad in '-u x c id' '-u 1:x c id' '-g -5 c id' '--cwd rel c id' '--cwd /none c id' \
			'c' 'c /etc' 'c /noexec' 'c /none' 'c none' '-d -t c id' '--console-socket x c id' \
			'-p /none c'; do
			rc=0
			# shellcheck disable=SC2086
			rt exec $bad 2>&1 | life_words | sed -E "s/strconv.*': //; s/: ch(dir|ange) to .*: /: cwd: /;
				s#open '(.*)'#open \1#"
			# shellcheck disable=SC2086
			rt exec $bad >/dev/null 2>&1 || rc=$?
			echo "$bad: $rc"
		done
		life_gone
	}
	both execs
}

@test "life: exec -p FILE" {
	from_file() {
		life_make running
		echo '{"args":["sh","-c","id; pwd; echo $A"],"cwd":"/tmp","env":["PATH=/bin","A=b"],"user":{"uid":3,"gid":4}}' |
			ns tee "$IT/p.json" >/dev/null
		rt exec -p "$IT/p.json" c
		life_gone
	}
	both from_file
}

@test "life: a terminal: run, and exec into it" {
	life_config "c['process']['terminal'] = True; c['process']['args'] = ['sh', '-c', 'tty; stty size; echo typed: \$(head -n 1)']"
	out=$(type_keys 'word\r' | on_tty ns "$BERTH" --root "$IT/berth/root" run -b "$IT/berth.d" c)
	echo "$out"
	expect_in /dev/pts/0 "$out"
	expect_in '33 99' "$out"
	expect_in 'typed: word' "$out"
	life_make running
	out=$(on_tty ns "$BERTH" --root "$IT/berth/root" exec -t c sh -c 'tty; stty size; exit 4' </dev/null) || rc=$?
	expect_in '33 99' "$out"
	[ "$rc" = 4 ]
	life_gone
}

# Where an exec without its cgroup would be outside all limits.
@test "life: exec --cgroup: existing sub-cgroups, by controller or all" {
	[ -d /sys/fs/cgroup/memory ] || skip "a host with cgroup v1"
	in_cgroups() {
		local rc

		life_make running
		for c in cpu memory freezer; do
			mkdir "/sys/fs/cgroup/$c$IT_CG/$RT/sub"
		done
		for arg in / cpu:sub cpu,memory:/sub sub none cpu:none a:b:c nosuch:sub ../.. cpu:../..; do
			rc=0
			rt exec --cgroup "$arg" c cat /proc/self/cgroup >"$BATS_TEST_TMPDIR/out" 2>/dev/null || rc=$?
			echo "$arg: $rc, $(grep "$RT/sub$" "$BATS_TEST_TMPDIR/out" | cut -d: -f2 | sort | tr '\n' ' ')"
		done
		rt exec --cgroup cpu:sub --cgroup freezer:sub c cat /proc/self/cgroup | grep -c "$RT/sub$"
		rt exec --cgroup sub --cgroup freezer:sub c true || echo "$?"
		for c in cpu memory freezer; do
			it_wait 30 rmdir "/sys/fs/cgroup/$c$IT_CG/$RT/sub"
		done
		life_gone
	}
	both in_cgroups
}

# ---- the command line -------------------------------------------------------

@test "life: wrong usage: exit codes and words of runc" {
	wrong() {
		local words rc

		while read -r words; do
			rc=0
			# shellcheck disable=SC2086
			rt $words >/dev/null 2>"$BATS_TEST_TMPDIR/err" || rc=$?
			echo "$words: $rc"
			grep -o 'level=error msg=.*' "$BATS_TEST_TMPDIR/err" |
				sed -E 's/\\n"$/"/; s#msg="[^ "]*/runc: #msg="runc: #; s/msg="[^ "]*berth: /msg="runc: /'
		done <<-'END'
			nosuch
			help nosuch
			help state
			state
			state a b
			state --nosuch x
			start
			create
			create --preserve-fds x y
			create --preserve-fds
			create --no-pivot=x y
			kill
			kill a b c
			delete
			delete -f
			exec
			ps
			pause
			pause a b
			update
			events --interval x y
			list -f nosuch
			features x
			spec -b /none
			create -b /none x
			run -b / x
			--nosuch state x
			--log-format nosuch state x
			--log /none/log state x
		END
	}
	both wrong
}

@test "life: errors in a log: JSON and text, and bare on stderr" {
	log_of() {
		for format in json text; do
			rt --log "$IT/$RT.log" --log-format "$format" state nosuch
			ns cat "$IT/$RT.log" | sed -E 's/20[0-9-]{8}T[0-9:]*Z/TIME/'
			ns stat -c %a "$IT/$RT.log"
			ns rm "$IT/$RT.log"
		done
	}
	both log_of
}

@test "life: spec writes what runc writes, and nothing over a file" {
	spec() {
		ns mkdir -p "$IT/spec-$RT"
		for flags in '' --rootless; do
			# shellcheck disable=SC2086
			rt spec -b "$IT/spec-$RT" $flags
			ns cat "$IT/spec-$RT/config.json" | sed -E 's/"(ociVersion|hostname)": .*/"\1"/'
			rt spec -b "$IT/spec-$RT"
			ns rm "$IT/spec-$RT/config.json"
		done
	}
	both spec
}

@test "life: help of every verb names its flags, completion the same" {
	for verb in $(rt completion | grep -v ^-); do
		[ "$verb" = help ] && continue
		help=$(rt "$verb" --help)
		expect_in "berth $verb - " "$help"
		rt completion "$verb" | while read -r flag; do
			expect_in "$flag" "$help"
		done
	done
}

@test "life: help and version that cannot be written are an error" {
	for call in --help help 'help run' 'run --help' --version; do
		rc=0
		# shellcheck disable=SC2016
		out=$(ns sh -c '"$0" $1 2>&1 >/dev/full' "$BERTH" "$call") || rc=$?
		[ "$rc" = 1 ] || { echo "$call: $rc"; return 1; }
		expect_in 'write to stdout: no space left on device' "$out"
	done
}

@test "life: every flag of runc is known" {
	for verb in create run start delete kill pause resume state list ps exec update events spec; do
		"$PEER" "$verb" --help | grep -oE '^   --[a-z0-9-]+' | while read -r flag; do
			rt completion "$verb" | grep -qx -- "$flag" || { echo "$verb $flag"; exit 1; }
		done
	done
}

@test "life: checkpoint and restore say no" {
	for verb in checkpoint restore; do
		rc=0
		out=$(rt "$verb" c 2>&1) || rc=$?
		[ "$rc" = 1 ]
		expect_in 'not supported yet' "$out"
	done
}
