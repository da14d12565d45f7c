# lib.bash: what every integration suite shares: which runtime is under test,
# a private world (mount, UTS and IPC namespaces) to run front ends in, a small
# root file system, and the comparison of two runtimes doing the same thing.
#
#   BERTH=/path/to/berth bats test/it/docker.bats
#
# A suite calls it_world in setup_file and it_end in teardown_file; everything
# that mounts or stays is run through `ns`, inside that world.

IT_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
IT_LIB=$IT_TOP/test/it
PEER=${PEER:-$(command -v runc || echo /usr/sbin/runc)}

# The runtime under test: $BERTH, or what `make` built, or the newest one here.
it_berth() {
	if [ -z "${BERTH:-}" ] && [ -x "$IT_TOP/build/berth" ]; then
		BERTH=$IT_TOP/build/berth
	fi
	if [ -z "${BERTH:-}" ]; then
		BERTH=$(find "$IT_TOP"/build*/src -maxdepth 2 -type f -name berth -perm -u+x \
			-printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2-)
	fi
	[ -n "$BERTH" ] || BERTH=$(command -v berth || true)
	case $BERTH in
	'') ;;
	*/*) BERTH=$(realpath "$BERTH") ;;
	*) BERTH=$(command -v "$BERTH") ;;
	esac
	if [ ! -x "$BERTH" ]; then
		echo "no runtime to test: set BERTH or build it" >&2
		return 1
	fi
	export BERTH PEER
}

# bats notes where it is before each command, which takes a tenth of a suite's time. In our
# libraries it need not: what fails there is told with the line of the test that called.
it_trap=$(declare -f bats_debug_trap || true)
eval "${it_trap/\{/\{ [[ \$1 != *.bash ]] || return 0;}"

# One test hangs at most this long; tools/suite sets more for the full sizes.
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-300}

# A tool the suite cannot do without: missing is a failure where the suites are
# proof (BERTH_CI=1), otherwise the file is skipped.
it_need() {
	local tool

	for tool; do
		if command -v "$tool" >/dev/null; then
			continue
		fi
		if [ "${BERTH_CI:-0}" = 1 ]; then
			echo "'$tool' is not installed" >&2
			return 1
		fi
		skip "'$tool' is not installed"
	done
}

# ---- the private world ------------------------------------------------------

# it_world [unshare options]: make the world. Inside it /run, /dev/shm and
# $IT (= /run/it) are fresh tmpfs and /sys/fs/cgroup holds the v1 hierarchies
# alone (front ends that know crun refuse a hybrid), or the unified one. It has
# a pid namespace too: whatever happens, its first process takes all others
# with it, and that one dies with the suite.
it_world() {
	local n sed_ns=

	it_berth || return 1
	export IT=/run/it IT_OUT=$BATS_FILE_TMPDIR
	IT_NAME=$(basename "$BATS_TEST_FILENAME" .bats)-$$
	export IT_NAME IT_CG=/berth-test/$IT_NAME
	setpriv --pdeathsig KILL unshare -muip --fork --kill-child "$@" \
		sh "$IT_LIB/setup_world" "$IT_OUT/ready" >"$IT_OUT/world.log" 2>&1 3>&- 4>&- </dev/null &
	export IT_UNSHARE_PID=$!
	disown
	if ! it_wait 30 test -s "$IT_OUT/ready"; then
		cat "$IT_OUT/world.log" >&2
		return 1
	fi
	IT_PID=$(cat "$IT_OUT/ready")
	export IT_PID IT_ENTER="nsenter -t $IT_PID -m -u -i -p --wd=/"
	case " $* " in *' -n '*) IT_ENTER+=' -n' ;; esac
	ns mkdir -p "$IT"
	# Which namespaces of a container are the world's own, for it_norm.
	for n in cgroup ipc mnt net pid user uts; do
		sed_ns+="s#$(readlink "/proc/$IT_PID/ns/$n" | sed 's/[][]/\\&/g')#$n:world#;"
	done
	export IT_NS_SED=$sed_ns
}

# Run a command in the world; cwd is /.
ns() {
	${IT_ENTER:?no world} -- "$@"
}

# ns_daemon NAME COMMAND…: start a daemon in the world. Its pid there is in
# $IT/NAME.itpid, its output in $IT_OUT/NAME.log.
ns_daemon() {
	local name=$1

	shift
	# shellcheck disable=SC2016
	ns sh -c 'echo $$ >"$0"; exec "$@"' "$IT/$name.itpid" "$@" \
		>"$IT_OUT/$name.log" 2>&1 3>&- 4>&- </dev/null &
	disown
}

# ns_stop NAME: end a daemon of ns_daemon: TERM, then KILL after ten seconds.
ns_stop() {
	local pid

	pid=$(ns cat "$IT/$1.itpid" 2>/dev/null) || return 0
	ns kill -TERM "$pid" 2>/dev/null || return 0
	it_wait 30 ns_gone "$pid" || ns kill -KILL "$pid"
	it_wait 30 ns_gone "$pid"
}

ns_gone() {
	! ns kill -0 "$1"
}

# What runs in the world besides its first process: "pid command" each.
ns_left() {
	# shellcheck disable=SC2016
	ns sh -c 'for p in /proc/[0-9]*; do
		n=${p#/proc/}
		[ "$n" = 1 ] || [ "$n" = $$ ] || printf "%s %s\n" "$n" "$(tr "\0" " " <"$p/cmdline")"
	done 2>/dev/null' | grep ' .' | grep -v ' sleep 86399 ' || true
}

ns_empty() {
	[ -z "$(ns_left)" ]
}

# What containers could leave in the world: mounts, cgroups, and files below the
# directories given (the runtimes' state; caches there begin with a dot, and what a
# shim keeps for some minutes, when it has ended, is in `gone`). Taken
# by it_mark when a front end is ready, compared by it_unchanged at its end.
it_traces() {
	ns awk '{ print "mount", $5 }' /proc/self/mountinfo
	it_cgroup_dirs "$IT_CG" | grep "$IT_CG/" | grep -vE "${IT_NOT_OURS:-^$}" | sed 's/^/cgroup /'
	ns find "$@" -mindepth 1 -maxdepth 2 ! -path '*/.*' ! -path '*/berth/shim/gone*' 2>/dev/null | sed 's/^/state /'
}

