#!/usr/bin/env bats
# daemon_meta.bats: what the daemon keeps for clients and tells them: namespaces,
# leases, containers, events; and what it says to wrong calls.

load lib.bash
load shim_lib.bash
load daemon_api.bash

setup_file() { daemon_up; }
teardown_file() { daemon_down; }

@test "daemon: version, server, plugins, health" {
	daemon <<-'PY'
		assert Version.Version(ns=None).version
		s = Introspection.Server(ns=None)
		eq(len(s.uuid), 36)
		if OURS:
		    eq(s.pid, DAEMON.process.pid)
		    eq(s.pidns, os.stat("/proc/self/ns/pid").st_ino)
		p = Introspection.Plugins(ns=None, filters=["type==io.containerd.runtime.v2"]).plugins
		eq([x.id for x in p], ["task"])
		eq(p[0].platforms[0].os, "linux")
		all = Introspection.Plugins(ns=None).plugins
		for t in ("io.containerd.service.v1", "io.containerd.grpc.v1", "io.containerd.metadata.v1"):
		    assert [x for x in all if x.type == t], t
		eq(Health.Check(ns=None).status, 1)
		fails(NOT_FOUND, None, Health.Check, service="x")
	PY
}

@test "daemon: a method or a service that there is not" {
	daemon <<-'PY'
		fails(UNIMPLEMENTED, "unknown service x.Y" + (": not implemented" if OURS else ""), raw, "/x.Y/Z")
		fails(UNIMPLEMENTED, "unknown method Z for service containerd.services.version.v1.Version" +
		      (": not implemented" if OURS else ""), raw, "/containerd.services.version.v1.Version/Z")
		C = "/containerd.services.containers.v1.Containers/"
		fails(FAILED_PRECONDITION, "namespace is required: failed precondition", raw, C + "List", ns=None)
		fails(INVALID_ARGUMENT, "namespace validation: identifier \"a/b\" must match "
		      "^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$: invalid argument", raw, C + "List", ns="a/b")
		if OURS: # others cut it off there, or read it
		    fails(INVALID_ARGUMENT, "Get: the request cannot be read: invalid argument", raw, C + "Get", b"\n\x03a\0b")
		    fails(INVALID_ARGUMENT, "Get: the request cannot be read: invalid argument", raw, C + "Get", b"\n\x02a\xff")
		    fails(INVALID_ARGUMENT, "Get: the request cannot be read: invalid argument", raw, C + "Get", b"\n\xff")
		# What clients ask for that use images.
		for s, body in ("content.v1.Content", b""), ("snapshots.v1.Snapshots", b"\n\x06native"):
		    eq(raw("/containerd.services." + s + "/List", body, stream=True), [])
		eq(raw("/containerd.services.images.v1.Images/List"), b"")
		if OURS:
		    for m in "content.v1.Content/Write", "images.v1.Images/Get", "snapshots.v1.Snapshots/Prepare", \
		            "diff.v1.Diff/Apply":
		        fails(UNIMPLEMENTED, "not implemented", raw, "/containerd.services." + m)
	PY
}

