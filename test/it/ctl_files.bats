#!/usr/bin/env bats
# ctl_files.bats: documents, limits, files and directories by berthctl: validate,
# modify, read, write, share.

load lib.bash
load shim_lib.bash
load ctl_lib.bash

setup_file() { ctl_up; }
teardown() { ctl_clean; }
teardown_file() { ctl_down; }

@test "ctl: validate: every problem with its place, and nothing happens" {
	said 0 ctl validate "$DOC"
	expect 'no problems'
	json 0 ctl validate --json - <"$DOC"
	is '. == { "Valid": true, "ErrorEvents": [] }'
	cat >"$BATS_TEST_TMPDIR/bad.json" <<-END
		{ "SchemaVersion": { "Major": 2, "Minor": 1 },
		  "Container": { "Storage": { "Path": "relative" },
		    "Processor": { "Count": 1, "Weight": 3 },
		    "NoSuch": 1 } }
	END
	said 1 ctl validate "$BATS_TEST_TMPDIR/bad.json"
	expect_in 'POINTER'
	[[ $output =~ /Container/Storage/Path\ +2\  ]]
	[[ $output =~ /Container/NoSuch\ +4\  ]]
	expect_in '/Container/Processor'
	json 1 ctl validate --json "$BATS_TEST_TMPDIR/bad.json"
	is '.Valid == false and (.ErrorEvents | length) == 3'
	echo '{ "a": ' >"$BATS_TEST_TMPDIR/bad.json"
	said 1 ctl validate "$BATS_TEST_TMPDIR/bad.json"
	said 1 ctl validate "$BATS_TEST_TMPDIR/none"
	expect "berthctl: open '$BATS_TEST_TMPDIR/none': no such file or directory"
	json 1 ctl validate --json "$BATS_TEST_TMPDIR/none"
	is '.ErrorMessage | contains("no such file")'
	json 0 ctl list -A --json
	is '. == []'
}

limit() {
	json 0 ctl inspect --json c
	jq .Memory.VirtualMachineMemory.ReservedMemory <<<"$output"
}

@test "ctl: modify: memory and processors of a running system, as flags and as a document" {
	ctl_make Running
	said 0 ctl modify -m 64m c
	expect 16384 "$(limit)"
	said 0 ctl modify c --memory 32m --cpus 0.5
	expect 8192 "$(limit)"
	json 0 ctl modify --cpus 1 --json c
	is '.Id == "c" and .State == "Running"'
	said 0 ctl modify --cpu-weight 7000 c
	echo '{"ResourcePath":"Container/Memory/SizeInMB","RequestType":"Update","Settings":20}' | said 0 ctl modify -f - c
	expect 5120 "$(limit)"
	echo '{"ResourcePath":"Container/NoSuch","Settings":20}' >"$BATS_TEST_TMPDIR/bad.json"
	said 1 ctl modify -f "$BATS_TEST_TMPDIR/bad.json" c
	expect_in '/ResourcePath'
	json 1 ctl modify --json -f "$BATS_TEST_TMPDIR/bad.json" c
	is '.ErrorName | test("NOT_SUPPORTED|INVALID_JSON")'
	expect 5120 "$(limit)"
}

@test "ctl: write and read: from and to files and streams, whole" {
	ctl_make Running
	head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/big"
	said 0 ctl write c "$BATS_TEST_TMPDIR/big" /tmp/big
	cmp "$BATS_TEST_TMPDIR/big" "$ROOTFS/tmp/big"
	said 0 ctl read c /tmp/big "$BATS_TEST_TMPDIR/back"
	cmp "$BATS_TEST_TMPDIR/big" "$BATS_TEST_TMPDIR/back"
	echo short | ctl write c /tmp/big
	expect short "$(ctl read c tmp/big)"
	expect '644 0:0' "$(stat -c '%a %u:%g' "$ROOTFS/tmp/big")"
	(umask 077 && echo strict | ctl write c /tmp/strict)
	expect 644 "$(stat -c %a "$ROOTFS/tmp/strict")"
	json 0 ctl write --json c "$BATS_TEST_TMPDIR/big" /tmp/big
	is '.Id == "c" and .Bytes == 3000000 and .ContainerPath == "/tmp/big"'
	json 0 ctl read --json c /tmp/big "$BATS_TEST_TMPDIR/back"
	is '.Bytes == 3000000'
	said 0 ctl read c /etc/passwd
	expect_in root:x:0:0
}

