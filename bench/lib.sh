# Shared by bench/run and bench/profile: compile, set the scene, take it down.
# Sourced by bash. Uses: here, top, build, out, work. Sets: runtimes, cgroup, hierarchies, cpuacct, version.

profile=${SECCOMP_PROFILE:-/usr/share/containers/seccomp.json}
runtimes=()

bench_compile() {
	local flags="-std=gnu11 -O2 -Wall -Wextra"
	mkdir -p "$out"
	${CC:-cc} $flags -static -o "$out/bench" "$here/bench.c" "$here/sampling.c"
	${CC:-cc} $flags -static -o "$out/floor" "$here/floor.c"
	${CC:-cc} -Os -static -nostdlib -nostartfiles -o "$out/true" "$here/true.c"
	cc -std=gnu11 -O2 -o "$out/mkbpf" "$here/mkbpf.c" -lseccomp || rm -f "$out/mkbpf"
}

# /sys/fs/cgroup holding the v1 hierarchies only, or cgroup v2 where that is all there is
# (BENCH_CGROUP=v2 shows v2 on a hybrid host too, with whatever controllers it has there).
bench_cgroup_view() {
	local mnt name
	version=v1
	grep -q ' - cgroup ' /proc/self/mountinfo || version=v2
	if [ "$version" = v2 ]; then
		return
	elif [ "${BENCH_CGROUP:-}" = v2 ]; then
		version=v2
		umount -R /sys/fs/cgroup
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		return
	fi
	mkdir "$work/view"
	mount -t tmpfs -o mode=755 tmpfs "$work/view"
	while read -r mnt; do
		name=${mnt##*/}
		mkdir "$work/view/$name"
		mount --bind "$mnt" "$work/view/$name"
	done < <(awk '/ - cgroup / { print $5 }' /proc/self/mountinfo)
	umount -R /sys/fs/cgroup
	mount --rbind "$work/view" /sys/fs/cgroup
	umount -R "$work/view"
	rmdir "$work/view"
}

# The parent of all containers' cgroups, as a runtime would find it prepared.
bench_cgroup_parent() {
	local dir file
	cgroup=/berth-test/bench-$$
	if [ "$version" = v2 ]; then
		mkdir -p "/sys/fs/cgroup$cgroup"
		for dir in /sys/fs/cgroup /sys/fs/cgroup/berth-test "/sys/fs/cgroup$cgroup"; do
			for file in $(cat "$dir/cgroup.controllers"); do
				echo "+$file" >"$dir/cgroup.subtree_control" 2>/dev/null || true
			done
		done
		hierarchies=cgroup2
		cpuacct=/sys/fs/cgroup$cgroup
		return
	fi
	for dir in /sys/fs/cgroup/*; do
		mkdir -p "$dir$cgroup"
	done
	dir=$(echo /sys/fs/cgroup/*cpuset*)
	for file in cpuset.cpus cpuset.mems; do
		[ -n "$(cat "$dir/berth-test/$file")" ] || cat "$dir/$file" >"$dir/berth-test/$file"
		cat "$dir/berth-test/$file" >"$dir$cgroup/$file"
	done
	hierarchies=$(cd /sys/fs/cgroup && printf '%s,' *)
	hierarchies=${hierarchies%,}
	cpuacct=
	for dir in /sys/fs/cgroup/*cpuacct*; do
		[ -e "$dir$cgroup/cpuacct.usage" ] && cpuacct=$dir$cgroup
	done
}

# The floor's command line up to its own options: where its cgroups go.
bench_floor() {
	floor=("$out/floor" --cgroup "$cgroup/$1")
	[ "$version" = v2 ] && floor+=(--cgroup2) || floor+=(--hierarchies "$hierarchies")
}

bench_usage() { # nanoseconds of CPU that the bench has used
	if [ "$version" = v2 ]; then
		awk '/^usage_usec/ { print $2 * 1000 }' "$cpuacct/cpu.stat"
	elif [ -n "$cpuacct" ]; then
		cat "$cpuacct/cpuacct.usage"
	fi
}

bench_rootfs() {
	mkdir -p "$work"/rootfs/{bin,dev,proc,sys,etc,tmp}
	cp "$out/true" "$work/rootfs/bin/true"
	cp "$(command -v busybox)" "$work/rootfs/bin/busybox"
	ln "$work/rootfs/bin/busybox" "$work/rootfs/bin/sleep"
	ln "$work/rootfs/bin/busybox" "$work/rootfs/bin/sh"
}

bench_enter() {
	mount -t tmpfs -o mode=755 tmpfs "$work"
	bench_cgroup_view
	bench_cgroup_parent
	bench_rootfs
	if command -v runc >/dev/null; then
		(cd "$work" && runc spec && mv config.json spec.json)
	else
		(cd "$work" && "$(bench_berth)" spec && mv config.json spec.json)
	fi
	[ -x "$out/mkbpf" ] && [ -f "$profile" ] || profile=
	"$here/bundles" "$work" "$cgroup" "$work/spec.json" ${profile:+"$profile"}
	[ -z "$profile" ] || "$out/mkbpf" <"$work/bpf.txt" >"$work/seccomp.bpf"
}

bench_berth() {
	echo "${BERTH:-$build/berth}"
}

bench_find_runtimes() {
	local name path
	runtimes=("floor=$out/floor")
	for name in berth crun runc; do
		case $name in
		berth) path=$(bench_berth) ;;
		crun) path=${CRUN:-$(command -v crun || true)} ;;
		runc) path=${RUNC:-$(command -v runc || true)} ;;
		esac
		if [ ! -x "$path" ]; then
			echo "bench: $name left out: ${path:-it} is not there" >&2
		elif "$path" --root "$work/root-$name" run \
			--bundle "$work/bundle/full" probe >"$work/probe.log" 2>&1; then
			runtimes+=("$name=$path")
		else
			echo "bench: $name left out: $(tail -1 "$work/probe.log" 2>/dev/null || true)" >&2
		fi
	done
}

# One sleeping container per runtime for the exec case, outside the driver.
bench_start_exec_targets() {
	local rt name path
	for rt in "${runtimes[@]}"; do
		name=${rt%%=*} path=${rt#*=}
		if [ "$name" = floor ]; then
			bench_floor exec-floor
			"${floor[@]}" --net --rootfs "$work/rootfs" --pid-file "$work/exec-floor.pid" \
				/bin/sleep 3600 </dev/null >/dev/null 2>&1 &
			continue
		fi
		"$path" --root "$work/root-$name" create --bundle "$work/bundle/exec-$name" \
			--pid-file "$work/exec-$name.pid" "exec-$name" </dev/null >"$work/log" 2>&1
		"$path" --root "$work/root-$name" start "exec-$name"
	done
	sleep 0.2
}

# A container limited to 256 KiB: does it start?
bench_memory() {
	local rt name path i rc
	echo "runtime,attempt,status,message"
	for rt in "${runtimes[@]}"; do
		name=${rt%%=*} path=${rt#*=}
		[ "$name" != floor ] || continue
		for i in 1 2 3; do
			rc=0
			timeout 20 "$path" --root "$work/root-$name" run --bundle "$work/bundle/memory" \
				"mem$i" </dev/null >"$work/mem.log" 2>&1 || rc=$?
			printf '%s,%d,%d,"%s"\n' "$name" "$i" "$rc" \
				"$(tail -1 "$work/mem.log" | tr -d '"' | cut -c1-160)"
			"$path" --root "$work/root-$name" delete --force "mem$i" >/dev/null 2>&1 || true
		done
	done
}

cpu_busy() { # busy time of all CPUs, in clock ticks
	awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat
}

cpu_stolen() { # time that the host gave to others while a CPU of ours was to run
	awk '/^cpu / { print $9 }' /proc/stat
}

bench_facts() {
	local rt name path
	echo "date=$(date -u '+%Y-%m-%d %H:%M UTC')"
	echo "cpu=$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)"
	echo "cpus=$(nproc)"
	echo "memory=$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)"
	echo "kernel=$(uname -r | cut -d- -f1)"
	echo "cgroups=$([ "$version" = v2 ] && echo "cgroup v2" ||
		echo "$(grep -c ' - cgroup ' /proc/self/mountinfo) cgroup v1 hierarchies")"
	echo "profile=${profile:-none}"
	echo "mounts=$(wc -l </proc/self/mountinfo)"
	for rt in "${runtimes[@]}"; do
		name=${rt%%=*} path=${rt#*=}
		[ "$name" = floor ] || echo "version_$name=$("$path" --version |
			awk 'NR == 1 { v = $0 } /^libc: / { v = v " (" $2 ")" } END { print v }')"
	done
	echo "commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo unknown)"
	echo "seed=$seed"
	echo "gap_rounds=$gap_rounds"
	echo "hot_rounds=$hot_rounds"
	echo "load_begin=$(cut -d' ' -f1-3 /proc/loadavg)"
	echo "busy_begin=$(cpu_busy)"
	echo "stolen_begin=$(cpu_stolen)"
	echo "usage_begin=$(bench_usage)"
	echo "time_begin=$(date +%s.%N)"
	echo "ticks=$(getconf CLK_TCK)"
}

bench_facts_end() {
	echo "time_end=$(date +%s.%N)"
	echo "usage_end=$(bench_usage)"
	echo "busy_end=$(cpu_busy)"
	echo "stolen_end=$(cpu_stolen)"
	echo "load_end=$(cut -d' ' -f1-3 /proc/loadavg)"
}

# Kill what is left in our cgroups, then remove them.
bench_leave() {
	local try dir roots
	[ -n "${cgroup:-}" ] || { umount -l "$work" 2>/dev/null; rmdir "$work"; return; }
	roots=(/sys/fs/cgroup/*)
	[ "$version" = v1 ] || roots=(/sys/fs/cgroup)
	for try in 1 2 3 4 5 6 7 8 9 10; do
		for dir in "${roots[@]}"; do
			find "$dir$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null |
				grep -vx $$ | xargs -r kill -9 2>/dev/null || true
		done
		for dir in "${roots[@]}"; do
			find "$dir$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
		done
		[ -n "$(find "${roots[@]/%/$cgroup}" -maxdepth 0 2>/dev/null)" ] || break
		sleep 0.2
	done
	for dir in "${roots[@]}"; do
		rmdir "$dir/berth-test" 2>/dev/null || true
	done
	cd / && umount -l "$work" && rmdir "$work" || true
}
