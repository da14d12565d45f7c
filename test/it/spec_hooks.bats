#!/usr/bin/env bats
# spec_hooks.bats: the six hooks: when they run, in which namespaces, what they
# are told, timeouts, and what is left when one fails.
# bats file_tags=sansoak

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
	# hook LOG NAME [COMMAND…]: a line about where it runs, and the state it got.
	cat >"$IT_OUT/bin/hook" <<-'SH'
		#!/bin/sh
		log=$1 name=$2
		shift 2
		state=$(cat)
		field() { printf %s "$state" | tr -d ' \n' | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
		where=
		for n in mnt net uts ipc; do
			[ "$(readlink /proc/self/ns/$n)" = "$(cat "${log%/*}/world.$n")" ] || where="$where $n"
		done
		echo "$name id=$(field id) status=$(field status) a=$(field a) in:$where" >>"$log"
		[ $# = 0 ] || exec "$@"
	SH
	chmod 755 "$IT_OUT/bin/hook"
	mkdir -p "$IT_OUT/rootfs/log"
	for n in mnt net uts ipc; do
		ns readlink "/proc/self/ns/$n" >"$IT_OUT/rootfs/log/world.$n"
	done
	cp "$IT_OUT/bin/hook" "$IT_OUT/rootfs/hook"
}

teardown_file() {
	spec_down
}

# A hook in the container is forked off a process that must not show it the host's binary; the
# poststart hook, which is not in there, tells what its parent was executed from.
@test "hooks: start runs from a protected copy" {
	RT=berth
	conf "$ALL"'
c["hooks"] = {}
hook("startContainer"); hook("poststart", "sh", "-c", "readlink /proc/$PPID/exe >>" + log)'
	rt create -b "$(bundle)" c
	rt start c
	logged | tail -n 1 | grep -xE '/|/memfd:berth \(deleted\)'
	gone c
}

# The reader of a FIFO ends with its first writer; a second open would wait for another, unless
# that reader has not come to end yet.
@test "hooks: start opens its log once" {
	local log=$IT_OUT/log.fifo pid

	RT=berth
	mkfifo "$log"
	conf "$ALL"'
c["hooks"] = {}
hook("startContainer")'
	for _ in 1 2 3 4 5 6; do
		rt create -b "$(bundle)" c
		cat "$log" >/dev/null 3>&- 4>&- &
		pid=$!
		ns timeout -k 1 5 "$BERTH" --root "$IT/berth/root" --log "$log" start c </dev/null 3>&- 4>&-
		wait $pid
		gone c
	done
	rm "$log"
}

@test "hooks: startContainer runs as the program does: ids, groups, umask, capabilities, no_new_privs" {
	look='grep -E "^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs)" /proc/self/status'
	as_program() {
		conf "$ALL"'
c["hooks"] = {}
hook("startContainer", "sh", "-c", "'"${look//\"/\\\"}"'  >>/log/" + rt)
p["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [7, 8], "umask": 63}
for k in p["capabilities"]: p["capabilities"][k] = ["CAP_KILL", "CAP_NET_BIND_SERVICE"]
p["noNewPrivileges"] = '"$1" "$look"
		: >"$IT_OUT/rootfs/log/$RT"
		chmod 666 "$IT_OUT/rootfs/log/$RT"
		go >"$IT_OUT/said.$RT" 2>&1
		grep -v ^startContainer "$IT_OUT/rootfs/log/$RT" | diff - "$IT_OUT/said.$RT" && cat "$IT_OUT/said.$RT"
	}
	both as_program True
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in $'NoNewPrivs:\t1'
	expect_in $'Groups:\t7 8'
	expect_in $'Umask:\t0077'
	both as_program False
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in $'NoNewPrivs:\t0'
}

@test "hooks: in a user namespace those in the container are its root, and not the host's" {
	in_user_ns() {
		mkdir -p "$IT_OUT/by"
		chmod 777 "$IT_OUT/by"
		rm -f "$IT_OUT/by/it"
		conf "$ALL"'
maps(0, 100000)
c["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "(id; grep -E \"^Cap(Eff|Bnd)\" /proc/self/status) >" + out + "/by/it"],
    "env": ["PATH=/bin:/usr/bin"]}]}' true
		go
		cat "$IT_OUT/by/it"
		stat -c %u:%g "$IT_OUT/by/it"
	}
	both in_user_ns
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	expect_in 'uid=0(root) gid=0(root) groups=0(root)'
	expect_in 100000:100000
}

KINDS='prestart createRuntime createContainer startContainer poststart poststop'

# In Python: all hooks, each of which logs to what is /log in the container too.
ALL='c["annotations"] = {"a": "note"}
log = out + "/rootfs/log/" + rt
open(log, "w").close()
def hook(kind, *command, **more):
    inside = kind == "startContainer"
    c.setdefault("hooks", {}).setdefault(kind, []).append({"path": "/hook" if inside else out + "/bin/hook",
        "args": ["hook", "/log/" + rt if inside else log, kind, *command], "env": ["PATH=/bin:/usr/bin"], **more})
for k in "'$KINDS'".split():
    hook(k)
'

logged() {
	cat "$IT_OUT/rootfs/log/$RT"
}

# The poststart hook of runc 1.1 is still told `created`.
known() {
	sed 's/^\(poststart .*status=\)created/\1running/'
}

@test "hooks: all six, in order, with state and namespaces, by run" {
	by_run() {
		conf "$ALL" 'echo program >>/log/'"$RT"
		go
		logged | known | sort
	}
	both by_run
	expect_in 'prestart id=c status=creating a=note in:'
	expect_in 'startContainer id=c status=created a=note in: mnt net uts ipc'
	[ "$(grep -c . <<<"$output")" = 7 ]
	RT=berth
	by_run >/dev/null
	expect "prestart createRuntime createContainer startContainer" "$(logged | cut -d' ' -f1 | head -n 4 | tr '\n' ' ' | sed 's/ $//')"
	expect poststop "$(logged | tail -n 1 | cut -d' ' -f1)"
	expect 'createContainer id=c status=creating a=note in: mnt' "$(grep ^createContainer <<<"$output" | sed 's/ net.*//')"
}

@test "hooks: by create, start and delete" {
	by_verbs() {
		conf "$ALL" "echo program >>/log/$RT; exec sleep 600"
		rt create -b "$(bundle)" c >/dev/null 2>&1
		echo "created:"
		logged | sed "s/ status=[a-z]*//; /^startC/s/ in:.*//"
		rt start c
		it_wait 30 grep -q program "$IT_OUT/rootfs/log/$RT"
		echo "started:"
		logged | known | sed "s/ status=[a-z]*//; /^startC/s/ in:.*//" | sort
		rt kill c KILL
		it_until 30 'rt state c | grep -q stopped'
		rt delete c
		echo "deleted:"
		logged | known | sed "s/ status=[a-z]*//; /^startC/s/ in:.*//" | tail -n 1
		logged >"$BATS_TEST_TMPDIR/log.$RT"
	}
	# With runc 1.1 poststart comes before start; crun tells all of them created.
	PEER=$CRUN both by_verbs
	expect 'creating creating creating created running stopped' "$(cat "$BATS_TEST_TMPDIR/log.berth" | grep -o 'status=[a-z]*' | cut -d= -f2 | tr '\n' ' ' | sed 's/ $//')"
}

@test "hooks: the state is one JSON document with pid, bundle and annotations" {
	conf 'c["annotations"] = {"k": "v"}
for k in ("createRuntime", "poststart", "poststop"):
    c.setdefault("hooks", {})[k] = [{"path": "/bin/sh", "args": ["sh", "-c", f"cat >{out}/state-{k}"]}]' true
	RT=berth
	go
	local k

	for k in createRuntime poststart; do
		jq -e '.ociVersion and .id == "c" and .annotations.k == "v" and .pid > 0 and (.bundle | startswith("/"))' \
			"$IT_OUT/state-$k"
	done
	expect creating "$(jq -r .status "$IT_OUT/state-createRuntime")"
	expect running "$(jq -r .status "$IT_OUT/state-poststart")"
	expect stopped "$(jq -r .status "$IT_OUT/state-poststop")"
}

@test "hooks: exactly their own arguments and environment" {
	exact() {
		conf 'c["hooks"] = {"createRuntime": [{"path": "/usr/bin/env", "args": ["env", "-0"], "env": []},
{"path": "/bin/sh", "args": ["zero", "-c", "(echo $0 $# $1; env; basename $PWD; echo fds $(ls /proc/$$/fd)) >" + out + "/env-" + rt, "one"], "env": ["A=1", "B="]}]}' true
		go
		grep -v '^PWD\|^_' "$IT_OUT/env-$RT"
	}
	both exact
	expect_in 'A=1'
	expect_in 'fds 0 1 2'
}

