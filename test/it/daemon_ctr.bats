#!/usr/bin/env bats
# daemon_ctr.bats: Debian's ctr at berthd and at containerd, side by side: one
# script (setup_daemon_script.bash) is run at both, and outputs, exit statuses and
# events must be the same; what may differ is a table of docs/conformance.md. The
# same with what calls answer that no client makes (test/daemon/calls.go).
# bats file_tags=nosan,long

load lib.bash
load shim_lib.bash
load daemon_lib.bash
load setup_daemon_script.bash

setup_file() {
	it_need containerd ctr containerd-shim-runc-v2 busybox python3 script go
	it_daemon
	it_world
	it_client
	"$PEER" spec -b "$IT_OUT"
	daemon_up containerd berthd
	# Both at once: most of it waits.
	DAEMON=containerd daemon_script >"$IT_OUT/script-containerd.log" 2>&1 3>&- 4>&- || true &
	local first=$!
	daemon_script >"$IT_OUT/script-berthd.log" 2>&1 3>&- 4>&- || true
	wait "$first"
}

teardown_file() {
	local bad=0

	daemon_down containerd berthd || bad=1
	it_end || bad=1
	return "$bad"
}

same() { # SECTION
	"$IT_LIB/setup_daemon_compare" "$IT_OUT/steps" "$IT_TOP/docs/conformance.md" "$1" ||
		{ grep never: "$IT_OUT"/script-*.log; return 1; }
}

@test "daemon ctr: version and plugins" { same daemon; }
@test "daemon ctr: namespaces" { same namespaces; }
@test "daemon ctr: leases" { same leases; }
@test "daemon ctr: run" { same run; }
@test "daemon ctr: containers" { same containers; }
@test "daemon ctr: tasks" { same tasks; }
@test "daemon ctr: exec" { same exec; }
@test "daemon ctr: what has ended" { same end; }
@test "daemon ctr: attach" { same attach; }
@test "daemon ctr: metrics" { same metrics; }
@test "daemon ctr: content, images and snapshots" { same empty; }
@test "daemon ctr: every call on a task in every state, and calls that are wrong" { same calls; }
@test "daemon ctr: events" { same events; }

@test "daemon ctr: plugins ls -d tells of runtime, monitor and metadata what they need and where they are" {
	entry() { # TYPE
		sed 's/^out: *//; s/ *$//' "$IT_OUT/steps/berthd/daemon plugins ls -d" | awk -v RS= -v t="Type:          $1" 'index($0, t) == 1'
	}
	expect_in $'ID:            task\nRequires:' "$(entry io.containerd.runtime.v2)"
	expect_in $'Platforms:     linux/' "$(entry io.containerd.runtime.v2)"
	expect_in "$IT/berthd/state" "$(entry io.containerd.runtime.v2)"
	expect_in $'ID:            cgroups\nRequires:' "$(entry io.containerd.monitor.v1)"
	expect_in 'io.containerd.event.v1' "$(entry io.containerd.monitor.v1)"
	expect_in "$IT/berthd/root" "$(entry io.containerd.metadata.v1)"
}