@test "daemon: namespaces" {
	daemon <<-'PY'
		events = Events_()
		names = lambda: {n.name: dict(n.labels) for n in Namespaces.List(ns=None).namespaces}
		eq(Namespaces.Get(name="none").namespace.name, "none")
		eq(names(), {})
		n = Namespaces.Create(namespace={"name": "a", "labels": {"k": "1", "l": "2"}}).namespace
		eq((n.name, dict(n.labels)), ("a", {"k": "1", "l": "2"}))
		events.expect("/namespaces/create", resource_events_pb2.NamespaceCreate, name="a", labels={"k": "1", "l": "2"})
		fails(ALREADY_EXISTS, 'namespace "a": already exists', Namespaces.Create, namespace={"name": "a"})
		fails(INVALID_ARGUMENT, "identifier must not be empty: invalid argument", Namespaces.Create, namespace={})
		Namespaces.Update(namespace={"name": "a", "labels": {"k": "3", "m": "4"}},
		                  update_mask={"paths": ["labels.k", "labels.l"]})
		events.expect("/namespaces/update", resource_events_pb2.NamespaceUpdate, name="a")
		eq(names(), {"a": {"k": "3"}})
		Namespaces.Update(namespace={"name": "a", "labels": {"only": "5"}})
		events.expect("/namespaces/update", resource_events_pb2.NamespaceUpdate, name="a", labels={"only": "5"})
		eq(names(), {"a": {"only": "5"}})
		fails(INVALID_ARGUMENT, 'cannot update "name" field' + (": invalid argument" if OURS else ""),
		      Namespaces.Update, namespace={"name": "a"}, update_mask={"paths": ["name"]})
		Namespaces.Update(namespace={"name": "new", "labels": {"k": "1"}}, update_mask={"paths": ["labels.k"]})
		events.expect("/namespaces/update", resource_events_pb2.NamespaceUpdate, name="new", labels={"k": "1"})
		eq(names(), {"a": {"only": "5"}, "new": {"k": "1"}})
		Containers.Create(ns="a", container=container("c"))
		events.expect("/containers/create", ns="a")
		fails(FAILED_PRECONDITION, 'namespace "a" must be empty, but it still has containers: failed precondition',
		      Namespaces.Delete, name="a")
		Containers.Delete(ns="a", id="c")
		events.expect("/containers/delete", ns="a")
		Namespaces.Delete(name="a")
		events.expect("/namespaces/delete", resource_events_pb2.NamespaceDelete, ns="a", name="a")
		fails(NOT_FOUND, 'namespace "a": not found', Namespaces.Delete, name="a")
		events.nothing()
		# They are there after a restart.
		DAEMON.stop()
		DAEMON.start()
		eq(names(), {"new": {"k": "1"}})
	PY
}

@test "daemon: leases" {
	daemon <<-'PY'
		ids = lambda *f: [l.id for l in Leases.List(filters=f).leases]
		l = Leases.Create(id="l1", labels={"a": "1"}).lease
		eq((l.id, dict(l.labels)), ("l1", {"a": "1"}))
		assert abs(l.created_at.seconds - time.time()) < 60
		fails(ALREADY_EXISTS, 'lease "l1": already exists', Leases.Create, id="l1")
		r = Leases.Create().lease.id
		n, _, tail = r.partition("-")
		assert n.isdigit() and len(tail) == 4, r
		eq(sorted(ids()), sorted(["l1", r]))
		eq(ids("labels.a==1"), ["l1"])
		eq(ids("id==" + '"%s"' % r), [r])
		D = "sha256:" + "0123456789abcdef" * 4
		Leases.AddResource(id="l1", resource={"id": D, "type": "content"})
		Leases.AddResource(id="l1", resource={"id": "k", "type": "snapshots/overlayfs"})
		Leases.AddResource(id="l1", resource={"id": "r", "type": "ingests"})
		have = lambda: [(x.type, x.id) for x in Leases.ListResources(id="l1").resources]
		eq(have(), [("content", D), ("ingests", "r"), ("snapshots/overlayfs", "k")])
		Leases.DeleteResource(id="l1", resource={"id": "r", "type": "ingests"})
		eq(have(), [("content", D), ("snapshots/overlayfs", "k")])
		for code, words, type in (
		        (UNIMPLEMENTED, "resource type images not supported yet: not implemented", "images"),
		        (INVALID_ARGUMENT, "invalid snapshot resource type snapshots: invalid argument", "snapshots"),
		        (INVALID_ARGUMENT, "invalid content resource id x: invalid checksum digest format: invalid argument", "content"),
		        (INVALID_ARGUMENT, "invalid resource type content/x: invalid argument", "content/x")):
		    fails(code, words, Leases.AddResource, id="l1", resource={"id": "x", "type": type})
		fails(NOT_FOUND, 'lease "none": not found', Leases.AddResource, id="none", resource={"id": "x", "type": "ingests"})
		for call in Leases.AddResource, Leases.DeleteResource: # which comes first
		    fails(NOT_FOUND, 'lease "none": not found', call, id="none", resource={"id": "x", "type": "images"})
		fails(NOT_FOUND, 'lease "none": not found', Leases.ListResources, id="none")
		Leases.Delete(id="l1", sync=True)
		fails(NOT_FOUND, 'lease "l1": not found', Leases.Delete, id="l1")
		eq(ids(), [r])
		fails(NOT_FOUND, 'lease "%s": not found' % r, Leases.Delete, id=r, ns="other")
		if OURS: # containerd's waits for its next collection
		    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1.5))
		    Leases.Create(id="short", labels={"containerd.io/gc.expire": at})
		    Leases.Create(id="too-short", labels={"containerd.io/gc.expire": "2020-01-01T00:00:00Z"})
		    until(lambda: sorted(ids()) == sorted([r, "short"]) or "too-short" not in ids(), 1)
		    until(lambda: ids() == [r], 30)
	PY
}

