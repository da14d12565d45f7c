#!/usr/bin/env bats
# spec_security.bats: what a hostile image or container must not get: links that
# lead out, the host's files through /proc/self, capabilities, the runtime's own
# binary. Named by what was found in other runtimes.

load lib.bash
load spec_lib.bash

setup_file() {
	spec_up
	echo outside >"$IT_OUT/secret"
	ns touch /run/host-file
}

teardown_file() {
	spec_down
}

@test "security: no inheritable capabilities by default, with run and exec" {
	caps_of() {
		up || return 1
		rt exec c grep '^Cap' /proc/self/status
		rt exec --cap CAP_NET_RAW c grep '^CapI' /proc/self/status
		rt exec -u 1000 c grep '^Cap' /proc/self/status
		gone c
	}
	conf '' 'exec sleep 600'
	both caps_of
	expect_in 'CapInh:	0000000000000000'
	[ "$(grep -c 'CapInh:	0000000000000000' <<<"$output")" = 3 ]
}

@test "security: a working directory outside the root is refused (CVE-2024-21626)" {
	local fd

	for fd in 3 4 5 6 7 8 9 10 11; do
		conf 'p["cwd"] = "/proc/self/fd/'$fd'"' 'pwd; cat ../../../etc/hostname'
		RT=berth
		output=$(go 2>&1) && { echo "fd $fd: $output"; return 1; }
	done
	ln -sfn /proc/self/fd/7 "$IT_OUT/rootfs/tmp/cwd"
	refused /tmp/cwd 'p["cwd"] = "/tmp/cwd"' pwd
	conf '' 'exec sleep 600'
	RT=berth
	up
	for fd in 3 4 5 6 7 8 9 10 11 12; do
		output=$(rt exec --cwd "/proc/self/fd/$fd" c pwd 2>&1) && { echo "exec fd $fd: $output"; return 1; }
	done
	gone c
	rm "$IT_OUT/rootfs/tmp/cwd"
}

@test "security: /proc or /sys of the image is a link (CVE-2019-19921, CVE-2023-27561)" {
	local d

	for d in proc sys; do
		own_root
		rmdir "$IT_OUT/own/$d"
		mkdir "$IT_OUT/own/tmp/$d"
		ln -s "/tmp/$d" "$IT_OUT/own/$d"
		refused_by_both "'/$d'" "$OWN" true || return 1
	done
}

@test "security: /dev of the image is a link: it stays inside" {
	own_root
	rmdir "$IT_OUT/own/dev"
	ln -s "/../../../../../..$IT_OUT/linked" "$IT_OUT/own/dev"
	mkdir -p "$IT_OUT/linked"
	conf "$OWN" 'ls /dev/null'
	RT=berth
	output=$(go 2>&1)
	expect /dev/null
	[ -z "$(ls -A "$IT_OUT/linked")" ]
	rmdir "$IT_OUT/linked"
}

@test "security: mount points that are links to the host stay inside" {
	own_root
	mkdir -p "$IT_OUT/escape"
	ln -s "../../../../../../../../../..$IT_OUT/escape" "$IT_OUT/own/rel"
	ln -s "$IT_OUT/escape" "$IT_OUT/own/abs"
	ours "$OWN"'mount("/rel/a", "tmpfs", "tmpfs"); mount("/abs/b", out + "/secret", "bind", "bind"); mount("/rel", "tmpfs", "tmpfs")
l["devices"] = [{"path": "/abs/dev", "type": "c", "major": 1, "minor": 3}]' "ls $IT_OUT/escape >/dev/null && echo inside"
	expect inside
	[ -z "$(ls -A "$IT_OUT/escape")" ]
	ns sh -c "! grep -q '$IT_OUT/escape' /proc/mounts"
}

