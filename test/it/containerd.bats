#!/usr/bin/env bats
# containerd.bats: containerd 1.6 and its own runc shim, told by --runc-binary
# which runtime to run. Everything is compared with runc in the same daemon.
# bats file_tags=nosan

load lib.bash
load setup_containerd.bash

setup_file() {
	it_need containerd ctr containerd-shim-runc-v2 busybox python3
	it_world
	containerd_up
	# ctr has no import of a plain tar: an OCI archive with one layer is one file more.
	python3 "$IT_LIB/setup_image" "$IT_OUT/rootfs" "$IT_OUT/box.tar" localhost/box:1
	c_import "$IT_OUT/box.tar"
	for RT in berth peer; do
		cr -d --memory-limit 134217728 localhost/box:1 "keep-$RT" sleep 3600
	done
}

teardown_file() {
	local bad=0

	containerd_down || bad=1
	it_end || bad=1
	return "$bad"
}

# ctr run with the runtime of this turn (see `both`).
cr() {
	c run --snapshotter native --runtime io.containerd.runc.v2 --runc-binary "$(rt)" \
		--cgroup "$IT_CG/$RT-$RANDOM$RANDOM" "$@"
}

# A container from a root file system, named after the turn.
crootfs() {
	[ -d "$IT_OUT/root-$RT" ] || cp -a "$IT_OUT/rootfs" "$IT_OUT/root-$RT"
	cr --rm --rootfs "$@"
}

@test "containerd: run from a root file system" {
	run_probe() { crootfs "$IT_OUT/root-$RT" "r1-$RT" /probe; }
	both run_probe
	expect_in 'CapEff'
}

@test "containerd: run from an image" {
	image() { cr --rm localhost/box:1 "i1-$RT" sh -c 'echo out; echo err >&2; exit 3' 2>/dev/null; }
	both image
	[ "$status" = 3 ]
}

@test "containerd: exit codes" {
	code() { cr --rm localhost/box:1 "e$1-$RT" sh -c "exit $1"; }
	both_rc 0 code 0
	both_rc 1 code 1
	both_rc 127 code 127
	fails() { cr --rm localhost/box:1 "f-$RT" "$@"; local rc=$?; c c rm "f-$RT" 2>/dev/null; return "$rc"; }
	both_rc same fails no-such-command
	expect_words 'executable file not found' fails no-such-command
	expect_words 'no such file or directory' fails /no/such
	expect_words 'permission denied' fails /noexec
	expect_words 'permission denied' fails /etc
}

# The words of the runtime arrive through the shim's reading of its log.
expect_words() {
	local RT out want=$1

	shift
	for RT in peer berth; do
		out=$("$@" 2>&1) && return 1
		expect_in "$want" "$out" || return 1
		expect_in 'OCI runtime create failed: ' "$out" || return 1
	done
}

@test "containerd: a terminal" {
	tty_run() {
		on_tty ns ctr -a "$IT/ctd/sock" run --snapshotter native --rm -t --runtime io.containerd.runc.v2 \
			--runc-binary "$(rt)" --cgroup "$IT_CG/tty-$RT" localhost/box:1 "t-$RT" "$@"
	}
	both tty_run sh -c '/probe tty; [ -t 0 ] && [ -t 1 ] && echo terminal; exit 6'
	expect_in terminal
	[ "$status" = 6 ]
}

@test "containerd: options" {
	opts() {
		cr --rm --read-only --env A=1 --cwd /home/kay \
			--cap-drop CAP_CHOWN --cap-add CAP_NET_ADMIN --no-pivot --mount "type=bind,src=$IT_OUT,dst=/tmp,options=rbind:ro" \
			localhost/box:1 "o-$RT" /probe
	}
	both opts
	expect_in 'CapEff:	00000000a80435fa'
	seccomp() { cr --rm --seccomp localhost/box:1 "s-$RT" /probe status; }
	both seccomp
	expect_in 'Seccomp:	2'
	host() { cr --rm --net-host localhost/box:1 "h-$RT" /probe ns; }
	both host
	expect_in 'net net:world'
	pidfile() { cr --rm --pid-file "$IT/pid-$RT" localhost/box:1 "p-$RT" true && ns cat "$IT/pid-$RT" | grep -cE '^[0-9]+$'; }
	both pidfile
	expect 1
}

@test "containerd: limits" {
	limits() {
		cr -d --memory-limit 67108864 --cpus 0.5 --cpu-shares 300 --cgroup "$IT_CG/lim-$RT" localhost/box:1 "lim-$RT" sleep 60
		local h
		for h in $(it_hierarchies); do
			(cd "$h$IT_CG/lim-$RT" 2>/dev/null && grep . memory.limit_in_bytes cpu.cfs_quota_us cpu.shares devices.list 2>/dev/null)
		done | sort
		c task rm -f "lim-$RT" 2>/dev/null
		c c rm "lim-$RT"
	}
	both limits
	expect_in 'memory.limit_in_bytes:67108864'
	expect_in 'cpu.cfs_quota_us:50000'
}