@test "daemon: containers are created, read and deleted" {
	daemon <<-'PY'
		events = Events_()
		given = container("c1", image="an/image", labels={"b": "1", "a.b/c": "2", "empty": ""},
		                  extensions={"x": Any(type_url="t", value=b"\0\xff")})
		given["runtime"]["options"] = {"type_url": "o", "value": b"\x01"}
		c = Containers.Create(container=given).container
		eq((c.id, c.image, dict(c.labels), c.spec.value), ("c1", "an/image", {"b": "1", "a.b/c": "2"}, b"{}"))
		eq((c.runtime.options.type_url, c.extensions["x"].value), ("o", b"\0\xff"))
		assert abs(c.created_at.seconds - time.time()) < 60
		eq(c.created_at, c.updated_at)
		e = events.expect("/containers/create", resource_events_pb2.ContainerCreate, id="c1", image="an/image")
		eq((e.runtime.name, e.runtime.options.type_url), ("io.containerd.runc.v2", "o"))
		eq(Containers.Get(id="c1").container, c)
		fails(ALREADY_EXISTS, 'container "c1": already exists', Containers.Create, container=container("c1"))
		bad = "create container failed validation: %s: invalid argument"
		for words, change in (
		        ("container.ID: identifier must not be empty", {"id": ""}),
		        ("container.Runtime.Name must be set", {"runtime": None}),
		        ("container.Runtime.Name must be set", {"runtime": {}}),
		        ("container.Spec must be set", {"spec": None}),
		        ("container.Snapshotter must be set if container.SnapshotKey is set", {"snapshot_key": "k"}),
		        ("container.Extension keys must not be zero-length", {"extensions": {"": Any()}}),
		        ("containers.Labels: label key and value greater than maximum size (4096 bytes), key: kkkkkkkkkk",
		         {"labels": {"k" * 2000: "v" * 2097}})):
		    fails(INVALID_ARGUMENT, bad % words, Containers.Create, container={**container("c2"), **change})
		Containers.Create(container=container("big", spec={"type_url": "t", "value": b"x" * (8 << 20)}))
		eq(len(Containers.Get(id="big").container.spec.value), 8 << 20)
		events.expect("/containers/create", resource_events_pb2.ContainerCreate, id="big")
		fails(NOT_FOUND, 'container "none" in namespace "it": not found', Containers.Get, id="none")
		fails(NOT_FOUND, 'container none: not found', Containers.Delete, id="none")
		Containers.Delete(id="c1")
		events.expect("/containers/delete", resource_events_pb2.ContainerDelete, id="c1")
		fails(NOT_FOUND, 'container "c1" in namespace "it": not found', Containers.Get, id="c1")
		events.nothing()
	PY
}