# A failing hook of each kind: exit status, which hooks ran, what is left.
@test "hooks: a failing one of each kind, as in runc" {
	local kind

	fails() {
		local rc=0

		# shellcheck disable=SC2016
		conf "$ALL"'c["hooks"]["'"$kind"'"] = []
hook("'"$kind"'", "false"); hook("'"$kind"'")' "echo program >>/log/$RT; sleep 0.3"
		go >"$BATS_TEST_TMPDIR/said" 2>&1 || rc=$?
		echo "$kind: exit $rc, $(grep -c 'left its' "$BATS_TEST_TMPDIR/said") left"
		# Whether the program got as far as to speak is a race; with runc 1.1 poststart is, too.
		logged | grep -v "^program\|^poststart$([ "$kind" != poststart ] || echo '\|^startC')" | cut -d' ' -f1-3 | uniq
		case $kind in
		poststop) ;;
		*) grep -o 'error running hook\|error running .* hook' "$BATS_TEST_TMPDIR/said" | head -n 1 | sed 's/running.*hook/running hook/' ;;
		esac
	}
	for kind in $KINDS; do
		both fails || return 1
		RT=berth it_cgroup_none
	done
}

@test "hooks: create that failed leaves nothing; start that failed leaves a stopped container" {
	after_start() {
		conf "$ALL"'c["hooks"]["startContainer"] = []; hook("startContainer", "false")' 'sleep 600'
		rt create -b "$(bundle)" c >/dev/null 2>&1
		rt start c >/dev/null 2>&1
		echo "start $?"
		it_until 30 'rt state c | grep -q stopped' && echo stopped
		rt delete c
		echo "delete $?"
		logged | known
	}
	# Both peers say nothing of it: start has returned before.
	RT=berth
	output=$(after_start)
	expect_in 'start 1'
	expect_in stopped
	expect_in 'delete 0'
	expect_in 'poststop id=c'
}

