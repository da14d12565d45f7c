# shim_lib.bash: which shim is under test, and tests of it written for
# test/shim/client.py: `shim` runs the statements on its standard input.
#
#   SHIM=/usr/bin/containerd-shim-runc-v2 bats test/it/shim_task.bats
#
# runs them against containerd's own, from which what they expect was learnt.
# Where that one is known to be wrong the test says `ours_only WHY`.

# The shim under test: $SHIM, or what was built with the runtime under test.
it_shim() {
	local name=containerd-shim-berth-v2 dir

	it_berth || return 1
	if [ -z "${SHIM:-}" ]; then
		dir=$(dirname "$BERTH")
		for SHIM in "$dir/$name" "$dir/../shim/$name" "$IT_TOP/build/$name" "$(command -v "$name")"; do
			[ ! -x "$SHIM" ] || break
		done
	fi
	if [ ! -x "$SHIM" ]; then
		echo "no shim to test: set SHIM or build it" >&2
		return 1
	fi
	SHIM=$(realpath "$SHIM")
	export SHIM
}

shim_up() {
	it_need busybox protoc python3
	it_shim || return 1
	it_world || return 1
	mkdir "$IT_OUT/api"
	protoc -I "$IT_TOP/api" --python_out="$IT_OUT/api" "$IT_TOP"/api/*.proto || return 1
	shim_base
	# The interpreter that Debian's python3-protobuf is for.
	IT_PYTHON=python3
	"$IT_PYTHON" -c 'import google.protobuf' 2>/dev/null || IT_PYTHON=/usr/bin/python3
	export IT_PYTHON PYTHONDONTWRITEBYTECODE=1
}

# A root file system, and base.json: a config.json that tests change.
shim_base() {
	it_rootfs "$IT_OUT/rootfs"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$IT_OUT" 2>/dev/null || true
	"$PEER" spec -b "$IT_OUT"
	python3 - <<-'PY'
		import json, os
		name = os.environ["IT_OUT"] + "/config.json"
		with open(name) as f:
		    c = json.load(f)
		c["process"].pop("rlimits", None)
		c["linux"].pop("resources", None)
		with open(os.environ["IT_OUT"] + "/base.json", "w") as f:
		    json.dump(c, f)
	PY
}

shim_down() {
	it_end
}

# Run a test: the statements on standard input.
shim() {
	ns "$IT_PYTHON" "$IT_TOP/test/shim/client.py" 3>&- 4>&-
}

is_peer() {
	case $(basename "$SHIM") in *berth*) return 1 ;; esac
}

# The peer does not do this: the test is for our shim alone. SHIM_ALL=1 runs it
# against the peer all the same, to see it fail.
ours_only() {
	! is_peer || [ -n "${SHIM_ALL:-}" ] || skip "of the peer: $*"
}