@test "daemon: containers are updated by field masks" {
	daemon <<-'PY'
		events = Events_('topic~="^/containers/update"', 'topic=="/it/mark"')
		old = container("c", image="old", labels={"l": "1", "o": "1", "e": "1"}, snapshotter="s", snapshot_key="old")
		new = container("c", image="new", labels={"l": "2", "m": "2", "e": ""}, snapshotter="s", snapshot_key="new",
		                extensions={"x": Any(type_url="t"), "y": Any(type_url="t")})
		new["spec"] = {"type_url": "spec", "value": b"new"}
		Containers.Create(container=old)

		def update(c, *paths):
		    before = Containers.Get(id="c").container
		    r = Containers.Update(container=c, update_mask={"paths": paths} if paths else None).container
		    events.expect("/containers/update", resource_events_pb2.ContainerUpdate, id="c", image=r.image,
		                  snapshot_key=r.snapshot_key, labels=dict(r.labels))
		    got = Containers.Get(id="c").container
		    eq(got, r)
		    eq(got.created_at, before.created_at)
		    assert (got.updated_at.seconds, got.updated_at.nanos) > (before.updated_at.seconds, before.updated_at.nanos)
		    return got

		c = update(new, "image")
		eq((c.image, dict(c.labels), c.spec.value), ("new", {"l": "1", "o": "1", "e": "1"}, b"{}"))
		c = update(new, "labels.l", "labels.e", "extensions.y", "spec")
		eq((dict(c.labels), c.spec.value, sorted(c.extensions)), ({"l": "2", "o": "1"}, b"new", ["y"]))
		c = update(new, "labels", "snapshotkey", "extensions")
		eq((dict(c.labels), c.snapshot_key, sorted(c.extensions)), ({"l": "2", "m": "2"}, "new", ["x", "y"]))
		c = update({**old, "extensions": {"x": Any(type_url="t"), "y": Any(type_url="t")}})
		eq((c.image, dict(c.labels), c.snapshot_key), ("old", {"l": "1", "o": "1", "e": "1"}, "old"))

		for words, change, paths in (
		        ('cannot update "runtime" field on "c"', {}, ["runtime"]),
		        ('cannot update "id" field on "c"', {}, ["image", "id"]),
		        ("container.Snapshotter field is immutable", {"snapshotter": "t"}, []),
		        ("container.Runtime.Name field is immutable", {"runtime": {"name": "x"}}, []),
		        ("update failed validation: container.Spec must be set", {"spec": None}, ["spec"])):
		    fails(INVALID_ARGUMENT, words + ": invalid argument", Containers.Update, container={**old, **change},
		          update_mask={"paths": paths})
		fails(INVALID_ARGUMENT, "Container.ID required" + (": invalid argument" if OURS else ""), Containers.Update,
		      container=container(""))
		fails(NOT_FOUND, None, Containers.Update, container=container("none"))
		eq(Containers.Get(id="c").container.image, "old") # nothing of what failed
		events.nothing()
	PY
}

@test "daemon: containers are listed by filters, and as a stream" {
	daemon <<-'PY'
		for i in range(300):
		    Containers.Create(container=container("c%03d" % i, image="odd" if i % 2 else "", labels={
		        "com.example/n": str(i), "even": "" if i % 2 else "yes"}))
		Containers.Create(ns="other", container=container("x"))

		def ids(*f):
		    a = [c.id for c in Containers.List(filters=f).containers]
		    eq([m.container.id for m in Containers.ListStream(filters=f)], a)
		    return a
		eq(len(ids()), 300)
		eq(ids("id==c007"), ["c007"])
		eq(ids("id==c007", 'labels."com.example/n"==8'), ["c007", "c008"])
		eq(ids("image==odd,id~=\"c00[0-5]\""), ["c001", "c003", "c005"])
		eq(len(ids("image")), 150)
		eq(len(ids("labels.even")), 150)
		eq(len(ids("runtime.name==io.containerd.runc.v2")), 300)
		eq(ids("runtime.name!=io.containerd.runc.v2"), [])
		fails(INVALID_ARGUMENT, None, Containers.List, filters=["id=="])
		fails(INVALID_ARGUMENT, None, Containers.ListStream, filters=["id=="])
	PY
}