@test "security: masked and read-only paths that are links (CVE-2025-31133)" {
	own_root
	ln -s /proc/self/status "$IT_OUT/own/masked"
	ln -s "../../../../../..$IT_OUT/secret" "$IT_OUT/own/out"
	ours "$OWN"'l["maskedPaths"] += ["/masked", "/out", "/dev/null"]; l["readonlyPaths"] += ["/out"]' 'cat /out /masked; ls -l /dev/null | cut -c1-10'
	[ "$status" = 0 ]
	expect_in "can't open '/out'"
	[ "$(cat "$IT_OUT/secret")" = outside ]
	# /dev/null of the image as a link does not become the mask of others.
	own_root
	ln -s /proc/sysrq-trigger "$IT_OUT/own/dev/null"
	ours "$OWN"'c["mounts"] = [m for m in c["mounts"] if m["destination"] == "/proc"]; l["maskedPaths"] = ["/proc/keys"]' 'ls -l /proc/keys | cut -c1-10; cat /proc/keys'
	expect crw-rw-rw-
}

@test "security: /dev/console and /dev/ptmx of the image are links (CVE-2025-52565)" {
	own_root
	ln -s /proc/sys/kernel "$IT_OUT/own/dev/pts"
	ln -s /etc/target "$IT_OUT/own/dev/console"
	echo untouched >"$IT_OUT/own/etc/target"
	conf "$OWN"'p["terminal"] = True; c["mounts"] = [m for m in c["mounts"] if m["destination"] in ("/proc", "/dev/pts")]' 'echo hi'
	RT=berth
	on_tty ns "$BERTH" --root "$IT/berth/root" run -b "$IT_OUT/berth" c </dev/null >"$BATS_TEST_TMPDIR/said" || true
	expect_in "/mounts/1" "$(cat "$BATS_TEST_TMPDIR/said")"
	[ "$(cat "$IT_OUT/own/etc/target")" = untouched ]
	gone c
}

@test "security: a passwd or group of the image that is a pipe, a device, a link, or huge" {
	own_root
	mkfifo "$IT_OUT/own/etc/passwd"
	ours "$OWN" 'echo on'
	expect on
	rm "$IT_OUT/own/etc/passwd"
	ln -s "../../../../../..$IT_OUT/secret" "$IT_OUT/own/etc/passwd"
	ours "$OWN" 'echo $HOME'
	expect /
	rm "$IT_OUT/own/etc/passwd"
	head -c 3000000 /dev/zero | tr '\0' x >"$IT_OUT/own/etc/passwd"
	ours "$OWN" 'echo on'
	expect on
}

# The program under test is a copy, so that its own hash can be looked at.
hash_of() {
	ns sha256sum "$1" | cut -d' ' -f1
}