it_mark() {
	it_traces "$@" | sort >"$IT_OUT/mark"
}

it_unchanged() {
	local end=$((SECONDS + 30))

	until [ "$SECONDS" -ge "$end" ]; do
		it_traces "$@" | sort >"$IT_OUT/now"
		[ -z "$(comm -13 "$IT_OUT/mark" "$IT_OUT/now")" ] && return 0
		sleep 0.3
	done
	echo "left behind:"
	comm -13 "$IT_OUT/mark" "$IT_OUT/now"
	return 1
} >&2

# End the world. Whatever still runs in it, or is left in the suite's cgroups,
# is a leak: shown, removed, and the failure of the suite.
it_end() {
	local bad=0

	[ -n "${IT_PID:-}" ] || return 0
	if ! it_wait 30 ns_empty; then
		echo "left behind:" "$(ns_left)" >&2
		bad=1
	fi
	kill -KILL "$IT_UNSHARE_PID" 2>/dev/null
	it_cgroup_remove "$IT_CG" || bad=1
	it_wait 30 it_gone "$IT_PID" || bad=1
	return "$bad"
}

# Dead; whether somebody has collected it is not our business.
it_gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# ---- cgroups (below /berth-test only) ---------------------------------------

# Every mounted hierarchy, v1 and v2, from mountinfo, never by listing.
it_hierarchies() {
	awk '{ for (i = 7; i <= NF; i++) if ($i == "-") break
	       if ($(i + 1) == "cgroup" || $(i + 1) == "cgroup2") print $5 }' /proc/self/mountinfo
}

