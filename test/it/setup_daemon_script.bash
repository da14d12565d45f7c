# setup_daemon_script.bash: every command of ctr that needs no image, as they are
# compared between containerd and berthd: daemon_script runs them at the daemon
# DAEMON, each into a file of its own in $IT_OUT/steps/$DAEMON: what it prints on
# standard output, on standard error, and its exit status.

# step NAME COMMAND…: NAME begins with the section it belongs to.
step() {
	local name=$1 to="$STEPS/$1" rc=0

	shift
	"$@" >"$to.out" 2>"$to.err" 3>&- 4>&- || rc=$?
	{
		sed 's/^/out: /' "$to.out"
		sed 's/^/err: /' "$to.err"
		echo "exit status: $rc"
	} >"$to"
	rm "$to.out" "$to.err"
}

# ctr STEP COMMAND…: a step that is a command of ctr.
ctr_step() {
	step "$1" dc "${@:2}"
}

# A container of the script: its cgroup and its root file system are this turn's.
run_step() { # STEP ID [OPTION…] -- COMMAND…
	local name=$1 id=$2 options=(--rootfs --env PATH=/bin --cgroup "$IT_CG/$DAEMON-$2")

	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	step "$name" dc run "${options[@]}" "$IT_OUT/root-$DAEMON" "$id" "$@"
}

# The same under a terminal, with its size.
tty_step() { # STEP COMMAND…
	step "$1" on_tty ns ctr -a "$IT/$DAEMON/sock" "${@:2}"
}

# script_config NAME COMMAND…: a specification for `containers create --config`,
# since that command has no option for the cgroup.
script_config() {
	python3 - "$STEPS/../$DAEMON-$1.json" "$IT_CG/$DAEMON-$1" "$IT_OUT/root-$DAEMON" "${@:2}" <<-'PY'
		import json, os, sys
		name, cgroup, root, *args = sys.argv[1:]
		with open(os.environ["IT_OUT"] + "/config.json") as f:
		    c = json.load(f)
		c["process"].update(args=args, terminal=False, env=["PATH=/bin"])
		c["process"].pop("rlimits", None)
		c["root"] = {"path": root}
		c["linux"]["cgroupsPath"] = cgroup
		with open(name, "w") as f:
		    json.dump(c, f)
	PY
}

create_step() { # STEP ID COMMAND…
	script_config "$2" "${@:3}"
	ctr_step "$1" containers create --config "$STEPS/../$DAEMON-$2.json" --label a=1 --label b= "$2"
}

# in_time CONDITION: until it is so. If it is never, what follows differs, and here is why.
in_time() {
	it_until 30 "$1" || echo "never: $1"
}

until_status() { # ID STATUS
	in_time "[ \"\$(status_of $1)\" = '$2' ]"
}

daemon_script() {
	export STEPS=$IT_OUT/steps/$DAEMON
	mkdir -p "$STEPS"
	cp -a "$IT_OUT/rootfs" "$IT_OUT/root-$DAEMON"
	ns_daemon "events-$DAEMON" ctr -a "$IT/$DAEMON/sock" events
	in_time "dc namespaces label default turn=\$RANDOM; grep -q /namespaces/update '$IT_OUT/events-$DAEMON.log'"
	script_daemon
	script_namespaces
	script_leases
	script_run
	script_containers
	script_tasks
	script_exec
	script_ends
	script_attach
	script_metrics
	script_empty
	ns_stop "events-$DAEMON"
	step 'calls' ns env CLIENT_CGROUP="$IT_CG/$DAEMON" "$CLIENT" "$IT/$DAEMON/sock" "$IT_OUT" calls
}

script_daemon() {
	ctr_step 'daemon version' version
	ctr_step 'daemon plugins ls' plugins ls
	ctr_step 'daemon plugins ls -d' plugins ls -d
	ctr_step 'daemon plugins ls -q' plugins ls -q
	ctr_step 'daemon plugins ls, a filter' plugins ls 'type==io.containerd.runtime.v2'
	ctr_step 'daemon plugins ls -d, a filter' plugins ls -d 'type==io.containerd.runtime.v2'
	ctr_step 'daemon plugins ls, a bad filter' plugins ls 'type=='
}