@test "daemon: events are published, forwarded, filtered, and survive who does not read" {
	daemon <<-'PY'
		all, mine = Events_(), Events_('namespace==other,topic~=|^/x/|', "event.container_id==c1")
		body = events_pb2.TaskStart(container_id="c1", pid=7).SerializeToString()
		Events.Publish(topic="/x/y", event={"type_url": "some.Type", "value": b"v"}, ns="other")
		e = all.expect("/x/y", ns="other")
		eq((e.event.type_url, e.event.value), ("some.Type", b"v"))
		assert abs(e.timestamp.seconds - time.time()) < 60
		eq(mine.next(), e)
		Events.Publish(topic="/z", event={"type_url": "containerd.events.TaskStart", "value": body})
		all.expect("/z", events_pb2.TaskStart, container_id="c1", pid=7)
		mine.expect("/z")
		Events.Forward(ns=None, envelope={"topic": "/a/b", "namespace": "far", "timestamp": {"seconds": 12, "nanos": 34},
		                                  "event": {"type_url": "t"}})
		e = all.expect("/a/b", ns="far")
		eq((e.timestamp.seconds, e.timestamp.nanos), (12, 34))
		for words, topic in (("must not be empty", ""), ("must start with '/'", "x"),
		                     ("must have at least one component", "/")):
		    fails(INVALID_ARGUMENT, 'envelope topic "%s": %s: invalid argument' % (topic, words), Events.Publish,
		          topic=topic, event={"type_url": "t"})
		fails(FAILED_PRECONDITION, None, Events.Publish, ns=None, topic="/x", event={"type_url": "t"})
		fails(INVALID_ARGUMENT, None, Events.Forward, envelope={"topic": "/x", "event": {"type_url": "t"}})
		fails(INVALID_ARGUMENT if OURS else UNKNOWN, None, Events.Subscribe, filters=["topic=="])
		all.nothing()

		# One that does not read: the others get everything, and it is told what it missed.
		if OURS:
		    slow = Events.Subscribe(filters=['topic=="/big"', 'topic=="/it/ready"'])
		    while True: # it is there
		        Events.Publish(topic="/it/ready", event={"type_url": "x"})
		        if next(slow).topic == "/it/ready":
		            break
		    n, v = 600, b"x" * 65536
		    for i in range(n):
		        Events.Publish(topic="/big", event={"type_url": "t", "value": v})
		    for i in range(n):
		        all.expect("/big")
		    got = missed = 0
		    while got + missed < n:
		        e = next(slow)
		        if e.topic == "/berth/events-missed":
		            eq(e.event.type_url, "berth.events.EventsMissed")
		            missed += missed_pb2.EventsMissed.FromString(e.event.value).count
		        elif e.topic == "/big":
		            got += 1
		    assert missed, "it missed nothing of %d" % n
		    eq(got + missed, n)
		    Events.Publish(topic="/big", event={"type_url": "last"})
		    eq(next(slow).event.type_url, "last")
	PY
}

# A session of ctr with the daemon at this socket: what it prints, without times.
ctr_session() {
	local line

	while read -r line; do
		echo "\$ $line"
		# shellcheck disable=SC2086
		ns timeout 60 ctr -a "$1" $line 2>&1 </dev/null || echo "exit $?"
	done <<-'END' | sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g; s/^time="[^"]*"/TIME/; s/"(Created|Updated)At":.*/"\1At"/; s/[0-9]{5,9}-[A-Za-z0-9_-]{4}/RANDOM/; s/(: invalid argument)+$/: invalid argument/; s/ +$//; s/  +/ /g'
		namespaces ls
		namespaces create n1 k=v l=w
		namespaces create n1
		namespaces create n/1
		namespaces label n1 k= m=x
		namespaces ls
		namespaces rm none
		-n n1 containers create --label a=b --rootfs /run c1 sh
		-n n1 containers create --rootfs /run c1 sh
		-n n1 containers create --rootfs /run a..b sh
		-n n1 containers ls
		-n n1 containers ls labels.a==b
		-n n1 containers ls labels.a==
		-n n1 containers label c1 x=y a=
		-n n1 containers info c1
		-n n1 containers info none
		namespaces rm n1
		-n n1 containers rm c1
		-n n1 containers rm c1
		namespaces rm n1
		namespaces ls
		leases create --id l1 x=y
		leases create --id l1
		leases create
		leases ls
		leases ls id==l1
		leases rm l1
		leases rm l1
		snapshots ls
		content ls
		images ls
		tasks ls
		-n bad..ns containers ls
	END
}

@test "daemon: ctr gets the same answers as from containerd" {
	it_need ctr containerd
	ns mkdir -p "$IT/c"
	cat >"$IT_OUT/c.toml" <<-END
		version = 2
		root = "$IT/c/root"
		state = "$IT/c/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$IT/c/containerd"
		[ttrpc]
		address = "$IT/c/containerd.ttrpc"
	END
	echo "{\"root\": \"$IT/c/r\", \"address\": \"$IT/c/berthd\", \"engine\": {\"state\": \"$IT/c/s\"}}" >"$IT_OUT/c.json"
	ns_daemon containerd containerd --config "$IT_OUT/c.toml"
	ns_daemon berthd "$BERTHD" --config "$IT_OUT/c.json"
	it_wait 30 ns ctr -a "$IT/c/containerd" version
	it_wait 30 ns ctr -a "$IT/c/berthd" version
	ctr_session "$IT/c/containerd" >"$IT_OUT/theirs"
	ctr_session "$IT/c/berthd" >"$IT_OUT/ours"
	ns_stop berthd
	ns_stop containerd
	ns rm -rf "$IT/c"
	diff -u "$IT_OUT/theirs" "$IT_OUT/ours"
	grep -q 'still has containers' "$IT_OUT/ours" # it was a session
}