@test "ctl: write and read: only regular files, only where the system may" {
	ctl_make Running
	ctl exec c -- sh -c 'mkfifo /tmp/fifo; mknod /tmp/null c 1 3; mkdir /tmp/d; echo x >/tmp/x'
	for what in fifo null; do
		said 1 ctl read c /tmp/$what
		expect "berthctl: read c: '/tmp/$what' is not a regular file"
		said 1 ctl write c /tmp/$what </dev/null
		expect "berthctl: write c: '/tmp/$what' is not a regular file"
	done
	said 1 ctl write c /tmp/d </dev/null
	expect "berthctl: write c: open '/tmp/d': is a directory"
	said 1 ctl write c /no/such/f </dev/null
	expect "berthctl: write c: open '/no/such/f': no such file or directory"
	said 1 ctl read c /no/such
	json 1 ctl read --json c /no/such "$BATS_TEST_TMPDIR/f"
	is '.ErrorMessage == "read c: open '"'/no/such'"': no such file or directory"'
	said 1 ctl write c "$BATS_TEST_TMPDIR/none" /tmp/x
	expect "berthctl: open '$BATS_TEST_TMPDIR/none': no such file or directory"
	expect x "$(ctl read c /tmp/x)"
	rm -rf "$ROOTFS"/tmp/*
}

@test "ctl: write and read: links of the system lead nowhere else, not to our root's powers either" {
	echo secret >"$IT_OUT/secret"
	chmod 644 "$IT_OUT/secret"
	ctl_make Running
	ctl exec c -- sh -c "ln -s $IT_OUT/secret /tmp/abs; ln -s ../../../../../../..$IT_OUT/secret /tmp/rel
		ln -s /proc/1/root/etc/passwd /tmp/magic; ln -s /proc/sysrq-trigger /tmp/trigger; ln -s /proc/sys/kernel/hostname /tmp/sys"
	for link in abs rel magic; do
		said 1 ctl read c /tmp/$link
		said 1 ctl write c /tmp/$link </dev/null
	done
	expect secret "$(cat "$IT_OUT/secret")"
	for link in trigger sys; do
		said 1 ctl write c /tmp/$link </dev/null
	done
	rm -rf "$ROOTFS"/tmp/*
}

@test "ctl: write and read: with a user namespace, and few capabilities, no more than its root may" {
	own_document sleep 100 >"$OWN"
	python3 - "$OWN" <<-'PY'
		import json, sys
		d = json.load(open(sys.argv[1]))
		c = d["Container"]["OciSpecification"]
		c["linux"]["namespaces"].append({"type": "user"})
		for ids in "uidMappings", "gidMappings":
		    c["linux"][ids] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
		c["process"]["capabilities"] = {k: ["CAP_KILL"] for k in ("bounding", "effective", "permitted")}
		c["mounts"] = [m for m in c["mounts"] if m["type"] not in ("sysfs", "cgroup")]
		c["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]})
		json.dump(d, open(sys.argv[1], "w"))
	PY
	said 0 ctl run -d -f "$OWN" c
	echo mine | ctl write c /tmp/f
	expect mine "$(ctl read c /tmp/f)"
	expect '0 0' "$(ctl exec c stat -c '%u %g' /tmp/f)"
	said 1 ctl write c /etc/passwd </dev/null
	expect "berthctl: write c: open '/etc/passwd': permission denied"
	chmod 600 "$ROOTFS/data/seed"
	said 1 ctl read c /data/seed
	expect "berthctl: read c: open '/data/seed': permission denied"
	chmod 644 "$ROOTFS/data/seed"
	expect seed "$(ctl read c /data/seed)"
}

@test "ctl: share: a directory in a running system, read-only too, and taken away" {
	mkdir -p "$IT_OUT/shared"
	echo there >"$IT_OUT/shared/file"
	ctl_make Running
	said 0 ctl share c "$IT_OUT/shared" /mnt/one
	expect there "$(ctl exec c cat /mnt/one/file)"
	said 0 ctl exec c touch /mnt/one/new
	[ -e "$IT_OUT/shared/new" ]
	said 0 ctl share -readonly c "$IT_OUT/shared" /mnt/two
	said 1 ctl exec c touch /mnt/two/other
	expect_in 'Read-only file system'
	said 1 ctl share c "$IT_OUT/shared" /mnt/two
	json 1 ctl share --json c "$IT_OUT/shared" /mnt/two
	is '.Error < 0'
	said 1 ctl share c /no/such /mnt/three
	expect "berthctl: open '/no/such': no such file or directory"
	json 0 ctl share --json --remove c /mnt/two
	is '.Id == "c"'
	said 0 ctl share c --remove /mnt/one
	said 1 ctl share c --remove /mnt/one
	said 1 ctl exec c cat /mnt/one/file
}