script_namespaces() {
	ctr_step 'namespaces ls of none' namespaces ls
	ctr_step 'namespaces create' namespaces create other a=1 b=2
	ctr_step 'namespaces create again' namespaces create other
	ctr_step 'namespaces create, a bad name' namespaces create 'no/pe'
	ctr_step 'namespaces create, a long name' namespaces create "$(printf 'x%.0s' {1..77})"
	ctr_step 'namespaces create, no name' namespaces create
	ctr_step 'namespaces label' namespaces label other a=3
	ctr_step 'namespaces label, none any more' namespaces label other b=
	ctr_step 'namespaces label, missing' namespaces label missing a=3
	ctr_step 'namespaces label, too big' namespaces label other "big=$(printf 'x%.0s' {1..4100})"
	ctr_step 'namespaces ls' namespaces ls
	ctr_step 'namespaces ls -q' namespaces ls -q
	script_config held true
	dc -n other containers create --config "$STEPS/../$DAEMON-held.json" held
	ctr_step 'namespaces rm, not empty' namespaces rm other
	dc -n other containers rm held
	ctr_step 'namespaces rm' namespaces rm other
	ctr_step 'namespaces rm again' namespaces rm other
}

script_leases() {
	ctr_step 'leases ls of none' leases ls
	ctr_step 'leases create' leases create --id l1 --expires 0 x=y
	ctr_step 'leases create again' leases create --id l1
	ctr_step 'leases create, no id' leases create --expires 1h
	ctr_step 'leases ls' leases ls
	ctr_step 'leases ls -q' leases ls -q
	ctr_step 'leases rm' leases rm l1
	ctr_step 'leases rm again' leases rm l1
	ctr_step 'leases rm --sync, missing' leases rm --sync l1
}

script_run() {
	run_step 'run' r1 --rm -- sh -c 'echo out; echo err >&2; sleep 0.3; exit 3'
	run_step 'run of true' r2 --rm -- true
	run_step 'run --null-io' r3 --rm --null-io -- sh -c 'echo out; exit 4'
	run_step 'run, by a signal' r4 --rm -- sh -c 'kill -9 $$'
	run_step 'run, no such command' r5 --rm -- no-such-command
	run_step 'run, no such path' r6 --rm -- /no/such
	run_step 'run, not executable' r7 --rm -- /noexec
	run_step 'run, a directory' r8 --rm -- /etc
	run_step 'run, a bad directory' r9 --rm --cwd /etc/passwd -- true
	run_step 'run, a bad mount' r10 --rm --mount type=bind,src=/no/such,dst=/data,options=rbind -- true
	run_step 'run, a bad id' -r11 -- true
	run_step 'run, an id with two points' r..11 -- true
	run_step 'run, a long id' "$(printf 'x%.0s' {1..77})" -- true
	run_step 'run, a bad label' r12 --label "big=$(printf 'x%.0s' {1..4100})" -- true
	run_step 'run, no such runtime' r13 --runtime io.containerd.nothing.v2 -- true
	run_step 'run, a bad runtime' r14 --runtime nothing -- true
	ctr_step 'run, no such image' run docker.io/library/nothing:1 r15 true
	tty_step 'run -t' run --rm -t --rootfs --env PATH=/bin --cgroup "$IT_CG/$DAEMON-r16" "$IT_OUT/root-$DAEMON" r16 \
		sh -c 'sleep 2; stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo three; sleep 0.3; exit 6'
	run_step 'run -d' r17 -d --pid-file "$IT/$DAEMON/r17.pid" -- sleep 1000
	step 'run -d, its pid file' grep -cE '^[0-9]+$' "/proc/$IT_PID/root$IT/$DAEMON/r17.pid"
	run_step 'run, an id that runs' r17 -- true
	run_step 'run -d --log-uri' r18 -d --log-uri "file://$IT/$DAEMON/r18.log" -- sh -c 'echo out; sleep 0.1; echo err >&2; sleep 0.3'
	until_status r18 STOPPED
	in_time "ns grep -q err '$IT/$DAEMON/r18.log'"
	step 'run, its log' ns cat "$IT/$DAEMON/r18.log"
	ctr_step 'run, an id that has ended' tasks start r18
	ctr_step 'run, what ended is removed' tasks rm r18
	dc containers rm r18
	ctr_step 'run -d, killed' tasks kill -s KILL r17
	until_status r17 STOPPED
	ctr_step 'run -d, its status' tasks rm r17
	ctr_step 'run -d, its container' containers rm r17
	ctr_step 'run, what is left of those that failed' containers ls
	ctr_step 'run, no task is left of them' tasks ls
	for id in $(dc containers ls -q); do
		dc containers rm "$id"
	done
}

