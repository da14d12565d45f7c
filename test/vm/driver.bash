# driver.bash: the tests of one file (plain.bash, shim.bash, systemd.bash), run inside the
# virtual machine: `driver.bash FILE [REGEX]` prints TAP. A test is a function
# test_SOME_WORDS; each has a subshell of its own, its output is shown when it
# fails. A process is dear here, so what the shell can do itself it does.
#
# BERTH, RUNC and CRUN are the runtimes; $RT is the one at work. All state is in
# T, a tmpfs. The container `c` of $RT has the cgroup $CG below /sys/fs/cgroup.
set -uo pipefail

T=/run/t RT=berth status=0 output=
: "${BERTH:?}"
RUNC=$(type -P runc) CRUN=$(type -P crun)

# ---- bundles and runtimes ------------------------------------------------------

# A small root file system, and the document of `berth spec` as every test's base.
world() {
	mkdir -p $T/rootfs/{bin,dev,etc,proc,sys/fs/cgroup,tmp,work}
	cp "$(type -P busybox)" $T/rootfs/bin/busybox
	chroot $T/rootfs /bin/busybox --install -s /bin
	echo 'root:x:0:0:root:/:/bin/sh' >$T/rootfs/etc/passwd
	"$BERTH" spec -b $T
	mv $T/config.json $T/base.json
	chmod 755 $T
}

# conf FILTER [SCRIPT]: the bundle of $RT: the base, a jq filter over it, and a
# script that sh runs. The cgroup is $RT's own, unless the filter says otherwise.
conf() {
	mkdir -p "$T/$RT"
	jq --arg rt "$RT" --arg path "$(cgroups_path)" --arg script "${2-exec sleep 1000}" '
		.process.terminal = false | .process.args = ["sh", "-c", $script] | .root.path = "/run/t/rootfs" | .ociVersion = "1.0.2" |
		.root.readonly = false | .linux.cgroupsPath = $path | del(.process.rlimits) |
		.linux.resources = {} | '"${1:-.}" $T/base.json >"$T/$RT/config.json"
}

rt() {
	local bin=$BERTH

	[ "$RT" != runc ] || bin=$RUNC
	[ "$RT" != crun ] || bin=$CRUN
	timeout -k 1 60 "$bin" ${DRIVER:+--systemd-cgroup} --root "$T/$RT/root" "$@" </dev/null
}

# The container runs in the background; its output is in $T/out.
up() {
	rt run -d -b "$T/$RT" c >$T/out 2>&1 || { cat $T/out; return 1; }
}

# `run` dies after so many seconds, in the middle of whatever it is at; delete takes the rest away.
killed_after() {
	local pid

	"$BERTH" ${DRIVER:+--systemd-cgroup} --root $T/berth/root run -b $T/berth c >/dev/null 2>&1 </dev/null &
	pid=$!
	read -r -t "$1" <>$T/pause || :
	kill -KILL $pid 2>/dev/null || :
	wait $pid || :
	rt delete --force c || :
	[ ! -e $CG ]
	[ ! -e $T/berth/root/c ]
}