@test "security: the runtime's binary cannot be reached through /proc/self/exe (CVE-2019-5736)" {
	local before after prog bin=$IT/bin-berth

	ns cp "$BERTH" "$bin"
	before=$(hash_of "$bin")
	BERTH=$bin
	# The entry point is the runtime itself, as a script's interpreter and by link.
	printf '#!/proc/self/exe\n' >"$IT_OUT/rootfs/tmp/evil"
	chmod 755 "$IT_OUT/rootfs/tmp/evil"
	ln -sf /proc/self/exe "$IT_OUT/rootfs/tmp/evil2"
	for prog in /tmp/evil /tmp/evil2 /proc/self/exe; do
		conf 'p["args"] = ["'$prog'", "--version"]; caps("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE")'
		RT=berth
		go >/dev/null 2>&1 || true
	done
	# Processes of the container wait for one that executes the runtime, and write.
	cat >"$IT_OUT/rootfs/tmp/attack" <<-'SH'
		i=0
		while [ $i -lt 3000 ]; do
			for p in /proc/[0-9]*; do
				[ "$p" = /proc/1 ] || [ "$p" = /proc/$$ ] || {
					(exec 9<"$p/exe") 2>/dev/null && (echo broken >>"$p/exe") 2>/dev/null && echo "$p" >>/tmp/wrote
					for f in $p/fd/*; do (echo broken >>"$f/no") 2>/dev/null; done
				}
			done
			i=$((i + 1))
		done
	SH
	conf 'caps("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"); p["noNewPrivileges"] = False' 'exec sh /tmp/attack'
	RT=berth
	up
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		rt exec c /proc/self/exe --version >/dev/null 2>&1 || true
		rt exec c true || true
		rt exec c /tmp/evil >/dev/null 2>&1 || true
	done
	gone c
	after=$(hash_of "$bin")
	[ "$before" = "$after" ]
	ns "$bin" --version >/dev/null
	ns rm "$bin"
	rm -f "$IT_OUT"/rootfs/tmp/{evil,evil2,attack,wrote}
}

@test "security: what the container sees of the runtime's processes is not the host's binary" {
	conf 'caps("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE")' 'readlink /proc/self/exe; exec sleep 600'
	RT=berth
	up
	# Before start, the waiting first process: its executable is a protected copy.
	gone c
	rt create -b "$(bundle)" c >/dev/null 2>&1
	output=$(ns readlink "/proc/$(pid_of)/exe")
	[ "$output" != "$BERTH" ] || { echo "$output"; return 1; }
	expect '' "$(ns sh -c "ls -l /proc/$(pid_of)/fd" | grep -v 'socket:\|pipe:\|/dev/null\|total\|/tmp/\|anon_inode' || true)"
	gone c
}

@test "security: before start nothing of the host is open in the process, with create" {
	conf '' true
	RT=berth
	rt create -b "$(bundle)" c >/dev/null 2>&1 </dev/null
	output=$(ns sh -c "for f in /proc/$(pid_of)/fd/*; do readlink \$f; done" | grep -v '^/dev/null\|^pipe:' | sort | uniq -c)
	expect_in 'socket:' # the start socket and nothing else
	[ "$(wc -l <<<"$output")" -le 2 ] || { echo "$output"; return 1; }
	gone c
}

@test "security: an executable looked up as the user, not as root" {
	mkdir -p "$IT_OUT/rootfs/priv"
	cp "$IT_OUT/rootfs/bin/busybox" "$IT_OUT/rootfs/priv/true"
	chmod 700 "$IT_OUT/rootfs/priv"
	refused_by_both 'permission denied' 'p["user"] = {"uid": 1000, "gid": 1000}; p["args"] = ["/priv/true"]'
	rm -r "$IT_OUT/rootfs/priv"
}

@test "security: /proc of the container is not writable where the host would notice" {
	same '' 'for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/irq/default_smp_affinity; do (echo x >$f) 2>&1 | sed "s/.*: //"; done'
	expect_in 'Read-only file system'
}

@test "security: ids, names and paths that are no such thing" {
	local id

	RT=berth
	conf '' true
	for id in .. . a/b '' 'a b' $'a\nb' "$(printf 'x%.0s' {1..1100})" /etc; do
		output=$(ns timeout 60 "$BERTH" --root "$IT/berth/root" run -b "$(bundle)" "$id" 2>&1) && { echo "$id"; return 1; }
		expect_in id
	done
}

@test "security: a mount over the rootfs' parent, a source with a newline, a nul" {
	ours 'mount("/m\nx", "tmpfs", "tmpfs"); p["env"].append("A=b\nc")' 'grep -c "m.012x" /proc/self/mountinfo'
	expect 1
	refused config.json 'mount("/m\0x", "tmpfs", "tmpfs")' true
	rmdir "$IT_OUT/rootfs/m"* 2>/dev/null || true
}

# runc and we own the process's stdio; the null device of the host stays the host's,
# whatever the container has put in the place of its own.
@test "security: the host's null device keeps its owner when the container has none" {
	ns mknod -m 666 "$IT/null" c 1 3
	RT=berth
	conf '' 'rm /dev/null; exec sleep 600'
	up
	it_until 30 'ns test ! -e "/proc/$(pid_of)/root/dev/null"'
	ns sh -c 'exec "$0" --root "$1" exec -u 1000 c true <"$2" >"$2" 2>&1' "$BERTH" "$IT/berth/root" "$IT/null" 3>&- 4>&-
	gone c
	expect 0 "$(ns stat -c %u "$IT/null")"
	ns rm "$IT/null"
}

@test "security: a passwd file without end does not hold up a start" {
	own_root
	truncate -s 4T "$IT_OUT/own/etc/passwd"
	RT=berth
	conf "$OWN" 'echo "home $HOME"'
	SECONDS=0
	expect 'home /' "$(go 2>&1)"
	[ "$SECONDS" -lt 5 ]
	rm "$IT_OUT/own/etc/passwd"
}