script_containers() {
	ctr_step 'containers ls of none' containers ls
	create_step 'containers create' c1 sleep 1000
	create_step 'containers create again' c1 sleep 1000
	create_step 'containers create another' c2 sh -c 'sleep 0.3; exit 7'
	ctr_step 'containers create, a bad id' containers create --config "$STEPS/../$DAEMON-c1.json" 'no/pe'
	ctr_step 'containers create, no such runtime' containers create --config "$STEPS/../$DAEMON-c1.json" --runtime '' c3
	ctr_step 'containers ls' containers ls
	ctr_step 'containers ls -q' containers ls -q
	ctr_step 'containers ls, a filter' containers ls 'id==c2'
	ctr_step 'containers ls, a filter of labels' containers ls 'labels.a==1,id~=^c[1]$'
	ctr_step 'containers ls, a bad filter' containers ls 'id==='
	ctr_step 'containers info' containers info c1
	ctr_step 'containers info, missing' containers info missing
	ctr_step 'containers label' containers label c1 a=2
	ctr_step 'containers label, none any more' containers label c1 b=
	ctr_step 'containers label, missing' containers label missing a=2
	ctr_step 'containers label, too big' containers label c1 "big=$(printf 'x%.0s' {1..4100})"
	ctr_step 'containers info of labels' containers info c1
	ctr_step 'containers rm, missing' containers rm missing
	ctr_step 'containers in another namespace' -n other containers info c1
	ctr_step 'containers in a bad namespace' -n no/pe containers ls
	ctr_step 'containers rm, in another namespace' -n other containers rm c1
}

script_tasks() {
	ctr_step 'tasks ls of none' tasks ls
	ctr_step 'tasks start -d' tasks start -d c1
	ctr_step 'tasks start -d, running' tasks start -d c1
	ctr_step 'tasks start' tasks start c2
	ctr_step 'tasks start, missing' tasks start missing
	ctr_step 'tasks ls' tasks ls
	ctr_step 'tasks ls -q' tasks ls -q
	ctr_step 'tasks ps' tasks ps c1
	ctr_step 'tasks ps, missing' tasks ps missing
	ctr_step 'tasks ps, no task' tasks ps c2
	ctr_step 'tasks pause' tasks pause c1
	ctr_step 'tasks pause again' tasks pause c1
	ctr_step 'tasks ls, paused' tasks ls
	ctr_step 'tasks exec, paused' tasks exec --exec-id no c1 true
	ctr_step 'tasks rm, paused' tasks rm c1
	ctr_step 'tasks resume' tasks resume c1
	ctr_step 'tasks resume again' tasks resume c1
	ctr_step 'tasks pause, missing' tasks pause missing
	ctr_step 'tasks pause, no task' tasks pause c2
	ctr_step 'tasks resume, no task' tasks resume c2
	ctr_step 'tasks rm, running' tasks rm c1
	ctr_step 'tasks rm, missing' tasks rm missing
	ctr_step 'tasks rm, no task' tasks rm c2
	ctr_step 'tasks kill, missing' tasks kill missing
	ctr_step 'tasks kill, no task' tasks kill c2
	ctr_step 'tasks kill, a signal that is ignored' tasks kill -s URG c1
	ctr_step 'tasks kill, a bad signal' tasks kill -s NOPE c1
	ctr_step 'tasks kill -a' tasks kill -a -s WINCH c1
	ctr_step 'tasks checkpoint' tasks checkpoint c1
	ctr_step 'tasks in another namespace' -n other tasks ls
	ctr_step 'containers rm, running' containers rm c1
}