@test "hooks: a timeout kills the hook and undoes the container" {
	local t0=$SECONDS

	refused 'ran past 1s' "$ALL"'hook("createRuntime", "sleep", "60", timeout=1)' true
	[ $((SECONDS - t0)) -lt 20 ]
	[ -z "$(ns_left | grep 'sleep 60$')" ]
	refused /hooks/prestart/0/timeout 'c["hooks"] = {"prestart": [{"path": "/bin/true", "timeout": 0}]}' true
	refused /hooks/prestart/0/path 'c["hooks"] = {"prestart": [{"path": "bin/true"}]}' true
}

@test "hooks: a timeout of weeks is not one of milliseconds" {
	ours 'c["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1"], "timeout": 4294968}]}' 'echo fine'
	[ "$output" = fine ]
}

@test "hooks: a failing or missing program is named, with its output" {
	refused_by_both 'what a pity' 'c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo what a pity; exit 4"]}]}' true
	expect_in 'exit status 4'
	refused_by_both /no/such/hook 'c["hooks"] = {"createContainer": [{"path": "/no/such/hook"}]}' true
	refused_by_both /no/such/hook 'c["hooks"] = {"startContainer": [{"path": "/no/such/hook"}]}' true
}

@test "hooks: one that does not read, and one that leaves a child, hold nobody up" {
	ours 'c["hooks"] = {"createRuntime": [{"path": "/bin/true"}, {"path": "/bin/sh", "args": ["sh", "-c", "sleep 2 & exit 0"]}]}' 'echo on'
	expect on
}

@test "hooks: delete --force and a failing poststop still delete" {
	RT=berth
	conf "$ALL"'c["hooks"]["poststop"] = []; hook("poststop", "false"); hook("poststop")' 'exec sleep 600'
	up
	output=$(rt delete -f c 2>&1; echo "delete $?")
	expect_in 'level=warning'
	expect_in 'poststop hook'
	rt state c >/dev/null 2>&1 && return 1
	[ "$(logged | grep -c ^poststop)" = 2 ]
	expect_in 'delete 0'
}
