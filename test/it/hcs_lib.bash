# hcs_lib.bash: tests of libberth with real shims, written for test/hcs/berth.py:
# `hcs` runs the statements on its standard input.

hcs_up() {
	it_need busybox python3
	it_shim || return 1
	LIBBERTH=${LIBBERTH:-${BERTH_BUILD:-$IT_TOP/build}/src/hcs/libberth.so.0}
	if [ ! -e "$LIBBERTH" ]; then
		echo "no library to test: build $LIBBERTH" >&2
		return 1
	fi
	export LIBBERTH PYTHONDONTWRITEBYTECODE=1
	it_world || return 1
	it_rootfs "$IT_OUT/rootfs"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$IT_OUT" 2>/dev/null || true
	"$BERTH" spec -b "$IT_OUT"
	python3 - <<-'PY'
		import json, os
		with open(os.environ["IT_OUT"] + "/config.json") as f:
		    c = json.load(f)
		c["process"].pop("rlimits", None)
		c["linux"].pop("resources", None)
		with open(os.environ["IT_OUT"] + "/base.json", "w") as f:
		    json.dump(c, f)
		with open(os.environ["IT_OUT"] + "/engine.json", "w") as f:
		    json.dump({}, f)
	PY
	export BERTH_SHIM=$SHIM BERTH_STATE=$IT/state BERTH_CGROUP_PARENT=$IT_CG BERTH_CONFIG=$IT_OUT/engine.json
	export HCS_ROOTFS=$IT_OUT/rootfs
}

hcs_down() {
	it_end
}

# Run a test: the statements on standard input.
hcs() {
	ns python3 "$IT_TOP/test/hcs/berth.py" 3>&- 4>&-
}
