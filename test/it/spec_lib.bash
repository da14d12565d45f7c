# spec_lib.bash: one container called `c`, whose config.json is what `runc spec`
# writes after a few Python statements, run by the runtime $RT (berth, peer or
# crun) inside the world.

spec_up() {
	it_need busybox python3
	it_world "$@" || return 1
	it_rootfs "$IT_OUT/rootfs"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$IT_OUT" 2>/dev/null || true
	"$PEER" spec -b "$IT_OUT"
	mv "$IT_OUT/config.json" "$IT_OUT/base.json"
	mkdir -p "$IT_OUT/bin"
	CRUN=$(command -v crun) || return 1
	export CRUN
}

spec_down() {
	for RT in berth peer crun; do
		gone c
		gone d
	done
	it_end
}

# conf STATEMENTS [SCRIPT]: the bundles of all runtimes. c is the document, p its
# process, l its linux section, rt the runtime's name; the container runs
# SCRIPT with sh, if there is one.
conf() {
	python3 - "$@" <<'PY'
import json, os, sys
out = os.environ["IT_OUT"]
base = open(out + "/base.json").read()
for rt in ("berth", "peer", "crun"):
    c = json.loads(base)
    p, l = c["process"], c["linux"]
    p["terminal"] = False
    p["rlimits"] = []
    c["root"] = {"path": out + "/rootfs", "readonly": False}
    c["hostname"] = "box"
    l["cgroupsPath"] = os.environ["IT_CG"] + "/" + rt
    if len(sys.argv) > 2:
        p["args"] = ["sh", "-c", "exec 2>&1\n" + sys.argv[2]] # runc copies two pipes in any order

    def ns(kind, path=None, new=True):
        """Without, or joined to, a namespace of this kind."""
        l["namespaces"] = [n for n in l["namespaces"] if n["type"] != kind]
        if new or path:
            l["namespaces"].append({"type": kind, **({"path": path} if path else {})})

    def mount(dest, source, kind, *options):
        c["mounts"].append({"destination": dest, "source": source, "type": kind, "options": list(options)})

    def maps(inside=0, outside=0, size=65536):
        ns("user")
        for k in ("uidMappings", "gidMappings"):
            l[k] = [{"containerID": inside, "hostID": outside, "size": size}]

    def caps(*names):
        p["capabilities"] = {k: list(names) for k in ("bounding", "effective", "permitted")}

    exec(sys.argv[1])
    d = f"{out}/{rt}" + os.environ.get("SPEC_SUFFIX", "")
    os.makedirs(d, exist_ok=True)
    with open(d + "/config.json.new", "w") as f:
        json.dump(c, f)
    os.rename(d + "/config.json.new", d + "/config.json")
PY
}

# The runtime $RT; its standard input is empty, and a call that hangs fails.
rt() {
	local bin=$BERTH

	[ "$RT" != peer ] || bin=$PEER
	[ "$RT" != crun ] || bin=$CRUN
	ns timeout -k 1 60 "$bin" --root "$IT/$RT/root" "$@" </dev/null 3>&- 4>&-
}

bundle() {
	echo "$IT_OUT/$RT"
}

gone() {
	ns test ! -e "$IT/$RT/root/$1" || rt delete -f "$1" >/dev/null 2>&1 || true
}

# Run the container in the foreground. Afterwards nothing is left of it, unless
# that is the failure.
# shellcheck disable=SC2120
go() {
	local rc=0

	rt run -b "$(bundle)" "$@" c || rc=$?
	if ! ns test ! -e "$IT/$RT/root/c"; then
		echo "$RT left its container behind"
		gone c
	fi
	return "$rc"
}

# One that stays; its pid in the world is what `pid_of` says.
up() {
	rt run -d -b "$(bundle)" "$@" c >"$BATS_TEST_TMPDIR/up.$RT" 2>&1 || {
		cat "$BATS_TEST_TMPDIR/up.$RT"
		gone c
		return 1
	}
}

pid_of() {
	rt state "${1:-c}" | sed -n 's/^ *"pid": \([0-9]*\),*$/\1/p'
}

# same STATEMENTS SCRIPT: berth's container prints and exits as runc's does.
same() {
	conf "$@" && both go
}

# ours STATEMENTS SCRIPT: berth alone; $output, $status.
ours() {
	conf "$@" || return 1
	RT=berth
	status=0
	output=$(go 2>&1) || status=$?
}

# refused PART STATEMENTS: berth refuses, in one line that has PART in it, and
# leaves nothing; refused_by_both: so does runc, in its own words.
refused() {
	local part=$1

	shift
	ours "$@" || return 1
	[ "$status" = 1 ] || { echo "exit status $status: $output"; return 1; }
	expect_in "$part" || return 1
	[ "$(grep -c 'level=error' <<<"$output")" = 1 ] || { echo "not one line: $output"; return 1; }
	it_cgroup_none
}

refused_by_both() {
	refused "$@" || return 1
	RT=peer
	if output=$(go 2>&1); then
		echo "runc does it: $output"
		return 1
	fi
}

# A small root file system of one test's own, to be spoilt; the container of that
# has OWN among its statements.
own_root() {
	rm -rf "$IT_OUT/own"
	mkdir -p "$IT_OUT/own/bin"
	cp "$IT_OUT/rootfs/bin/busybox" "$IT_OUT/own/bin/"
	cp -d "$IT_OUT"/rootfs/bin/{sh,ls,cat,cut,wc,true,id,head,grep,stat,sleep,readlink,touch,mount} "$IT_OUT/own/bin/"
	mkdir -p "$IT_OUT/own"/{dev,proc,sys,etc,tmp}
}
OWN='c["root"]["path"] = out + "/own"
'

it_cgroup_none() {
	local left

	left=$(it_cgroup_dirs "$IT_CG/berth")
	[ -z "$left" ] || { echo "cgroups left: $left"; return 1; }
}
