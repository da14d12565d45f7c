# daemon_api.bash: tests of the daemon written for test/daemon/client.py: `daemon`
# runs the statements on its standard input.
#
#   BERTHD=/usr/bin/containerd bats test/it/daemon_meta.bats
#
# runs them against containerd's own, from which what they expect was learnt. Where
# that one differs the test says `if OURS`.

daemon_up() {
	it_need busybox protoc python3
	it_shim || return 1
	BERTHD=${BERTHD:-${BERTH_BUILD:-$IT_TOP/build}/src/daemon/berthd}
	if [ ! -x "$BERTHD" ]; then
		echo "no daemon to test: build $BERTHD" >&2
		return 1
	fi
	BERTHD=$(realpath "$BERTHD")
	export BERTHD
	it_world || return 1
	# The interpreter that Debian's python3-grpcio is for.
	IT_PYTHON=python3
	"$IT_PYTHON" -c 'import grpc' 2>/dev/null || IT_PYTHON=/usr/bin/python3
	"$IT_PYTHON" -c 'import grpc' 2>/dev/null || it_need python3-grpcio
	export IT_PYTHON PYTHONDONTWRITEBYTECODE=1
	shim_base
	mkdir "$IT_OUT/api"
	protoc -I "$IT_TOP/api/services" -I "$IT_TOP/api" --python_out="$IT_OUT/api" \
		"$IT_TOP"/api/*.proto "$IT_TOP"/api/services/*.proto
}

daemon_down() {
	it_end
}

# Run a test: the statements on standard input.
daemon() {
	ns "$IT_PYTHON" "$IT_TOP/test/daemon/client.py" 3>&- 4>&-
}

# daemon_ctl: berthctl beside it, in $CTL, for the same state directory: ctl() in `hard`.
daemon_ctl() {
	CTL=${BERTHCTL:-${BERTH_BUILD:-$IT_TOP/build}/src/ctl/berthctl}
	if [ ! -x "$CTL" ]; then
		echo "no berthctl to test: build $CTL" >&2
		return 1
	fi
	CTL=$(realpath "$CTL")
	export CTL BERTH_SHIM=$SHIM BERTH_STATE=$IT/d/state BERTH_CGROUP_PARENT=$IT_CG BERTH_CONFIG=$IT_OUT/engine.json
	echo "{}" >"$BERTH_CONFIG"
}

# As `daemon`, with what test/daemon/hard.py defines.
hard() {
	cat "$IT_TOP/test/daemon/hard.py" - | HARD_C=$IT_TOP/test/daemon/hard.c daemon
}