it_cgroup_dirs() {
	local h

	for h in $(it_hierarchies); do
		[ -d "$h$1" ] && find "$h$1" -depth -type d 2>/dev/null
	done
	return 0
}

it_cgroup_remove() {
	local d

	case $1 in /berth-test/?*) ;; *) return 1 ;; esac
	# What is frozen does not die of SIGKILL either.
	for d in $(it_cgroup_dirs "$1"); do
		[ ! -e "$d/freezer.state" ] || echo THAWED 2>/dev/null >"$d/freezer.state" || true
	done
	for _ in {1..100}; do
		for d in $(it_cgroup_dirs "$1"); do
			rmdir "$d" 2>/dev/null
		done
		if [ -z "$(it_cgroup_dirs "$1")" ]; then
			for d in $(it_hierarchies); do
				rmdir "$d/berth-test" 2>/dev/null # the last one out
			done
			return 0
		fi
		sleep 0.2
	done
	echo "cgroups left: $(it_cgroup_dirs "$1" | tr '\n' ' ')" >&2
	return 1
}

# ---- small tools ------------------------------------------------------------

# it_accounts 'FILE LINE'…: the world's own passwd, group, subuid and subgid, the first two with
# the host's lines before these. It must not show in the host's files, not even in their times.
it_accounts() {
	ns sh -ec '
		mkdir -p "$0/etc"
		for f in passwd group subuid subgid; do
			: >"$0/etc/$f"
			case $f in sub*) ;; *) cat "/etc/$f" >"$0/etc/$f" ;; esac
		done
		for line; do
			echo "${line#* }" >>"$0/etc/${line%% *}"
		done
		for f in passwd group subuid subgid; do
			[ -e "/etc/$f" ] || : >"/etc/$f"
			mount --bind "$0/etc/$f" "/etc/$f"
		done' "$IT" "$@"
}

