# engine_lib.bash: tests of the engine with real shims, written for
# test/engine/client.py: `engine` runs the statements on its standard input.

engine_up() {
	it_need busybox python3
	it_shim || return 1
	ENGINE_TOOL=${ENGINE_TOOL:-${BERTH_BUILD:-$IT_TOP/build}/test/engine_tool}
	if [ ! -x "$ENGINE_TOOL" ]; then
		echo "no engine to test: build $ENGINE_TOOL" >&2
		return 1
	fi
	export ENGINE_TOOL PYTHONDONTWRITEBYTECODE=1
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
	PY
}

engine_down() {
	it_end
}

# Run a test: the statements on standard input.
engine() {
	ns python3 "$IT_TOP/test/engine/client.py" 3>&- 4>&-
}