@test "containerd: task ls, ps, info" {
	listed() {
		c task ls | awk -v n="keep-$RT" '$1 == n { print $3 }'
		c task ps "keep-$RT" | awk 'NR > 1 { n++ } END { print n }'
		c c info "keep-$RT" | grep -c io.containerd.runc.v2
	}
	both listed
	expect $'RUNNING\n1\n1'
}

@test "containerd: exec" {
	ex() { c task exec --exec-id "x$RANDOM" "$@"; }
	exk() { ex "keep-$RT" "$@"; }
	both exk /probe
	both_rc 9 exk sh -c 'exit 9'
	both_rc same exk no-such-command
	exu() { ex --user 1000:6 --cwd /home "keep-$RT" sh -c 'id; pwd'; }
	both exu
	expect_in 'uid=1000(kay)'
	ext() { on_tty ns ctr -a "$IT/ctd/sock" task exec -t --exec-id "t$RANDOM" "keep-$RT" sh -c 'sleep 0.5; tty; exit 4'; }
	both ext
	[ "$status" = 4 ]
	piped() { echo piped | ex "keep-$RT" cat; }
	both piped
	expect piped
}

@test "containerd: pause and resume" {
	paused() {
		c task pause "keep-$RT"
		c task ls | awk -v n="keep-$RT" '$1 == n { print $3 }'
		c task resume "keep-$RT"
		c task ls | awk -v n="keep-$RT" '$1 == n { print $3 }'
		c task resume "keep-$RT" 2>/dev/null
		echo "again $?"
	}
	both paused
	expect $'PAUSED\nRUNNING\nagain 1'
}

@test "containerd: metrics" {
	metrics() {
		c task metrics --format json "keep-$RT" | python3 -c '
import json, sys
m = json.load(sys.stdin)
print(sorted(m))
print(m["memory"]["usage"]["limit"], m["pids"]["current"], m["cpu"]["usage"]["total"] > 0)'
	}
	both metrics
	expect_in '134217728 1 True'
}

@test "containerd: kill and delete in every state" {
	life() {
		local id=l-$RT
		cr -d localhost/box:1 "$id" sh -c 'trap "exit 6" TERM; while :; do sleep 0.1; done'
		c task ls | awk -v n="$id" '$1 == n { print $3 }'
		c task rm "$id" 2>/dev/null
		echo "rm of running $?"
		it_trapped "$(c task ls | awk -v n="$id" '$1 == n { print $2 }')" 15
		c task kill -s TERM "$id"
		it_until 30 "c task ls | grep -q '$id .*STOPPED'" && echo stopped
		c task kill "$id" 2>/dev/null
		echo "kill of stopped $?"
		c task rm "$id" 2>/dev/null
		echo "rm of stopped $?"
		c task ls | grep -c "$id"
		c c rm "$id"
	}
	both life
	expect_in stopped
}

@test "containerd: kill of everything, and forced removal" {
	forced() {
		local id=k-$RT
		cr -d localhost/box:1 "$id" sh -c 'trap "" TERM; sleep 100 & sleep 100 & wait'
		c task kill -s KILL -a "$id"
		it_until 30 "c task ls | grep -q '$id .*STOPPED'" && echo stopped
		c task rm "$id" 2>/dev/null
		c c rm "$id"
		cr -d localhost/box:1 "$id" sh -c 'trap "" TERM; sleep 100'
		c task rm -f "$id" 2>/dev/null
		c c rm "$id" && echo removed
	}
	both forced
	expect $'stopped\nremoved'
}

@test "containerd: running out of memory is 137 and an event" {
	oom() {
		local id=oom-$RT log=$IT_OUT/events-$RT.log
		ns_daemon "events-$RT" ctr -a "$IT/ctd/sock" events
		sleep 2
		cr --rm --memory-limit 16777216 localhost/box:1 "$id" sh -c 'sleep 0.3; tail /dev/zero'
		echo "rc $?"
		it_until 30 "grep -q /tasks/oom $log" && echo event
		ns_stop "events-$RT"
		grep -oE '/tasks/(create|start|oom|exit|delete)' "$log" | sort -u
	}
	both oom
	expect_in event
}

# The runtime then says 'container does not exist', which the shim looks for.
@test "containerd: a container deleted behind its back" {
	behind() {
		local id=b-$RT
		cr -d localhost/box:1 "$id" sleep 60
		ns "$(rt)" --root /run/containerd/runc/default delete --force "$id"
		it_until 30 "c task ls | grep -q '$id .*STOPPED'" && echo stopped
		c task rm "$id" 2>/dev/null
		echo "rm $?"
		c c rm "$id"
		cr -d localhost/box:1 "$id" sleep 60
		ns "$(rt)" --root /run/containerd/runc/default kill "$id" KILL
		it_until 30 "c task ls | grep -q '$id .*STOPPED'" && echo stopped
		c task kill -s TERM "$id" 2>&1 | grep -o 'not found'
		c task rm "$id" 2>/dev/null
		c c rm "$id"
	}
	both behind
	expect_in stopped
	expect_in "not found"
}