# it_wait SECONDS COMMAND…: until the command succeeds.
it_wait() {
	local end=$((SECONDS + $1 + 1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# Like it_wait, for a whole shell expression.
it_until() {
	local secs=$1

	shift
	it_wait "$secs" eval "$*"
}

# A command under a terminal of 33 rows and 99 columns; stdin is typed into it.
on_tty() {
	local cmd

	# shellcheck disable=SC2086
	[ "$1" != ns ] || set -- $IT_ENTER -- "${@:2}"
	printf -v cmd '%q ' "$@"
	# Its end of input shows as an echoed ^@ or ^D, at any place.
	SHELL=$BASH script -qefc "stty rows 33 cols 99; $cmd" /dev/null | tr -d '\r\b' | sed 's/\^[@D]//g'
	return "${PIPESTATUS[0]}"
}

# Type lines slowly enough for a prompt to be there.
type_keys() {
	local line

	for line; do
		sleep 1.5
		printf '%b' "$line"
	done
}

# it_rootfs DIR: a root file system from busybox, with the probe of this suite,
# a few users, and files to go wrong with.
it_rootfs() {
	local d=$1 busybox a

	busybox=$(command -v busybox) || return 1
	mkdir -p "$d"/{bin,etc,dev,proc,sys,tmp,root,data,home/kay,run,var/tmp,usr}
	cp "$busybox" "$d/bin/busybox"
	for a in $("$busybox" --list); do
		[ -e "$d/bin/$a" ] || ln -s busybox "$d/bin/$a"
	done
	ln -s ../bin "$d/usr/bin"
	chmod 1777 "$d/tmp" "$d/var/tmp"
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'daemon:x:1:1::/:/bin/false' \
		'kay:x:1000:1000::/home/kay:/bin/sh' 'nobody:x:65534:65534::/:/bin/false' >"$d/etc/passwd"
	printf '%s\n' 'root:x:0:' 'daemon:x:1:' 'disk:x:6:kay' 'kay:x:1000:' \
		'extra:x:2000:kay' 'nogroup:x:65534:' >"$d/etc/group"
	echo seed >"$d/data/seed"
	echo plain >"$d/noexec"
	printf '\177ELFjunk' >"$d/badelf"
	printf '#!/no/interpreter\n' >"$d/badinterp"
	chmod 755 "$d/badelf" "$d/badinterp"
	cp "$IT_LIB/setup_probe" "$d/probe"
	chmod 755 "$d/probe"
	chown -R 1000:1000 "$d/home/kay"
}

# ---- comparing with the peer ------------------------------------------------

# both COMMAND…: run the command once with RT=berth and once with RT=peer and
# fail, with a diff, unless output and exit status are the same. What may
# differ by nature (ids, names of runtimes, pids) `it_norm` takes out. The
# output and the status of the first are in $output and $status.
both() {
	local got want got_rc=0 want_rc=0

	RT=berth
	got=$("$@" 2>&1) || got_rc=$?
	RT=peer
	want=$("$@" 2>&1) || want_rc=$?
	got=$(it_norm <<<"$got")
	want=$(it_norm <<<"$want")
	# shellcheck disable=SC2034
	output=$got status=$got_rc
	if [ "$got_rc" != "$want_rc" ] || [ "$got" != "$want" ]; then
		echo "differs (< peer, > $BERTH): $*"
		echo "exit status: peer $want_rc, ours $got_rc"
		diff <(printf '%s\n' "$want") <(printf '%s\n' "$got") | head -n 40
		return 1
	fi
}

# The runtime binary of this turn.
rt() {
	if [ "$RT" = berth ]; then echo "$BERTH"; else echo "$PEER"; fi
}

# both_rc WANT COMMAND…: only the exit statuses, which must both be WANT (or, if
# that is 'same', equal and not 0); the words on stderr are each runtime's own.
both_rc() {
	local want=$1 rc bad=0 out

	shift
	for RT in peer berth; do
		rc=0
		out=$("$@" 2>&1) || rc=$?
		[ "$want" != same ] || [ "$rc" = 0 ] || want=$rc
		if [ "$rc" != "$want" ]; then
			echo "$RT: exit status $rc instead of $want: $*"
			printf '%s\n' "$out"
			bad=1
		fi
	done
	return "$bad"
}

# Ids, runtime names and machine-dependent numbers, taken out.
it_norm() {
	sed -E \
		-e 's/\b[0-9a-f]{64}\b/ID/g' -e 's/\b[0-9a-f]{12}\b/ID/g' \
		-e "s#\\b(berth|peer)(-[a-z0-9]+)?\\b#RT\\2#g" \
		-e 's#\b(runc|crun)\b#RT#g' -e 's#\b(pipe|socket):\[[0-9]+\]#\1:N#' \
		-e 's#\bRT-[0-9]+\b#RT-N#g' -e 's#/snapshots/[0-9]+#/snapshots/N#g' -e 's#time="[^"]*" ##' \
		-e "${IT_NS_SED:-s/^//}" -e 's#\b([a-z]+):\[[0-9]{10}\]#\1:own#g'
}

# it_trapped PID NUMBER: the process of the world has come so far that it catches, or ignores, this signal.
it_trapped() {
	it_until 30 "(( (\$(ns awk '/^Sig(Cgt|Ign)/ { printf \"%s0x%s\", or, \$2; or = \" | \" }' /proc/$1/status)) >> ($2 - 1) & 1 ))"
}

# expect WANT [GOT]: GOT ($output unless given) is exactly WANT.
expect() {
	local got=${2-$output}

	if [ "$got" != "$1" ]; then
		printf 'expected: %s\ngot:      %s\n' "$1" "$got"
		return 1
	fi
}

# expect_in PART [TEXT]: TEXT ($output unless given) contains PART.
expect_in() {
	local got=${2-$output}

	case $got in
	*"$1"*) ;;
	*)
		printf 'expected in it: %s\ngot: %s\n' "$1" "$got"
		return 1
		;;
	esac
}