# A container whose root, mapped to 100000, makes cgroups of its own in the one it was given.
up_delegated() {
	conf '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings |
		.mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)' \
		'cd /sys/fs/cgroup && mkdir in && echo $$ >in/cgroup.procs && echo "+memory +pids" >cgroup.subtree_control &&
		mkdir other && echo 20 >other/pids.max && echo done >/work/said; exec sleep 1000'
	rm -f $T/rootfs/work/*
	chmod 777 $T/rootfs/work
	up
	until_ 60 '[ -e $T/rootfs/work/said ]' || { cat $T/out; return 1; }
}

# Run to its end: $status, $output.
# shellcheck disable=SC2034
go() {
	status=0
	rt run -b "$T/$RT" c >$T/out 2>&1 || status=$?
	output=$(<$T/out)
}

gone() {
	for RT in berth runc crun; do
		[ ! -e "$T/$RT/root/c" ] || rt delete -f c
	done
	RT=berth
} >/dev/null 2>&1

# ---- the shim ----------------------------------------------------------------------

# What test/shim/client.py needs; the protocol's messages are compiled here.
shim_world() {
	local dir=${BERTH%/*} top=${BASH_SOURCE[0]%/*}/../..

	for SHIM in "${SHIM:-}" "$dir/containerd-shim-berth-v2" "$dir/../shim/containerd-shim-berth-v2"; do
		[ ! -x "$SHIM" ] || break
	done
	CLIENT=$top/test/shim/client.py
	export SHIM IT=$T/it IT_CG=/berth-test/it IT_OUT=$T PYTHONPYCACHEPREFIX=$T/it/compiled
	mkdir -p $IT $T/api
	protoc -I "$top/api" --python_out=$T/api "$top"/api/*.proto
	jq 'del(.process.rlimits, .linux.resources) | .ociVersion = "1.0.2"' $T/base.json >$T/base && mv $T/base $T/base.json
}

# The Python on standard input, in one process. Debian's is the one with protobuf.
client() {
	/usr/bin/python3 "$CLIENT"
}

# ---- looking ---------------------------------------------------------------------

# val VARIABLE FILE: what the file says, without its last newline.
val() {
	local -n to=$1

	to=
	IFS= read -r -d '' to <"$2" || [ -n "$to" ] || to="(no ${2##*/})"
	to=${to%$'\n'}
}

# values DIR FILE…: "file: value" for each, newlines as spaces.
values() {
	local dir=$1 f v

	shift
	for f; do
		val v "$dir/$f" 2>/dev/null
		echo "$f: ${v//$'\n'/ }"
	done
}

# until_ SECONDS EXPRESSION: of the shell; no process for the pause.
until_() {
	local end=$((SECONDS + $1))

	until eval "$2"; do
		[ "$SECONDS" -le "$end" ] || { echo "still not: $2"; return 1; }
		read -r -t 0.05 <>$T/pause || :
	done
}

expect() {
	[ "$1" = "${2-$output}" ] || { printf 'expected: %s\ngot:      %s\n' "$1" "${2-$output}"; return 1; }
}

expect_in() {
	[[ ${2-$output} == *"$1"* ]] || { printf 'expected in it: %s\ngot: %s\n' "$1" "${2-$output}"; return 1; }
}

expect_not_in() {
	[[ ${2-$output} != *"$1"* ]] || { printf 'not expected in it: %s\ngot: %s\n' "$1" "${2-$output}"; return 1; }
}

# beside PEERS FUNCTION: its output for berth is that for each peer.
beside() {
	local ours theirs

	RT=berth
	ours=$("$2" 2>&1)
	for RT in $1; do
		theirs=$("$2" 2>&1)
		[ "$ours" = "$theirs" ] || { diff <(echo "$theirs") <(echo "$ours") | sed "s/^</$RT:/; s/^>/berth:/"; return 1; }
	done
	RT=berth
	output=$ours
}

# ---- running the tests -------------------------------------------------------------

# In the order of the file. The regular expression is for the words that a test is told by.
names() {
	local name words

	while read -r name; do
		name=${name%%(*} words=${name#test_}
		[[ $name != test_* || ! ${words//_/ } =~ $1 ]] || echo "$name"
	done <"$2"
}

main() {
	local file=$1 n=0 name rc start words

	mkdir -p $T
	mount -t tmpfs -o mode=755 tests $T
	mkfifo $T/pause
	# shellcheck disable=SC1090
	. "$file"
	world && world_of_file || { echo "not ok 1 - the world of $file"; exit 1; }
	for name in $(names "${2:-.}" "$file"); do
		n=$((n + 1)) start=$EPOCHREALTIME words=${name#test_}
		( set -e; "$name" ) >$T/log 2>&1
		rc=$?
		[ $rc = 0 ] || printf 'not '
		printf 'ok %d %s\n# %d ms\n' $n "${words//_/ }" $(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
		[ $rc = 0 ] || sed -e 's/^/# /' -e '$a\' $T/log
		gone
	done
	echo "1..$n"
}

main "$@"