script_exec() {
	ctr_step 'exec' tasks exec --exec-id x1 c1 sh -c 'echo out; echo err >&2; sleep 0.3; exit 9'
	ctr_step 'exec --user --cwd' tasks exec --exec-id x2 --user 1000:6 --cwd /home c1 sh -c 'id -u; id -g; pwd; sleep 0.3'
	tty_step 'exec -t' tasks exec -t --exec-id x3 c1 sh -c 'sleep 2; stty size; tty; sleep 0.3; exit 5'
	ctr_step 'exec, no such command' tasks exec --exec-id x4 c1 no-such-command
	ctr_step 'exec, not executable' tasks exec --exec-id x5 c1 /noexec
	ctr_step 'exec, no such directory' tasks exec --exec-id x6 --cwd /no/such c1 true
	ctr_step 'exec, a bad id' tasks exec --exec-id 'no/pe' c1 true
	ctr_step 'exec, an empty id' tasks exec --exec-id '' c1 true
	ctr_step 'exec, missing' tasks exec --exec-id x7 missing true
	ctr_step 'exec, no task' tasks exec --exec-id x7 c2 true
	ctr_step 'exec -d' tasks exec -d --exec-id x8 c1 sleep 1000
	ctr_step 'exec, an id in use' tasks exec --exec-id x8 c1 true
	ctr_step 'exec -d, it is listed' tasks ps c1
	ctr_step 'exec -d, rm while it runs' tasks rm --exec-id x8 c1
	ctr_step 'exec -d, killed' tasks kill --exec-id x8 -s KILL c1
	in_time "grep -q '\"exec_id\":\"x8\".*exited_at\\|\"id\":\"x8\",\"pid\"' '$IT_OUT/events-$DAEMON.log'"
	ctr_step 'exec -d, killed again' tasks kill --exec-id x8 -s KILL c1
	ctr_step 'exec -d, rm' tasks rm --exec-id x8 c1
	ctr_step 'exec -d, rm again' tasks rm --exec-id x8 c1
	ctr_step 'exec -d, no such command' tasks exec -d --exec-id x9 c1 no-such-command
	ctr_step 'exec, kill of a missing one' tasks kill --exec-id missing c1
	ctr_step 'exec, none is left' tasks ps c1
}

script_ends() {
	ctr_step 'end, kill' tasks kill -s KILL c1
	until_status c1 STOPPED
	ctr_step 'end, ls' tasks ls
	ctr_step 'end, kill again' tasks kill -s KILL c1
	ctr_step 'end, exec' tasks exec --exec-id no c1 true
	ctr_step 'end, pause' tasks pause c1
	ctr_step 'end, resume' tasks resume c1
	ctr_step 'end, ps' tasks ps c1
	ctr_step 'end, metrics' tasks metrics c1
	ctr_step 'end, start' tasks start -d c1
	ctr_step 'end, containers rm' containers rm c2
	ctr_step 'end, rm' tasks rm c1
	ctr_step 'end, rm again' tasks rm c1
	ctr_step 'end, started again' tasks start -d c1
	ctr_step 'end, rm -f' tasks rm -f c1
	ctr_step 'end, containers rm of its own' containers rm c1
	ctr_step 'end, containers rm again' containers rm c1
}

script_attach() {
	run_step 'attach, run -d' a1 -d -- sh -c 'sleep 5; echo late; sleep 0.3; exit 4'
	ctr_step 'attach' tasks attach a1
	ctr_step 'attach, its task is gone' tasks ls
	ctr_step 'attach, no task' tasks attach a1
	ctr_step 'attach, missing' tasks attach missing
	ctr_step 'attach, containers rm' containers rm a1
}

script_metrics() {
	run_step 'metrics, run -d' m1 -d --memory-limit 67108864 -- sleep 1000
	sleep 2 # what is in it is `sleep` by then, and no thread of the runtime any more
	ctr_step 'metrics' tasks metrics m1
	ctr_step 'metrics --format json' tasks metrics --format json m1
	ctr_step 'metrics, missing' tasks metrics missing
	dc tasks rm -f m1 2>/dev/null
	dc containers rm m1
	run_step 'metrics, out of memory' m2 --rm --memory-limit 16777216 -- sh -c 'sleep 0.3; tail /dev/zero'
}

script_empty() {
	ctr_step 'empty content ls' content ls
	ctr_step 'empty content ls -q' content ls -q
	ctr_step 'empty content active' content active
	ctr_step 'empty content get' content get "sha256:$(printf '0%.0s' {1..64})"
	ctr_step 'empty images ls' images ls
	ctr_step 'empty images ls -q' images ls -q
	ctr_step 'empty images rm' images rm nothing
	ctr_step 'empty snapshots ls' snapshots ls
	ctr_step 'empty snapshots usage' snapshots usage
	ctr_step 'empty snapshots rm' snapshots rm nothing
	ctr_step 'empty snapshots info' snapshots info nothing
}
